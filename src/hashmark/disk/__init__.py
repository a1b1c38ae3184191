"""The local side: walking, hashing, writing safely, the trash. Knows nothing of buckets."""

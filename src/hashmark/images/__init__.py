"""Untrusted images made into thumbnails and facts, in processes with limits. Knows nothing of buckets or the web."""

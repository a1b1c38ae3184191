"""The bucket side, and the only folder that knows libcurl and botocore.

`bucket.Bucket` is what the rest of hashmark uses. Nothing here decides what is equal or what to do about it.
"""

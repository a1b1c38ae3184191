"""A real S3 store on loopback for libraries without a bucket of their own. Knows nothing of what it stores."""

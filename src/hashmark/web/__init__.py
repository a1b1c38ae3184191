"""The S3 Manager in the browser: pages, JSON API, live events."""

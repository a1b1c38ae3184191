"""The HTTP server: the application, who may ask, where it listens. Knows nothing of datasets."""

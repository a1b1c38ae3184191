"""The HTTP API, a module for each kind of thing: datasets, items, moves and jobs."""

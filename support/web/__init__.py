"""The page's server in this process, its event stream, and a store that can hold back requests."""

"""The page's server in this process, and what stands around it: its event stream and its store."""

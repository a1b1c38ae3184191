"""hashmark beside its peers, in one run."""

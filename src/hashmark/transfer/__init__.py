"""Runs a plan: `run.run` in parallel, `moves` one action at a time. Decides nothing; it was all decided."""

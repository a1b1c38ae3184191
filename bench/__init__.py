"""Benchmarks of hashmark and its peers, and of the page."""

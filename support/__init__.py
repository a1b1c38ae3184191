"""Code that tests, benchmarks and tools share: running stores, sample data and the fault rig. Not in the wheel."""

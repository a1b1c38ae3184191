"""What tests, benchmarks and tools share: running stores, sample data, and the fault rig. Not part of the wheel."""

"""What is remembered between runs, in one SQLite file. All of it can be lost without losing content."""

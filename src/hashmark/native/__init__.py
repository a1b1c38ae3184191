"""What is written in C, for speed alone: without it, everything works and takes longer."""

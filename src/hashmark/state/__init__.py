"""What hashmark remembers between runs, in one SQLite file. Losing the file never loses content."""

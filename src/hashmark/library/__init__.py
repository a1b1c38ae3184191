"""A library and its datasets: settings, names and folders, and what is known of its bucket. Knows no verdicts."""

"""The page in a real browser: a served library, the page's controls, and a gate in front of its store."""

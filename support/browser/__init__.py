"""The page in a real browser: a served library, the page as a person uses it, and a gate before its store."""

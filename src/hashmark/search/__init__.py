"""The search language and what it searches: used by the page and the command line. Knows no files, requests or HTML."""

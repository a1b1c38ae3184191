"""Scripts behind the Makefile's targets: set up, build, check, draw."""

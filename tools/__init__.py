"""What the Makefile runs beside the tests: it sets up, builds, draws and checks."""

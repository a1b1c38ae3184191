"""The functions of the Python API: they check and convert what is given, and call the actions. Know no verdicts."""

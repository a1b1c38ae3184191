"""The command line: parse, call an action, render. It knows no more than the actions tell it."""

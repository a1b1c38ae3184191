"""The use cases, one module each. The command line, the page and the Python API call the same functions.

A use case combines what the layers below know and returns values. It prints nothing and asks nothing.
"""

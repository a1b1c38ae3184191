"""The use cases, one module each; the command line, the page and the Python API call the same functions.

They bring together what the layers below know, and return values. Nothing is printed or asked here.
"""

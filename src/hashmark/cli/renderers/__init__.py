"""Turn what actions return into text for people, one module for each kind of answer.

Names of files and texts of captions are always shown as text, never as markup, with invisible characters spelled out.
"""

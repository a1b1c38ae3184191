"""Finds out how each trainer will read a folder: turns facts into findings with their sources.

`facts` defines the values, `texts` extracts them from a caption's bytes, `checks` selects the affected files, `claims`
says what that means for which trainer, `sources` where that is documented, `alike` finds near duplicates, `findings`
joins them, and `health` counts caption issues. Does not know files, processes or rendering.
"""

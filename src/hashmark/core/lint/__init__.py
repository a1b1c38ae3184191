"""What each trainer will make of a folder: facts as values go in, findings with their sources come out.

`facts` holds the values, `texts` makes them of a caption's bytes, `checks` says which files are concerned, `claims`
what that means to which trainer, `sources` where it is written, `alike` finds near duplicates, `report` joins them, and
`health` counts captions. Refuses to know files, processes and how anything is shown.
"""

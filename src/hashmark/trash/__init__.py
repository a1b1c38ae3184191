"""Everything that makes changes reversible: batches and their journals, the trash, restore and undo.

`batch` says what a batch is, `journal` what its journal holds, `batch_rewrite` changes files as one batch, `undo` takes
a batch back; `contents` lists the trash, `restore` brings files back from it, `empty` deletes it.
"""

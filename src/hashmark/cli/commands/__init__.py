"""The commands: their names, in the order and groups of `hashmark --help`, each with the sentence that describes it.

`hashmark trash list` is `commands/trash_list.py`: a module with `add_arguments(parser)` and `run(arguments)`, which
returns the exit status. It is imported when its command runs, and imports its action inside `run` or later: a `status`
must not pay for a `push`.
"""

from __future__ import annotations

GROUPS = {
    "Start": {
        "init": "Make a folder a library: write its hashmark.toml.",
        "doctor": "Check credentials, access and the store's capabilities. Leaves the bucket as it was.",
        "trust": "Allow an endpoint to receive signed requests, or another user's library or embedded bucket.",
        "demo": "Make a sample library with its own bucket, and walk through a day with it.",
    },
    "Compare": {
        "status": "Show what is in sync, what is not, and the evidence. Exit status 0 only if all is proven equal.",
        "diff": "Show how captions on disk differ from the bucket's, word by word: [-bucket-] {+disk+}.",
        "ls-remote": "List a dataset's objects in the bucket: size, ETag, time and key.",
        "verify": "Download every object and compare it with the file byte by byte: proof that relies on no ETag.",
    },
    "Transfer": {
        "push": "Upload what the bucket lacks. Overwrites nothing that you were not shown.",
        "pull": "Download what the disk lacks. Keeps edits on disk unless you use --take theirs.",
        "rename": "Rename in the bucket what was renamed on disk in letter case or accents only, or the reverse.",
        "delete": "Move the selected files to the trash: on disk, in the bucket, or both.",
    },
    "Captions": {
        "clean": "Preview what cleaning rules would change, word by word; with --apply, change it. `undo` reverts it.",
        "lint": "Show how each trainer will read the folder on disk. Exit status 0 only if there are no findings.",
    },
    "Undo and trash": {
        "undo": "Undo a cleaning, or an undo. Keeps and shows files that were edited since.",
        "trash list": "List the batches in the trash: one for each run that replaced or deleted files.",
        "trash restore": "Restore a batch to where it was. Files that it overwrites go to the trash.",
        "trash empty": "Delete permanently what this machine moved to the trash, or one batch of it.",
    },
    "Browser": {
        "serve": "Show the library in the browser. Only the printed link gives access.",
    },
}

SUMMARIES = {name: summary for group in GROUPS.values() for name, summary in group.items()}


def module_name(command: str) -> str:
    """Return the name of the module that implements a command."""
    return f"{__name__}.{command.replace('-', '_').replace(' ', '_')}"

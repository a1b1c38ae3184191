"""Deletes the trash, or one batch, for good: what it held when the user was asked, and nothing that came since.

The bucket's trash is everyone's, so what other machines put there stays unless the user says so.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from hashmark.core.errors import RefusedPlan, UsageError
from hashmark.core.events import Failure
from hashmark.disk.leftovers import leftovers
from hashmark.library.library import Library
from hashmark.trash.batch import Maker, batch_names, check_batch_name, maker_of, remove_if_empty
from hashmark.trash.contents import TrashEntry, remove_empty_folders, trash_entries


@dataclass(frozen=True)
class TrashContents:
    """What the trash held at one moment: its files, and the names of its batches, including those without files.

    `left` counts the files in batches that are not this machine's and were not chosen.
    """

    entries: tuple[TrashEntry, ...]
    batches: frozenset[str]
    left: Mapping[Maker, int] = field(default_factory=dict)


def trash_contents(library: Library, batch: str | None = None, *, all_machines: bool = False) -> TrashContents:
    """Return what a batch, or the whole trash, holds now: of this machine, or of all machines.

    Raises:
        UsageError: there is no such batch.
        RefusedPlan: the batch is not of this machine.
        StoreError: the bucket can't be listed.
    """
    if batch is not None:
        check_batch_name(batch)
    names = [batch] if batch is not None else _names(library)
    found = tuple(trash_entries(library, batch))
    if batch is not None and not found:
        raise UsageError(f"There is no batch '{batch}' in the trash.", "See `hashmark trash list`.")
    if all_machines:
        return TrashContents(found, frozenset(names))
    makers = {name: maker_of(library, name) for name in {*names, *(entry.batch for entry in found)}}
    if batch is not None and makers[batch] is not Maker.THIS:
        known = makers[batch] is Maker.OTHER
        who = "another machine" if known else "an earlier version of hashmark, on a machine that is not known"
        raise RefusedPlan(f"The batch '{batch}' was made by {who}.", "To delete it, run again with --all-machines.")
    own = tuple(entry for entry in found if makers[entry.batch] is Maker.THIS)
    left = Counter(makers[entry.batch] for entry in found if makers[entry.batch] is not Maker.THIS)
    return TrashContents(own, frozenset(name for name in names if makers[name] is Maker.THIS), left)


def _names(library: Library) -> list[str]:
    with contextlib.suppress(OSError):
        return batch_names(library)
    return []


def empty(library: Library, contents: TrashContents) -> tuple[int, list[Failure]]:
    """Delete these contents for good. Return how many files were deleted, and which could not be and why.

    Raises:
        StoreError: the bucket can't be reached.
    """
    failed: list[Failure] = []
    for entry in (e for e in contents.entries if e.side == "disk"):
        path = library.trash / entry.path
        try:
            path.unlink(missing_ok=True)
            remove_empty_folders(path.parent, library.trash)
        except OSError as error:
            failed.append(Failure(entry.key, "local", error.strerror or str(error)))
    for name in contents.batches:
        for unfinished in leftovers(library.trash / name):
            with contextlib.suppress(OSError):
                unfinished.unlink()
                remove_empty_folders(unfinished.parent, library.trash)
        remove_if_empty(library, name)
    keys = [library.remote_trash + entry.path for entry in contents.entries if entry.side == "bucket"]
    refused = library.bucket.delete_many(keys)
    failed += [Failure(key, "store", f"the store returned {code}") for key, code in refused.items()]
    return len(contents.entries) - len(failed), failed

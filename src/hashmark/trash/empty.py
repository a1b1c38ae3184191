"""Deletes the trash, or one batch, for good: what it held when the user was asked, and nothing that came since."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from hashmark.core.errors import UsageError
from hashmark.core.events import Failure
from hashmark.disk.leftovers import leftovers
from hashmark.library.library import Library
from hashmark.trash.batch import batch_names, remove_if_empty
from hashmark.trash.contents import TrashEntry, remove_empty_folders, trash_entries


@dataclass(frozen=True)
class TrashContents:
    """What the trash held at one moment: its files, and the names of its batches, including those without files."""

    entries: tuple[TrashEntry, ...]
    batches: frozenset[str]


def trash_contents(library: Library, batch: str | None = None) -> TrashContents:
    """Return what a batch, or the whole trash, holds now.

    Raises:
        UsageError: there is no such batch.
        StoreError: the bucket can't be listed.
    """
    names = [batch] if batch is not None else _names(library)
    found = tuple(trash_entries(library, batch))
    if batch is not None and not found:
        raise UsageError(f"There is no batch '{batch}' in the trash.", "See `hashmark trash list`.")
    return TrashContents(found, frozenset(names))


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

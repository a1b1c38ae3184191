"""Lists, restores and empties the trash, for Python programs."""

from __future__ import annotations

from collections.abc import Iterator

from hashmark.core.errors import HashmarkError
from hashmark.library.library import Library
from hashmark.public.parameters import check_flags, check_library, check_string
from hashmark.trash.contents import TrashEntry, trash_entries
from hashmark.trash.empty import empty, trash_contents
from hashmark.trash.restore import RestoreResult, restore

_BATCH = "20261129T231516Z-push-51604e65"


def trash_list(library: Library, batch: str | None = None) -> Iterator[TrashEntry]:
    """Yield the files in the trash, or in one batch of it: those on disk, then those in the bucket.

    Raises:
        TypeError: an argument is of the wrong kind.
        HashmarkError: there can be no batch of that name, or the bucket can't be listed.
    """
    _check(library, batch)
    return trash_entries(library, batch)


def trash_restore(library: Library, batch: str, dataset: str | None = None) -> RestoreResult:
    """Restore a batch to where it was, or what it has of one dataset. Files that it overwrites go to the trash.

    Raises:
        TypeError: an argument is of the wrong kind.
        HashmarkError: there is no such batch, or the bucket can't be listed.
    """
    _check(library, batch)
    check_string("dataset", "82", dataset)
    return restore(library, batch, dataset)


def trash_empty(library: Library, batch: str | None = None, *, all_machines: bool = False) -> int:
    """Delete this machine's trash, or one batch of it, permanently; with `all_machines` that of every machine.

    Return the number of files that were deleted.

    Raises:
        TypeError: an argument is of the wrong kind.
        HashmarkError: there is no such batch, the bucket can't be reached, or a file can't be deleted.
    """
    _check(library, batch)
    check_flags(all_machines=all_machines)
    count, failed = empty(library, trash_contents(library, batch, all_machines=all_machines))
    if failed:
        first = failed[0]
        raise HashmarkError(
            f"{len(failed)} files could not be deleted from the trash ({count} were), such as '{first.key}': "
            f"{first.message}.",
            "Call it again to delete the rest.",
        )
    return count


def _check(library: Library, batch: str | None) -> None:
    check_library(library)
    check_string("batch", _BATCH, batch)

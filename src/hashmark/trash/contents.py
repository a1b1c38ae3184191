"""What the trash holds, on disk and in the bucket.

The trash describes itself by its paths, which are the same on both sides, so it survives the loss of the state file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hashmark.core.display import printable
from hashmark.core.keys import unsafe_reason
from hashmark.disk.walk import OwnWalk
from hashmark.library.library import Library
from hashmark.trash.batch import check_batch_name, is_batch_name


@dataclass(frozen=True)
class TrashEntry:
    """One file in the trash. `side` is where it was and is: `disk` or `bucket`."""

    side: str
    batch: str
    dataset: str
    key: str
    size: int

    @property
    def path(self) -> str:
        """Where it is, in the trash of its side."""
        return f"{self.batch}/{self.dataset}/{self.key}"

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "side": self.side,
            "batch": self.batch,
            "dataset": self.dataset,
            "key": printable(self.key),
            "size": self.size,
        }


def trash_entries(library: Library, batch: str | None = None) -> Iterator[TrashEntry]:
    """Yield everything in the trash, or in one batch: first the disk's, then the bucket's, each in order.

    Raises:
        UsageError: `batch` is not the name of a batch.
        UnsafePath: it is a symlink on disk.
        StoreError: the bucket's trash can't be listed; the disk's entries have been yielded by then.
    """
    if batch is not None:
        check_batch_name(batch)
    inside = f"{batch}/" if batch is not None else ""
    for file in OwnWalk(library.own_folder("trash", *([batch] if batch else []))):
        if entry := _entry("disk", inside + file.key, file.size):
            yield entry
    for row in library.bucket.objects(library.remote_trash + inside):
        if entry := _entry("bucket", inside + row.key, row.size or 0):
            yield entry


def _entry(side: str, path: str, size: int) -> TrashEntry | None:
    parts = path.split("/", 2)
    # Only what is laid out as hashmark's trash may be restored or deleted: above all nothing with `..` in it.
    if len(parts) < 3 or not is_batch_name(parts[0]) or unsafe_reason(parts[1]) or unsafe_reason(parts[2]):
        return None
    return TrashEntry(side, parts[0], parts[1], parts[2], size)


def remove_empty_folders(folder: Path, stop: Path) -> None:
    """Remove `folder` and the folders above it that are empty, up to `stop`."""
    while folder != stop and stop in folder.parents:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent

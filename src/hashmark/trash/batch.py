"""What a batch is: the files that one run overwrote or deleted, in a folder of the trash with a name of its own.

The layout is `.hashmark/trash/BATCH/DATASET/KEY`, on disk and in the bucket. A batch that can be undone has a journal
beside its datasets. Knows no bucket, and changes no file of a dataset.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from hashmark.core.display import printable, shortened
from hashmark.core.errors import Unreadable, UnsafePath, UsageError
from hashmark.core.keys import unsafe_reason
from hashmark.disk.walk import OwnWalk
from hashmark.library.dataset import Dataset
from hashmark.library.library import Library
from hashmark.library.machine import machine_id
from hashmark.trash.journal import Journal, read_journal

_NAME = re.compile(r"\d{8}T\d{6}Z-(push|pull|delete|edit|rename|restore|clean|undo)-[0-9a-f]{4,8}(?:-([0-9a-f]{8}))?")
"""The last part is the ID of the machine (see `library.machine`), which earlier versions did not write."""

UNDO_OF = "undo of "
"""In the journal of an undo, this precedes the name of the batch it took back."""


class Maker(StrEnum):
    """Whose run made a batch."""

    THIS = "this"
    OTHER = "other"
    UNKNOWN = "unknown"
    """Its name does not say: a version of hashmark made it that did not write the machine's ID."""


def new_batch_name(library: Library, kind: str) -> str:
    """Return a name for the batch of one run: the time (UTC), what the run does, random digits, and the machine."""
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    return f"{now}-{kind}-{secrets.token_hex(4)}-{machine_id(library)}"


def maker_of(library: Library, batch: str) -> Maker:
    """Return which machine made a batch: this one, another one, or nobody knows."""
    match = _NAME.fullmatch(batch)
    if match is None or match[2] is None:
        return Maker.UNKNOWN
    return Maker.THIS if match[2] == machine_id(library) else Maker.OTHER


def is_batch_name(name: str) -> bool:
    """Return whether runs give such names to their batches."""
    return _NAME.fullmatch(name) is not None


def check_batch_name(name: str) -> None:
    """Refuse a name that no run gives to a batch.

    Raises:
        UsageError: it is one. The empty text of an unset variable would mean the whole trash, and `..` lead out of it.
    """
    if not is_batch_name(name):
        raise UsageError(f"'{name}' is not the name of a batch.", "See `hashmark trash list`.")


def journal_path(library: Library, batch: str) -> Path:
    """Return where the journal of a batch is. No dataset's name starts with a dot.

    Raises:
        UsageError: `batch` is not the name of a batch.
        UnsafePath: the batch is a symlink.
    """
    check_batch_name(batch)
    return library.own_folder("trash", batch) / ".journal.json"


def home_of(library: Library, dataset: str) -> Dataset:
    """Return the dataset whose folder has this name. The folder need not exist any more."""
    return next((d for d in library.datasets() if d.name == dataset), Dataset(library, dataset, dataset))


@dataclass(frozen=True)
class Batch:
    """A batch that can be undone. `folder` is where the trash has what its files held before."""

    name: str
    journal: Journal
    folder: Path

    def __repr__(self) -> str:
        return f"<Batch {self.name}: {len(self.journal.files)} files of {shortened(self.journal.dataset)}>"

    @property
    def undoes(self) -> str | None:
        """The batch that this one took back, completely or in part; None where this is not an undo."""
        name = self.journal.what.removeprefix(UNDO_OF)
        return name if self.journal.kind == "undo" and name != self.journal.what else None

    @cached_property
    def left(self) -> int:
        """The number of files that an undo would take back."""
        return self._created + sum(1 for _ in OwnWalk(self.folder))

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to take back. Cheaper than `left`: looks for one file."""
        return not self._created and next(iter(OwnWalk(self.folder)), None) is None

    @property
    def _created(self) -> int:
        return sum(entry.before is None for entry in self.journal.files)

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "batch": self.name,
            "kind": self.journal.kind,
            "dataset": printable(self.journal.dataset),
            "at": self.journal.at,
            "what": printable(self.journal.what),
            "files": len(self.journal.files),
            "left": self.left,
        }


def find_batch(library: Library, name: str) -> Batch | None:
    """Return the batch of that name; None where it does not exist or has no readable journal.

    Raises:
        UsageError: it is not the name of a batch.
    """
    try:
        journal = read_journal(journal_path(library, name))
        if journal is None or "/" in journal.dataset or unsafe_reason(journal.dataset):
            return None
        return Batch(name, journal, library.own_folder("trash", name, journal.dataset))
    except (Unreadable, UnsafePath, ValueError):
        return None


def undoable_batches(library: Library) -> list[Batch]:
    """Return the batches that can be undone, the latest first."""
    found = (find_batch(library, name) for name in batch_names(library))
    undoable = (batch for batch in found if batch is not None and not batch.is_empty)
    return sorted(undoable, key=lambda batch: (batch.journal.at, batch.name), reverse=True)


def unreadable_batches(library: Library) -> list[str]:
    """Return the batches with files and an unreadable journal: only `trash restore` brings them back."""
    found = []
    for name in batch_names(library):
        journal = journal_path(library, name)
        if os.path.lexists(journal) and _has_files(journal.parent) and find_batch(library, name) is None:
            found.append(name)
    return found


def batch_names(library: Library) -> list[str]:
    """Return the names of the batches that have a folder on disk, the latest first."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        with os.scandir(library.trash) as entries:
            names = [entry.name for entry in entries if is_batch_name(entry.name) and not entry.is_symlink()]
        return sorted(names, reverse=True)
    return []


def remove_if_empty(library: Library, batch: str) -> None:
    """Remove the folder of a batch, its journal included, unless it still holds files."""
    journal = journal_path(library, batch)
    if _has_files(journal.parent):
        return
    with contextlib.suppress(OSError):
        journal.unlink(missing_ok=True)
        for folder, _, _ in os.walk(journal.parent, topdown=False):
            Path(folder).rmdir()


def _has_files(folder: Path) -> bool:
    """Return whether a batch has files besides its journal."""
    return any("/" in file.key for file in OwnWalk(folder))

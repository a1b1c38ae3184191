"""Rewriting many files of a dataset as one batch that can be taken back, whatever happens meanwhile.

A batch is a folder of the trash, `.hashmark/trash/BATCH/DATASET/KEY`, with what the files held, and beside the datasets
a journal of what they were to hold. The journal is on the disk before the first file changes. What is to be
written, and why, is known by `actions.clean` and `trash.undoing`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from hashmark.core.display import printable
from hashmark.core.errors import DiskFull, HashmarkError, LocalError, Unreadable
from hashmark.core.events import Ended, Event, Failure, FileDone, FileFailed, Started
from hashmark.core.keys import unsafe_reason
from hashmark.disk.durable import write_bytes
from hashmark.disk.rewrite import Rewrite, rewrite_all, sweep
from hashmark.disk.walk import Walk
from hashmark.library.library import Dataset, Library
from hashmark.trash.batch_names import drop_journal, is_batch_name, journal_path, new_batch_name, read_journal
from hashmark.trash.journal import Journal, Noted

OnEvent = Callable[[Event], None]

UNDO_OF = "undo of "
"""With a batch's name, what an undo's journal says that it is."""


def silent(_event: Event) -> None:
    """Tell nobody."""


def md5(data: bytes) -> str:
    """In lower-case hex."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class BatchOutcome:
    """What became of a batch. `batch` names it, None where nothing was rewritten; `stopped_by` ended it early."""

    batch: str | None
    done: tuple[str, ...]
    failures: tuple[Failure, ...]
    not_tried: int
    interrupted: bool
    stopped_by: HashmarkError | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "batch": self.batch,
            "done": len(self.done),
            "failed": [failure_json(failure) for failure in self.failures],
            "notTried": self.not_tried,
            "interrupted": self.interrupted,
            "stoppedBy": str(self.stopped_by) if self.stopped_by else None,
        }


def failure_json(failure: Failure) -> dict[str, str]:
    """A file that was skipped or not done, and why."""
    return {"key": printable(failure.key), "code": failure.code, "message": printable(failure.message)}


def rewrite(
    dataset: Dataset,
    rewrites: Sequence[Rewrite],
    *,
    kind: str,
    what: str,
    on_event: OnEvent = silent,
    cancel: threading.Event | None = None,
) -> BatchOutcome:
    """Rewrite files as one batch. `kind` is one of the trash's (`clean`, `undo`), `what` says in words what it is.

    Raises:
        Busy: another hashmark is changing this dataset.
        LocalError: the library can't be written; no file was changed.
    """
    stop = cancel or threading.Event()
    telling = _Telling(kind, on_event)
    size = sum(len(item.after or b"") for item in rewrites)
    on_event(Started(len(rewrites), size, time.time()))
    batch = new_batch_name(kind)
    if rewrites:
        with dataset.lock():
            sweep(dataset.path)
            _write_journal(dataset, batch, kind, what, rewrites)
            telling.follow(rewrite_all(dataset.path, dataset.library.trash / batch / dataset.name, rewrites, stop))
            if not telling.done:
                drop_journal(dataset.library, batch)
    not_tried = len(rewrites) - len(telling.done) - len(telling.failures)
    interrupted = stop.is_set() and not_tried > 0
    on_event(Ended(interrupted, time.time()))
    used = batch if telling.done else None
    return BatchOutcome(used, tuple(telling.done), tuple(telling.failures), not_tried, interrupted, telling.stopped_by)


class _Telling:
    """Turns what becomes of each file into events, and adds it up."""

    def __init__(self, verb: str, on_event: OnEvent) -> None:
        self._verb, self._on_event = verb, on_event
        self.done: list[str] = []
        self.failures: list[Failure] = []
        self.stopped_by: HashmarkError | None = None

    def follow(self, files: Iterator[tuple[Rewrite, LocalError | None]]) -> None:
        try:
            for item, error in files:
                self._tell(item, error)
        except LocalError as error:
            self.stopped_by = error

    def _tell(self, item: Rewrite, error: LocalError | None) -> None:
        if error is None:
            self.done.append(item.key)
            self._on_event(FileDone(item.key, self._verb, len(item.after or b""), None, time.time()))
            return
        self.failures.append(Failure(item.key, error.code, str(error)))
        self._on_event(FileFailed(item.key, self._verb, error.code, str(error), time.time()))
        if isinstance(error, DiskFull):
            self.stopped_by = error


def _write_journal(dataset: Dataset, batch: str, kind: str, what: str, rewrites: Sequence[Rewrite]) -> None:
    files = tuple(Noted(item.key, _digest(item.before), _digest(item.after)) for item in rewrites)
    journal = Journal(kind, dataset.name, _moment(dataset.library), what, files)
    write_bytes(journal_path(dataset.library, batch), journal.to_bytes())


def _moment(library: Library) -> str:
    """Now, or where the clock was set back right after the latest batch, which would else be called the later one."""
    now = datetime.now(UTC)
    # A time that is none, and a trash that can't be read, say nothing of what is later.
    with contextlib.suppress(ValueError, OverflowError, TypeError, OSError):
        for latest in batches(library)[:1]:
            now = max(now, datetime.fromisoformat(latest.journal.at) + timedelta(milliseconds=1))
    return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _digest(data: bytes | None) -> str | None:
    return None if data is None else md5(data)


@dataclass(frozen=True)
class Batch:
    """A batch that can be undone. `folder` is where the trash has what its files held."""

    name: str
    journal: Journal
    folder: Path = field(repr=False)

    @property
    def undoes(self) -> str | None:
        """The batch that this one took back, all of it or a part; None where it is no undo."""
        name = self.journal.what.removeprefix(UNDO_OF)
        return name if self.journal.kind == "undo" and name != self.journal.what else None

    @cached_property
    def left(self) -> int:
        """Of how many files there is something to take back."""
        return self._created + sum(1 for _ in Walk(self.folder))

    @property
    def is_empty(self) -> bool:
        """Whether that is none; asked of the first file alone."""
        return not self._created and next(iter(Walk(self.folder)), None) is None

    @property
    def _created(self) -> int:
        return sum(noted.before is None for noted in self.journal.files)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        head = {"batch": self.name, "kind": self.journal.kind, "dataset": printable(self.journal.dataset)}
        what = printable(self.journal.what)
        return {**head, "at": self.journal.at, "what": what, "files": len(self.journal.files), "left": self.left}


def batches(library: Library) -> list[Batch]:
    """The batches that can be undone, the latest first."""
    found = (batch for name in _names(library) if (batch := find(library, name)) is not None and not batch.is_empty)
    return sorted(found, key=lambda batch: (batch.journal.at, batch.name), reverse=True)


def unreadable(library: Library) -> list[str]:
    """The batches with files and a journal that can't be read: only `trash restore` brings them back."""
    return [name for name in _names(library) if _holds(library, name) and find(library, name) is None]


def _holds(library: Library, name: str) -> bool:
    """Whether a batch has a journal, and a file beside it."""
    journal = journal_path(library, name)
    return os.path.lexists(journal) and any("/" in file.key for file in Walk(journal.parent))


def _names(library: Library) -> list[str]:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return sorted((folder.name for folder in library.trash.iterdir() if is_batch_name(folder.name)), reverse=True)
    return []


def find(library: Library, name: str) -> Batch | None:
    """The batch of that name; None where there is none, or none with a journal that can be read.

    Raises:
        UsageError: it is not the name of a batch.
    """
    try:
        journal = read_journal(journal_path(library, name))
    except (Unreadable, ValueError):
        return None
    if journal is None or "/" in journal.dataset or unsafe_reason(journal.dataset):
        return None
    return Batch(name, journal, library.trash / name / journal.dataset)

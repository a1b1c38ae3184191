"""Takes back a batch of rewritten captions: also one that a crash cut short, and also an undo.

A file gets back its old content from the trash if it still holds what the batch wrote. A file that was edited since is
a conflict: it is left alone and reported with the difference, and the other files are undone. Asks no bucket.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, replace
from typing import Any

from hashmark.core.display import printable
from hashmark.core.encoding import MAX_CAPTION_BYTES, decode
from hashmark.core.errors import LocalError, UsageError
from hashmark.core.events import Failure
from hashmark.core.word_diff import Piece, word_diff
from hashmark.disk.place import open_slot
from hashmark.disk.read import read_file
from hashmark.disk.rewrite import Rewrite
from hashmark.library.dataset import Dataset
from hashmark.library.library import Library
from hashmark.trash.batch import (
    UNDO_OF,
    Batch,
    find_batch,
    home_of,
    remove_if_empty,
    undoable_batches,
    unreadable_batches,
)
from hashmark.trash.batch_rewrite import BatchOutcome, OnEvent, ignore_event, rewrite_as_batch
from hashmark.trash.journal import JournalEntry, digest

MAX_FILE_BYTES = 8 * MAX_CAPTION_BYTES
"""A larger file is not undone. More than a caption may have, because rules can lengthen the longest caption."""

LATEST = "last"
"""Stands for the latest batch where the name of a batch is expected."""


@dataclass(frozen=True)
class UndoConflict:
    """A file that was edited since the batch. `was` is its content before the batch, `now` its present content.

    None stands for no file.
    """

    key: str
    reason: str
    was: bytes | None
    now: bytes | None

    @property
    def pieces(self) -> list[Piece]:
        """The difference from the text before the batch to the present text, word by word."""
        return word_diff(decode(self.was or b"")[0], decode(self.now or b"")[0])

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        pieces = [{"change": piece.change, "text": printable(piece.text)} for piece in self.pieces]
        return {"key": printable(self.key), "reason": self.reason, "pieces": pieces}


@dataclass(frozen=True)
class UndoResult:
    """What an undo did to `batch`. `outcome.batch` can be undone in turn; `unchanged` files needed no undo."""

    batch: Batch
    outcome: BatchOutcome
    conflicts: tuple[UndoConflict, ...]
    unchanged: int

    def __repr__(self) -> str:
        counts = f"{len(self.outcome.done)} restored, {len(self.conflicts)} edited since"
        return f"<UndoResult of {self.batch.name}: {counts}, {len(self.outcome.failures)} failed>"

    @property
    def complete(self) -> bool:
        """Whether every file holds again what it held before the batch."""
        return not (self.conflicts or self.outcome.failures or self.outcome.not_tried)

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "undone": self.batch.to_json(),
            "restored": len(self.outcome.done),
            "asItWas": self.unchanged,
            "refused": [conflict.to_json() for conflict in self.conflicts],
            **self.outcome.to_json(),
        }


def choose_batch(library: Library, name: str) -> Batch:
    """Return the batch of that name, or for `last` the latest; where that is a partial undo, the batch it took back.

    Raises:
        UsageError: there is no such batch, or an unreadable journal hides which one is the latest.
    """
    if name != LATEST:
        batch = find_batch(library, name)
        if batch is None:
            raise UsageError(f"There is no batch '{name}' that can be undone.", "See `hashmark undo`.")
        return batch
    if hidden := unreadable_batches(library):
        # It may be the latest, and undoing an older one instead is not what the user meant.
        raise UsageError(
            f"Cannot read the journal of {hidden[0]}, so the latest batch is unknown.",
            f"Restore it with `hashmark trash restore {hidden[0]}`, or name another batch.",
        )
    every = undoable_batches(library)
    if not every:
        raise UsageError("There is nothing to undo.", "`hashmark trash list` shows what else is in the trash.")
    return next((batch for batch in every if batch.name == every[0].undoes), every[0])


def undo(
    library: Library, name: str, on_event: OnEvent = ignore_event, cancel: threading.Event | None = None
) -> UndoResult:
    """Take back the batch of that name, or the latest for `last`.

    Raises:
        UsageError: there is no such batch.
        Busy: another process holds the lock of its dataset.
        LocalError: the library can't be written; nothing was changed.
    """
    batch = choose_batch(library, name)
    home = home_of(library, batch.journal.dataset)
    rewrites: list[Rewrite] = []
    conflicts: list[UndoConflict] = []
    failures: list[Failure] = []
    unchanged: list[str] = []
    for entry in batch.journal.files:
        try:
            step = _undo_step(home, batch, entry)
        except LocalError as error:
            step = Failure(entry.key, error.code, str(error))
        if step is None:
            unchanged.append(entry.key)
        elif isinstance(step, Rewrite):
            rewrites.append(step)
        elif isinstance(step, UndoConflict):
            conflicts.append(step)
        else:
            failures.append(step)
    what = f"{UNDO_OF}{batch.name}"
    done = rewrite_as_batch(home, rewrites, kind="undo", what=what, on_event=on_event, cancel=cancel)
    outcome = replace(done, failures=(*failures, *done.failures))
    result = UndoResult(batch, outcome, tuple(conflicts), len(unchanged))
    for key in (*unchanged, *done.done):
        with contextlib.suppress(LocalError), open_slot(batch.folder, key) as slot:
            slot.drop(slot.name)
    if result.complete:
        remove_if_empty(library, batch.name)
    return result


def _undo_step(home: Dataset, batch: Batch, entry: JournalEntry) -> Rewrite | UndoConflict | Failure | None:
    """Return what undoing the batch means for one file; None where it already holds its old content.

    Raises:
        LocalError: the file, or what the trash has of it, can't be read.
    """
    read = read_file(home.path, entry.key, MAX_FILE_BYTES)
    now = read[0] if read else None
    if digest(now) == entry.before:
        return None
    kept = read_file(batch.folder, entry.key, MAX_FILE_BYTES)
    old = kept[0] if kept else None
    if digest(now) != entry.after:
        return UndoConflict(entry.key, "was deleted since" if now is None else "was edited since", old, now)
    if entry.before is None:
        return Rewrite(entry.key, now, None)
    if digest(old) != entry.before:
        what = "is not in the trash any more" if old is None else "was changed in the trash"
        return Failure(entry.key, "not-kept", f"The old content of '{entry.key}' {what}.")
    return Rewrite(entry.key, now, old, batch.folder / entry.key)

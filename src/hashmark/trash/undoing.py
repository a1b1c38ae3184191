"""Taking back a batch of rewritten captions, also one that a crash cut short, and also an undo.

What the trash holds goes back where the file still is what the batch made of it. One that was edited since is refused,
with the difference; the others are done all the same. Only the disk is touched: no bucket is asked.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hashmark.core.display import printable
from hashmark.core.encoding import MAX_CAPTION, decode
from hashmark.core.errors import LocalError, UsageError
from hashmark.core.events import Failure
from hashmark.core.word_diff import Piece, word_diff
from hashmark.disk.read import read_file
from hashmark.disk.rewrite import Rewrite
from hashmark.library.library import Dataset, Library
from hashmark.trash.batch_names import drop_journal
from hashmark.trash.batches import (
    UNDO_OF,
    Batch,
    BatchOutcome,
    OnEvent,
    batches,
    find,
    md5,
    rewrite,
    silent,
    unreadable,
)
from hashmark.trash.journal import Noted

LIMIT = 8 * MAX_CAPTION
"""Bytes of a file that is brought back or replaced: rules may have made the longest caption longer."""

LAST = "last"
"""What may be said for the latest batch."""


@dataclass(frozen=True)
class EditedFile:
    """A file that was edited since. `was` is what the undo would have brought back, `now` what the file holds.

    None stands for no file.
    """

    key: str
    reason: str
    was: bytes | None
    now: bytes | None

    @property
    def pieces(self) -> list[Piece]:
        """The way from the old text to what the file holds now, word by word."""
        return word_diff(decode(self.was or b"")[0], decode(self.now or b"")[0])

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        pieces = [{"change": piece.change, "text": printable(piece.text)} for piece in self.pieces]
        return {"key": printable(self.key), "reason": self.reason, "pieces": pieces}


@dataclass(frozen=True)
class Undone:
    """What became of an undo. `outcome.batch` is a batch in turn; `as_it_was` needed nothing."""

    batch: Batch
    outcome: BatchOutcome
    refused: tuple[EditedFile, ...]
    as_it_was: int

    @property
    def complete(self) -> bool:
        """Whether every file holds again what it held before the batch."""
        return not (self.refused or self.outcome.failures or self.outcome.not_tried)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "undone": self.batch.to_json(),
            "restored": len(self.outcome.done),
            "asItWas": self.as_it_was,
            "refused": [refused.to_json() for refused in self.refused],
            **self.outcome.to_json(),
        }


def chosen_batch(library: Library, name: str) -> Batch:
    """The batch of that name, or the latest for `last`: where that is an undo that left files, the batch it was of.

    Raises:
        UsageError: there is none, or what the latest did can't be read.
    """
    if name == LAST:
        if hidden := unreadable(library):
            # It may be the latest: an older one in its place would be another than was meant.
            hint = f"Bring it back with `hashmark trash restore {hidden[0]}`, or name another batch."
            raise UsageError(
                f"The journal of {hidden[0]} can't be read, so it isn't known which batch is the last.", hint
            )
        every = batches(library)
        if not every:
            raise UsageError("There is nothing to undo.", "`hashmark trash list` shows what else was put aside.")
        return next((one for one in every if one.name == every[0].undoes), every[0])
    batch = find(library, name)
    if batch is None:
        raise UsageError(f"There is no batch '{name}' that can be undone.", "See `hashmark undo`.")
    return batch


def undo(library: Library, name: str, on_event: OnEvent = silent, cancel: threading.Event | None = None) -> Undone:
    """Take back the batch of that name, or the latest for `last`.

    Raises:
        UsageError: there is no such batch.
        Busy: another hashmark is changing its dataset.
        LocalError: the library can't be written; nothing was changed.
    """
    batch = chosen_batch(library, name)
    homes = {dataset.name: dataset for dataset in library.datasets()}
    home = homes.get(batch.journal.dataset) or Dataset(library, batch.journal.dataset, batch.journal.dataset)
    back = _Back(home, batch)
    for noted in batch.journal.files:
        back.look(noted)
    what = f"{UNDO_OF}{batch.name}"
    done = rewrite(home, back.rewrites, kind="undo", what=what, on_event=on_event, cancel=cancel)
    outcome = replace(done, failures=(*back.failures, *done.failures))
    undone = Undone(batch, outcome, tuple(back.refused), len(back.as_it_was))
    back.let_go([*back.as_it_was, *done.done], everything=undone.complete)
    return undone


@dataclass
class _Back:
    """What each file of a batch needs, sorted."""

    home: Dataset
    batch: Batch
    rewrites: list[Rewrite] = field(default_factory=list)
    refused: list[EditedFile] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    as_it_was: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._folder: Path = self.batch.folder

    def look(self, noted: Noted) -> None:
        try:
            self._sort(noted)
        except LocalError as error:
            self.failures.append(Failure(noted.key, error.code, str(error)))

    def _sort(self, noted: Noted) -> None:
        now = read_file(self.home.path, noted.key, LIMIT)
        digest = md5(now[0]) if now else None
        if digest == noted.before:
            self.as_it_was.append(noted.key)
            return
        kept = read_file(self._folder, noted.key, LIMIT)
        if digest != noted.after:
            reason = "was edited since" if now else "was deleted since"
            self.refused.append(EditedFile(noted.key, reason, kept[0] if kept else None, now[0] if now else None))
        elif noted.before is None:
            self.rewrites.append(Rewrite(noted.key, now[0] if now else None, None))
        elif kept is None or md5(kept[0]) != noted.before:
            what = "is not in the trash any more" if kept is None else "was changed in the trash"
            self.failures.append(Failure(noted.key, "not-kept", f"what '{noted.key}' held {what}."))
        else:
            self.rewrites.append(Rewrite(noted.key, now[0] if now else None, kept[0], self._folder / noted.key))

    def let_go(self, keys: list[str], *, everything: bool) -> None:
        """Remove from the trash what is back in its place; and the batch, where that is everything."""
        for key in keys:
            with contextlib.suppress(OSError):
                (self._folder / key).unlink(missing_ok=True)
        if everything:
            drop_journal(self.home.library, self.batch.name)

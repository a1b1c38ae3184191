"""Rewrites many files of a dataset as one batch that can be undone, also after a crash.

The batch's journal is on disk before the first file changes. What to write, and why, is the business of
`actions.clean` and `trash.undo`.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hashmark.core.errors import DiskFull, HashmarkError, LocalError
from hashmark.core.events import Ended, Event, Failure, FileDone, FileFailed, Started
from hashmark.disk.durable import replace_file
from hashmark.disk.leftovers import remove_leftovers
from hashmark.disk.rewrite import Rewrite, rewrite_all
from hashmark.library.dataset import Dataset
from hashmark.library.library import Library
from hashmark.trash.batch import journal_path, new_batch_name, remove_if_empty, undoable_batches
from hashmark.trash.journal import Journal, JournalEntry, digest

OnEvent = Callable[[Event], None]


def ignore_event(_event: Event) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class BatchOutcome:
    """What a batch did. `batch` is its name, None where no file was rewritten; `stopped_by` ended it early."""

    batch: str | None
    done: tuple[str, ...]
    failures: tuple[Failure, ...]
    not_tried: int
    interrupted: bool
    stopped_by: HashmarkError | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "batch": self.batch,
            "done": len(self.done),
            "failed": [failure.to_json() for failure in self.failures],
            "notTried": self.not_tried,
            "interrupted": self.interrupted,
            "stoppedBy": str(self.stopped_by) if self.stopped_by else None,
        }


def rewrite_as_batch(
    dataset: Dataset,
    rewrites: Sequence[Rewrite],
    *,
    kind: str,
    what: str,
    on_event: OnEvent = ignore_event,
    cancel: threading.Event | None = None,
) -> BatchOutcome:
    """Rewrite files as one batch. `kind` is part of its name (`clean`, `undo`), `what` describes it in words.

    Raises:
        Busy: another process holds the dataset's lock.
        LocalError: the library can't be written; no file was changed.
    """
    stop = cancel or threading.Event()
    done: list[str] = []
    failures: list[Failure] = []
    stopped_by: HashmarkError | None = None
    batch = new_batch_name(dataset.library, kind)
    on_event(Started(len(rewrites), sum(len(item.after or b"") for item in rewrites), time.time()))
    if rewrites:
        library = dataset.library
        with dataset.lock():
            remove_leftovers(dataset.path)
            entries = tuple(JournalEntry(item.key, digest(item.before), digest(item.after)) for item in rewrites)
            journal = Journal(kind, dataset.name, _time_after_latest(library), what, entries)
            replace_file(journal_path(library, batch), journal.to_bytes())
            try:
                for item, error in rewrite_all(dataset.path, library.trash / batch / dataset.name, rewrites, stop):
                    if error is None:
                        done.append(item.key)
                        on_event(FileDone(item.key, kind, len(item.after or b""), None, time.time()))
                        continue
                    failures.append(Failure(item.key, error.code, str(error)))
                    on_event(FileFailed(item.key, kind, error.code, str(error), time.time()))
                    stopped_by = error if isinstance(error, DiskFull) else stopped_by
            except LocalError as error:
                stopped_by = error
            if not done:
                remove_if_empty(library, batch)
    not_tried = len(rewrites) - len(done) - len(failures)
    interrupted = stop.is_set() and not_tried > 0
    on_event(Ended(interrupted, time.time()))
    return BatchOutcome(batch if done else None, tuple(done), tuple(failures), not_tried, interrupted, stopped_by)


def _time_after_latest(library: Library) -> str:
    """Return the current time, or a time right after the latest batch where the clock was set back since.

    Otherwise an earlier batch would count as the latest.
    """
    now = datetime.now(UTC)
    # A journal with an invalid time, or a trash that can't be read, does not affect the order.
    with contextlib.suppress(ValueError, OverflowError, TypeError, OSError):
        for latest in undoable_batches(library)[:1]:
            now = max(now, datetime.fromisoformat(latest.journal.at) + timedelta(milliseconds=1))
    return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""Shows the progress of a job: a live bar on a terminal, a line every two seconds in a pipe, nothing with --json.

Folds events with the core's reducer and shows the result; counts nothing itself.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from hashmark.actions.status import count_unread
from hashmark.cli.output import Output, discard
from hashmark.cli.renderers.elements import name, size
from hashmark.core.blocks import BLOCK_ROWS
from hashmark.core.events import Counted, Event, FilesCompared, FilesRead, JobState, Started, reduce
from hashmark.core.model import FileStatus
from hashmark.library.dataset import Dataset

if TYPE_CHECKING:
    from hashmark.cli.progress_bar import ProgressBar

BAR_INTERVAL_S = 0.1
"""Between two updates of a bar: there may be thousands of events a second."""

SHOWN_AFTER_S = 0.3
"""How long a comparison takes before its progress is shown."""

LINE_INTERVAL_S = 2.0
"""Between two lines in a pipe."""


def facts(state: JobState) -> str:
    """Return files, bytes, rate and time left as text."""
    if state.probing:
        return "probing what the store supports"
    parts = [f"{state.files_done}/{state.files} files", f"{size(state.bytes_moved)}/{size(state.bytes)}"]
    if not state.files:  # it is not known how many there are
        parts = [f"{state.files_done} files", size(state.bytes_moved)]
    if state.rate:
        parts.append(f"{size(int(state.rate))}/s")
    if state.eta is not None and not state.ended:
        seconds = round(state.eta)
        parts.append(f"{seconds} s left" if seconds < 100 else f"{seconds // 60}:{seconds % 60:02d} min left")
    if state.failures:
        parts.append(f"{len(state.failures)} failed")
    return " · ".join(parts)


def comparison_facts(state: JobState) -> str:
    """Return the files that were compared, and what was read for that, as text."""
    compared = [f"{state.compared:,} compared"] if state.compared else []
    read = [facts(state)] if state.files_done else []
    return " · ".join(compared + read) or "waiting for the bucket's listing"


class ProgressDisplay:
    """Shows one job, `describe`d as text. Use it as a context manager, and pass `on_event` to the action."""

    def __init__(self, title: str, *, quiet: bool, describe: Callable[[JobState], str] = facts) -> None:
        self.state = JobState()
        self._describe = describe
        self._title = title
        self._out = Output(sys.stderr)
        self._quiet = quiet
        self._last = 0.0
        self._bar: ProgressBar | None = None

    def __enter__(self) -> ProgressDisplay:
        if not self._quiet and self._out.is_terminal:
            from hashmark.cli.progress_bar import ProgressBar  # noqa: PLC0415 - rich, for a terminal alone

            with self._quiet_on_error():
                bar = ProgressBar(self._title, self._out.console)
                bar.start(self._describe(self.state))
                self._bar = bar
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            with self._quiet_on_error():
                self._bar.stop()

    @contextlib.contextmanager
    def _quiet_on_error(self) -> Iterator[None]:
        """Stop showing progress if the stream can't be written: the job does not depend on it."""
        try:
            yield
        except OSError:
            self._quiet, self._bar = True, None
            discard(sys.stderr)

    def on_event(self, event: Event) -> None:
        """Apply one event, and show the progress."""
        self.state = reduce(self.state, event)
        interval = BAR_INTERVAL_S if self._bar else LINE_INTERVAL_S
        if not self._quiet and (self.state.now - self._last >= interval or self.state.ended):
            self._last = self.state.now
            with self._quiet_on_error():
                self._show()

    def _show(self) -> None:
        if self._bar:
            # A file counts as its bytes plus 4096: small files cost mostly their requests.
            weight = self.state.files_done * 4096 + self.state.bytes_moved
            self._bar.update(weight, self.state.files * 4096 + self.state.bytes, self._describe(self.state))
        elif self.state.files:
            self._out.print(f"{self._title}: {self._describe(self.state)}")


class ComparisonDisplay:
    """Shows on a terminal how far a comparison is, once it takes more than `SHOWN_AFTER_S`.

    Use it as a context manager, and pass `on_read` to the comparison. The files to read are counted beside it.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._started_at = time.time()
        self._display = ProgressDisplay(f"Comparing {name(dataset.name)}", quiet=False, describe=comparison_facts)
        self._display.on_event(Started(0, 0, self._started_at))
        self._lock = threading.Lock()
        """Held to show the display, and to end it."""
        self._is_shown = self._is_over = False
        self._not_reported = 0
        self._timer = threading.Timer(SHOWN_AFTER_S, self._show)
        self._timer.daemon = True
        self._total: tuple[int, int] | None = None
        self._counter = threading.Thread(target=self._count, name="count", daemon=True)
        self._stop = threading.Event()

    def __enter__(self) -> ComparisonDisplay:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self._stop.set()
        with self._lock:
            self._is_over = True
            if self._counter.ident is not None:
                self._counter.join()
            if self._is_shown:
                self._display.__exit__(kind, error, trace)

    def on_read(self, files: int, size: int) -> None:
        """Count files and their bytes as read, and show it."""
        now = time.time()
        if self._total:
            self._display.on_event(Counted(*self._total, now))
            self._total = None
        self._display.on_event(FilesRead(files, size, now))
        if now - self._started_at >= SHOWN_AFTER_S:
            self._show()
            if self._counter.ident is None:
                self._counter.start()

    def on_compared(self, files: int) -> None:
        """Count files as compared, and show it."""
        self._display.on_event(FilesCompared(files, time.time()))

    def on_file(self, _status: FileStatus) -> None:
        """Count one file as compared, and show that from time to time."""
        self._not_reported += 1
        if self._not_reported == BLOCK_ROWS:
            self.on_compared(self._not_reported)
            self._not_reported = 0

    def _show(self) -> None:
        with self._lock:
            if not self._is_shown and not self._is_over:
                self._is_shown = True
                self._display.__enter__()

    def _count(self) -> None:
        self._total = count_unread(self._dataset, self._stop.is_set)


class Interruptible:
    """While active, the first Ctrl-C sets `cancel`, so that files in progress finish; the second exits at once."""

    def __init__(self) -> None:
        self.cancel = threading.Event()
        self._before: Any = None

    def __enter__(self) -> Interruptible:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self.cancel.is_set():
            os._exit(130)
        self.cancel.set()
        # Not through a buffer: the signal may have interrupted a write to it.
        with contextlib.suppress(OSError):
            os.write(2, b"\nStopping after the files in progress. Press Ctrl-C again to stop now.\n")

"""Shows the progress of a job: a live bar on a terminal, a line every two seconds in a pipe, nothing with --json.

Folds events with the core's reducer and shows the result; counts nothing itself.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from hashmark.cli.output import Output, discard
from hashmark.cli.renderers.elements import size
from hashmark.core.events import Event, JobState, reduce

if TYPE_CHECKING:
    from hashmark.cli.progress_bar import ProgressBar

BAR_INTERVAL_S = 0.1
"""Between two updates of a bar: there may be thousands of events a second."""

LINE_INTERVAL_S = 2.0
"""Between two lines in a pipe."""


def facts(state: JobState) -> str:
    """Return files, bytes, rate and time left as text."""
    parts = [f"{state.files_done}/{state.files} files", f"{size(state.bytes_moved)}/{size(state.bytes)}"]
    if state.rate:
        parts.append(f"{size(int(state.rate))}/s")
    if state.eta is not None and not state.ended:
        seconds = round(state.eta)
        parts.append(f"{seconds} s left" if seconds < 100 else f"{seconds // 60}:{seconds % 60:02d} min left")
    if state.failures:
        parts.append(f"{len(state.failures)} failed")
    return " · ".join(parts)


class ProgressDisplay:
    """Shows one job. Use it as a context manager, and pass `on_event` to the action."""

    def __init__(self, title: str, *, quiet: bool) -> None:
        self.state = JobState()
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
                bar.start(facts(self.state))
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
            self._bar.update(weight, self.state.files * 4096 + self.state.bytes, facts(self.state))
        elif self.state.files:
            self._out.print(f"{self._title}: {facts(self.state)}")


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

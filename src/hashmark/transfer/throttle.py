"""How much may be under way at once: a number of files, and a number of bytes held in memory.

The number of files halves when the store asks to slow down and recovers slowly. Knows nothing of what it lets
through.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

RECOVERY = 16
"""Successes after which one more file may be under way again."""


class Throttle:
    """Admits work up to `files` at once and `memory` bytes in all; one file larger than that goes alone."""

    def __init__(self, files: int, memory: int) -> None:
        self._most = self.limit = files
        self._memory = memory
        self._active = 0
        self._held = 0
        self._successes = 0
        self._epoch = 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def admit(self, size: int) -> Iterator[None]:
        """Wait for a place for `size` bytes, and hold it during the body."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_room(size))
            self._active += 1
            self._held += size
        try:
            yield
        finally:
            with self._changed:
                self._active -= 1
                self._held -= size
                self._changed.notify_all()

    def _has_room(self, size: int) -> bool:
        return self._active == 0 or (self._active < self.limit and self._held + size <= self._memory)

    @property
    def epoch(self) -> int:
        """How often it was slowed down so far."""
        return self._epoch

    def slow_down(self, epoch: int | None = None) -> None:
        """The store asked for it: half as many from now on.

        `epoch` is that of the request's beginning: a burst of refusals to requests that were under way together
        is one wish, not many.
        """
        with self._changed:
            if epoch in {None, self._epoch}:
                self.limit = max(1, self.limit // 2)
                self._epoch += 1
            self._successes = 0

    def succeeded(self) -> None:
        """One more file went well."""
        with self._changed:
            self._successes += 1
            if self._successes >= RECOVERY and self.limit < self._most:
                self.limit += 1
                self._successes = 0
                self._changed.notify_all()

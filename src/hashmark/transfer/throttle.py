"""How much may be under way at once: a number of files, and a number of bytes held in memory.

The number of files halves when the store asks to slow down and recovers slowly. Knows nothing of what it lets
through, nor of threads or time: one thread asks, and says what began and ended.
"""

from __future__ import annotations

RECOVERY = 16
"""Successes after which one more file may be under way again."""


class Throttle:
    """Has room for work up to `files` at once and `memory` bytes in all; one file larger than that goes alone."""

    def __init__(self, files: int, memory: int) -> None:
        self._most = self.limit = files
        self._memory = memory
        self.active = 0
        self._held = 0
        self._successes = 0
        self.epoch = 0
        """How often it was slowed down so far."""

    def has_room(self, size: int) -> bool:
        """Whether work that holds `size` bytes may begin."""
        return self.active == 0 or (self.active < self.limit and self._held + size <= self._memory)

    def begin(self, size: int) -> None:
        """Work that holds `size` bytes is under way."""
        self.active += 1
        self._held += size

    def end(self, size: int) -> None:
        """It no longer is."""
        self.active -= 1
        self._held -= size

    def slow_down(self, epoch: int) -> None:
        """The store asked for it: half as many from now on.

        `epoch` is that of the request's beginning: a burst of refusals to requests that were under way together
        is one wish, not many.
        """
        if epoch == self.epoch:
            self.limit = max(1, self.limit // 2)
            self.epoch += 1
        self._successes = 0

    def succeeded(self) -> None:
        """One more file went well."""
        self._successes += 1
        if self._successes >= RECOVERY and self.limit < self._most:
            self.limit += 1
            self._successes = 0

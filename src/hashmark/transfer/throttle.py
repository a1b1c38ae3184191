"""Limits what is under way at once: a number of files, and a number of bytes held in memory.

The number of files halves when the store asks to slow down, and recovers slowly. What the work is, threads and time are
not known here: one thread asks, and says what has ended.
"""

from __future__ import annotations

SUCCESSES_TO_RECOVER = 16
"""Successes after which one more file may be under way again."""


class Throttle:
    """Has room for up to `files` at once that hold up to `memory` bytes in all; a larger file goes alone."""

    def __init__(self, files: int, memory: int) -> None:
        self._max_files = self.limit = files
        self._memory = memory
        self.active = 0
        self._held = 0
        self._successes = 0
        self.epoch = 0
        """How often the store has asked to slow down."""

    def has_room(self, size: int) -> bool:
        """Return whether work that holds `size` bytes may begin."""
        return self.active == 0 or (self.active < self.limit and self._held + size <= self._memory)

    def begin(self, size: int) -> bool:
        """Count work that holds `size` bytes as under way; return False if there is no room for it."""
        if not self.has_room(size):
            return False
        self.active += 1
        self._held += size
        return True

    def end(self, size: int) -> None:
        """Count work that held `size` bytes as ended."""
        self.active -= 1
        self._held -= size

    def slow_down(self, epoch: int) -> None:
        """Halve the limit, because the store asked to slow down.

        `epoch` is the one in which the refused request began: a burst of refusals to requests that were under way
        together halves the limit once.
        """
        if epoch == self.epoch:
            self.limit = max(1, self.limit // 2)
            self.epoch += 1
        self._successes = 0

    def succeeded(self) -> None:
        """Count a success; after enough of them, raise the limit by one."""
        self._successes += 1
        if self._successes >= SUCCESSES_TO_RECOVER and self.limit < self._max_files:
            self.limit += 1
            self._successes = 0

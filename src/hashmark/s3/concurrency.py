"""Finds how many requests the store and the line can use at once.

The number grows while throughput grows with it, and halves when the store asks to slow down. Bytes on the wire are
limited to what the line carries in about a second, so that a run that is stopped ends soon, even on a slow line. What
requests are, threads and clocks are not known here.
"""

from __future__ import annotations

START_REQUESTS = 16
MAX_REQUESTS = 256

WINDOW_S = 0.1
"""The least time over which throughput is measured; at least as many requests as the limit end in it."""

PAUSE_S = 1.0
"""A pause after which a new window begins."""

GAIN = 1.1
"""By how much throughput must grow for a doubled limit to be kept."""

PATIENCE = 16
"""Windows after which a larger limit is tried again."""

REQUEST_BYTES = 32 << 10
"""What a request costs besides its bytes, in bytes: throughput counts both."""

LEAST_BYTES = 256 << 10
START_BYTES = 8 << 20
IN_FLIGHT_S = 1.0

MIN_REQUESTS = 6
"""Requests that may be on the wire however large they are, unless the store is busy."""


class Concurrency:
    """Up to `most` requests at once."""

    def __init__(self, most: int = MAX_REQUESTS) -> None:
        self._most = most
        self.limit = min(START_REQUESTS, most)
        self.max_bytes = START_BYTES
        self.epoch = 0
        """How often the store has asked to slow down."""
        self._rate_before = 0.0
        """The throughput before the limit was doubled."""
        self._hold = 0
        self._began = self._last = 0.0
        self._count = self._bytes = 0
        self._was_full = False

    def has_room(self, active: int, active_bytes: int, size: int) -> bool:
        """Return whether a request of `size` bytes may begin beside `active` ones."""
        if active >= self.limit:
            return False
        return active < MIN_REQUESTS or active_bytes + size <= self.max_bytes

    def ended(self, size: int, now: float, *, is_queued: bool) -> None:
        """Count a request of `size` bytes that succeeded at `now`, in seconds. `is_queued`: others wait for room."""
        if now - self._last > PAUSE_S:
            self._begin_window(now)  # throughput was not limited from here
        self._last = now
        self._count += 1
        self._bytes += size
        self._was_full = self._was_full or is_queued
        elapsed = now - self._began
        if self._count >= self.limit and elapsed >= WINDOW_S:
            if self._was_full:
                self.max_bytes = max(LEAST_BYTES, int(self._bytes / elapsed * IN_FLIGHT_S), self.max_bytes // 2)
                self._adapt((self._bytes + self._count * REQUEST_BYTES) / elapsed)
            self._begin_window(now)

    def slow_down(self, epoch: int) -> None:
        """Halve the limit, because the store asked to slow down.

        `epoch` is the one in which the refused request began: a burst of refusals to requests that were on the wire
        together halves the limit once.
        """
        if epoch == self.epoch:
            self.limit = max(1, self.limit // 2)
            self.epoch += 1
        self._hold = PATIENCE

    def _begin_window(self, now: float) -> None:
        self._began = now
        self._count = self._bytes = 0
        self._was_full = False

    def _adapt(self, rate: float) -> None:
        if self._hold > 0:
            self._hold -= 1
            if self._hold == 0:
                self._double(rate)
        elif rate >= self._rate_before * GAIN:
            self._double(rate)
        else:
            self.limit = max(1, self.limit // 2)
            self._hold = PATIENCE

    def _double(self, rate: float) -> None:
        if self.limit >= self._most:
            self._hold = PATIENCE
            return
        self._rate_before = rate
        self.limit = min(self.limit * 2, self._most)

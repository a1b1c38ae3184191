"""Keeps plans and previews that were shown until they are confirmed or too old.

A request names what it runs by a random id, so a forged or outdated request can't say which files to touch.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

MAX_ENTRIES = 32
LIFETIME_S = 900


class ExpiringStore(Generic[T]):
    """Values by id. The newest is always kept; beyond `max_entries`, or `max_size` in all, the oldest are dropped."""

    def __init__(
        self, size_of: Callable[[T], int] = lambda _: 0, *, max_entries: int = MAX_ENTRIES, max_size: int = 0
    ) -> None:
        self._size_of, self._max_entries, self._max_size = size_of, max_entries, max_size
        self._entries: OrderedDict[str, tuple[float, int, T]] = OrderedDict()

    def put(self, value: T) -> str:
        """Keep a value and return its id."""
        key = secrets.token_hex(12)
        self._entries[key] = (time.monotonic(), self._size_of(value), value)
        while len(self._entries) > 1 and (len(self._entries) > self._max_entries or self._size() > self._max_size):
            self._entries.popitem(last=False)
        return key

    def _size(self) -> int:
        return sum(size for _, size, _ in self._entries.values())

    def get(self, key: str) -> T | None:
        """Return the value with that id; None where there is none or it has expired."""
        stored_at, _, value = self._entries.get(key, (0.0, 0, None))
        return value if value is not None and time.monotonic() - stored_at < LIFETIME_S else None

    def discard(self, key: str) -> None:
        """Forget the value with that id."""
        self._entries.pop(key, None)

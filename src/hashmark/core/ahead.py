"""A stream of keyed items in key order, into which one may look ahead of its reader.

What the items are, and why somebody looks ahead, is not known here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from hashmark.core.model import Base, Key, LocalFile, RemoteObject, comes_before

T = TypeVar("T", LocalFile, RemoteObject, Base)


class Ahead(Generic[T]):
    """The same items in the same order; what was looked at before it was read is held meanwhile."""

    def __init__(self, items: Iterable[T]) -> None:
        self._items: Iterator[T] = iter(items)
        self._held: deque[T] = deque()
        self._read: Key | None = None

    def __iter__(self) -> Iterator[T]:
        while (item := self._held.popleft() if self._held else next(self._items, None)) is not None:
            self._read = item.key
            yield item

    def holds(self, key: Key) -> bool:
        """Whether an item has this key. The keys that are asked for must ascend, with at most one item read beyond."""
        if self._read == key:
            return True
        last = self._held[-1] if self._held else None
        while last is None or comes_before(last.key, key):
            last = next(self._items, None)
            if last is None:
                return False
            self._held.append(last)
        return last.key == key

"""Joins the disk, the bucket and the base in key order, a block at a time.

A block ends at the smallest last key read from either side. Within a block, sets and dictionaries join the sides by
key. Memory is constant: a few blocks of each side. Knows nothing about where the sides come from or what follows.
"""

from __future__ import annotations

import operator
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import compress
from operator import itemgetter
from typing import Generic, TypeVar

from hashmark.core.blocks import BLOCK_ROWS, blocks, encode_all, make_rows
from hashmark.core.compare import KeyState
from hashmark.core.keys import is_folder_marker, is_ours
from hashmark.core.model import Base, Key, Kind, LocalFile, RemoteObject, key_bytes
from hashmark.core.pairs import Pairing

T = TypeVar("T", LocalFile, RemoteObject, Base)

_KEY = itemgetter(0)
"""The key, which is the first field of each of them."""

_IGNORED = Kind.IGNORED  # read for each file, as in `core.compare`


class SortedSource(Generic[T]):
    """One side, read in blocks. Its keys must ascend strictly in byte order.

    Raises (when reading):
        ValueError: keys are out of order, so that a join would silently miss keys.
    """

    def __init__(self, items: Iterable[T], name: str, block: int = BLOCK_ROWS) -> None:
        self._blocks: Iterator[list[T]] = blocks(items, block)
        self._name = name
        self._rows: list[T] = []
        self._marks: list[bytes] = []
        self._last: bytes | None = None

    def end(self) -> bytes | None:
        """Return the last key read, reading a block if none is pending; None at the end of the side."""
        if not self._rows:
            self._read()
        return self._marks[-1] if self._marks else None

    def take(self, to: bytes) -> dict[Key, T]:
        """Remove and return everything up to and including this key, by key."""
        taken: list[T] = []
        while (end := self.end()) is not None and end <= to:
            taken += self._rows
            self._rows, self._marks = [], []
        count = bisect_right(self._marks, to)
        taken += self._rows[:count]
        del self._rows[:count], self._marks[:count]
        return dict(zip(map(_KEY, taken), taken, strict=True))

    def _read(self) -> None:
        self._rows = next(self._blocks, [])
        self._marks = encode_all(list(map(_KEY, self._rows)))
        before = self._marks if self._last is None else [self._last, *self._marks]
        if not all(map(operator.lt, before, before[1:])):
            wrong = next(n for n in range(1, len(before)) if before[n - 1] >= before[n])
            raise ValueError(f"{self._name} keys are out of order: {before[wrong]!r} after {before[wrong - 1]!r}")
        self._last = before[-1] if before else None


def join(
    locals_: Iterable[LocalFile],
    remotes: Iterable[RemoteObject],
    bases: Iterable[Base],
    on_gone: Callable[[Key], None] = lambda _key: None,
    *,
    block: int = BLOCK_ROWS,
) -> Iterator[KeyState]:
    """Merge three streams in ascending byte order of their keys into one, in constant memory.

    A key that only the base has is gone from both sides: it is passed to `on_gone` and left out. The local side is
    read first, while the first page of the listing is in transit.

    Raises:
        ValueError: the keys of a side are out of order.
    """
    left, right, middle = (
        SortedSource(locals_, "local", block),
        SortedSource(remotes, "remote", block),
        SortedSource(bases, "base", block),
    )
    while ends := [end for end in (left.end(), right.end()) if end is not None]:
        to = min(ends)
        here, there, own = left.take(to), right.take(to), middle.take(to)
        keys: Collection[Key] = here if there.keys() <= here.keys() else sorted({**here, **there}, key=key_bytes)
        yield from make_rows(KeyState, keys, map(here.get, keys), map(there.get, keys), map(own.get, keys))
        for key in [key for key in own if key not in here and key not in there]:
            on_gone(key)
    while (end := middle.end()) is not None:
        for key in middle.take(end):
            on_gone(key)


def relevant(
    states: Iterable[KeyState], pairing: Pairing, on_ignored: Callable[[list[Key]], None] = lambda _keys: None
) -> Iterator[tuple[KeyState, Kind]]:
    """Yield the keys that belong to the dataset with their kind: no folder markers, ignored files or state.

    `on_ignored` gets the ignored files. A walk already leaves them out, so they are objects.
    """
    for block in blocks(states):
        keys = list(map(_KEY, block))
        kinds = pairing.kinds(keys)
        chosen = [kind is not _IGNORED and not is_folder_marker(key) for key, kind in zip(keys, kinds, strict=True)]
        if _IGNORED in kinds:
            ignored = compress(keys, [kind is _IGNORED for kind in kinds])
            on_ignored([key for key in ignored if not is_ours(key) and not is_folder_marker(key)])
        yield from compress(zip(block, kinds, strict=True), chosen)

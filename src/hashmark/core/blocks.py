"""Handles rows a block at a time, with loops that run in C: a step of Python for each of a million rows takes seconds.

Streams stay iterators of rows; a stage takes a block of them, and hands its rows on. Knows nothing about the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, TypeVar

BLOCK_ROWS = 1000
"""Rows handled at a time: as many as one page of a listing has."""

T = TypeVar("T")


def blocks(rows: Iterable[T], size: int = BLOCK_ROWS) -> Iterator[list[T]]:
    """Yield the rows in lists of `size`; the last one may be shorter. None is empty."""
    source = iter(rows)
    while block := list(islice(source, size)):
        yield block


def make_rows(kind: type[T], *columns: Iterable[Any]) -> list[T]:
    """Return named tuples of this kind, with a column for each field, as long as the shortest column."""
    make: Any = partial(tuple.__new__, kind)
    return list(map(make, zip(*columns, strict=False)))


def encode_all(keys: Sequence[str]) -> list[bytes]:
    """Return what `core.model.key_bytes` returns for each key."""
    encoded = "\0".join(keys).encode("utf-8", "surrogateescape").split(b"\0")
    if len(encoded) == len(keys):
        return encoded
    return [key.encode("utf-8", "surrogateescape") for key in keys]  # one has a NUL, or there is none


def decode_all(encoded: Sequence[bytes]) -> list[str]:
    """Return the keys of these bytes: the inverse of `encode_all`."""
    keys = b"\0".join(encoded).decode("utf-8", "surrogateescape").split("\0")
    if len(keys) == len(encoded):
        return keys
    return [each.decode("utf-8", "surrogateescape") for each in encoded]

"""Sorts the names of one folder in byte order, using little memory however many there are.

A million names take 60 MB as Python objects. They are sorted in runs, which are compressed to a tenth and merged as
they are read.
"""

from __future__ import annotations

import heapq
import itertools
import zlib
from collections.abc import Iterable, Iterator

NAMES_PER_RUN = 100_000
"""Names kept as objects at a time; a folder with fewer is not compressed."""

NAMES_PER_BLOCK = 2_000
"""Names decompressed at a time from each run."""


def in_byte_order(names: Iterable[bytes]) -> Iterator[bytes]:
    """Return the names sorted. Reads all of them; none can have a NUL, which no system allows."""
    source = iter(names)
    runs: list[list[bytes]] = []
    while run := sorted(itertools.islice(source, NAMES_PER_RUN)):
        if not runs and len(run) < NAMES_PER_RUN:
            return iter(run)
        blocks = (run[at : at + NAMES_PER_BLOCK] for at in range(0, len(run), NAMES_PER_BLOCK))
        runs.append([zlib.compress(b"\0".join(block), 1) for block in blocks])
    return heapq.merge(*map(_unpack, runs))


def _unpack(blocks: list[bytes]) -> Iterator[bytes]:
    for block in blocks:
        yield from zlib.decompress(block).split(b"\0")

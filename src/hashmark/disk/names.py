"""Puts the names of one folder in byte order, however many there are, in little memory.

A million names as Python objects are 60 MB. So they are sorted in runs, the runs kept packed, and merged as they are
read; sorted names pack to a tenth. What the names are of is not known here.
"""

from __future__ import annotations

import heapq
import itertools
import zlib
from collections.abc import Iterable, Iterator

NAMES_PER_RUN = 100_000
"""Names held as objects at once; a folder with fewer is not packed at all."""

NAMES_PER_BLOCK = 2_000
"""Names unpacked at a time, of each run."""


def in_byte_order(names: Iterable[bytes]) -> Iterator[bytes]:
    """The same names, sorted. They are all taken at once; none has a NUL, which no system allows in a name."""
    source = iter(names)
    runs: list[list[bytes]] = []
    while run := sorted(itertools.islice(source, NAMES_PER_RUN)):
        if not runs and len(run) < NAMES_PER_RUN:
            return iter(run)
        runs.append(_pack(run))
    return heapq.merge(*map(_unpack, runs))


def _pack(run: list[bytes]) -> list[bytes]:
    return [zlib.compress(b"\0".join(run[at : at + NAMES_PER_BLOCK]), 1) for at in range(0, len(run), NAMES_PER_BLOCK)]


def _unpack(blocks: list[bytes]) -> Iterator[bytes]:
    for block in blocks:
        yield from zlib.decompress(block).split(b"\0")

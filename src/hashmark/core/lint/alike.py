"""Finds near duplicates among perceptual hashes without comparing every pair. Does not know how a hash is made.

Two hashes that differ in at most N bits are equal in at least one of N + 1 slices, so only hashes that share a slice
are compared (multi-index hashing: Norouzi, Punjani, Fleet, "Fast Search in Hamming Space", 2012).
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

HASH_BITS = 128
MAX_DISTANCE_BITS = 2
"""The largest distance of near duplicates; the author of dhash found almost no false matches with it."""

MAX_BUCKET_SIZE = 2000
"""Hashes that share a slice are compared up to this number; a more common slice does not distinguish images."""


def near_groups(hashes: Mapping[str, int]) -> list[list[str]]:
    """Return sorted groups of two or more keys whose hashes are near each other, directly or through others.

    >>> near_groups({"a": 0b1011, "b": 0b1010, "c": 0xFFFF0000})
    [['a', 'b']]
    """
    same: dict[int, list[str]] = defaultdict(list)
    for key, value in hashes.items():
        same[value].append(key)
    leader = {value: value for value in same}
    for one, other in _near_pairs(same):
        leader[_root(leader, one)] = _root(leader, other)
    groups: dict[int, list[str]] = defaultdict(list)
    for value, keys in same.items():
        groups[_root(leader, value)].extend(keys)
    return sorted(sorted(group) for group in groups.values() if len(group) > 1)


def _near_pairs(hashes: Iterable[int]) -> Iterator[tuple[int, int]]:
    width = -(-HASH_BITS // (MAX_DISTANCE_BITS + 1))
    mask = (1 << width) - 1
    for place in range(0, HASH_BITS, width):
        shared: dict[int, list[int]] = defaultdict(list)
        for value in hashes:
            shared[value >> place & mask].append(value)
        for bucket in shared.values():
            for one, other in itertools.combinations(bucket, 2) if len(bucket) <= MAX_BUCKET_SIZE else ():
                if (one ^ other).bit_count() <= MAX_DISTANCE_BITS:
                    yield one, other


def _root(leader: dict[int, int], value: int) -> int:
    while leader[value] != value:
        leader[value] = leader[leader[value]]
        value = leader[value]
    return value

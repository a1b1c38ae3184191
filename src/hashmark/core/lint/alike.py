"""Near duplicates among perceptual hashes, without comparing each with each. How a hash is made is not known here.

Two hashes that differ in at most N bits agree in at least one of N + 1 slices, so only hashes that share a slice are
compared (multi-index hashing: Norouzi, Punjani, Fleet, "Fast Search in Hamming Space", 2012).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

HASH_BITS = 128
MAX_DISTANCE_BITS = 2
"""Bits in which hashes of near duplicates differ at most: what dhash's author found to have almost no false hits."""

MAX_BUCKET_SIZE = 2000
"""Hashes of one slice that are compared with each other; more are alike in what does not tell them apart."""


def near_groups(hashes: Mapping[str, int]) -> list[list[str]]:
    """Keys whose hashes are near each other, directly or through others; sorted, groups of two or more.

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
            if len(bucket) <= MAX_BUCKET_SIZE:
                yield from _compared(bucket)


def _compared(bucket: list[int]) -> Iterator[tuple[int, int]]:
    for at, one in enumerate(bucket):
        for other in bucket[at + 1 :]:
            if (one ^ other).bit_count() <= MAX_DISTANCE_BITS:
                yield one, other


def _root(leader: dict[int, int], value: int) -> int:
    while leader[value] != value:
        leader[value] = leader[leader[value]]
        value = leader[value]
    return value

"""Near duplicates are found without comparing each with each, and no others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hashmark.core.lint.alike import HASH_BITS, MAX_BUCKET_SIZE, MAX_DISTANCE_BITS, near_groups

HASHES = st.integers(0, (1 << HASH_BITS) - 1)


@given(HASHES, st.sets(st.integers(0, HASH_BITS - 1), max_size=MAX_DISTANCE_BITS))
def test_hashes_that_differ_in_few_bits_are_always_found(value: int, flipped: set[int]) -> None:
    other = value
    for bit in flipped:
        other ^= 1 << bit
    assert near_groups({"a": value, "b": other}) == [["a", "b"]]


@given(HASHES, st.sets(st.integers(0, HASH_BITS - 1), min_size=MAX_DISTANCE_BITS + 1))
def test_hashes_that_differ_in_more_bits_never_are(value: int, flipped: set[int]) -> None:
    other = value
    for bit in flipped:
        other ^= 1 << bit
    assert near_groups({"a": value, "b": other}) == []


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 63), max_size=20))
def test_the_groups_are_those_that_comparing_each_with_each_gives(hashes: dict[str, int]) -> None:
    reached = {key: {key} for key in hashes}
    for _ in hashes:
        for one, near in reached.items():
            near |= {o for k in list(near) for o in hashes if (hashes[k] ^ hashes[o]).bit_count() <= MAX_DISTANCE_BITS}
            assert one in near
    wanted = sorted({tuple(sorted(group)) for group in reached.values() if len(group) > 1})
    assert [tuple(group) for group in near_groups(hashes)] == wanted


def test_hashes_that_all_agree_in_one_part_are_still_compared_by_the_others() -> None:
    """That part alone would have each compared with each."""
    crowd = {f"{n:05d}": n << 60 | n << 20 for n in range(1, MAX_BUCKET_SIZE + 2)}
    assert near_groups({**crowd, "x": 1 << 60 | 1 << 20})[0] == ["00001", "x"]

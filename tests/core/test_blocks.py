"""Rows handled many at a time are the rows handled one by one."""

from __future__ import annotations

import itertools

from hypothesis import example, given
from hypothesis import strategies as st

from hashmark.core.blocks import blocks, decode_all, encode_all, make_rows
from hashmark.core.model import Base, Key, key_bytes
from support.core_values import any_keys


@given(st.lists(any_keys, max_size=6))
@example([])
@example([""])
@example(["a\0b", "c"])
@example(["\udcff", "é"])
def test_keys_become_bytes_and_keys_again(keys: list[str]) -> None:
    assert encode_all(keys) == list(map(key_bytes, keys))
    assert decode_all(encode_all(keys)) == keys


@given(st.integers(0, 9), st.integers(1, 4))
def test_blocks_have_all_rows_in_order_and_none_is_empty(count: int, size: int) -> None:
    found = list(blocks(range(count), size))
    assert list(itertools.chain(*found)) == list(range(count))
    assert all(len(block) == size for block in found[:-1])
    assert all(0 < len(block) <= size for block in found)


def test_a_block_is_taken_when_it_is_asked_for() -> None:
    source = itertools.count()
    assert next(blocks(source, 3)) == [0, 1, 2]
    assert next(source) == 3


def test_rows_are_made_of_columns() -> None:
    (row, other) = make_rows(Base, ["a", "b"], "xy", "st", (1, 2), itertools.repeat(True), itertools.repeat(None))
    assert (row, other) == (Base(Key("a"), "x", "s", 1), Base(Key("b"), "y", "t", 2))
    assert isinstance(row, Base)
    assert other.common is True

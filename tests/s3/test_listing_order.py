"""A listing comes out in byte order, whole, and with as little held back as its order allows."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hashmark.core.errors import BrokenListing
from hashmark.core.model import RemoteObject
from hashmark.s3.listing_order import checked, reordered
from support.core_values import any_keys, in_bytes, keys, remote, tree_walk

key_sets = st.sets(st.one_of(keys, any_keys), max_size=20)


def out(listed: Iterable[str], block: int = 1000) -> list[str]:
    return [row.key for row in reordered([remote(key) for key in listed], "Listing 'x/'", block=block)]


def test_the_two_orders_are_the_ones_that_are_meant() -> None:
    """`-` and `.` sort before `/`, so the orders differ where names have them."""
    listed = {"a", "a-b", "a.b", "a/b", "a0", "a/b-c", "a/b/c"}
    assert in_bytes(listed) == ["a", "a-b", "a.b", "a/b", "a/b-c", "a/b/c", "a0"]
    assert tree_walk(listed) == ["a", "a/b", "a/b/c", "a/b-c", "a-b", "a.b", "a0"]
    assert out(tree_walk(listed)) == in_bytes(listed)


@given(key_sets)
@example({"a/b", "a-b", "a/b/c", "a/b-c", "a/b.c/d", "a.b", "a0"})
@example({"a", "a/", "a//", "a/-", "a-/", "/", "//", "-"})
@example({"x\x00", "x/", "x/y"})
def test_a_listing_in_either_order_comes_out_whole_and_in_byte_order(listed: set[str]) -> None:
    """Any keys, listed as S3 does it or folder by folder, however many are looked at in one go."""
    for block in (1, 2, 5, 1000):
        assert out(in_bytes(listed), block) == in_bytes(listed)
        assert out(tree_walk(listed), block) == in_bytes(listed)


@given(st.lists(keys, max_size=7), st.integers(1, 8))
def test_a_listing_in_neither_order_is_broken(listed: list[str], block: int) -> None:
    """Missing or repeated keys can't be told from it, so it is an error and never a short list."""
    if listed in (in_bytes(set(listed)), tree_walk(set(listed))):
        assert out(listed, block) == in_bytes(listed)
    else:
        with pytest.raises(BrokenListing):
            out(listed, block)


@pytest.mark.parametrize(
    "listed",
    [
        ["b", "a"],
        ["a", "a"],
        ["a/b", "a/b"],
        ["a/b", "a-b", "a/c"],  # folder by folder, but the folder comes back
        ["a-b", "a/b", "b/c", "b-d"],  # first in byte order, then folder by folder
        ["b/c", "b-d", "c-d", "c/e"],  # the other way round
        ["a/b", "a-b", "a/b"],
    ],
)
def test_what_breaks_a_listing_is_named(listed: list[str]) -> None:
    """The error has the listing, the key and the one before it."""
    with pytest.raises(BrokenListing, match="Listing 'x/': the keys are not in order") as caught:
        out(listed)
    assert any(f"('{b}' after '{a}')" in caught.value.message for a, b in itertools.pairwise(listed))


def test_a_broken_listing_can_be_told_whatever_its_keys_are() -> None:
    """The message can be printed though a key is not UTF-8."""
    with pytest.raises(BrokenListing) as caught:
        out(["b\udcff", "a\udcfe"])
    assert caught.value.message.encode()


class Source:
    """Hands out objects and counts them."""

    def __init__(self, listed: list[str]) -> None:
        self.rows = [remote(key) for key in listed]
        self.taken = 0

    def __iter__(self) -> Iterator[RemoteObject]:
        for row in self.rows:
            self.taken += 1
            yield row


def most_held(source: Source, block: int) -> int:
    """The most objects that were taken and not yet given out."""
    return max(source.taken - given_out for given_out, _ in enumerate(reordered(source, "x", block=block)))


def test_keys_without_folders_are_given_out_at_once() -> None:
    """A flat dataset streams: nothing is held back, but for what is read in one go."""
    assert most_held(Source([f"{n:04d}.png" for n in range(50)]), 1) == 1
    assert most_held(Source([f"{n:04d}.png" for n in range(50)]), 7) == 7


@pytest.mark.parametrize("order", [in_bytes, tree_walk])
def test_one_folder_at_a_time_is_held_back(order: Callable[[Iterable[str]], list[str]]) -> None:
    """However many folders there are, no more than one of them waits, with what has just come."""
    listed = order(
        [*(f"{a}/{n}.png" for a in "abcdefgh" for n in range(5)), *(f"{a}-{n}" for a in "abcdefgh" for n in range(2))]
    )
    assert most_held(Source(listed), 1) <= 5 + 2 + 1
    assert most_held(Source(listed), 4) <= 5 + 2 + 4


@given(key_sets)
def test_the_strict_check_lets_byte_order_through_and_nothing_else(listed: set[str]) -> None:
    """The rows themselves, unchanged."""
    rows = [remote(key) for key in in_bytes(listed)]
    assert list(checked(rows, "x")) == rows
    if in_bytes(listed) != tree_walk(listed):
        with pytest.raises(BrokenListing):
            list(checked([remote(key) for key in tree_walk(listed)], "x"))


@pytest.mark.parametrize("listed", [["b", "a"], ["a", "a"], ["a/b", "a-b"]])
def test_the_strict_check_names_what_breaks(listed: list[str]) -> None:
    """And gives out what came before it."""
    rows = checked([remote(key) for key in listed], "Listing 'x/'")
    assert next(rows).key == listed[0]
    with pytest.raises(BrokenListing, match="Listing 'x/': the keys are not in order"):
        next(rows)


def test_the_marker_of_the_folder_itself_may_come_first() -> None:
    """Its key, without the folder's name, is empty."""
    assert out(["", "a"]) == ["", "a"]
    assert [row.key for row in checked([remote(""), remote("a")], "x")] == ["", "a"]


def test_an_empty_listing_is_empty() -> None:
    """Whether it may be is for others to judge."""
    assert out([]) == []
    assert list(checked([], "x")) == []

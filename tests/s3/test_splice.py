"""A listing read in many places at once is the listing: whatever the keys, the places and the store's order."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashmark.core.errors import AccessDenied, BrokenListing
from hashmark.core.model import RemoteObject
from hashmark.s3.listing_order import reordered
from hashmark.s3.splice import spliced
from support.core_values import any_keys, in_bytes, keys, remote, tree_walk

WHAT = "Listing 'x/'"
key_sets = st.sets(st.one_of(keys, any_keys), max_size=30)
orders = st.sampled_from([in_bytes, tree_walk])


def pages(listed: Iterable[str], size: int) -> list[list[RemoteObject]]:
    """As a store cuts a listing into answers."""
    rows = [remote(key) for key in listed]
    return [rows[at : at + size] for at in range(0, len(rows), size)]


def read(
    trunk: Iterable[Sequence[RemoteObject]], *branches: Iterable[Sequence[RemoteObject]], ahead: int = 4
) -> list[str]:
    chains = (iter(branch) for branch in branches)
    return [row.key for row in spliced(iter(trunk), chains, ahead=ahead, what=WHAT)]


def beginning(listed: list[str], place: int, size: int) -> list[list[RemoteObject]]:
    return pages(listed[place:], size)


@given(key_sets, orders, st.data())
def test_honest_branches_from_anywhere_give_the_whole_listing(
    found: set[str], order: object, data: st.DataObject
) -> None:
    """In order or not, beside the mark or on it, with pages of any size: it comes out as the trunk alone gives it."""
    listed = order(found)  # type: ignore[operator]
    sizes = st.integers(1, 7)
    branches = [
        beginning(listed, place, data.draw(sizes))
        for place in data.draw(st.lists(st.integers(0, len(listed)), max_size=8))
    ]
    trunk = pages(listed, data.draw(sizes))
    assert read(trunk, *branches, ahead=data.draw(st.integers(1, 5))) == listed


chains = st.lists(st.lists(keys, max_size=4), max_size=4)


@given(chains, st.lists(chains, max_size=4))
def test_two_keys_that_follow_each_other_did_so_in_one_chain_at_least(
    trunk: list[list[str]], branches: list[list[list[str]]]
) -> None:
    """Whatever branches say, skip or repeat: no seam is ours. So it is as complete as a listing from end to end."""
    said = [*trunk, *(page for branch in branches for page in branch)]
    together = [list(itertools.chain.from_iterable(chain)) for chain in (trunk, *branches)]
    neighbours = {pair for chain in together for pair in itertools.pairwise(chain)}
    answers = [[remote(key) for key in page] for page in trunk]
    others = [[[remote(key) for key in page] for page in branch] for branch in branches]
    try:
        listed = read(answers, *others)
    except BrokenListing:
        return
    assert set(itertools.pairwise(listed)) <= neighbours
    assert set(listed) <= set(itertools.chain.from_iterable(said))
    assert listed[:1] == together[0][:1], "it begins where the trunk begins"
    assert listed[-1:] in [chain[-1:] for chain in together], "it ends where one of them ends"


@given(chains, st.lists(chains, max_size=4))
def test_with_the_order_checked_a_hostile_store_gives_an_error_or_ascending_keys(
    trunk: list[list[str]], branches: list[list[list[str]]]
) -> None:
    """As for a listing from end to end: no key comes twice."""
    answers = ([remote(key) for key in page] for page in trunk)
    others = (([remote(key) for key in page] for page in branch) for branch in branches)
    try:
        listed = [row.key for row in reordered(spliced(answers, others, ahead=4, what=WHAT), WHAT)]
    except BrokenListing:
        return
    assert listed == in_bytes(set(listed))


LETTERS = list("abcdefghij")


@pytest.mark.parametrize(
    "branch",
    [
        pytest.param([], id="that has nothing"),
        pytest.param([[]], id="whose page is empty"),
        pytest.param(pages("abcdefghij", 3), id="that begins at the beginning, whatever was asked"),
        pytest.param(pages("efghij", 2), id="whose page is shorter than what it should go on with"),
        pytest.param(pages("dfghij", 3), id="that leaves out a key the page has"),
        pytest.param(pages("dxefghij", 3), id="that has a key between"),
        pytest.param(pages("d", 3), id="that ends too early"),
    ],
)
def test_a_branch_that_does_not_fit_is_left(branch: list[list[RemoteObject]]) -> None:
    assert read(pages(LETTERS, 3), branch) == LETTERS


def test_a_branch_that_goes_back_breaks_the_order() -> None:
    """It fits where it begins, and then repeats what was listed."""
    rows = spliced(iter(pages(LETTERS, 3)), iter([iter(pages("fedghij", 3))]), ahead=4, what=WHAT)
    with pytest.raises(BrokenListing, match="not in order"):
        list(reordered(rows, WHAT))


def test_a_branch_that_can_not_be_read_is_left_to_the_trunk_to_explain() -> None:
    def breaking(*before: str) -> Iterator[list[RemoteObject]]:
        yield from pages(before, 3)
        raise AccessDenied("no start-after here")

    assert read(pages(LETTERS, 3), breaking(), pages("ghij", 3)) == LETTERS


def test_a_chain_that_breaks_while_it_is_read_breaks_the_listing() -> None:
    """One that was taken is the listing from there on."""

    def breaking(*before: str) -> Iterator[list[RemoteObject]]:
        yield [remote(key) for key in before]
        raise AccessDenied("no more")

    with pytest.raises(AccessDenied):
        read(breaking(*"abc"))
    with pytest.raises(AccessDenied):
        read(pages(LETTERS, 3), breaking(*"cde"))


def test_an_end_that_a_branch_contradicts_is_a_broken_listing() -> None:
    """A trunk cut short with the word that it is complete: alone it would be believed."""
    with pytest.raises(BrokenListing, match="the answers end at 'c', but there is 'f' after it"):
        read(pages("abc", 3), pages("fgh", 3))


def test_a_branch_that_was_passed_unseen_contradicts_nothing() -> None:
    """In a tree's order `a/a` comes before `a-b`: it may have been deleted when the trunk came by."""
    assert read(pages(["a/b", "a-b"], 2), pages(["a/a"], 1)) == ["a/b", "a-b"]


class Counted:
    """A store's honest chains, counting the pages that are read of each."""

    def __init__(self, listed: list[str], size: int) -> None:
        self.listed = listed
        self.size = size
        self.opened = 0
        self.read: list[int] = []

    def chain(self, place: int) -> Iterator[list[RemoteObject]]:
        number = len(self.read)
        self.read.append(0)
        for page in beginning(self.listed, place, self.size):
            self.read[number] += 1
            yield page

    def branches(self, stride: int) -> Iterator[Iterator[list[RemoteObject]]]:
        for place in range(stride, len(self.listed), stride):
            self.opened += 1
            yield self.chain(place)


def test_well_placed_branches_are_read_by_one_page_each() -> None:
    """So the pages can all be asked for at once; nobody waits for another's token."""
    store = Counted([f"{n:05d}" for n in range(1000)], 10)
    rows = spliced(store.chain(0), store.branches(9), ahead=8, what=WHAT)
    assert [row.key for row in rows] == store.listed
    assert store.opened == 111
    assert set(store.read) == {1}


def test_no_more_branches_are_begun_than_may_be_ahead() -> None:
    """Memory is held for those alone, however long the listing."""
    store = Counted([f"{n:05d}" for n in range(1000)], 10)
    rows = spliced(store.chain(0), store.branches(9), ahead=8, what=WHAT)
    for count, _ in enumerate(rows):
        assert store.opened <= count // 9 + 1 + 8


def test_what_lay_between_two_branches_is_told() -> None:
    """So that the next can be placed better."""
    told: list[tuple[int, int]] = []
    listed = [f"{n:02d}" for n in range(40)]
    chains = (iter(beginning(listed, place, 10)) for place in (5, 3, 12, 30))  # the second comes too late

    def tell(number: int, rows: int) -> None:
        told.append((number, rows))

    assert len(list(spliced(iter(pages(listed, 10)), chains, ahead=2, what=WHAT, on_taken=tell))) == 40
    assert told == [(0, 5), (2, 7), (3, 18)]

"""The join of three sides, and what of it belongs to a dataset."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashmark.core.compare import KeyState
from hashmark.core.join import join, relevant
from hashmark.core.model import Key, Kind, LocalFile, RemoteObject, Stamp
from hashmark.core.pairs import Pairing
from support.core_values import any_keys, base, in_bytes, keys, local, remote

key_sets = st.sets(st.one_of(keys, any_keys), max_size=12)


@given(st.permutations(["a", "b", "a/b", "a-b", "a.b", "A"]), key_sets, key_sets, key_sets, st.integers(1, 5))
def test_the_join_is_the_join_of_three_dictionaries(
    shuffled: list[str], left: set[str], right: set[str], middle: set[str], block: int
) -> None:
    """Every key of either side once, in byte order, with exactly what each side holds of it, whatever a block holds."""
    gone: list[str] = []
    here = {key: local(key) for key in {*left, *shuffled[:4]}}
    there = {key: remote(key) for key in {*right, *shuffled[2:]}}
    proven = {key: base(key) for key in {*middle, *shuffled[1:3]}}
    rows = list(
        join(
            [here[key] for key in in_bytes(here)],
            [there[key] for key in in_bytes(there)],
            [proven[key] for key in in_bytes(proven)],
            gone.append,
            block=block,
        )
    )
    expected = in_bytes({*here, *there})
    assert rows == [KeyState(Key(key), here.get(key), there.get(key), proven.get(key)) for key in expected]
    assert gone == in_bytes(proven.keys() - {*expected})


def test_a_folder_sorts_as_its_name_and_a_slash() -> None:
    """`a-b` comes before `a/b`, and a code point beyond U+FFFF after one below: bytes decide."""
    ordered = ["a", "a-b", "a/b", "a0", "\uff5e", "\U0001f600"]
    assert [row.key for row in join([local(key) for key in ordered], [], [])] == ordered
    assert [row.key for row in join([], [remote(key) for key in ordered], [])] == ordered


@pytest.mark.parametrize("pair", [("b", "a"), ("a", "a"), ("a/b", "a-b"), ("\U0001f600", "\uff5e")], ids=repr)
@pytest.mark.parametrize("side", ["local", "remote", "base"])
@pytest.mark.parametrize("block", [1, 2])
def test_input_out_of_order_is_an_error_and_never_a_missed_key(side: str, pair: tuple[str, str], block: int) -> None:
    """On each of the three sides, for a step back as for a key that comes twice."""
    locals_ = [local(key) for key in pair] if side == "local" else [local("\U0001f601")]
    remotes = [remote(key) for key in pair] if side == "remote" else [remote("\U0001f601")]
    bases = [base(key) for key in pair] if side == "base" else []
    with pytest.raises(ValueError, match=f"{side} keys are out of order"):
        list(join(locals_, remotes, bases, block=block))


@given(st.lists(keys, max_size=6))
def test_exactly_strictly_ascending_keys_are_in_order(listed: list[str]) -> None:
    """Nothing else passes, and what passes is unchanged."""
    rows = [LocalFile(Key(key), Stamp(0, 0, 0, 0, 0)) for key in listed]
    if all(a.encode() < b.encode() for a, b in itertools.pairwise(listed)):
        assert [row.local for row in join(rows, [], [])] == rows
    else:
        with pytest.raises(ValueError, match="out of order"):
            list(join(rows, [], []))


def test_the_join_asks_for_no_more_than_it_needs() -> None:
    """Rows come while both sides still run: a block of each is held, not all. The disk is read before the listing."""
    read: list[str] = []

    def files() -> Iterator[LocalFile]:
        for key in "abcdef":
            read.append(f"file {key}")
            yield local(key)

    def objects() -> Iterator[RemoteObject]:
        for key in "abcdef":
            read.append(f"object {key}")
            yield remote(key)

    rows = join(files(), objects(), [], block=2)
    assert read == []
    assert next(rows).key == "a"
    first = ["file a", "file b", "object a", "object b"]
    # A side is read on only to learn that the block is at its end there.
    assert read == [*first, "file c", "file d", "object c", "object d"]
    assert [next(rows).key for _ in "bc"] == ["b", "c"]
    assert read[8:] == ["file e", "file f", "object e", "object f"]


RELEVANT: dict[str, Kind | None] = {
    "a.png": Kind.IMAGE,
    "a.txt": Kind.CAPTION,
    "a-masklabel.png": Kind.MASK,
    "notes.md": Kind.OTHER,
    "": None,
    "sub/": None,
    ".hashmark/state.sqlite": None,
    "sub/.hashmark-12-ab.part": None,
    "_latent_cache/a.safetensors": None,
    "my.hashmark-1-a.partial.png": Kind.IMAGE,
    "../a.png": Kind.IMAGE,
}


@pytest.mark.parametrize(("key", "kind"), RELEVANT.items(), ids=[repr(key) for key in RELEVANT])
def test_what_belongs_to_a_dataset_has_a_kind_and_the_rest_is_left_out(key: str, kind: Kind | None) -> None:
    """Folder markers (the dataset's own has an empty name), litter and hashmark's own files are no files of it."""
    row = KeyState(Key(key), None, remote(key), None)
    assert list(relevant([row], Pairing())) == ([] if kind is None else [(row, kind)])


def test_the_join_brings_three_sides_together_and_drops_what_only_the_base_knows() -> None:
    """Each key once, with what each side holds of it."""
    rows = list(
        join(
            [local("a"), local("b"), local("d")],
            [remote("b"), remote("c")],
            [base("0"), base("a"), base("c"), base("c1"), base("d"), base("e")],
        )
    )
    assert [(r.key, bool(r.local), bool(r.remote), bool(r.base)) for r in rows] == [
        ("a", True, False, True),
        ("b", True, True, False),
        ("c", False, True, True),
        ("d", True, False, True),
    ]


def test_the_join_tells_what_is_gone_from_both_sides() -> None:
    """Before, between and after the other keys, each once and in order."""
    gone: list[str] = []
    bases = [base(key) for key in ("a", "b", "c", "d", "e", "f")]
    assert len(list(join([local("b")], [remote("d")], bases, gone.append))) == 2
    assert gone == ["a", "c", "e", "f"]


def test_the_join_of_nothing_is_nothing() -> None:
    """A base alone makes no row."""
    assert list(join([], [], [])) == []
    assert list(join([], [], [base("a")])) == []

"""What holds for every comparison, whatever the files."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hashmark.core.compare import Joined, Weighed, conclude, in_order, join, judge, weigh
from hashmark.core.model import (
    Base,
    Content,
    Evidence,
    Key,
    Kind,
    LocalFile,
    RemoteObject,
    Stamp,
    Verdict,
    comes_before,
)
from tests.core.build import CONTENTS, World, any_keys, base, in_bytes, joined, keys, known, local, md5, remote, worlds

SWAPPED = {
    Verdict.LOCAL_ONLY: Verdict.REMOTE_ONLY,
    Verdict.LOCAL_CHANGED: Verdict.REMOTE_CHANGED,
    Verdict.DELETED_REMOTELY: Verdict.DELETED_LOCALLY,
}
SWAPPED |= {after: before for before, after in SWAPPED.items()}

contents = st.sampled_from(CONTENTS)
flags = st.sampled_from([True, False, None])
etag_values = st.sampled_from([md5(b"one"), md5(b"two"), f"{md5(b'one')}-3", "opaque", "", None])
key_sets = st.sets(st.one_of(keys, any_keys), max_size=12)


@given(st.sampled_from([*Content, None]), flags, flags, st.sampled_from([(True, True), (True, False), (False, True)]))
def test_swapping_the_sides_swaps_the_verdict(
    content: Content | None, mine: bool | None, theirs: bool | None, has: tuple[bool, bool]
) -> None:
    """The table has no favourite side."""
    before = conclude(content, has_local=has[0], has_remote=has[1], local_is_base=mine, remote_is_base=theirs)
    after = conclude(content, has_local=has[1], has_remote=has[0], local_is_base=theirs, remote_is_base=mine)
    assert after is SWAPPED.get(before, before)


@given(contents, contents, contents)
def test_swapping_files_and_objects_swaps_the_verdict(
    disk: bytes | None, bucket: bytes | None, proven: bytes | None
) -> None:
    """As above, from whole files and objects in a bucket whose ETags are MD5s."""
    if disk is None and bucket is None:
        return
    there, back = joined(disk, bucket, proven), joined(bucket, disk, proven)
    before, after = judge(there, Kind.OTHER, known(there)).verdict, judge(back, Kind.OTHER, known(back)).verdict
    assert after is SWAPPED.get(before, before)


@given(worlds())
def test_identical_sides_are_never_different(world: World) -> None:
    """Whatever the base says, and whatever the ETags are, a copy is synced or can't be told."""
    world.bucket = dict(world.disk)
    for row in world.compare():
        assert row.verdict is Verdict.SYNCED or (row.verdict is Verdict.UNVERIFIED and row.key in world.opaque)


@given(worlds())
def test_green_means_the_same_bytes_and_red_means_other_bytes(world: World) -> None:
    """The law of the project, against the truth that only the test knows."""
    for row in world.compare():
        same = world.disk.get(row.key) == world.bucket.get(row.key)
        assert row.verdict is Verdict.UNVERIFIED or same == (row.verdict is Verdict.SYNCED)


@given(st.sampled_from([b"", b"one", b"two"]), st.sampled_from([None, 0, 3]), etag_values, st.booleans(), etag_values)
@example(b"two", 3, md5(b"two"), True, md5(b"two"))
@example(b"two", 3, "opaque", True, "opaque")
def test_the_listing_alone_never_calls_a_mismatch_different(
    data: bytes, size: int | None, etag: str | None, has_base: bool, recorded: str | None
) -> None:
    """Different takes another size or a recorded ETag; unknown has a reason and says what would settle it.

    A difference needs words only where the ETag claims the opposite: its bytes were read, and that outweighs it.
    """
    proven = Base(Key("a"), md5(b"one"), recorded or "", 3) if has_base else None
    found = weigh(local("a", data), RemoteObject(Key("a"), size, etag), proven)
    if found.content is Content.DIFFERENT:
        assert size not in (None, len(data)) or (proven is not None and etag == proven.etag)
    if found.content is Content.SAME:
        assert etag == md5(data) or size == len(data) == 0 or (proven is not None and etag == proven.etag)
    unknown = found.content is Content.UNKNOWN
    contradicted = (found.content, found.evidence) == (Content.DIFFERENT, Evidence.RECORDED) and etag == md5(data)
    assert bool(found.settle) == unknown
    assert bool(found.reason) == (unknown or contradicted)


@given(contents, contents, contents, st.sampled_from(Content))
def test_a_verdict_is_unverified_exactly_where_the_content_is_unknown(
    disk: bytes | None, bucket: bytes | None, proven: bytes | None, content: Content
) -> None:
    """Cannot tell is never folded into yes or no."""
    if disk is None and bucket is None:
        return
    found = judge(joined(disk, bucket, proven), Kind.OTHER, Weighed(content, Evidence.BODY))
    both = disk is not None and bucket is not None
    assert (found.verdict is Verdict.UNVERIFIED) == (both and content is Content.UNKNOWN)
    assert (found.verdict is Verdict.SYNCED) == (both and content is Content.SAME)


@given(st.permutations(["a", "b", "a/b", "a-b", "a.b", "A"]), key_sets, key_sets, key_sets)
def test_the_join_is_the_join_of_three_dictionaries(
    shuffled: list[str], left: set[str], right: set[str], middle: set[str]
) -> None:
    """Every key of either side once, in byte order, with exactly what each side holds of it."""
    here = {key: local(key) for key in {*left, *shuffled[:4]}}
    there = {key: remote(key) for key in {*right, *shuffled[2:]}}
    proven = {key: base(key) for key in {*middle, *shuffled[1:3]}}
    rows = list(
        join(
            [here[key] for key in in_bytes(here)],
            [there[key] for key in in_bytes(there)],
            [proven[key] for key in in_bytes(proven)],
        )
    )
    expected = in_bytes({*here, *there})
    assert rows == [Joined(Key(key), here.get(key), there.get(key), proven.get(key)) for key in expected]


def test_a_folder_sorts_as_its_name_and_a_slash() -> None:
    """`a-b` comes before `a/b`, and a code point beyond U+FFFF after one below: bytes decide."""
    ordered = ["a", "a-b", "a/b", "a0", "\uff5e", "\U0001f600"]
    assert [row.key for row in join([local(key) for key in ordered], [], [])] == ordered
    assert [row.key for row in join([], [remote(key) for key in ordered], [])] == ordered


@pytest.mark.parametrize("pair", [("b", "a"), ("a", "a"), ("a/b", "a-b"), ("\U0001f600", "\uff5e")], ids=repr)
@pytest.mark.parametrize("side", ["local", "remote", "base"])
def test_input_out_of_order_is_an_error_and_never_a_missed_key(side: str, pair: tuple[str, str]) -> None:
    """On each of the three sides, for a step back as for a key that comes twice."""
    locals_ = [local(key) for key in pair] if side == "local" else [local("zz")]
    remotes = [remote(key) for key in pair] if side == "remote" else [remote("zz")]
    bases = [base(key) for key in pair] if side == "base" else []
    with pytest.raises(ValueError, match=f"{side} keys are out of order"):
        list(join(locals_, remotes, bases) if side != "base" else join([local("\U0001f601")], [], bases))


@given(st.lists(keys, max_size=6))
def test_exactly_strictly_ascending_keys_are_in_order(listed: list[str]) -> None:
    """Nothing else passes, and what passes is unchanged."""
    rows = [LocalFile(Key(key), Stamp(0, 0, 0, 0, 0)) for key in listed]
    if all(a.encode() < b.encode() for a, b in itertools.pairwise(listed)):
        assert list(in_order(rows, "local")) == rows
    else:
        with pytest.raises(ValueError, match="out of order"):
            list(in_order(rows, "local"))


def test_the_join_asks_for_no_more_than_it_needs() -> None:
    """Rows come while both sides still run: one item of each is read ahead, not all."""
    read: list[str] = []

    def files() -> Iterator[LocalFile]:
        for key in ("a", "b", "c", "d"):
            read.append(f"file {key}")
            yield local(key)

    def objects() -> Iterator[RemoteObject]:
        for key in ("a", "b", "c", "d"):
            read.append(f"object {key}")
            yield remote(key)

    rows = join(files(), objects(), [])
    assert next(rows).key == "a"
    assert read == ["file a", "object a"]
    assert next(rows).key == "b"
    assert read == ["file a", "object a", "file b", "object b"]


names = st.one_of(keys, any_keys, st.text(st.sampled_from("aAé\udc80\udcff\ue000\uffff\U00010000"), max_size=4))


@given(names, names)
def test_one_key_comes_before_another_by_its_bytes(one: str, other: str) -> None:
    """Lone surrogates stand for bytes that are not UTF-8, and as characters would be out of place."""
    as_bytes = [name.encode("utf-8", "surrogateescape") for name in (one, other)]
    assert comes_before(one, other) is (as_bytes[0] < as_bytes[1])

"""What holds for every comparison, whatever the files."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from hashmark.core.compare import Comparison, compare_listed, conclude, judge
from hashmark.core.model import (
    Base,
    Content,
    Evidence,
    Key,
    Kind,
    RemoteObject,
    Verdict,
)
from support.core_values import CONTENTS, Sides, any_keys, joined, keys, known, local, md5, worlds

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
def test_identical_sides_are_never_different(world: Sides) -> None:
    """Whatever the base says, and whatever the ETags are, a copy is synced or can't be told."""
    world.bucket = dict(world.disk)
    for row in world.compare():
        assert row.verdict is Verdict.SYNCED or (row.verdict is Verdict.UNVERIFIED and row.key in world.opaque)


@given(worlds())
def test_green_means_the_same_bytes_and_red_means_other_bytes(world: Sides) -> None:
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
    found = compare_listed(local("a", data), RemoteObject(Key("a"), size, etag), proven)
    if found.content is Content.DIFFERENT:
        assert size not in (None, len(data)) or (proven is not None and etag == proven.etag)
    if found.content is Content.SAME:
        assert etag == md5(data) or size == len(data) == 0 or (proven is not None and etag == proven.etag)
    unknown = found.content is Content.UNKNOWN
    contradicted = (found.content, found.evidence) == (Content.DIFFERENT, Evidence.RECORDED) and etag == md5(data)
    assert bool(found.remedy) == unknown
    assert bool(found.reason) == (unknown or contradicted)


@given(contents, contents, contents, st.sampled_from(Content))
def test_a_verdict_is_unverified_exactly_where_the_content_is_unknown(
    disk: bytes | None, bucket: bytes | None, proven: bytes | None, content: Content
) -> None:
    """Cannot tell is never folded into yes or no."""
    if disk is None and bucket is None:
        return
    found = judge(joined(disk, bucket, proven), Kind.OTHER, Comparison(content, Evidence.BODY))
    both = disk is not None and bucket is not None
    assert (found.verdict is Verdict.UNVERIFIED) == (both and content is Content.UNKNOWN)
    assert (found.verdict is Verdict.SYNCED) == (both and content is Content.SAME)

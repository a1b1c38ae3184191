"""The decision table, row by row; what the listing proves."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hashmark.core import compare
from hashmark.core.compare import (
    MD5_MISMATCH,
    MULTIPART,
    NAME_ONLY,
    OPAQUE,
    WRITTEN_AGAIN,
    Comparison,
    KeyState,
    compare_listed,
    conclude,
    judge,
    plainly_same,
    refuse_unsafe,
    written_by,
)
from hashmark.core.model import Base, Content, Evidence, Key, Kind, RemoteObject, Verdict
from support.core_values import DATA, TIME, base, joined, known, local, md5, remote

OLD, MINE, THEIRS = b"as last in sync", b"edited on disk.", b"edited in bucket"

TABLE: list[tuple[str, bytes | None, bytes | None, bytes | None, Verdict]] = [
    # the row of the docstring                       disk   bucket  base   verdict
    ("yes yes same any -> synced", OLD, OLD, OLD, Verdict.SYNCED),
    ("yes yes different local = B, ETag ≠ B -> remote-changed", OLD, THEIRS, OLD, Verdict.REMOTE_CHANGED),
    ("yes yes different local ≠ B, ETag = B -> local-changed", MINE, OLD, OLD, Verdict.LOCAL_CHANGED),
    ("yes yes different both ≠ B -> conflict", MINE, THEIRS, OLD, Verdict.CONFLICT),
    ("yes yes different none -> differs", MINE, THEIRS, None, Verdict.DIFFERS),
    ("yes yes unknown local = B, object newer -> remote-changed", OLD, THEIRS, OLD, Verdict.REMOTE_CHANGED),
    ("yes yes unknown any other -> unverified", OLD, MINE, None, Verdict.UNVERIFIED),
    ("yes no – none -> local-only", MINE, None, None, Verdict.LOCAL_ONLY),
    ("yes no – local = B -> deleted-remotely", OLD, None, OLD, Verdict.DELETED_REMOTELY),
    ("yes no – local ≠ B -> conflict", MINE, None, OLD, Verdict.CONFLICT),
    ("no yes – none -> remote-only", None, THEIRS, None, Verdict.REMOTE_ONLY),
    ("no yes – ETag = B -> deleted-locally", None, OLD, OLD, Verdict.DELETED_LOCALLY),
    ("no yes – ETag ≠ B -> conflict", None, THEIRS, OLD, Verdict.CONFLICT),
]
LATER = "2026-05-06T07:08:09Z"
REFUSED_ROW = "unsafe or colliding key, unreadable file -> refused"


def documented() -> list[str]:
    """The rows of the table in the module's docstring, their columns joined by single spaces."""
    lines = (compare.__doc__ or "").splitlines()
    start = next(i for i, line in enumerate(lines) if re.match(r" +local +object", line)) + 1
    rows = itertools.takewhile(str.strip, lines[start:])
    columns = (re.split(" {2,}", line.strip()) for line in rows)
    return [f"{' '.join(row[:-1])} -> {row[-1]}" for row in columns]


def test_the_table_below_is_the_one_that_is_documented() -> None:
    """A row that is added, dropped or reworded in the docstring is added, dropped or reworded here."""
    assert documented() == [*(row[0] for row in TABLE), REFUSED_ROW]


@pytest.mark.parametrize(("title", "disk", "bucket", "proven", "verdict"), TABLE, ids=[row[0] for row in TABLE])
def test_each_row_of_the_decision_table_holds(
    title: str, disk: bytes | None, bucket: bytes | None, proven: bytes | None, verdict: Verdict
) -> None:
    """A file, an object and a base of this content lead to this verdict, and are kept with it."""
    row = joined(disk, bucket, proven)
    if "newer" in title:
        assert row.remote
        row = row._replace(remote=row.remote._replace(last_modified=LATER))
    unknown = Comparison(Content.UNKNOWN, None, "reason", "settle")
    found = judge(row, Kind.CAPTION, unknown if "unknown" in title else known(row))
    assert found.verdict is verdict
    assert (found.key, found.kind) == ("a.txt", Kind.CAPTION)
    assert (found.local, found.remote, found.base) == (row.local, row.remote, row.base)


@pytest.mark.parametrize(
    ("proven_at", "listed_at"),
    [(TIME, TIME), (None, LATER), (TIME, None), (f"<{LATER}", TIME)],
    ids=["of the same time", "proven at an unknown time", "of an unknown time", "within the time of its writing"],
)
def test_an_object_with_another_etag_is_not_newer_for_that_alone(proven_at: str | None, listed_at: str | None) -> None:
    """A store may give other ETags to objects that it has."""
    row = joined(OLD, THEIRS, OLD)
    assert row.base
    assert row.remote
    row = row._replace(
        base=row.base._replace(last_modified=proven_at), remote=row.remote._replace(last_modified=listed_at)
    )
    assert judge(row, Kind.CAPTION, Comparison(Content.UNKNOWN)).verdict is Verdict.UNVERIFIED


@pytest.mark.parametrize("flags", list(itertools.product([True, False, None], repeat=2)))
def test_a_base_can_neither_make_nor_unmake_the_same_or_the_unknown(flags: tuple[bool | None, bool | None]) -> None:
    """`any` in the table means any: the base is not asked where the content is the same or unknown."""
    mine, theirs = flags
    for content, verdict in ((Content.SAME, Verdict.SYNCED), (Content.UNKNOWN, Verdict.UNVERIFIED)):
        found = conclude(content, has_local=True, has_remote=True, local_is_base=mine, remote_is_base=theirs)
        assert found is verdict
    nothing = conclude(None, has_local=True, has_remote=True, local_is_base=mine, remote_is_base=theirs)
    assert nothing is Verdict.UNVERIFIED


def test_a_base_that_both_differing_sides_equal_counts_as_none() -> None:
    """It is proven wrong, so no side may be said to have changed."""
    found = conclude(Content.DIFFERENT, has_local=True, has_remote=True, local_is_base=True, remote_is_base=True)
    assert found is Verdict.DIFFERS


MD5, OTHER_MD5 = md5(DATA), md5(b"another sketch..\n")
SIZE = len(DATA)
RECORDED = base("a.txt", etag="opaque")

EVIDENCE: dict[str, tuple[RemoteObject, Base | None, Content, Evidence | None, str | None]] = {
    "names only": (RemoteObject(Key("a.txt")), None, Content.UNKNOWN, Evidence.NAME, NAME_ONLY),
    "names only, with a base": (RemoteObject(Key("a.txt")), base("a.txt"), Content.UNKNOWN, Evidence.NAME, NAME_ONLY),
    "other size": (remote("a.txt", DATA + b"!"), None, Content.DIFFERENT, Evidence.SIZE, None),
    "other size, recorded ETag": (
        *(RemoteObject(Key("a.txt"), SIZE + 1, "opaque"), RECORDED),
        *(Content.DIFFERENT, Evidence.SIZE, None),
    ),
    "other size, no ETag": (RemoteObject(Key("a.txt"), 0), None, Content.DIFFERENT, Evidence.SIZE, None),
    "ETag is the MD5": (remote("a.txt"), None, Content.SAME, Evidence.ETAG_MD5, None),
    "ETag is the MD5, size unknown": (
        *(RemoteObject(Key("a.txt"), None, MD5), None),
        *(Content.SAME, Evidence.ETAG_MD5, None),
    ),
    "ETag is another MD5": (remote("a.txt", etag=OTHER_MD5), None, Content.UNKNOWN, None, MD5_MISMATCH),
    "ETag is another MD5, size unknown": (
        *(RemoteObject(Key("a.txt"), None, OTHER_MD5), None),
        *(Content.UNKNOWN, None, MD5_MISMATCH),
    ),
    "recorded ETag, same digest": (remote("a.txt", etag="opaque"), RECORDED, Content.SAME, Evidence.RECORDED, None),
    "recorded ETag, other digest": (
        *(remote("a.txt", etag="opaque"), base("a.txt", b"another sketch..\n", etag="opaque")),
        *(Content.DIFFERENT, Evidence.RECORDED, None),
    ),
    "recorded ETag, recorded size is another": (
        *(remote("a.txt", etag="opaque"), Base(Key("a.txt"), OTHER_MD5, "opaque", SIZE + 1)),
        *(Content.UNKNOWN, None, OPAQUE),
    ),
    "ETag moved from the recorded one": (remote("a.txt", etag="moved"), RECORDED, Content.UNKNOWN, None, OPAQUE),
    "multipart": (remote("a.txt", etag=f"{MD5}-2"), None, Content.UNKNOWN, None, MULTIPART),
    "opaque": (remote("a.txt", etag="0x8D"), None, Content.UNKNOWN, None, OPAQUE),
    "ETag is the MD5 in capitals": (remote("a.txt", etag=MD5.upper()), None, Content.SAME, Evidence.ETAG_MD5, None),
    "size but no ETag": (
        *(RemoteObject(Key("a.txt"), SIZE), None),
        *(Content.UNKNOWN, None, "the listing has no ETag for it"),
    ),
}


@pytest.mark.parametrize(("there", "proven", "content", "evidence", "reason"), EVIDENCE.values(), ids=EVIDENCE.keys())
def test_each_kind_of_evidence_proves_what_it_can_and_no_more(
    there: RemoteObject, proven: Base | None, content: Content, evidence: Evidence | None, reason: str | None
) -> None:
    """The same file against each object; what is unknown says what would settle it, what is known needs nothing."""
    found = compare_listed(local("a.txt"), there, proven)
    assert (found.content, found.evidence, found.reason) == (content, evidence, reason)
    assert bool(found.remedy) == (content is Content.UNKNOWN)


@pytest.mark.parametrize("etag", ["opaque", f"{MD5}-1", OTHER_MD5, None])
def test_two_empty_files_are_the_same_whatever_the_etag(etag: str | None) -> None:
    """There are no bytes that could differ; a list of names does not say that it is empty."""
    found = compare_listed(local("a.txt", b""), RemoteObject(Key("a.txt"), 0, etag), None)
    assert (found.content, found.evidence) == (Content.SAME, Evidence.SIZE)
    assert compare_listed(local("a.txt", b""), RemoteObject(Key("a.txt")), None).content is Content.UNKNOWN


def test_a_file_that_cannot_be_read_is_refused_with_the_cause_whatever_the_bucket_holds() -> None:
    """Neither side's content is then known, so there is no other verdict."""
    for there in (remote("a.txt"), None):
        row = KeyState(Key("a.txt"), local("a.txt", trouble="can't be read: no permission"), there, base("a.txt"))
        found = judge(row, Kind.CAPTION)
        assert (found.verdict, found.reason) == (Verdict.REFUSED, "can't be read: no permission")


def test_without_more_evidence_a_verdict_rests_on_the_listing() -> None:
    """The evidence, the reason and what would settle it are passed on."""
    found = judge(KeyState(Key("a.txt"), local("a.txt"), remote("a.txt"), None), Kind.CAPTION)
    assert (found.verdict, found.evidence, found.reason) == (Verdict.SYNCED, Evidence.ETAG_MD5, None)
    found = judge(KeyState(Key("a.txt"), local("a.txt"), remote("a.txt", etag="odd"), None), Kind.CAPTION)
    assert (found.verdict, found.reason) == (Verdict.UNVERIFIED, OPAQUE)
    assert found.remedy


def test_dearer_evidence_overrules_the_listing() -> None:
    """Bytes that were read and differ win over an ETag that matched."""
    row = KeyState(Key("a.txt"), local("a.txt"), remote("a.txt"), base("a.txt"))
    found = judge(row, Kind.CAPTION, Comparison(Content.DIFFERENT, Evidence.BODY))
    assert (found.verdict, found.evidence) == (Verdict.DIFFERS, Evidence.BODY)


LIE = Base(Key("a.txt"), OTHER_MD5, MD5, SIZE, common=False)


def test_an_etag_that_was_proven_to_lie_is_not_believed_again() -> None:
    """The object was read under this ETag and has other bytes; under a new ETag it has a new chance."""
    found = compare_listed(local("a.txt"), remote("a.txt"), LIE)
    assert (found.content, found.evidence) == (Content.DIFFERENT, Evidence.RECORDED)
    moved = Base(Key("a.txt"), OTHER_MD5, "moved", SIZE, common=False)
    assert compare_listed(local("a.txt"), remote("a.txt"), moved).content is Content.SAME


def test_a_file_that_has_what_was_read_is_the_same_whatever_the_etag_says() -> None:
    """The object was read, and the disk now holds those very bytes."""
    found = compare_listed(local("a.txt", b"another sketch..\n"), remote("a.txt"), LIE)
    assert (found.content, found.evidence) == (Content.SAME, Evidence.RECORDED)


@pytest.mark.parametrize(
    ("here", "there", "verdict"),
    [(True, True, Verdict.DIFFERS), (True, False, Verdict.LOCAL_ONLY), (False, True, Verdict.REMOTE_ONLY)],
)
def test_a_lie_is_no_common_past(here: bool, there: bool, verdict: Verdict) -> None:
    """The two sides were never proven equal, so nobody has changed or deleted anything."""
    row = KeyState(Key("a.txt"), local("a.txt") if here else None, remote("a.txt") if there else None, LIE)
    assert judge(row, Kind.CAPTION).verdict is verdict


def test_a_bare_name_in_the_bucket_is_never_called_deleted_here() -> None:
    """Without an ETag it can't be told that the object is still the base, so nothing may follow from it."""
    row = KeyState(Key("a.txt"), None, RemoteObject(Key("a.txt")), base("a.txt"))
    assert judge(row, Kind.CAPTION).verdict is Verdict.CONFLICT


def test_an_object_of_the_recorded_etag_but_another_size_is_not_the_base() -> None:
    """Both parts of the record must fit before the bucket's side counts as unchanged."""
    row = KeyState(Key("a.txt"), None, RemoteObject(Key("a.txt"), SIZE + 1, MD5), base("a.txt"))
    assert judge(row, Kind.CAPTION).verdict is Verdict.CONFLICT


def test_an_unsafe_key_is_refused_on_either_side_and_a_safe_one_is_not() -> None:
    """The refusal names the reason and keeps both sides."""
    row = KeyState(Key("../a.txt"), None, remote("../a.txt"), None)
    found = refuse_unsafe(row, Kind.CAPTION)
    assert found is not None
    assert (found.verdict, found.reason, found.remote) == (Verdict.REFUSED, "has a '..' segment", row.remote)
    assert refuse_unsafe(joined(DATA, DATA, None), Kind.CAPTION) is None


LATER = "2024-05-06T07:08:10Z"


@pytest.mark.parametrize(
    ("proven", "listed", "is_as_proven"),
    [
        (TIME, TIME, True),
        (TIME, LATER, False),
        (LATER, TIME, False),
        (None, TIME, True),
        (TIME, None, True),
        ("2024-05-06T07:08:09.000Z", TIME, True),
        (TIME, "2024-05-06T07:08:09.123Z", True),
        ("2024-05-06T07:08:09.000Z", "2024-05-06T07:08:09.001Z", False),
        (written_by(datetime(2024, 5, 6, 7, 8, 8, tzinfo=UTC)), "2024-05-06T07:08:09.999Z", True),
        (written_by(datetime(2024, 5, 6, 7, 8, 8, tzinfo=UTC)), "2024-05-05T23:59:59Z", True),
        (written_by(datetime(2024, 5, 6, 7, 8, 8, tzinfo=UTC)), LATER, False),
    ],
)
def test_an_object_is_as_proven_only_with_the_time_it_had(
    proven: str | None, listed: str | None, *, is_as_proven: bool
) -> None:
    """Times have fractions of a second in some listings. What we wrote is no later than the answer."""
    before, there = base("a.txt")._replace(last_modified=proven), remote("a.txt")._replace(last_modified=listed)
    assert compare.is_as_proven(before, there) is is_as_proven
    here, other = local("a.txt"), local("a.txt", b"another sketch..\n")
    for etags_follow in (False, True):
        for file, if_proven in ((here, Content.SAME), (other, Content.DIFFERENT)):
            found = compare_listed(file, there, before, etags_follow=etags_follow)
            assert found.content is (if_proven if is_as_proven or etags_follow else Content.UNKNOWN)
            assert (found.reason == WRITTEN_AGAIN) == (not is_as_proven and not etags_follow)


def test_an_object_written_again_under_the_same_etag_is_not_the_base() -> None:
    """Its bytes differ, or the file is gone: the bucket has changed, unless its ETags follow the bytes."""
    there = remote("a.txt")._replace(last_modified=LATER)
    changed = KeyState(Key("a.txt"), local("a.txt"), there, base("a.txt"))
    read = Comparison(Content.DIFFERENT, Evidence.BODY)
    assert judge(changed, Kind.CAPTION, read).verdict is Verdict.REMOTE_CHANGED
    deleted = changed._replace(local=None)
    assert judge(deleted, Kind.CAPTION).verdict is Verdict.CONFLICT
    assert judge(deleted, Kind.CAPTION, etags_follow=True).verdict is Verdict.DELETED_LOCALLY


SIDES = st.sampled_from([None, b"", OLD, MINE, THEIRS])
ODD = ["unread", "unreadable", "not common", "another size in the base", "another time", "no time in the base"]
ETAGS = st.sampled_from([None, "opaque", "0" * 32 + "-2", ""])


@given(st.lists(st.tuples(SIDES, SIDES, SIDES, ETAGS, ETAGS, st.sets(st.sampled_from(ODD))), max_size=8))
@example([(OLD, OLD, OLD, None, None, {"another size in the base"})])
@example([(OLD, OLD, OLD, None, None, {"unreadable"})])
@example([(OLD, OLD, OLD, None, None, {"not common"})])
@example([(OLD, OLD, OLD, None, None, {"another time"})])
def test_what_is_plainly_the_same_is_what_the_table_says_of_it(
    drawn: list[tuple[bytes | None, bytes | None, bytes | None, str | None, str | None, set[str]]],
) -> None:
    """Whatever the sides and the base are: with the ETag of the content or another, read or not, common or not."""
    rows = []
    for disk, bucket, proven, etag, recorded, odd in drawn:
        row = joined(disk, bucket, proven)
        here, before = row.local, row.base
        if here and "unread" in odd:
            here = here._replace(md5=None)
        if here and "unreadable" in odd:
            here = here._replace(trouble="cannot be read")
        there = row.remote and (row.remote._replace(etag=etag) if etag is not None else row.remote)
        if before:
            size = before.size + ("another size in the base" in odd)
            etag_then = recorded if recorded is not None else before.etag
            time = None if "no time in the base" in odd else LATER if "another time" in odd else before.last_modified
            common = "not common" not in odd
            before = before._replace(common=common, etag=etag_then, size=size, last_modified=time)
        rows.append((KeyState(row.key, here, there, before), Kind.IMAGE))
    for (row, kind), found in zip(rows, plainly_same(rows), strict=True):
        verdict, (_, here, there, before) = judge(row, kind), row
        same = False
        if verdict.verdict is Verdict.SYNCED and here and there and here.size:
            is_base = before and (here.md5, there.etag, here.size, TIME) == (*before[1:4], before.last_modified)
            same = not before or bool(is_base and before.common)
        assert found == (verdict if same else None)

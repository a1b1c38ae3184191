"""Which colliding names become one again, and which are left alone and why."""

from __future__ import annotations

import pytest

from hashmark.core.errors import RefusedPlan
from hashmark.core.model import FileStatus, Key, Kind, LocalFile, RemoteObject, Stamp, Verdict
from hashmark.core.rename_plan import Match, RenamePlan, make_rename_plan

STAMP = Stamp(1, 1, 1, 1, 1)


def row(key: str, sides: str, trouble: str | None = None) -> FileStatus:
    """Return a refused status of a key that is on these sides: `d` for the disk, `b` for the bucket."""
    local = LocalFile(Key(key), STAMP, None if trouble else "0" * 32, trouble) if "d" in sides else None
    remote = RemoteObject(Key(key), 1, "0" * 32) if "b" in sides else None
    return FileStatus(Key(key), Kind.CAPTION, Verdict.REFUSED, local=local, remote=remote)


def plan(*rows: FileStatus, match: Match = Match.DISK, complete: bool = True) -> RenamePlan:
    return make_rename_plan(rows, match, complete=complete)


@pytest.mark.parametrize(
    ("here", "there"), [("a.txt", "A.txt"), ("Sub/a.txt", "sub/a.txt"), ("caf\u00e9.txt", "cafe\u0301.txt")]
)
def test_one_name_on_each_side_is_renamed_on_either(here: str, there: str) -> None:
    rows = (row(there, "b"), row("other.txt", "db"), row(here, "d"))
    (rename,) = plan(*rows).renames
    assert (rename.names(Match.DISK), rename.names(Match.BUCKET)) == ((there, here), (here, there))
    assert plan(*rows, match=Match.BUCKET).renames == (rename,)


def test_an_interrupted_rename_is_finished_in_the_bucket_only() -> None:
    rows = (row("A.txt", "b"), row("a.txt", "db"))
    assert len(plan(*rows).renames) == 1
    assert "has both names" in plan(*rows, match=Match.BUCKET).left_alone[0].reason


def test_an_interrupted_rename_on_disk_is_finished_there() -> None:
    """The two names are links to one file, and the bucket has one of them."""
    rows = (row("A.txt", "db"), row("a.txt", "d"))
    (rename,) = plan(*rows, match=Match.BUCKET).renames
    assert rename.names(Match.BUCKET) == ("a.txt", "A.txt")
    assert plan(*rows).renames == ()


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ((row("A.txt", "d"), row("a.txt", "d")), "the disk has several"),
        ((row("A.txt", "db"), row("a.txt", "db")), "the disk has several"),
        ((row("A.txt", "b"), row("a.txt", "b")), "the bucket has several"),
        ((row("AB.txt", "b"), row("aB.txt", "b"), row("ab.txt", "d")), "the bucket has several"),
        ((row("A.txt", "b"), row("a.txt", "d", "cannot be read: no")), "cannot be read: no"),
        ((row("AUX.txt", "b"), row("aux.txt", "d")), "which Windows reserves"),
    ],
)
def test_what_can_not_be_decided_is_left_alone(rows: tuple[FileStatus, ...], why: str) -> None:
    found = plan(*rows)
    assert found.renames == ()
    assert [left.status for left in found.left_alone] == list(rows)
    assert all(why in left.reason for left in found.left_alone)


def test_nothing_is_renamed_in_doubt() -> None:
    with pytest.raises(RefusedPlan, match="1 rename was planned"):
        plan(row("A.txt", "b"), row("a.txt", "d"), complete=False)
    assert plan(row("a.txt", "d"), complete=False).renames == ()

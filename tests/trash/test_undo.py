"""A cleaning can be undone: completely, after a crash, and never over later edits."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hashmark import Dataset, Library
from hashmark.actions.clean import apply, preview
from hashmark.core.cleaning import Pipeline
from hashmark.core.encoding import MAX_CAPTION_BYTES
from hashmark.core.errors import UsageError
from hashmark.core.word_diff import PieceChange as Side
from hashmark.disk import rewrite
from hashmark.library.settings import create
from hashmark.trash import restore
from hashmark.trash.batch import undoable_batches, unreadable_batches
from hashmark.trash.contents import TrashEntry
from hashmark.trash.undo import undo
from support.file_trees import stamp, tree

PROSE = Pipeline.parse({})
DIRTY = {f"{n}.txt": f"a  cat, number {n} \r\n".encode() for n in range(6)} | {"clean.txt": b"a cat\n"}
CLEAN = {f"{n}.txt": f"a cat, number {n}\n".encode() for n in range(6)} | {"clean.txt": b"a cat\n"}


@pytest.fixture(name="library")
def fixture_library(tmp_path: Path) -> Iterator[Library]:
    """A library with one dataset of dirty captions; its bucket is never asked."""
    with made(tmp_path / "library") as library:
        yield library


def made(root: Path) -> Library:
    create(root, {"url": "s3://nobody-asks/p"})
    for key, data in DIRTY.items():
        path = root / "82_x" / key
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        path.with_suffix(".png").write_bytes(b"image")
    return Library.open(root)


def dataset(library: Library) -> Dataset:
    return library.dataset("82")


def clean(library: Library) -> str:
    batch = apply(preview(dataset(library), PROSE)).outcome.batch
    assert batch is not None
    return batch


def captions(library: Library) -> dict[str, bytes]:
    return {key: data for key, data in tree(library.root / "82_x").items() if not key.endswith(".png")}


def trashed(library: Library) -> dict[str, bytes]:
    return tree(library.trash) if library.trash.exists() else {}


def test_an_undo_brings_back_every_byte_and_time(library: Library) -> None:
    before = {key: stamp(library.root / "82_x" / key) for key in DIRTY}
    name = clean(library)
    assert captions(library) == CLEAN
    undone = undo(library, name)
    assert (undone.complete, sorted(undone.outcome.done), undone.unchanged) == (
        True,
        sorted(set(DIRTY) - {"clean.txt"}),
        0,
    )
    assert captions(library) == DIRTY
    for key, was in before.items():
        assert stamp(library.root / "82_x" / key).mtime_ns == was.mtime_ns
    assert stamp(library.root / "82_x" / "clean.txt") == before["clean.txt"]
    assert [batch.name for batch in undoable_batches(library)] == [undone.outcome.batch]


def test_an_undo_is_undone_in_turn(library: Library) -> None:
    """`last` is the latest batch, so undoing it twice redoes it."""
    clean(library)
    for expected in (DIRTY, CLEAN, DIRTY):
        assert undo(library, "last").complete
        assert captions(library) == expected
    assert len(undoable_batches(library)) == 1


def test_the_last_batch_after_a_partial_undo_is_the_one_that_still_has_files(library: Library) -> None:
    """A user who undoes, fixes the conflicts and undoes again wants to finish, not to clean again."""
    name = clean(library)
    (library.root / "82_x" / "1.txt").write_bytes(b"an edit\n")
    assert not undo(library, "last").complete
    (library.root / "82_x" / "1.txt").write_bytes(CLEAN["1.txt"])
    undone = undo(library, "last")
    assert (undone.batch.name, undone.complete, undone.outcome.done) == (name, True, ("1.txt",))
    assert captions(library) == DIRTY
    assert undo(library, "last").batch.name == undone.outcome.batch
    assert captions(library) == DIRTY | {"1.txt": CLEAN["1.txt"]}


def test_a_deleted_caption_comes_back_and_goes_again(library: Library) -> None:
    """The batch of a rule that deletes empty captions."""
    path = library.root / "82_x" / "0.txt"
    path.write_bytes(b" , ")
    pipeline = Pipeline.parse({"profile": "tags", "empty": "delete", "rules": ["separators"]})
    apply(preview(dataset(library), pipeline))
    assert not path.exists()
    undo(library, "last")
    assert path.read_bytes() == b" , "
    undo(library, "last")
    assert not path.exists()
    path.write_bytes(b"a new one")
    undone = undo(library, "last")
    assert [(refused.key, refused.reason) for refused in undone.conflicts] == [("0.txt", "was edited since")]
    assert path.read_bytes() == b"a new one"


def test_what_was_edited_since_is_refused_with_the_difference_and_the_rest_done(library: Library) -> None:
    name = clean(library)
    (library.root / "82_x" / "1.txt").write_bytes(b"a cat, number one\n")
    (library.root / "82_x" / "2.txt").unlink()
    undone = undo(library, name)
    assert [(refused.key, refused.reason) for refused in undone.conflicts] == [
        ("1.txt", "was edited since"),
        ("2.txt", "was deleted since"),
    ]
    sides = {(piece.change, piece.text) for piece in undone.conflicts[0].pieces}
    assert {(Side.ADDED, "one"), (Side.REMOVED, " ")} <= sides
    assert not undone.complete
    expected = {**DIRTY, "1.txt": b"a cat, number one\n"}
    del expected["2.txt"]
    assert captions(library) == expected
    # The file with a conflict stays in the trash, and a later undo can take it back.
    (library.root / "82_x" / "1.txt").write_bytes(CLEAN["1.txt"])
    again = undo(library, name)
    assert (again.outcome.done, again.unchanged, len(again.conflicts)) == (("1.txt",), 4, 1)
    assert f"{name}/82_x/2.txt" in trashed(library)


def test_a_caption_that_cleaning_made_longer_than_any_may_be_comes_back(library: Library) -> None:
    """The limit applies to the file as it is read first."""
    path = library.root / "82_x" / "0.txt"
    path.write_bytes(b"a" * MAX_CAPTION_BYTES)
    apply(preview(dataset(library), Pipeline.parse({"trigger": "ohwx"}), select=("0.txt",)))
    assert path.stat().st_size > MAX_CAPTION_BYTES
    assert undo(library, "last").complete
    assert path.stat().st_size == MAX_CAPTION_BYTES


def test_an_older_batch_does_not_go_over_a_newer_one(library: Library) -> None:
    """The newer one has edited its files since."""
    older = clean(library)
    apply(preview(dataset(library), Pipeline.parse({"trigger": "ohwx"}), select=("0.txt",)))
    undone = undo(library, older)
    assert [refused.key for refused in undone.conflicts] == ["0.txt"]
    assert captions(library) == {**DIRTY, "0.txt": b"ohwx, a cat, number 0\n"}


def test_what_the_trash_does_not_have_is_named(library: Library) -> None:
    """The trash was emptied, or its copy was edited."""
    name = clean(library)
    kept = library.trash / name / "82_x"
    (kept / "0.txt").unlink()
    (kept / "1.txt").write_bytes(b"something else")
    undone = undo(library, name)
    assert [(failure.key, failure.code) for failure in undone.outcome.failures] == [
        ("0.txt", "not-kept"),
        ("1.txt", "not-kept"),
    ]
    assert captions(library) == {**DIRTY, "0.txt": CLEAN["0.txt"], "1.txt": CLEAN["1.txt"]}


@pytest.mark.parametrize("name", ["20260101T000000Z-clean-0a1b2c3d", "20260101T000000Z-edit-0a1b2c3d", "x", "", "../x"])
def test_there_is_no_such_batch(library: Library, name: str) -> None:
    (library.trash / "20260101T000000Z-edit-0a1b2c3d" / "82_x").mkdir(parents=True)
    with pytest.raises(UsageError, match="batch"):
        undo(library, name)
    with pytest.raises(UsageError, match="There is nothing to undo"):
        undo(library, "last")


@pytest.mark.parametrize(
    "journal", [b"", b"{}", b'{"format":1,"kind":"clean","dataset":"../82_x","at":"","what":"","files":[]}']
)
def test_a_batch_with_a_damaged_or_hostile_journal_is_none(library: Library, journal: bytes) -> None:
    """`trash restore` can still bring it back."""
    name = clean(library)
    (library.trash / name / ".journal.json").write_bytes(journal)
    assert (undoable_batches(library), unreadable_batches(library)) == ([], [name])
    with pytest.raises(UsageError):
        undo(library, name)
    assert captions(library) == CLEAN


def test_where_a_journal_is_damaged_the_last_batch_is_none_older(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore, "trash_entries", _local)
    older = clean(library)
    (library.root / "82_x" / "5.txt").write_bytes(b"b ")
    name = clean(library)
    (library.trash / name / ".journal.json").write_bytes(b"{")
    with pytest.raises(UsageError, match=f"Cannot read the journal of {name}"):
        undo(library, "last")
    assert [batch.name for batch in undoable_batches(library)] == [older]
    assert restore.restore(library, name).failures == ()
    assert unreadable_batches(library) == []
    assert undo(library, "last").batch.name == older


def test_a_key_in_a_journal_can_not_lead_out_of_the_dataset(library: Library) -> None:
    name = clean(library)
    outside = library.root / "hashmark.toml"
    path = library.trash / name / ".journal.json"
    path.write_bytes(path.read_bytes().replace(b'"0.txt"', b'"../hashmark.toml"'))
    before = outside.read_bytes()
    undone = undo(library, name)
    assert [(failure.key, failure.code) for failure in undone.outcome.failures] == [("../hashmark.toml", "unsafe-path")]
    assert outside.read_bytes() == before


def test_batches_are_listed_latest_first(library: Library) -> None:
    names = [clean(library)]
    (library.root / "82_x" / "5.txt").write_bytes(b"b ")
    names.append(clean(library))
    found = undoable_batches(library)
    assert [batch.name for batch in found] == names[::-1]
    assert [(batch.left, len(batch.journal.files)) for batch in found] == [(1, 1), (6, 6)]
    assert found[0].to_json() == {
        "batch": names[1],
        "kind": "clean",
        "dataset": "82_x",
        "at": found[0].journal.at,
        "what": "prose: spaces",
        "files": 1,
        "left": 1,
    }


def test_a_clock_that_was_set_back_makes_no_older_batch_the_last(library: Library) -> None:
    """A batch counts as later than all batches that existed when it started, whatever the clock says."""
    older = clean(library)
    path = library.trash / older / ".journal.json"
    journal = undoable_batches(library)[0].journal
    path.write_bytes(replace(journal, at="2999-12-31T23:59:59.999Z").to_bytes())
    (library.root / "82_x" / "5.txt").write_bytes(b"b ")
    newer = clean(library)
    assert [batch.name for batch in undoable_batches(library)] == [newer, older]
    assert undoable_batches(library)[0].journal.at == "3000-01-01T00:00:00.000Z"
    assert undo(library, "last").batch.name == newer


@pytest.mark.parametrize("at", ["", "soon", "9999-12-31T23:59:59.999999Z", "2999-12-31T23:59:59"])
def test_a_journal_with_an_odd_time_stops_no_cleaning(at: str, library: Library) -> None:
    path = library.trash / clean(library) / ".journal.json"
    path.write_bytes(replace(undoable_batches(library)[0].journal, at=at).to_bytes())
    (library.root / "82_x" / "5.txt").write_bytes(b"b ")
    assert clean(library)


def test_a_batch_that_went_the_way_of_the_trash_is_gone(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that was restored or emptied leaves no journal behind."""
    monkeypatch.setattr(restore, "trash_entries", _local)
    name = clean(library)
    restored = restore.restore(library, name)
    assert (len(restored.entries), restored.failures) == (6, ())
    assert captions(library) == DIRTY
    assert not (library.trash / name).exists()


@pytest.mark.parametrize("what", ["link", "folder"])
def test_a_restore_that_is_refused_leaves_nothing_in_the_dataset(
    what: str, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore, "trash_entries", _local)
    name = clean(library)
    path = library.root / "82_x" / "0.txt"
    path.unlink()
    path.symlink_to("1.txt") if what == "link" else path.mkdir()
    restored = restore.restore(library, name)
    assert [(failure.key, failure.code) for failure in restored.failures] == [("0.txt", "unsafe-path")]
    there = {path.name for path in (library.root / "82_x").iterdir()}
    assert there == {*DIRTY, *(Path(key).with_suffix(".png").name for key in DIRTY)}
    assert f"{name}/82_x/0.txt" in trashed(library)


def _local(library: Library, batch: str | None = None) -> Iterator[TrashEntry]:
    """Yield the entries on disk: these tests have no bucket."""
    inside = f"{batch}/" if batch else ""
    for path in sorted((library.trash / inside).rglob("*.txt")):
        parts = path.relative_to(library.trash).as_posix().split("/", 2)
        yield TrashEntry("disk", parts[0], parts[1], parts[2], path.stat().st_size)


def test_a_stopped_cleaning_is_undone_as_far_as_it_came(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewrite, "MAX_FILES_PER_FLUSH", 2)
    stop = threading.Event()
    applied = apply(preview(dataset(library), PROSE), lambda event: stop.set() if "Done" in repr(event) else None, stop)
    assert len(applied.outcome.done) == 2
    undone = undo(library, "last")
    assert (undone.complete, len(undone.outcome.done), undone.unchanged) == (True, 2, 4)
    assert captions(library) == DIRTY


KILLED = """
import os, signal, sys
from hashmark import Library
from hashmark.actions.clean import apply, preview
from hashmark.trash.undo import undo
from hashmark.core.cleaning import Pipeline
from hashmark.disk import rewrite
root, what, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
rewrite.AT_ONCE = 3
rewrite.FEW = 0
seen = 0
def hook(event, arguments):
    global seen
    if event == "open" or event.removeprefix("os.") in {"rename", "link", "remove", "mkdir", "rmdir", "utime"}:
        seen += 1
        if seen == limit:
            os.kill(os.getpid(), signal.SIGKILL)
with Library.open(root) as library:
    dataset = library.dataset("82")
    found = preview(dataset, Pipeline.parse({})) if what == "clean" else None
    sys.addaudithook(hook)
    if found is not None:
        apply(found)
    else:
        undo(library, "last")
print(seen)
"""
"""Kills itself at the so-many-th thing it asks of the file system, counted from where it begins to write."""


def killed(root: Path, what: str, limit: int) -> int | None:
    """Run it. Return how many system calls it made, or None if it was killed."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, root, what, str(limit)], capture_output=True, text=True, check=False
    )
    if done.returncode == -signal.SIGKILL:
        return None
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def points(tmp_path: Path, what: str, count: int) -> list[int]:
    """Return this many moments, evenly spread over all of them."""
    with made(tmp_path / "whole") as library:
        if what == "undo":
            clean(library)
        total = killed(library.root, what, 0)
    assert total is not None
    assert total > 60
    return sorted({1 + round(n * (total - 1) / (count - 1)) for n in range(count)})


@pytest.mark.parametrize("count", [6, pytest.param(20, marks=[pytest.mark.slow])])
def test_killed_at_any_moment_each_file_is_old_or_new_and_undo_brings_all_back(tmp_path: Path, count: int) -> None:
    for point in points(tmp_path, "clean", count):
        with made(tmp_path / f"at{point}") as library:
            assert killed(library.root, "clean", point) is None, point
            for key, data in captions(library).items():
                assert key.startswith(".hashmark-") or data in {DIRTY[key], CLEAN[key]}, (point, key)
            for batch in undoable_batches(library):
                assert undo(library, batch.name).complete, point
            visible = {key: data for key, data in captions(library).items() if not key.startswith(".hashmark-")}
            assert visible == DIRTY, point
            # The next run finishes, and leaves nothing of the killed one.
            clean(library)
            assert captions(library) == CLEAN, point


@pytest.mark.parametrize("count", [3, pytest.param(10, marks=[pytest.mark.slow])])
def test_an_undo_that_is_killed_is_finished_by_the_next(tmp_path: Path, count: int) -> None:
    for point in points(tmp_path, "undo", count):
        with made(tmp_path / f"at{point}") as library:
            name = clean(library)
            assert killed(library.root, "undo", point) is None, point
            if any(batch.name == name for batch in undoable_batches(library)):
                assert undo(library, name).complete, point
            assert captions(library) == DIRTY, point

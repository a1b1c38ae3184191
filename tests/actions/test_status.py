"""A look at some keys says of them what a whole comparison says, and claims nothing that an old listing can't know."""

from __future__ import annotations

import random

import pytest

from hashmark import Dataset, Evidence, Verdict, push
from hashmark.actions.status import Options, Rescan, Scan, count_unread, status
from hashmark.core.model import FileStatus, Key
from hashmark.core.report import DatasetStatus
from hashmark.disk import hashing
from support.datasets import LibraryMaker, dataset_of, edit_keeping_size_and_time, fill, pairs
from support.stores import Store


def rescan(dataset: Dataset, seen: DatasetStatus, keys: set[str]) -> list[FileStatus]:
    """These keys again, against the objects of an earlier comparison, as the page does."""
    wanted = {Key(key) for key in keys}
    return list(Rescan(dataset, wanted, [row.remote for row in seen.files if row.remote and row.key in wanted]))


def of(found: DatasetStatus, keys: set[str]) -> list[FileStatus]:
    return [row for row in found.files if row.key in keys]


# --- on_file -----------------------------------------------------------------------------------------------------


def test_every_file_is_told_once_in_order_while_it_is_compared(seaweedfs: Store, library_on: LibraryMaker) -> None:
    dataset = dataset_of(library_on(seaweedfs))
    push(dataset)
    fill(dataset, {"a/b.txt": b"1", "a-b.txt": b"2", "0002.txt": b"edited\n", "x.npz": b"litter"})
    told: list[FileStatus] = []
    found = status(dataset, Options(), told.append)
    assert told == list(found.files)
    assert {row.verdict for row in told} == {Verdict.SYNCED, Verdict.LOCAL_ONLY, Verdict.LOCAL_CHANGED}


def test_a_file_is_told_before_a_later_one_turns_out_to_collide_with_it(
    seaweedfs: Store, library_on: LibraryMaker
) -> None:
    """So `on_file` counts and shows progress; the verdicts are those of the result."""
    dataset = dataset_of(library_on(seaweedfs), {"a.txt": b"1", "A.txt": b"2"})
    told: list[FileStatus] = []
    found = status(dataset, Options(), told.append)
    assert [row.key for row in told] == [row.key for row in found.files] == ["A.txt", "a.txt"]
    assert {row.verdict for row in found.files} == {Verdict.REFUSED}


def test_a_comparison_tells_of_the_files_that_it_reads(
    seaweedfs: Store, library_on: LibraryMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each once, and none whose digest is remembered; as many as are counted beside it."""
    monkeypatch.setattr(hashing, "is_settled", lambda *_: True)
    dataset = dataset_of(library_on(seaweedfs))
    push(dataset)
    status(dataset)
    sizes = {path.name: path.stat().st_size for path in dataset.path.iterdir()}
    dataset.library.state.forget_digests(dataset.name, list(sizes)[1:])
    counted = count_unread(dataset, lambda: False)
    read: list[tuple[int, int]] = []
    scan = Scan(dataset, None, lambda files, size: read.append((files, size)))
    assert {row.verdict for row in scan} == {Verdict.SYNCED}
    assert counted == (len(sizes) - 1, sum(list(sizes.values())[1:]))
    assert counted == tuple(map(sum, zip(*read, strict=True)))
    assert count_unread(dataset, lambda: False) == (0, 0)
    assert count_unread(dataset, lambda: True) is None


# --- rescan ------------------------------------------------------------------------------------------------------


def test_a_rescan_says_of_its_keys_what_a_whole_comparison_says(store: Store, library_on: LibraryMaker) -> None:
    """Edited in every way, new, deleted, back again, or not touched at all."""
    dataset = dataset_of(library_on(store))
    fill(dataset, {"sub/a.txt": b"a\n", "sub/b.txt": b"b\n", "empty.txt": b""})
    push(dataset)
    seen = status(dataset)
    edit_keeping_size_and_time(dataset.path / "0000.txt")
    (dataset.path / "0001.txt").write_bytes(b"longer than before, for sure\n")
    (dataset.path / "0002.txt").unlink()
    (dataset.path / "0003.txt").write_bytes(pairs()["0003.txt"])
    (dataset.path / "empty.txt").write_bytes(b"not any more\n")
    fill(dataset, {"new.txt": b"new\n", "sub/deep/new.png": b"x", "x.npz": b"litter"})
    touched = {"0000.txt", "0001.txt", "0002.txt", "0003.txt", "0004.png", "empty.txt", "new.txt", "sub/deep/new.png"}
    asked = touched | {"none.txt", "x.npz", "sub", "../82_stellar_sketch/0004.txt"}
    found = rescan(dataset, seen, asked)
    fresh = status(dataset)
    assert found == of(fresh, asked)
    assert {str(row.key): row.verdict for row in found} == {
        "0000.txt": Verdict.LOCAL_CHANGED,
        "0001.txt": Verdict.LOCAL_CHANGED,
        "0002.txt": Verdict.DELETED_LOCALLY,
        "0003.txt": Verdict.SYNCED,
        "0004.png": Verdict.SYNCED,
        "empty.txt": Verdict.LOCAL_CHANGED,
        "new.txt": Verdict.LOCAL_ONLY,
        "sub/deep/new.png": Verdict.LOCAL_ONLY,
    }


def test_a_rescan_agrees_with_a_comparison_whatever_is_done_to_the_disk(
    seaweedfs: Store, library_on: LibraryMaker
) -> None:
    dataset = dataset_of(library_on(seaweedfs))
    push(dataset)
    names = [*pairs(), "new-1.txt", "new/2.txt"]
    for seed in range(8):
        chance = random.Random(seed)
        seen = status(dataset)
        for name in chance.sample(names, 5):
            if chance.random() < 0.3:
                (dataset.path / name).unlink(missing_ok=True)
            else:
                fill(dataset, {name: chance.choice([b"", b"x\n", b"longer\n", pairs().get(name, b"y\n")])})
        asked = set(chance.sample(names, 7))
        found = rescan(dataset, seen, asked)
        assert found == of(status(dataset), asked), seed


def test_an_edit_taken_back_is_green_at_once_by_the_recorded_proof(seaweedfs: Store, library_on: LibraryMaker) -> None:
    dataset = dataset_of(library_on(seaweedfs))
    push(dataset)
    seen = status(dataset)
    (dataset.path / "0001.txt").write_bytes(b"an edit\n")
    (row,) = rescan(dataset, seen, {"0001.txt"})
    assert (row.verdict, row.evidence) == (Verdict.LOCAL_CHANGED, Evidence.SIZE)
    (dataset.path / "0001.txt").write_bytes(pairs()["0001.txt"])
    (row,) = rescan(dataset, seen, {"0001.txt"})
    assert (row.verdict, row.evidence) == (Verdict.SYNCED, Evidence.ETAG_MD5)


def test_a_rescan_remembers_what_it_proves_and_forgets_nothing(seaweedfs: Store, library_on: LibraryMaker) -> None:
    """An old listing can't tell that a key is gone from the bucket, so its base stays."""
    dataset = dataset_of(library_on(seaweedfs))
    push(dataset)
    state = dataset.library.state
    seen = status(dataset)
    bases = {base.key: base for base in state.bases(dataset.remote)}
    state.forget_bases(dataset.remote, ["0001.txt"])
    (dataset.path / "0002.txt").unlink()
    assert [row.key for row in Rescan(dataset, [Key("0001.txt"), Key("0002.txt")], [])] == ["0001.txt"]
    assert Key("0002.txt") in {base.key for base in state.bases(dataset.remote)}, "on neither side, by what it was told"
    rescan(dataset, seen, {"0001.txt", "0002.txt"})
    assert {base.key: base for base in state.bases(dataset.remote)} == bases


def test_what_can_not_be_read_is_refused_and_makes_a_rescan_incomplete(
    seaweedfs: Store, library_on: LibraryMaker
) -> None:
    dataset = dataset_of(library_on(seaweedfs))
    push(dataset)
    seen = status(dataset)
    (dataset.path / "0001.txt").unlink()
    (dataset.path / "0001.txt").symlink_to("nowhere")
    wanted = [row.remote for row in seen.files if row.remote and row.key == "0001.txt"]
    scan = Rescan(dataset, [Key("0001.txt"), Key("0002.txt")], wanted)
    rows = {str(row.key): row.verdict for row in scan}
    assert rows["0001.txt"] is Verdict.REFUSED
    assert not scan.complete


@pytest.mark.parametrize("listed", [True, False])
def test_a_rescan_is_as_old_as_its_listing(listed: bool, seaweedfs: Store, library_on: LibraryMaker) -> None:
    """It asks the bucket for no new listing: what changed there is seen by the next comparison.

    Only where the listing lacks what was pushed minutes ago, the object itself is looked up.
    """
    dataset = dataset_of(library_on(seaweedfs))
    push(dataset)
    seen = status(dataset)
    dataset.library.bucket.put(dataset.prefix + "0001.txt", b"changed in the bucket\n")
    old = [row.remote for row in seen.files if row.remote and row.key == "0001.txt"] if listed else []
    (row,) = Rescan(dataset, [Key("0001.txt")], old)
    assert row.verdict is (Verdict.SYNCED if listed else Verdict.REMOTE_CHANGED)
    (row,) = of(status(dataset), {"0001.txt"})
    assert row.verdict is Verdict.REMOTE_CHANGED
    assert row.remote is not None
    (row,) = Rescan(dataset, [Key("0001.txt")], [row.remote])
    assert row.verdict is Verdict.REMOTE_CHANGED

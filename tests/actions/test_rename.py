"""A rename in letter case or accents has a way out on both sides, and costs nobody's bytes."""

from __future__ import annotations

import threading
import unicodedata

import pytest

from hashmark import Dataset, Verdict, push, status
from hashmark.actions.rename import PlannedRename, RenameResult, plan_rename, run_rename
from hashmark.actions.verify import verify
from hashmark.core.errors import HashmarkError
from hashmark.core.plan import Direction, Policy
from hashmark.core.rename_plan import Match
from hashmark.trash.contents import trash_entries
from hashmark.trash.restore import restore
from support.datasets import LibraryMaker, dataset_of, verdicts
from support.file_trees import tree
from support.stores import Store

NFC, NFD = (unicodedata.normalize(form, "café.txt") for form in ("NFC", "NFD"))
FILES = {
    "Photo.png": b"image " * 50,
    "Photo.txt": b"a stellar sketch\n",
    NFD: b"a cat\n",
    "Sub/a.png": b"x",
    "b.txt": b"b",
}
RENAMED = {"Photo.png": "photo.png", "Photo.txt": "photo.txt", NFD: NFC, "Sub/a.png": "sub/a.png"}


def renamed_on_disk(dataset: Dataset) -> Dataset:
    push(dataset)
    assert status(dataset).in_sync
    for old, new in RENAMED.items():
        (dataset.path / new).parent.mkdir(exist_ok=True)
        (dataset.path / old).rename(dataset.path / new)
    (dataset.path / "Sub").rmdir()
    assert [v for v in verdicts(status(dataset)).values() if v is Verdict.REFUSED] == [Verdict.REFUSED] * 8
    return dataset


@pytest.fixture
def dataset(store: Store, library_on: LibraryMaker) -> Dataset:
    return renamed_on_disk(dataset_of(library_on(store), FILES))


def keys(dataset: Dataset) -> list[str]:
    return [row.key for row in dataset.library.bucket.objects(dataset.prefix)]


def renamed(planned: PlannedRename) -> RenameResult:
    result = run_rename(planned)
    assert (result.failures, result.not_tried, result.done) == ((), 0, len(planned.plan.renames))
    return result


def test_the_bucket_gets_the_names_of_the_disk_and_is_in_sync_at_once(dataset: Dataset) -> None:
    before = tree(dataset.path)
    planned = plan_rename(dataset)
    assert {rename.names(Match.DISK) for rename in planned.plan.renames} == set(RENAMED.items())
    result = renamed(planned)
    assert keys(dataset) == sorted([*RENAMED.values(), "b.txt"], key=lambda key: key.encode())
    assert status(dataset).in_sync
    assert verify(dataset, Policy(Direction.PUSH)).in_sync
    assert tree(dataset.path) == before
    assert {entry.key for entry in trash_entries(dataset.library) if entry.side == "bucket"} == set(RENAMED)
    assert plan_rename(dataset).plan.renames == ()
    assert result.trash
    assert len(restore(dataset.library, result.trash).entries) == len(RENAMED)
    assert set(RENAMED) < set(keys(dataset)), "the old names are back beside the new ones"
    renamed(plan_rename(dataset))
    assert status(dataset).in_sync


def test_the_disk_gets_the_names_of_the_bucket(seaweedfs: Store, library_on: LibraryMaker) -> None:
    dataset = renamed_on_disk(dataset_of(library_on(seaweedfs), FILES))
    before = keys(dataset)
    assert renamed(plan_rename(dataset, Match.BUCKET)).trash is None
    assert {str(path): data for path, data in tree(dataset.path).items()} == FILES
    assert keys(dataset) == before
    assert not (dataset.path / "sub").exists()
    assert status(dataset).in_sync


def test_an_edit_beside_the_rename_stays_an_edit(seaweedfs: Store, library_on: LibraryMaker) -> None:
    """What was proven of the old name holds for the new one: `push` knows which side is newer."""
    dataset = renamed_on_disk(dataset_of(library_on(seaweedfs), FILES))
    (dataset.path / "photo.txt").write_bytes(b"edited\n")
    renamed(plan_rename(dataset))
    found = verdicts(status(dataset))
    assert {key: verdict for key, verdict in found.items() if verdict is not Verdict.SYNCED} == {
        "photo.txt": Verdict.LOCAL_CHANGED
    }
    push(dataset)
    assert status(dataset).in_sync


def test_an_interrupted_rename_is_continued_and_other_bytes_under_the_new_name_are_left(
    seaweedfs: Store, library_on: LibraryMaker
) -> None:
    dataset = renamed_on_disk(dataset_of(library_on(seaweedfs), FILES))
    bucket = dataset.library.bucket
    bucket.copy(f"{dataset.prefix}Photo.png", f"{dataset.prefix}photo.png")
    bucket.put(f"{dataset.prefix}photo.txt", b"somebody else's\n")
    result = run_rename(plan_rename(dataset))
    assert [(failure.key, failure.code) for failure in result.failures] == [("Photo.txt", "precondition-failed")]
    assert result.done == 3
    assert {"photo.png", "photo.txt", "Photo.txt"} <= set(keys(dataset))
    assert "Photo.png" not in keys(dataset)
    assert bucket.get(f"{dataset.prefix}photo.txt") == b"somebody else's\n"
    assert bucket.get(f"{dataset.prefix}Photo.txt") == FILES["Photo.txt"]


def test_what_changed_after_the_plan_is_left_on_both_sides(seaweedfs: Store, library_on: LibraryMaker) -> None:
    dataset = renamed_on_disk(dataset_of(library_on(seaweedfs), FILES))
    here, there = plan_rename(dataset, Match.BUCKET), plan_rename(dataset)
    dataset.library.bucket.put(f"{dataset.prefix}Photo.txt", b"changed there\n")
    (failure,) = run_rename(there).failures
    assert (failure.key, "changed in the bucket" in failure.message) == ("Photo.txt", True)
    assert dataset.library.bucket.get(f"{dataset.prefix}Photo.txt") == b"changed there\n"
    assert "photo.txt" not in keys(dataset)
    (dataset.path / "photo.txt").write_bytes(b"edited since\n")
    (dataset.path / "Photo.png").write_bytes(b"appeared")
    failed = {failure.key for failure in run_rename(here).failures}
    assert failed == {"photo.txt", "photo.png"}
    assert (dataset.path / "photo.txt").read_bytes() == b"edited since\n"
    assert (dataset.path / "Photo.png").read_bytes() == b"appeared"


def test_a_copy_that_is_not_the_object_loses_nothing(
    seaweedfs: Store, library_on: LibraryMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that copies wrongly, and answers that it copied."""
    dataset = renamed_on_disk(dataset_of(library_on(seaweedfs), FILES))
    bucket = dataset.library.bucket
    planned = plan_rename(dataset)

    def wrong(source: str, target: str, *, etag: str | None = None) -> str:
        assert etag
        bucket.put(target, b"?" * bucket.head(source).size)
        return etag

    monkeypatch.setattr(bucket, "copy", wrong)
    result = run_rename(planned)
    assert (result.done, len(result.failures)) == (0, 4)
    assert set(RENAMED) < set(keys(dataset)), "the objects are where they were"


def test_what_can_not_be_decided_is_left_alone_with_the_reason(seaweedfs: Store, library_on: LibraryMaker) -> None:
    dataset = dataset_of(library_on(seaweedfs), {"A.txt": b"1", "a.txt": b"2", "c.txt": b"3"})
    for key in ("B.txt", "b.txt"):
        dataset.library.bucket.put(dataset.prefix + key, b"x")
    plan = plan_rename(dataset).plan
    assert plan.renames == ()
    assert {left.status.key: left.reason.split(" has ")[0] for left in plan.left_alone} == {
        "A.txt": "the disk",
        "a.txt": "the disk",
        "B.txt": "the bucket",
        "b.txt": "the bucket",
    }


def test_a_cancelled_rename_says_what_is_left(seaweedfs: Store, library_on: LibraryMaker) -> None:
    dataset = renamed_on_disk(dataset_of(library_on(seaweedfs), FILES))
    stop = threading.Event()
    stop.set()
    result = run_rename(plan_rename(dataset), cancel=stop)
    assert (result.done, result.not_tried, result.interrupted, result.trash) == (0, 4, True, None)


def test_nothing_is_renamed_while_a_side_can_not_be_read(seaweedfs: Store, library_on: LibraryMaker) -> None:
    dataset = renamed_on_disk(dataset_of(library_on(seaweedfs), FILES))
    (dataset.path / "link").symlink_to(dataset.path)
    with pytest.raises(HashmarkError, match="could not be read completely"):
        plan_rename(dataset)

"""`verify`, interrupted and gone on with; what it reads, and what it remembers."""

from __future__ import annotations

import threading

import pytest

from hashmark import Dataset, Evidence, Verdict, push
from hashmark.actions import verify as module
from hashmark.actions.verify import verify
from hashmark.core.events import Event, FileStarted
from hashmark.core.plan import Direction, Policy
from support.datasets import LibraryMaker
from support.stores import Store

ALL = Policy(Direction.PULL)


@pytest.fixture
def dataset(seaweedfs: Store, library_on: LibraryMaker, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setattr(module, "WORKER_THREADS", 1)
    library = library_on(seaweedfs)
    folder = library.root / "82_stellar_sketch"
    folder.mkdir()
    for n in range(8):
        (folder / f"{n}.txt").write_text(f"a stellar sketch, number {n}\n")
    dataset = library.dataset("82")
    assert push(dataset).done
    return dataset


def read_by(dataset: Dataset, *, stop_after: int | None = None, resume: bool = True) -> set[str]:
    """The keys a verification downloads; it is stopped when so many have begun."""
    begun: set[str] = set()
    cancel = threading.Event()

    def on_event(event: Event) -> None:
        if isinstance(event, FileStarted):
            begun.add(event.key)
            if len(begun) == stop_after:
                cancel.set()

    found = verify(dataset, ALL, on_event, cancel, resume=resume)
    done = {row.key for row in found.files if row.evidence is Evidence.BODY}
    assert begun <= done
    return begun


def keys(*numbers: int) -> set[str]:
    return {f"{n}.txt" for n in numbers}


def test_an_interrupted_verification_goes_on_where_it_was(dataset: Dataset) -> None:
    first = read_by(dataset, stop_after=3)
    assert first == keys(0, 1, 2)
    assert read_by(dataset) == keys(3, 4, 5, 6, 7)
    assert read_by(dataset) == keys(*range(8)), "one that came to its end is over"


def test_what_was_read_before_the_interruption_counts_in_the_result(dataset: Dataset) -> None:
    read_by(dataset, stop_after=3)
    found = verify(dataset, ALL)
    assert {row.evidence for row in found.files} == {Evidence.BODY}
    assert found.in_sync


def test_what_changed_after_it_was_read_is_read_again(dataset: Dataset) -> None:
    read_by(dataset, stop_after=4)
    bucket = dataset.library.bucket
    bucket.put(dataset.prefix + "0.txt", (dataset.path / "0.txt").read_bytes()[::-1])
    (dataset.path / "1.txt").write_bytes((dataset.path / "1.txt").read_bytes()[::-1])
    assert keys(0, 1) <= read_by(dataset)


def test_a_difference_that_was_read_before_the_interruption_stays_one(dataset: Dataset) -> None:
    (dataset.path / "0.txt").write_bytes((dataset.path / "0.txt").read_bytes()[::-1])
    assert "0.txt" in read_by(dataset, stop_after=3)
    found = verify(dataset, ALL)
    assert [row.key for row in found.files if row.verdict is not Verdict.SYNCED] == ["0.txt"]


def test_without_resume_everything_is_read_again(dataset: Dataset) -> None:
    read_by(dataset, stop_after=3)
    assert read_by(dataset, resume=False) == keys(*range(8))


def test_a_file_that_changes_while_its_object_is_read_is_not_called_equal(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def chunks(_key: str, _size: int, *, etag: str) -> list[bytes]:
        """What arrives is what was compared; the file has become another by then."""
        data = (dataset.path / "0.txt").read_bytes()
        (dataset.path / "0.txt").write_bytes(data[::-1])
        return [data]

    monkeypatch.setattr(dataset.library.bucket, "chunks", chunks)
    row = verify(dataset, Policy(Direction.PULL, select=("0.txt",))).files[0]
    assert (row.verdict, "changed on disk" in (row.reason or "")) == (Verdict.UNVERIFIED, True)

"""On a file system that hides changes, every check reads every file, and says so."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

import pytest

from hashmark import Dataset, Verdict, pull, push, status
from hashmark.actions.doctor import doctor
from hashmark.actions.status import count_unread
from hashmark.disk.file_system import HIDES_CHANGES
from hashmark.library import digest_cache
from support.datasets import fill, verdicts
from support.faults.world import TEXT, World, world_of
from support.file_trees import mounted
from support.stores import Store


@pytest.fixture
def world(seaweedfs: Store, prefix: str, tmp_path: Path) -> Iterator[World]:
    with world_of(seaweedfs, prefix, tmp_path) as made:
        yield made


@pytest.fixture
def in_memory(world: World, tmp_path: Path) -> Iterator[Dataset]:
    """A dataset on tmpfs."""
    with mounted(tmp_path / "memory", "-t", "tmpfs", "tmpfs") as folder:
        yield world.machine(root=folder)
        world.close()


def test_row_55_a_write_through_a_memory_map_on_tmpfs_is_seen(in_memory: Dataset) -> None:
    """Its stamp does not change, so no digest is remembered, by a push or a check; and the check says so.

    Guard: with tmpfs trusted like a disk, the file stays synced.
    """
    fill(in_memory, {"a.txt": TEXT})
    assert push(in_memory).done
    path = in_memory.path / "a.txt"
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[0:1] = mapped[0:1]
        found = status(in_memory)
        assert verdicts(found) == {"a.txt": Verdict.SYNCED}
        (problem,) = (problem for problem in found.problems if problem.code == "every-file-is-read")
        assert "tmpfs" in problem.message
        assert found.complete
        mapped[0:1] = b"A"
        assert verdicts(status(in_memory)) == {"a.txt": Verdict.LOCAL_CHANGED}
    assert count_unread(in_memory, lambda: False) == (1, len(TEXT))


def test_doctor_names_the_dataset_and_the_reason(in_memory: Dataset) -> None:
    (found,) = (check for check in doctor(in_memory.library) if check.name == "files")
    assert (found.ok, found.detail) == (False, f"{in_memory.name}: on tmpfs, {HIDES_CHANGES['tmpfs']}")


def test_nothing_is_remembered_of_what_was_pulled_to_tmpfs(in_memory: Dataset, world: World) -> None:
    there = world.other()
    fill(there, {"a.txt": TEXT})
    assert push(there).done
    assert pull(in_memory).done
    assert list(in_memory.library.state.digests(in_memory.name)) == []
    assert digest_cache.clock(in_memory) is None, "without a time, no digest ever counts as settled"


def test_elsewhere_nothing_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    here = world.machine()
    fill(here, {"a.txt": TEXT})
    monkeypatch.setattr(digest_cache, "why_changes_may_hide", lambda *_: None)
    assert "every-file-is-read" not in {problem.code for problem in status(here).problems}

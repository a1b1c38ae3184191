"""Real disks: without hard links, full, read-only, two of them, and read by others meanwhile."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from hashmark.core.errors import DiskFull, FileChanged, ReadOnly
from hashmark.disk.durable import replace_file
from hashmark.disk.place import open_slot
from support.file_trees import AFTER, BEFORE, NEW, OLD, change, mounted, place, stamp, tree, write_keys
from support.waiting import wait_for


@pytest.fixture(name="root")
def fixture_root(tmp_path: Path) -> Path:
    write_keys(tmp_path / "set", "a.txt")
    return tmp_path / "set"


@pytest.fixture(name="trash")
def fixture_trash(tmp_path: Path) -> Path:
    return tmp_path / "trash/batch/set/a.txt"


# --- file systems without hard links -----------------------------------------------------------------------------


@pytest.fixture(name="no_links", params=[errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK])
def fixture_no_links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_values: object, **_options: object) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.parametrize("verb", AFTER)
@pytest.mark.usefixtures("no_links")
def test_without_hard_links_all_is_the_same_and_the_trash_is_a_copy(root: Path, trash: Path, verb: str) -> None:
    before = (root / "a.txt").stat()
    change(verb, root, trash)()
    assert tree(root.parent) == AFTER[verb]
    if verb != "new":
        assert trash.stat().st_mtime_ns == before.st_mtime_ns
        assert trash.stat().st_ino != before.st_ino


@pytest.mark.usefixtures("no_links")
def test_without_hard_links_a_file_that_appeared_is_still_left_as_it_is(root: Path, trash: Path) -> None:
    with pytest.raises(FileChanged):
        place(root, "a.txt", NEW, None, trash)
    assert tree(root.parent) == BEFORE


def test_without_hard_links_a_file_that_appears_in_the_last_instant_is_left_as_it_is(
    root: Path, trash: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(*_values: object, **_options: object) -> None:
        write_keys(root, "b.txt")
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", late)
    with pytest.raises(FileChanged):
        place(root, "b.txt", NEW, None, trash)
    assert tree(root.parent) == {**BEFORE, "set/b.txt": b"b.txt"}


@pytest.mark.usefixtures("no_links")
@pytest.mark.parametrize("verb", ["replace", "remove"])
def test_half_a_copy_is_never_left_in_the_trash(
    root: Path, trash: Path, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(_source: str, target: Path, **_options: object) -> None:
        target.write_bytes(OLD[:2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copy2", half)
    with pytest.raises(DiskFull):
        change(verb, root, trash)()
    assert tree(root.parent) == BEFORE


# --- real conditions ---------------------------------------------------------------------------------------------


def test_a_trash_on_another_file_system_gets_a_copy(tmp_path: Path, root: Path) -> None:
    with mounted(tmp_path / "other", "-t", "tmpfs", "tmpfs") as other:
        change("replace", root, other / "a.txt")()
        assert (root / "a.txt").read_bytes() == NEW
        assert (other / "a.txt").read_bytes() == OLD


def test_a_full_disk_leaves_the_old_file_and_no_part_of_the_new(tmp_path: Path) -> None:
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=256k", "tmpfs") as small:
        write_keys(small, "a.txt")
        with pytest.raises(DiskFull, match=r"Cannot write '.*a\.txt': no space is left"):
            replace_file(small / "a.txt", bytes(1 << 20))
        assert tree(small) == {"a.txt": OLD}


def test_a_trash_on_a_full_disk_keeps_the_old_file_in_its_place(tmp_path: Path, root: Path) -> None:
    big = os.urandom(1 << 20)
    (root / "a.txt").write_bytes(big)
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=256k", "tmpfs") as small:
        for verb in ("replace", "remove"):
            with pytest.raises(DiskFull):
                change(verb, root, small / "a.txt")()
            assert (tree(root), tree(small)) == ({"a.txt": big}, {})


def test_a_read_only_dataset_says_so_and_stays_as_it_is(tmp_path: Path, root: Path, trash: Path) -> None:
    with mounted(tmp_path / "view", "--bind", "-o", "ro", str(root)) as view:
        shown = stamp(view / "a.txt")
        with pytest.raises(ReadOnly, match=r"a\.txt"), open_slot(view, "a.txt") as slot:
            slot.remove(shown, trash)
        with pytest.raises(ReadOnly, match=r"new/b\.txt"), open_slot(view, "new/b.txt", create=True):
            pass
        with pytest.raises(ReadOnly, match=r"b\.txt"):
            replace_file(view / "b.txt", NEW)
        with open_slot(view, "a.txt", create=True) as slot:
            slot.drop(slot.temporary())  # as after a download that could not begin: no error of its own
    assert tree(root.parent) == BEFORE


def test_a_disk_that_becomes_read_only_before_the_end_keeps_the_old_file(tmp_path: Path, trash: Path) -> None:
    with mounted(tmp_path / "disk", "-t", "tmpfs", "tmpfs") as disk:
        write_keys(disk, "a.txt")
        with open_slot(disk, "a.txt") as slot:
            temporary = slot.temporary()
            Path(slot.path_of(temporary)).write_bytes(NEW)
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
            with pytest.raises(ReadOnly):
                slot.put(temporary, stamp(disk / "a.txt"), trash)
        assert (disk / "a.txt").read_bytes() == OLD
    assert not trash.exists()


# --- readers meanwhile -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["put", "replace_file"])
def test_a_reader_always_sees_one_whole_content(root: Path, trash: Path, way: str) -> None:
    path = root / "a.txt"
    contents = [bytes([letter]) * size for letter, size in ((65, 300_000), (66, 200_000), (67, 1))]
    path.write_bytes(contents[0])
    seen: set[bytes] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(path.read_bytes())

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        wait_for(lambda: contents[0] in seen)
        for turn in range(60):
            data = contents[turn % 3]
            if way == "put":
                place(root, "a.txt", data, stamp(path), trash)
            else:
                replace_file(path, data)
        wait_for(lambda: data in seen)
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert seen <= set(contents)

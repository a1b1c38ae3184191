"""A file gets into its place whole, over nothing that was not shown, and never outside the dataset."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hashmark.core.errors import FileChanged, LocalError, UnsafePath
from hashmark.core.keys import TEMPORARY
from hashmark.disk.durable import replace_file
from hashmark.disk.place import open_slot
from hashmark.disk.walk import stamp_of
from support.file_trees import place, stamp, tree, write_keys

TICK = 0.03
"""Longer than the coarsest clock tick of a kernel."""


@pytest.fixture(name="root")
def fixture_root(tmp_path: Path) -> Path:
    root = tmp_path / "set"
    root.mkdir()
    return root


@pytest.fixture(name="trash")
def fixture_trash(tmp_path: Path) -> Path:
    return tmp_path / "trash/batch/set/a.txt"


# --- what it does ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["a.txt", "new/deep/a.txt"])
def test_new_content_comes_into_an_empty_place_and_nothing_else_stays(root: Path, trash: Path, key: str) -> None:
    place(root, key, b"new", None, trash)
    assert tree(root.parent) == {f"set/{key}": b"new"}


def test_a_dataset_that_does_not_exist_yet_is_made(root: Path, trash: Path) -> None:
    place(root / "not/yet", "a.txt", b"new", None, trash)
    assert tree(root) == {"not/yet/a.txt": b"new"}


def test_what_is_replaced_is_kept_in_the_trash(root: Path, trash: Path) -> None:
    write_keys(root, "a.txt")
    place(root, "a.txt", b"new", stamp(root / "a.txt"), trash)
    assert tree(root.parent) == {"set/a.txt": b"new", "trash/batch/set/a.txt": b"a.txt"}


def test_what_is_in_the_trash_does_not_change_with_the_live_file(root: Path, trash: Path) -> None:
    write_keys(root, "a.txt")
    place(root, "a.txt", b"new", stamp(root / "a.txt"), trash)
    with (root / "a.txt").open("r+b") as file:
        file.write(b"EDITED IN PLACE")
    assert trash.read_bytes() == b"a.txt"
    assert trash.stat().st_nlink == (root / "a.txt").stat().st_nlink == 1


def test_a_second_name_of_a_replaced_file_elsewhere_keeps_the_old_content(root: Path, trash: Path) -> None:
    write_keys(root, "a.txt")
    os.link(root / "a.txt", root.parent / "other.txt")
    place(root, "a.txt", b"new", stamp(root / "a.txt"), trash)
    assert (root.parent / "other.txt").read_bytes() == b"a.txt"


def test_an_earlier_copy_in_the_same_place_of_the_trash_gives_way(root: Path, trash: Path) -> None:
    write_keys(root, "a.txt")
    place(root, "a.txt", b"second", stamp(root / "a.txt"), trash)
    place(root, "a.txt", b"third", stamp(root / "a.txt"), trash)
    assert (trash.read_bytes(), (root / "a.txt").read_bytes()) == (b"second", b"third")


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_a_replaced_file_keeps_its_mode(root: Path, trash: Path, mode: int) -> None:
    write_keys(root, "a.txt")
    (root / "a.txt").chmod(mode)
    place(root, "a.txt", b"new", stamp(root / "a.txt"), trash)
    assert (root / "a.txt").stat().st_mode & 0o7777 == mode


def test_removing_moves_the_file_to_the_trash(root: Path, trash: Path) -> None:
    write_keys(root, "deep/a.txt", "deep/b.txt")
    with open_slot(root, "deep/a.txt") as slot:
        slot.remove(stamp(root / "deep/a.txt"), trash)
    assert tree(root.parent) == {"set/deep/b.txt": b"deep/b.txt", "trash/batch/set/a.txt": b"deep/a.txt"}


def test_a_slot_tells_what_is_in_its_place(root: Path) -> None:
    write_keys(root, "a.txt")
    with open_slot(root, "a.txt") as slot, open_slot(root, "b.txt") as empty:
        assert slot.stamp() == stamp(root / "a.txt")
        assert empty.stamp() is None


def test_temporary_names_are_fresh_and_known_as_unfinished_downloads(root: Path) -> None:
    with open_slot(root, "a.txt") as slot:
        names = {slot.temporary() for _ in range(100)}
    assert len(names) == 100
    assert all(TEMPORARY.fullmatch(name) for name in names)


# --- what was not shown is not overwritten -----------------------------------------------------------------------


def restored(path: Path) -> None:
    facts = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def replaced(path: Path) -> None:
    facts = path.stat()
    new = path.with_name("other")
    new.write_bytes(b"A.TXT")
    os.utime(new, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    new.replace(path)


CHANGES: dict[str, Callable[[Path], object]] = {
    "other size": lambda path: path.write_bytes(b"longer than it was"),
    "same size": lambda path: path.write_bytes(b"A.TXT"),
    "same size, time put back": restored,
    "another file of that size and time": replaced,
    "gone": Path.unlink,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_file_that_changed_since_it_was_shown_is_left_as_it_is(
    root: Path, trash: Path, change: Callable[[Path], object]
) -> None:
    write_keys(root, "a.txt")
    shown = stamp(root / "a.txt")
    time.sleep(TICK)
    change(root / "a.txt")
    before = tree(root.parent)
    with pytest.raises(FileChanged, match=r"'a\.txt' changed on disk"):
        place(root, "a.txt", b"new", shown, trash)
    assert tree(root.parent) == before
    with open_slot(root, "a.txt") as slot, pytest.raises(FileChanged, match=r"'a\.txt' changed on disk"):
        slot.remove(shown, trash)
    assert tree(root.parent) == before


def test_a_file_that_appeared_where_nothing_was_shown_is_left_as_it_is(root: Path, trash: Path) -> None:
    write_keys(root, "a.txt")
    with pytest.raises(FileChanged):
        place(root, "a.txt", b"new", None, trash)
    assert tree(root.parent) == {"set/a.txt": b"a.txt"}


def _before(monkeypatch: pytest.MonkeyPatch, name: str, act: Callable[[], object]) -> None:
    """Let `act` happen in the last instant before the next call of `os.NAME`."""
    call, waiting = getattr(os, name), [act]

    def late(*values: Any, **options: Any) -> Any:
        if waiting:
            waiting.pop()()
        return call(*values, **options)

    monkeypatch.setattr(os, name, late)


def test_a_file_that_appears_in_the_last_instant_is_left_as_it_is(
    root: Path, trash: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _before(monkeypatch, "link", lambda: write_keys(root, "a.txt"))
    with pytest.raises(FileChanged, match="appeared on disk in the meantime"):
        place(root, "a.txt", b"new", None, trash)
    assert tree(root.parent) == {"set/a.txt": b"a.txt"}


@pytest.mark.parametrize("change", ["other size", "same size", "gone"])
def test_a_file_that_changes_while_it_goes_to_the_trash_is_left_as_it_is(
    root: Path, trash: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    write_keys(root, "a.txt")
    shown = stamp(root / "a.txt")
    time.sleep(TICK)
    _before(monkeypatch, "link", lambda: CHANGES[change](root / "a.txt"))
    with pytest.raises(LocalError):
        place(root, "a.txt", b"new", shown, trash)
    left = {"other size": b"longer than it was", "same size": b"A.TXT", "gone": None}[change]
    assert tree(root.parent) == ({"set/a.txt": left} if left else {})


# --- never outside, never through a link -------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["../outside.txt", "nowhere", "/etc/hostname"])
def test_a_symlink_in_the_place_is_neither_followed_nor_replaced(root: Path, trash: Path, target: str) -> None:
    write_keys(root.parent, "outside.txt")
    (root / "a.txt").symlink_to(target)
    with pytest.raises(UnsafePath, match="is a symlink"):
        place(root, "a.txt", b"new", None, trash)
    with pytest.raises(UnsafePath, match="is a symlink"):
        place(root, "a.txt", b"new", stamp(root / "a.txt"), trash)
    with open_slot(root, "a.txt") as slot, pytest.raises(UnsafePath, match="is a symlink"):
        slot.remove(stamp(root / "a.txt"), trash)
    assert (root / "a.txt").readlink() == Path(target)
    assert (root.parent / "outside.txt").read_bytes() == b"outside.txt"
    assert [path.name for path in root.iterdir()] == ["a.txt"]
    assert not trash.exists()


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_a_folder_or_a_pipe_in_the_place_is_left_as_it_is(
    root: Path, trash: Path, make: Callable[[Path], None]
) -> None:
    make(root / "a.txt")
    for expected in (None, stamp(root / "a.txt")):
        with pytest.raises(UnsafePath, match="not a regular file"):
            place(root, "a.txt", b"new", expected, trash)
    assert [path.name for path in root.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("key", ["link/a.txt", "link/deep/a.txt", "real/link/a.txt", "file/a.txt"])
def test_no_folder_of_a_key_may_be_a_symlink_or_a_file(root: Path, trash: Path, key: str) -> None:
    write_keys(root.parent, "outside/a.txt", "outside/deep/a.txt", "set/real/x.txt", "set/file")
    (root / "link").symlink_to("../outside")
    (root / "real/link").symlink_to("../../outside")
    before = tree(root.parent)
    for expected in (None, stamp(root.parent / "outside/a.txt")):
        with pytest.raises(UnsafePath, match="is a symlink or a file"):
            place(root, key, b"new", expected, trash)
    with pytest.raises(UnsafePath), open_slot(root, key):
        pass
    assert tree(root.parent) == before


def test_a_folder_swapped_for_a_symlink_after_it_was_opened_leads_nowhere(root: Path, trash: Path) -> None:
    write_keys(root.parent, "outside/x.txt", "set/sub/x.txt")
    with open_slot(root, "sub/a.txt") as slot:
        temporary = slot.temporary()
        (root / "sub").rename(root / "moved")
        (root / "sub").symlink_to("../outside")
        Path(slot.path_of(temporary)).write_bytes(b"new")
        slot.put(temporary, None, trash)
    assert (root / "moved/a.txt").read_bytes() == b"new"
    assert tree(root.parent / "outside") == {"x.txt": b"outside/x.txt"}


@pytest.mark.parametrize(
    "key",
    ["../a.txt", "b/../../a.txt", "/etc/a.txt", "", ".", "..", "a//b", "a/", "a\\b", "C:a", "a\0b", "a\nb", "con.txt",
     "dot.", "n" * 256, "\udcff"],
)  # fmt: skip
def test_an_unsafe_key_is_refused_before_anything_is_made(root: Path, key: str) -> None:
    for create in (True, False):
        with pytest.raises(UnsafePath), open_slot(root / "inner", key, create=create):
            pass
    assert list(root.iterdir()) == []


def test_the_dataset_itself_may_be_a_symlink_set_by_its_owner(root: Path, trash: Path) -> None:
    (root.parent / "link").symlink_to("set")
    place(root.parent / "link", "a.txt", b"new", None, trash)
    assert tree(root) == {"a.txt": b"new"}


def test_a_missing_folder_is_an_error_unless_it_may_be_made(root: Path) -> None:
    with pytest.raises(LocalError, match="No such file"), open_slot(root, "missing/a.txt"):
        pass
    with pytest.raises(LocalError, match="No such file"), open_slot(root / "missing", "a.txt"):
        pass
    assert list(root.iterdir()) == []


def test_a_temporary_file_that_was_never_written_changes_nothing(root: Path, trash: Path) -> None:
    write_keys(root, "a.txt")
    with open_slot(root, "a.txt") as slot, pytest.raises(LocalError):
        slot.put(slot.temporary(), stamp(root / "a.txt"), trash)
    assert tree(root.parent) == {"set/a.txt": b"a.txt"}


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts descriptors in Linux's /proc")
def test_no_folder_stays_open_whatever_happens(root: Path, trash: Path) -> None:
    write_keys(root, "deep/a.txt", "file")
    count = len(list(Path("/proc/self/fd").iterdir()))
    for key in ("deep/a.txt", "deep/er/a.txt", "file/a.txt", "../a.txt"):
        for expected in (None, stamp(root / "deep/a.txt")):
            try:
                place(root, key, b"new", expected, trash)
            except LocalError:
                continue
    assert len(list(Path("/proc/self/fd").iterdir())) == count


# --- write_bytes -------------------------------------------------------------------------------------------------


def test_writing_a_whole_file_replaces_the_old_and_makes_the_folders(tmp_path: Path) -> None:
    for data in (b"old", b"new"):
        replace_file(tmp_path / "deep/er/a.txt", data)
        assert tree(tmp_path) == {"deep/er/a.txt": data}


def test_writing_where_a_folder_is_or_below_a_file_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    write_keys(tmp_path, "file", "folder/x")
    for path in (tmp_path / "file/a.txt", tmp_path / "folder"):
        with pytest.raises(LocalError, match=path.name):
            replace_file(path, b"new")
    assert tree(tmp_path) == {"file": b"file", "folder/x": b"folder/x"}


def test_files_that_share_an_inode_can_all_be_replaced_and_their_trash_stays_as_it_was(tmp_path: Path) -> None:
    """Replacing one moves the ctime of the others; and the trash must not change with the last of them."""
    root, old = tmp_path / "set", b"shared"
    root.mkdir()
    (root / "0.txt").write_bytes(old)
    for n in (1, 2):
        os.link(root / "0.txt", root / f"{n}.txt")
    stamp, md5 = stamp_of((root / "0.txt").stat()), hashlib.md5(old).hexdigest()
    for n in range(3):
        with open_slot(root, f"{n}.txt") as slot:
            temporary = slot.temporary()
            Path(slot.path_of(temporary)).write_bytes(b"new")
            slot.put(temporary, stamp, tmp_path / "trash" / f"{n}.txt", md5)
        if n == 0:
            with (root / "2.txt").open("r+b") as file:
                file.write(b"SHARED")
            stamp, md5 = stamp_of((root / "2.txt").stat()), hashlib.md5(b"SHARED").hexdigest()
    assert (tmp_path / "trash" / "0.txt").read_bytes() == old
    assert [(tmp_path / "trash" / f"{n}.txt").read_bytes() for n in (1, 2)] == [b"SHARED"] * 2
    assert [(root / f"{n}.txt").read_bytes() for n in range(3)] == [b"new"] * 3


def test_an_edit_that_put_everything_back_but_the_ctime_is_not_overwritten(tmp_path: Path) -> None:
    root = tmp_path / "set"
    root.mkdir()
    (root / "a.txt").write_bytes(b"before")
    facts = (root / "a.txt").stat()
    (root / "a.txt").write_bytes(b"edited")
    os.utime(root / "a.txt", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    with open_slot(root, "a.txt") as slot:
        temporary = slot.temporary()
        Path(slot.path_of(temporary)).write_bytes(b"new")
        with pytest.raises(FileChanged):
            slot.put(temporary, stamp_of(facts), tmp_path / "trash" / "a.txt", hashlib.md5(b"before").hexdigest())
    assert (root / "a.txt").read_bytes() == b"edited"

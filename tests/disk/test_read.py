"""A small file is read whole or not at all, and never from outside its dataset."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from hashmark.core.errors import LocalError, Unreadable, UnsafePath
from hashmark.disk.read import read_file
from hashmark.disk.walk import stamp_of
from support.file_trees import open_folder, permissions_count, write_keys


def test_a_file_comes_with_its_stamp(tmp_path: Path) -> None:
    write_keys(tmp_path, "sub/ünï.txt")
    path = tmp_path / "sub/ünï.txt"
    assert read_file(tmp_path, "sub/ünï.txt", 100) == ("sub/ünï.txt".encode(), stamp_of(path.stat()))


@pytest.mark.parametrize("key", ["none.txt", "none/a.txt", "a.txt.bak"])
def test_nothing_is_there(key: str, tmp_path: Path) -> None:
    write_keys(tmp_path, "a.txt")
    assert read_file(tmp_path, key, 100) is None
    assert read_file(tmp_path / "no-such-dataset", key, 100) is None


@pytest.mark.parametrize(
    ("limit", "head", "expected"), [(5, False, b"a.txt"), (4, True, b"a.tx"), (0, True, b""), (6, True, b"a.txt")]
)
def test_a_head_is_cut_off_at_the_limit(limit: int, head: bool, expected: bytes, tmp_path: Path) -> None:
    write_keys(tmp_path, "a.txt")
    found = read_file(tmp_path, "a.txt", limit, head=head)
    assert found is not None
    assert found[0] == expected
    assert found[1].size == 5, "the stamp is the file's, and not that of the part"


def test_a_file_above_the_limit_is_refused(tmp_path: Path) -> None:
    write_keys(tmp_path, "a.txt")
    with pytest.raises(Unreadable, match=r"'a.txt' is too large to be read \(5 bytes\)"):
        read_file(tmp_path, "a.txt", 4)


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs a file that has more than its size says")
def test_a_part_never_passes_for_the_whole() -> None:
    """A file that grows while it is read has, like those of /proc, more bytes than it said."""
    root = Path("/proc/self").resolve()
    assert (root / "status").stat().st_size == 0
    with pytest.raises(Unreadable, match="more than 10 bytes"):
        read_file(root, "status", 10)
    found = read_file(root, "status", 10, head=True)
    assert found is not None
    assert len(found[0]) == 10


@pytest.mark.parametrize(
    "key", ["../out.txt", "../none.txt", "/etc/passwd", "a/../a.txt", "a\0b", "", "a//b", "CON.txt"]
)
def test_an_unsafe_key_is_an_error_whether_or_not_something_is_there(key: str, tmp_path: Path) -> None:
    write_keys(tmp_path, "out.txt", "set/a.txt")
    with pytest.raises(UnsafePath):
        read_file(tmp_path / "set", key, 100)


@pytest.mark.parametrize("key", ["link/a.txt", "link/none.txt"])
def test_a_symlinked_folder_is_not_followed(key: str, tmp_path: Path) -> None:
    write_keys(tmp_path, "else/a.txt", "set/b.txt")
    (tmp_path / "set/link").symlink_to(tmp_path / "else")
    with pytest.raises(UnsafePath, match="symlink"):
        read_file(tmp_path / "set", key, 100)


def test_a_symlink_to_a_file_is_read_and_a_dangling_one_is_nothing(tmp_path: Path) -> None:
    write_keys(tmp_path, "else.txt")
    (tmp_path / "set").mkdir()
    (tmp_path / "set/a.txt").symlink_to(tmp_path / "else.txt")
    (tmp_path / "set/b.txt").symlink_to("nowhere")
    found = read_file(tmp_path / "set", "a.txt", 100)
    assert found is not None
    assert found[0] == b"else.txt"
    assert read_file(tmp_path / "set", "b.txt", 100) is None


@pytest.mark.parametrize("what", ["folder", "pipe", "socket"])
def test_what_is_no_file_is_refused_at_once_and_nothing_stays_open(what: str, tmp_path: Path) -> None:
    place = tmp_path / "a.txt"
    with socket.socket(socket.AF_UNIX) as server:
        if what == "folder":
            place.mkdir()
        elif what == "pipe":
            os.mkfifo(place)
        else:
            server.bind(os.fspath(place))
        before = len(list(Path("/dev/fd").iterdir()))
        for _ in range(5):
            with pytest.raises(Unreadable, match=r"'a\.txt' cannot be read"):
                read_file(tmp_path, "a.txt", 100)
        assert len(list(Path("/dev/fd").iterdir())) == before


@pytest.mark.parametrize(("locked", "key"), [("sub", "sub/a.txt"), ("sub", "sub/none.txt"), ("b.txt", "b.txt")])
def test_what_may_not_be_read_is_an_error_and_not_nothing(locked: str, key: str) -> None:
    """Also where it can't be told whether the file is there at all."""
    with open_folder() as root, permissions_count():
        write_keys(root, "sub/a.txt", "b.txt")
        (root / locked).chmod(0)
        try:
            with pytest.raises(LocalError, match="cannot be read") as caught:
                read_file(root, key, 100)
        finally:
            (root / locked).chmod(0o700)
    assert isinstance(caught.value, Unreadable)

"""A look at some keys sees of them what the whole walk sees, and calls nothing gone that it could not look for."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashmark.core.pairs import Pairing
from hashmark.disk.walk import SelectedWalk, Walk
from support.file_trees import open_folder, permissions_count, write_keys

NAMES = st.sampled_from(["a", "b.txt", "é", "a-", "\udcff", ".hashmark", "cache", "x.npz", ".hashmark-1-00.part", "L"])
KEYS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
HOSTILE = st.sampled_from(["", ".", "..", "../out.txt", "a/../b.txt", "a//b.txt", "/etc/passwd", "a/", "a\0b", "./a"])


@given(st.lists(KEYS, max_size=10), st.sets(st.one_of(KEYS, HOSTILE), max_size=8))
def test_a_look_sees_of_its_keys_what_the_walk_sees(keys: list[str], wanted: set[str]) -> None:
    """The same files in the same order, in any tree: nothing ignored, nothing outside, nothing twice."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "set"
        root.mkdir()
        write_keys(Path(folder), "out.txt")
        for key in keys:
            with contextlib.suppress(FileExistsError, NotADirectoryError, IsADirectoryError):
                write_keys(root, key)
        with contextlib.suppress(FileExistsError):
            (root / "L").symlink_to(folder)
        walk = [file for file in Walk(root, Pairing().ignored) if file.key in wanted]
        look = SelectedWalk(root, wanted, Pairing().ignored)
        assert list(look) == walk
        assert {p.key for p in look.problems} <= {"L"} & wanted


def test_what_is_in_an_ignored_folder_is_not_seen(tmp_path: Path) -> None:
    """By the name of the folder alone, as in the walk; hashmark's own folder is left out without being asked."""
    write_keys(tmp_path, "drop/a.txt", "keep/drop/b.txt", "keep/c.txt", ".hashmark/state.sqlite")
    wanted = ["drop/a.txt", "keep/drop/b.txt", "keep/c.txt", ".hashmark/state.sqlite"]
    ignores = {"drop/", "keep/drop/"}.intersection
    assert [file.key for file in SelectedWalk(tmp_path, wanted, ignores)] == ["keep/c.txt"]
    assert [file.key for file in Walk(tmp_path, ignores)] == ["keep/c.txt"]


def test_keys_come_in_byte_order_each_once(tmp_path: Path) -> None:
    write_keys(tmp_path, "a/b", "a-b", "a.txt", "a0")
    wanted = ["a0", "a/b", "a.txt", "a-b", "a0", "none"]
    assert [file.key for file in SelectedWalk(tmp_path, wanted)] == ["a-b", "a.txt", "a/b", "a0"]


def test_nothing_behind_a_symlinked_folder_is_seen(tmp_path: Path) -> None:
    """A symlink to a file is read, as in the walk; the linked folder itself is named."""
    write_keys(tmp_path, "else/a.txt", "set/real.txt")
    (tmp_path / "set/link").symlink_to(tmp_path / "else")
    (tmp_path / "set/file.txt").symlink_to(tmp_path / "else/a.txt")
    look = SelectedWalk(tmp_path / "set", ["link", "link/a.txt", "file.txt"])
    assert [file.key for file in look] == ["file.txt"]
    assert [(p.key, p.code) for p in look.problems] == [("link", "symlinked-folder")]


def test_a_folder_where_a_file_was_is_no_file_and_no_problem(tmp_path: Path) -> None:
    """A caption replaced by a folder is gone; the folder's own files are other keys."""
    write_keys(tmp_path, "a.txt/inner.txt")
    look = SelectedWalk(tmp_path, ["a.txt", "a.txt/inner.txt"])
    assert [file.key for file in look] == ["a.txt/inner.txt"]
    assert look.problems == []


def test_what_dangles_is_there_and_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").symlink_to("nowhere")
    look = SelectedWalk(tmp_path, ["a.txt", "b.txt"])
    (file,) = look
    assert (file.key, file.md5) == ("a.txt", None)
    assert file.trouble
    assert [(p.key, p.code) for p in look.problems] == [("a.txt", "unreadable")]


def test_a_folder_that_may_not_be_entered_hides_its_files_and_does_not_lose_them() -> None:
    """Whether they are there can't be told, so they are not called gone."""
    with open_folder() as root, permissions_count():
        write_keys(root, "sub/a.txt", "b.txt")
        (root / "sub").chmod(0o400)
        look = SelectedWalk(root, ["sub/a.txt", "b.txt"])
        files = {str(file.key): file for file in look}
        (root / "sub").chmod(0o700)
    assert list(files) == ["b.txt", "sub/a.txt"]
    assert files["b.txt"].trouble is None
    assert "Permission denied" in (files["sub/a.txt"].trouble or "")
    assert [(p.key, p.code) for p in look.problems] == [("sub/a.txt", "unreadable")]


@pytest.mark.parametrize("what", ["missing", "a file"])
def test_a_dataset_that_is_no_folder_has_no_files(what: str, tmp_path: Path) -> None:
    root = tmp_path / "set"
    if what == "a file":
        root.write_text("x")
    look = SelectedWalk(root, ["a.txt"])
    assert list(look) == []
    assert [p.code for p in look.problems] == ([] if what == "missing" else ["not-a-folder"])


def test_a_pipe_is_named_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.txt")
    look = SelectedWalk(tmp_path, ["a.txt"])
    assert list(look) == []
    assert [p.code for p in look.problems] == ["not-a-file"]

"""The walk gives every file in S3's order, and whatever it can't give, it names."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashmark.core.blocks import BLOCK_ROWS
from hashmark.core.model import LocalFile, Problem, key_bytes
from hashmark.disk.walk import Walk, stamp_of
from hashmark.native import kernel
from support.file_trees import deep, open_folder, permissions_count, write_keys


def keys_of(walk: Walk) -> list[str]:
    return [file.key for file in walk]


def codes(walk: Walk) -> list[tuple[str, str]]:
    return [(problem.key, problem.code) for problem in walk.problems]


# --- order -------------------------------------------------------------------------------------------------------

NAMES = st.text(st.sampled_from("aB0-./ +~é😀\udcff".replace("/", "")), min_size=1, max_size=3).filter(
    lambda name: name not in {".", ".."}
)
TREES = st.lists(st.lists(NAMES, min_size=1, max_size=4).map("/".join), max_size=12)


@given(TREES)
def test_any_tree_comes_in_utf8_byte_order_of_the_whole_keys(keys: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for key in keys:
            with contextlib.suppress(FileExistsError, NotADirectoryError, IsADirectoryError):
                write_keys(root, key)
        walk = Walk(root)
        found = keys_of(walk)
        expected = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
        assert found == sorted(expected, key=key_bytes)
        assert walk.problems == []


def test_a_folder_sorts_as_its_name_and_a_slash(tmp_path: Path) -> None:
    write_keys(tmp_path, "a/b", "a-b", "a.txt", "a0", "a/-", "ab/c")
    assert keys_of(Walk(tmp_path)) == ["a-b", "a.txt", "a/-", "a/b", "a0", "ab/c"]


def test_a_tree_deeper_than_pythons_stack_is_walked_to_its_end(tmp_path: Path) -> None:
    with deep(tmp_path, "d", 1100, "end.txt"):
        assert keys_of(Walk(tmp_path)) == ["d/" * 1100 + "end.txt"]


def test_each_file_has_the_stamp_that_the_system_gives_it(tmp_path: Path) -> None:
    write_keys(tmp_path, "a.txt")
    os.utime(tmp_path / "a.txt", ns=(1, 2))
    (file,) = Walk(tmp_path)
    facts = (tmp_path / "a.txt").stat()
    assert (file.stamp, file.size, file.md5, file.trouble) == (stamp_of(facts), facts.st_size, None, None)
    assert (file.stamp.mtime_ns, file.stamp.ctime_ns) == (facts.st_mtime_ns, facts.st_ctime_ns)
    assert (file.stamp.inode, file.stamp.device) == (facts.st_ino, facts.st_dev)


# --- the root ----------------------------------------------------------------------------------------------------


def test_a_missing_or_empty_folder_is_an_empty_dataset(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "missing"):
        walk = Walk(root)
        assert (keys_of(walk), walk.problems) == ([], [])


def test_a_root_that_is_a_file_or_a_dangling_link_is_a_problem_not_an_empty_dataset(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("file", "link"):
        walk = Walk(tmp_path / name)
        assert keys_of(walk) == []
        assert codes(walk) == [("", "not-a-folder")]


@pytest.mark.parametrize("root", ["x" * 300, "file/below", "circle/below"])
def test_a_root_that_the_system_refuses_to_look_at_is_a_problem(tmp_path: Path, root: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "circle").symlink_to("circle")
    walk = Walk(tmp_path / root)
    assert keys_of(walk) == []
    assert codes(walk) == [("", "unreadable")]


def test_a_root_may_itself_be_a_symlink_to_a_folder(tmp_path: Path) -> None:
    write_keys(tmp_path / "real", "a.txt")
    (tmp_path / "link").symlink_to("real")
    assert keys_of(Walk(tmp_path / "link")) == ["a.txt"]


# --- symlinks ----------------------------------------------------------------------------------------------------


def test_a_symlinked_folder_is_reported_and_not_followed(tmp_path: Path) -> None:
    write_keys(tmp_path, "set/a.txt", "elsewhere/secret.txt")
    (tmp_path / "set/link").symlink_to("../elsewhere")
    (tmp_path / "set/up").symlink_to("..")
    walk = Walk(tmp_path / "set")
    assert keys_of(walk) == ["a.txt"]
    assert codes(walk) == [("link", "symlinked-folder"), ("up", "symlinked-folder")]


def test_a_symlink_to_a_file_is_that_files_content_under_the_links_name(tmp_path: Path) -> None:
    write_keys(tmp_path, "elsewhere.txt", "set/b.txt")
    (tmp_path / "set/a.txt").symlink_to("../elsewhere.txt")
    walk = Walk(tmp_path / "set")
    link, _ = walk
    assert link == LocalFile(link.key, stamp_of((tmp_path / "elsewhere.txt").stat()))
    assert (link.key, walk.problems) == ("a.txt", [])


@pytest.mark.parametrize(("target", "why"), [("nowhere", "No such file"), ("a.txt", "Too many levels")])
def test_a_link_that_leads_nowhere_or_in_a_circle_is_a_file_with_trouble(tmp_path: Path, target: str, why: str) -> None:
    (tmp_path / "a.txt").symlink_to(target)
    walk = Walk(tmp_path)
    (file,) = walk
    assert file.key == "a.txt"
    assert why in (file.trouble or "")
    assert walk.problems == [Problem("a.txt", "unreadable", file.trouble or "")]


# --- what can't be read ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", ["a", "."])
def test_a_folder_without_read_permission_is_reported(hidden: str) -> None:
    with open_folder() as root:
        write_keys(root, "set/a/x.txt", "set/b.txt")
        (root / "set" / hidden).chmod(0)
        walk = Walk(root / "set")
        with permissions_count():
            assert keys_of(walk) == ([] if hidden == "." else ["b.txt"])
        (root / "set" / hidden).chmod(0o755)
    assert codes(walk) == [("" if hidden == "." else "a/", "unreadable")]


def test_a_dataset_behind_a_closed_folder_is_a_problem_not_an_empty_dataset() -> None:
    with open_folder() as root:
        write_keys(root, "closed/set/a.txt")
        (root / "closed").chmod(0)
        walk = Walk(root / "closed/set")
        with permissions_count():
            assert keys_of(walk) == []
        (root / "closed").chmod(0o755)
    assert codes(walk) == [("", "unreadable")]


def test_a_folder_that_vanishes_during_the_walk_is_reported(tmp_path: Path) -> None:
    write_keys(tmp_path, "a.txt", "b/x.txt", "c.txt")
    walk = Walk(tmp_path)
    names = walk.names()
    assert next(names) == "a.txt"
    (tmp_path / "b/x.txt").unlink()
    (tmp_path / "b").rmdir()
    assert list(names) == ["c.txt"]
    assert codes(walk) == [("b/", "unreadable")]
    assert "No such file or directory" in walk.problems[0].message


def test_a_folder_that_becomes_a_file_during_the_walk_is_reported(tmp_path: Path) -> None:
    write_keys(tmp_path, "a.txt", "b/x.txt")
    walk = Walk(tmp_path)
    names = walk.names()
    next(names)
    (tmp_path / "b/x.txt").unlink()
    (tmp_path / "b").rmdir()
    write_keys(tmp_path, "b")
    assert list(names) == []
    assert codes(walk) == [("b/", "unreadable")]


def test_a_file_that_vanishes_before_it_is_looked_at_is_there_with_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_keys(tmp_path, "a.txt", "b.txt")
    walk = Walk(tmp_path)
    names = list(walk.names())
    monkeypatch.setattr(walk, "names", lambda: iter(names))
    (tmp_path / "b.txt").unlink()
    there, gone = walk
    assert there.trouble is None
    assert gone.key == "b.txt"
    assert gone.trouble is not None
    assert codes(walk) == [("b.txt", "unreadable")]


def test_a_folder_whose_path_is_too_long_for_the_system_is_reported(tmp_path: Path) -> None:
    name = "d" * 250
    with deep(tmp_path, name, 17, "end.txt"):  # 17 * 251 > 4096
        walk = Walk(tmp_path)
        assert keys_of(walk) == []
    ((key, code),) = codes(walk)
    assert (set(key.split("/")), code) == ({name, ""}, "unreadable")
    assert "too long" in walk.problems[0].message


def test_a_fault_of_the_disk_is_reported_for_that_folder_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_keys(tmp_path, "a/x.txt", "b/x.txt")
    scandir = os.scandir

    def failing(path: bytes) -> Any:
        if path.endswith(b"/a/"):
            raise OSError(5, "Input/output error")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", failing)
    walk = Walk(tmp_path)
    assert keys_of(walk) == ["b/x.txt"]
    assert walk.problems == [Problem("a/", "unreadable", "the folder cannot be read: Input/output error")]


def test_pipes_and_sockets_are_reported_and_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "link.txt").symlink_to("pipe.txt")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.txt"))
        walk = Walk(tmp_path)
        assert keys_of(walk) == []
    assert codes(walk) == [(name, "not-a-file") for name in ("link.txt", "pipe.txt", "socket.txt")]


# --- names, and what is left out ---------------------------------------------------------------------------------


def test_names_that_are_not_utf8_are_kept_byte_by_byte(tmp_path: Path) -> None:
    raw = b"caf\xe9.txt"
    write_keys(tmp_path, os.fsdecode(raw), "caf\u00e9.txt", "caff.txt")
    keys = keys_of(Walk(tmp_path))
    assert [key_bytes(key) for key in keys] == [b"caff.txt", "caf\u00e9.txt".encode(), raw]


def test_hashmarks_own_folder_and_unfinished_downloads_are_left_out_uncounted(tmp_path: Path) -> None:
    part = ".hashmark-12-0af3.part"
    write_keys(tmp_path, ".hashmark/state.sqlite", part, f"a/{part}", "a/.hashmark/x")
    write_keys(tmp_path, ".hashmark-note.part", f"b/{part}/x", "x.hashmark/y")  # the like, but not ours
    walk = Walk(tmp_path)
    assert keys_of(walk) == [".hashmark-note.part", f"b/{part}/x", "x.hashmark/y"]
    assert (walk.ignored.count, walk.problems) == (0, [])


def test_what_the_filter_ignores_is_counted_and_a_folder_counts_once(tmp_path: Path) -> None:
    write_keys(tmp_path, "a.txt", "b.npz", "cache/1", "cache/2/3", "d/e.npz")
    asked: list[str] = []

    def ignores(keys: Sequence[str]) -> set[str]:
        asked.extend(keys)
        return {key for key in keys if key.endswith((".npz", "cache/"))}

    walk = Walk(tmp_path, ignores)
    assert keys_of(walk) == ["a.txt"]
    assert (walk.ignored.count, walk.ignored.names) == (3, ["b.npz", "cache/", "d/e.npz"])
    assert asked == ["a.txt", "b.npz", "cache/", "d/", "d/e.npz"]


def test_an_ignored_link_or_pipe_is_no_problem(tmp_path: Path) -> None:
    (tmp_path / "x.npz").symlink_to("nowhere")
    walk = Walk(tmp_path, lambda keys: {key for key in keys if key.endswith(".npz")})
    assert (keys_of(walk), walk.problems, walk.ignored.names) == ([], [], ["x.npz"])


@pytest.mark.parametrize("by", ["kernel", "stat"])
def test_a_large_folder_has_the_stamps_of_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    """More files than are looked at in one go, one of them a link to nothing."""
    if by == "stat":
        monkeypatch.setattr(kernel, "loaded", lambda: None)
    for number in range(2 * BLOCK_ROWS + 7):
        (tmp_path / f"{number:05}.txt").write_bytes(b"x" * (number % 9))
    (tmp_path / "00500.txt").unlink()
    (tmp_path / "00500.txt").symlink_to("nowhere")
    files = list(Walk(tmp_path))
    assert [file.key for file in files if file.trouble] == ["00500.txt"]
    assert len(files) == 2 * BLOCK_ROWS + 7
    assert all(file.stamp == stamp_of((tmp_path / file.key).stat()) for file in files if not file.trouble)

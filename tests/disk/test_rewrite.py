"""Many files are rewritten as one batch: each is old or new, and what was can be had again."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from hashmark.core.errors import DiskFull, FileChanged, LocalError, ReadOnly, UnsafePath
from hashmark.disk import rewrite
from hashmark.disk.rewrite import Rewrite, rewrite_all
from support.file_trees import mounted, stamp, tree

ALWAYS = threading.Event()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A dataset of a few captions in two folders."""
    root = tmp_path / "set"
    (root / "sub").mkdir(parents=True)
    for key in ("a.txt", "b.txt", "sub/c.txt"):
        (root / key).write_bytes(b"old " + key.encode())
    return root


def new(key: str) -> Rewrite:
    return Rewrite(key, b"old " + key.encode(), b"new " + key.encode())


def run(folder: Path, *items: Rewrite) -> dict[str, type[LocalError] | None]:
    """What became of each."""
    done = rewrite_all(folder, folder.parent / "trash/batch/set", items, ALWAYS)
    return {item.key: None if error is None else type(error) for item, error in done}


def trashed(folder: Path) -> dict[str, bytes]:
    return tree(folder.parent / "trash/batch/set") if (folder.parent / "trash").exists() else {}


def test_files_are_replaced_and_what_they_held_is_kept(folder: Path) -> None:
    (folder / "a.txt").chmod(0o640)
    before = stamp(folder / "b.txt")
    assert run(folder, new("a.txt"), new("sub/c.txt")) == {"a.txt": None, "sub/c.txt": None}
    assert tree(folder) == {"a.txt": b"new a.txt", "b.txt": b"old b.txt", "sub/c.txt": b"new sub/c.txt"}
    assert trashed(folder) == {"a.txt": b"old a.txt", "sub/c.txt": b"old sub/c.txt"}
    assert (folder / "a.txt").stat().st_mode & 0o777 == 0o640
    assert stamp(folder / "b.txt") == before


def test_many_are_flushed_at_once_and_few_one_by_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By either way, all are done."""
    for few in (0, 99):
        monkeypatch.setattr(rewrite, "MAX_SINGLE_FLUSHES", few)
        items = [Rewrite(f"{few}-{n}.txt", b"old", b"new") for n in range(20)]
        for item in items:
            (folder / item.key).write_bytes(b"old")
        assert set(run(folder, *items).values()) == {None}
        assert all((folder / item.key).read_bytes() == b"new" for item in items)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it looks up descriptors in /proc")
def test_a_system_without_a_flush_of_everything_flushes_each(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS."""
    monkeypatch.setattr(rewrite, "MAX_SINGLE_FLUSHES", 0)
    monkeypatch.setattr(rewrite, "_sync_device", lambda _folder: False)
    synced: list[str] = []
    real = os.fsync

    def watched(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    assert run(folder, new("a.txt")) == {"a.txt": None}
    assert [name for name in synced if name.endswith(".part")]
    assert str(folder.parent / "trash/batch/set/a.txt") in synced
    assert {str(folder), str(folder.parent / "trash/batch/set"), str(folder.parent / "trash/batch")} <= set(synced)


def _read_only(path: Path) -> None:
    path.chmod(0o444)


def _symlink(path: Path) -> None:
    path.rename(path.with_name("real"))
    path.symlink_to("real")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda path: path.write_bytes(b"old a.tx_"), FileChanged),
        (lambda path: path.write_bytes(b"old a.txt, and more"), FileChanged),
        (lambda path: path.unlink(), FileChanged),
        (_read_only, ReadOnly),
        (_symlink, UnsafePath),
        (_folder, UnsafePath),
    ],
)
def test_one_that_is_not_as_it_was_is_left_and_the_others_done(
    folder: Path, change: Callable[[Path], None], error: type[LocalError]
) -> None:
    change(folder / "a.txt")
    before = {key: data for key, data in tree(folder).items() if key != "b.txt"}
    assert run(folder, new("a.txt"), new("b.txt")) == {"a.txt": error, "b.txt": None}
    assert tree(folder) == {**before, "b.txt": b"new b.txt"}
    assert trashed(folder) == {"b.txt": b"old b.txt"}


@pytest.mark.parametrize("few", [0, 99])
def test_an_edit_at_the_last_moment_is_seen(folder: Path, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    """After the old content was linked into the trash: an edit in place changes both, so neither link may stay."""
    monkeypatch.setattr(rewrite, "MAX_SINGLE_FLUSHES", few)
    flush = rewrite._flush

    def edit(*arguments: object) -> None:
        flush(*arguments)  # type: ignore[arg-type]
        with (folder / "a.txt").open("r+b") as file:
            file.write(b"OLD")

    monkeypatch.setattr(rewrite, "_flush", edit)
    assert run(folder, new("a.txt"), new("b.txt")) == {"a.txt": FileChanged, "b.txt": None}
    assert tree(folder) == {"a.txt": b"OLD a.txt", "b.txt": b"new b.txt", "sub/c.txt": b"old sub/c.txt"}
    assert trashed(folder) == {"b.txt": b"old b.txt"}


def test_a_file_that_vanishes_at_the_last_moment_stays_in_the_trash(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be all that is left."""
    monkeypatch.setattr(rewrite, "_flush", lambda *_: (folder / "a.txt").unlink())
    assert run(folder, new("a.txt")) == {"a.txt": FileChanged}
    assert trashed(folder) == {"a.txt": b"old a.txt"}


def test_a_file_of_several_names_is_copied_to_the_trash(folder: Path) -> None:
    """An edit under its other name must not change what the trash holds."""
    os.link(folder / "a.txt", folder.parent / "other")
    assert run(folder, new("a.txt")) == {"a.txt": None}
    (folder.parent / "other").write_bytes(b"edited")
    assert trashed(folder) == {"a.txt": b"old a.txt"}


def test_files_go_and_come(folder: Path) -> None:
    """None stands for no file."""
    gone, come = Rewrite("a.txt", b"old a.txt", None), Rewrite("new/d.txt", None, b"new")
    assert run(folder, gone, come) == {"a.txt": None, "new/d.txt": None}
    assert tree(folder) == {"b.txt": b"old b.txt", "sub/c.txt": b"old sub/c.txt", "new/d.txt": b"new"}
    assert trashed(folder) == {"a.txt": b"old a.txt"}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of the trash, from long ago."""
    path = tmp_path / "kept.txt"
    path.write_bytes(b"new a.txt")
    os.utime(path, ns=(10**18, 10**18))
    return path


def test_what_is_kept_elsewhere_is_linked_with_its_time(folder: Path, source: Path) -> None:
    (folder / "a.txt").chmod(0o640)
    assert run(folder, Rewrite("a.txt", b"old a.txt", b"new a.txt", source)) == {"a.txt": None}
    facts = (folder / "a.txt").stat()
    assert (facts.st_ino, facts.st_mtime_ns, facts.st_mode & 0o777) == (source.stat().st_ino, 10**18, 0o640)
    assert trashed(folder) == {"a.txt": b"old a.txt"}


def test_it_is_copied_with_its_time_where_no_link_can_be_made(
    folder: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    assert run(folder, Rewrite("a.txt", b"old a.txt", b"new a.txt", source)) == {"a.txt": None}
    facts = (folder / "a.txt").stat()
    assert (facts.st_ino != source.stat().st_ino, facts.st_mtime_ns) == (True, 10**18)
    assert ((folder / "a.txt").read_bytes(), trashed(folder)) == (b"new a.txt", {"a.txt": b"old a.txt"})


def test_it_is_written_where_that_file_has_become_another(folder: Path, source: Path) -> None:
    """What was looked at is what comes back."""
    source.write_bytes(b"new b.txt")
    assert run(folder, Rewrite("a.txt", b"old a.txt", b"new a.txt", source)) == {"a.txt": None}
    assert (folder / "a.txt").read_bytes() == b"new a.txt"


def test_a_full_disk_stops_it_and_leaves_whole_files(folder: Path) -> None:
    """On another device than the trash, which so has copies."""
    with mounted(folder.parent / "small", "-t", "tmpfs", "-o", "size=256k", "tmpfs") as small:
        items = [Rewrite(f"{n}.txt", b"x", bytes(60_000)) for n in range(8)]
        for item in items:
            (small / item.key).write_bytes(b"x")
        done = dict(run(small, *items))
        assert set(done.values()) == {None, DiskFull}
        for item in items:
            assert (small / item.key).read_bytes() == (b"x" if done[item.key] else item.after)
        assert {key for key, error in done.items() if error is None} == set(tree(folder.parent / "trash/batch/set"))
        assert len(tree(small)) == 8


def test_what_has_appeared_is_not_overwritten(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither before nor just before."""
    assert run(folder, Rewrite("b.txt", None, b"new")) == {"b.txt": FileChanged}
    monkeypatch.setattr(rewrite, "_flush", lambda *_: (folder / "d.txt").write_bytes(b"theirs"))
    assert run(folder, Rewrite("d.txt", None, b"new")) == {"d.txt": FileChanged}
    assert tree(folder) | {"sub/c.txt": b""} == {
        "a.txt": b"old a.txt",
        "b.txt": b"old b.txt",
        "d.txt": b"theirs",
        "sub/c.txt": b"",
    }


def test_a_stop_is_obeyed_between_flushes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is under way is finished."""
    monkeypatch.setattr(rewrite, "MAX_FILES_PER_FLUSH", 2)
    stop = threading.Event()
    done = []
    for item, _ in rewrite_all(folder, folder.parent / "trash", map(new, ("a.txt", "b.txt", "sub/c.txt")), stop):
        done.append(item.key)
        stop.set()
    assert done == ["a.txt", "b.txt"]
    assert (folder / "sub/c.txt").read_bytes() == b"old sub/c.txt"


def test_a_device_that_fails_leaves_every_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is replaced before everything is on the device."""

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(rewrite, "_flush", fail)
    before = tree(folder)
    with pytest.raises(LocalError, match="Input/output error"):
        run(folder, new("a.txt"), new("b.txt"))
    assert tree(folder) == before
    assert trashed(folder) == {}

"""New files on their way to their places: unnamed where possible, synced before they are linked, many at once."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hashmark.core.errors import DiskFull, FileChanged, LocalError, UnsafePath
from hashmark.core.model import Stamp
from hashmark.disk import place, unfinished
from hashmark.disk.place import open_slot
from hashmark.disk.unfinished import Unfinished, put_all
from support.file_trees import mounted, stamp, tree

pytestmark = pytest.mark.usefixtures("sort")


@pytest.fixture(name="sort", params=["unnamed", "named"])
def fixture_sort(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run each test with files that have no name, and with the temporary ones of other systems."""
    if request.param == "named":
        monkeypatch.setattr(place, "_CAN_BE_UNNAMED", False)
    elif not place._CAN_BE_UNNAMED:
        pytest.skip("this system has no files without a name")
    return str(request.param)


@pytest.fixture(name="root")
def fixture_root(tmp_path: Path) -> Path:
    (tmp_path / "set").mkdir()
    return tmp_path / "set"


@contextlib.contextmanager
def written(root: Path, contents: dict[str, bytes]) -> Iterator[list[Unfinished]]:
    """New files with these contents, not in their places yet."""
    with contextlib.ExitStack() as stack:
        files = [Unfinished(stack.enter_context(open_slot(root, key, create=True))) for key in contents]
        for file, data in zip(files, contents.values(), strict=True):
            stack.callback(file.drop)
            file.fill([data])
        yield files


NEW = {"a.txt": b"a", "b.txt": b"", "sub/c.txt": b"c" * 3000, "sub/deep/d.txt": b"d"}


def test_many_new_files_are_put_in_their_places_at_once(root: Path) -> None:
    with written(root, NEW) as files:
        assert all(not path.name.endswith(".txt") for path in root.rglob("*")), "none is seen before"
        stamps = put_all(files)
    assert tree(root) == NEW
    assert stamps == [stamp(root / key) for key in NEW]


def test_a_file_without_a_name_is_in_no_folder(root: Path, sort: str) -> None:
    with written(root, {"a.txt": b"a"}):
        assert len(list(root.iterdir())) == (0 if sort == "unnamed" else 1)
    assert list(root.iterdir()) == []


def test_a_place_that_is_taken_is_left_alone_and_the_others_are_filled(root: Path) -> None:
    (root / "a.txt").write_bytes(b"another's")
    (root / "b.txt").symlink_to("a.txt")
    with written(root, NEW) as files:
        first, second, *others = put_all(files)
    assert isinstance(first, FileChanged)
    assert isinstance(second, UnsafePath)
    assert all(isinstance(other, Stamp) for other in others)
    assert tree(root)["a.txt"] == b"another's"
    assert {key: tree(root)[key] for key in ("sub/c.txt", "sub/deep/d.txt")} == {k: NEW[k] for k in list(NEW)[2:]}


def watch(monkeypatch: pytest.MonkeyPatch, **refused: int) -> list[str]:
    """Log each fsync and link; refuse the first call of those named, with an errno."""
    log: list[str] = []
    fsync, link = os.fsync, os.link

    def note(what: str) -> None:
        log.append(what)
        if code := refused.pop(what.replace(" ", "_"), 0):
            raise OSError(code, os.strerror(code))

    def watched_fsync(descriptor: int) -> None:
        note("fsync folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "fsync")
        fsync(descriptor)

    def watched_link(*values: Any, **options: Any) -> None:
        note("link")
        link(*values, **options)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "link", watched_link)
    return log


def test_content_is_on_the_device_before_its_name_and_each_folder_is_synced_once(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with written(root, NEW) as files:
        log = watch(monkeypatch)
        put_all(files)
    assert log == ["fsync"] * 4 + ["link"] * 4 + ["fsync folder"] * 3


@pytest.mark.parametrize(
    ("refused", "error", "there"),
    [
        ({"fsync": errno.ENOSPC}, DiskFull, {"b.txt", "c.txt"}),
        ({"link": errno.EIO}, LocalError, {"b.txt", "c.txt"}),
    ],
)
def test_what_the_system_refuses_for_one_file_concerns_that_file_alone(
    root: Path, monkeypatch: pytest.MonkeyPatch, refused: dict[str, int], error: type[LocalError], there: set[str]
) -> None:
    with written(root, {"a.txt": b"a", "b.txt": b"b", "c.txt": b"c"}) as files:
        watch(monkeypatch, **refused)
        first, second, third = put_all(files)
    assert type(first) is error
    assert isinstance(second, Stamp)
    assert isinstance(third, Stamp)
    assert set(tree(root)) == there


def test_names_that_are_not_on_the_device_are_told_of_all_their_files(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with written(root, NEW) as files:
        watch(monkeypatch, fsync_folder=errno.EIO)
        results = put_all(files)
    assert [isinstance(result, LocalError) for result in results] == [True, True, False, False]


def test_a_file_that_changes_at_once_has_no_stamp(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = unfinished.Unfinished.link

    def link(self: Unfinished) -> Stamp:
        made = real(self)
        (root / "a.txt").write_bytes(b"changed at once")
        return made

    monkeypatch.setattr(unfinished.Unfinished, "link", link)
    with written(root, {"a.txt": b"a"}) as files:
        assert put_all(files) == [None]


@pytest.mark.parametrize("sort", ["unnamed"], indirect=True)
@pytest.mark.parametrize("code", [errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP])
def test_where_an_open_file_cannot_be_linked_its_content_gets_a_name_first(
    root: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    data = os.urandom(3 << 20)
    with written(root, {"a.txt": data}) as files:
        log = watch(monkeypatch, link=code)
        (there,) = put_all(files)
    assert isinstance(there, Stamp)
    assert tree(root) == {"a.txt": data}, "and nothing is left over"
    assert log == ["fsync", "link", "fsync", "link", "fsync folder"], "the copy is synced, too"


def test_a_file_is_filled_again_after_it_was_dropped(root: Path) -> None:
    with written(root, {"a.txt": b"the first try"}) as (file,):
        file.drop()
        file.fill([b"again"])
        put_all([file])
    assert tree(root) == {"a.txt": b"again"}


def test_a_file_system_that_is_full_leaves_nothing(tmp_path: Path) -> None:
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=1m", "tmpfs") as disk, open_slot(disk, "a.png") as slot:
        file = Unfinished(slot)
        with pytest.raises(DiskFull):
            file.fill([bytes(2 << 20)])
        file.drop()
        assert list(disk.iterdir()) == []
        file.fill([b"small"])
        assert isinstance(put_all([file])[0], Stamp)
        file.drop()
        assert tree(disk) == {"a.png": b"small"}

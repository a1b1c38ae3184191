"""Which file systems show every change of a file in its stamp."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import pytest

from hashmark.disk import file_system
from hashmark.disk.file_system import HIDES_CHANGES, SHOWS_CHANGES, type_of, why_changes_may_hide
from hashmark.disk.hashing import hash_file
from support.file_trees import mounted

MOUNTS = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
23 22 0:23 / /srv/a\\040b rw,relatime shared:1 - tmpfs tmpfs rw,size=1k
24 22 0:24 / /srv/pod rw - fuse.rclone box:styles rw
25 24 0:25 / /srv/pod rw - nfs4 server:/styles rw
26 22 0:26 / /srv/podium rw - odd thing rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/", "ext4"),
        ("/home/user", "ext4"),
        ("/srv/a b", "tmpfs"),
        ("/srv/a b/82_x", "tmpfs"),
        ("/srv/pod/82_x", "nfs4"),
        ("/srv/podium", "odd"),
        ("/srv/po", "ext4"),
    ],
)
def test_the_type_is_that_of_the_closest_mount_and_of_the_last_of_several(
    folder: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mountinfo").write_text(MOUNTS)
    monkeypatch.setattr(file_system, "_MOUNTS", tmp_path / "mountinfo")
    assert type_of(Path(folder)) == kind


def test_a_write_through_an_old_map_leaves_the_stamp_on_tmpfs(tmp_path: Path) -> None:
    """The reason for which nothing is remembered there: the bytes change, and the stamp does not."""
    with mounted(tmp_path / "memory", "-t", "tmpfs", "tmpfs") as folder:
        path = folder / "a.txt"
        path.write_bytes(b"a stellar sketch\n")
        with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
            mapped[0:1] = b"A"
            before = hash_file(str(path))
            mapped[0:1] = b"B"
            after = hash_file(str(path))
        assert before[0] != after[0]
        assert before[1] == after[1]
        assert "memory map" in (why_changes_may_hide(folder, folder) or "")


@pytest.mark.parametrize("kind", [None, "fuse.rclone", "nfs4", "odd"])
@pytest.mark.parametrize("follows", [True, False])
def test_of_an_unknown_type_it_is_tried_whether_ctime_can_be_set(
    kind: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, follows: bool
) -> None:
    monkeypatch.setattr(file_system, "type_of", lambda _: kind)
    plain = Path.stat
    if follows:
        # As through `rclone mount`, where ctime is the object's only time.
        monkeypatch.setattr(Path, "stat", lambda path: with_ctime_of_mtime(plain(path)))
    why = why_changes_may_hide(tmp_path, tmp_path)
    assert (why is not None) is follows
    assert not why or (kind or "this file system") in why
    assert list(tmp_path.iterdir()) == []


def with_ctime_of_mtime(facts: os.stat_result) -> os.stat_result:
    fields = {name: getattr(facts, name) for name in dir(facts) if name.startswith("st_")}
    return os.stat_result(tuple(facts), fields | {"st_ctime_ns": facts.st_mtime_ns})


def test_where_it_can_not_be_tried_nothing_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_system, "type_of", lambda _: "fuse.rclone")
    assert "can't be tried (No such file or directory)" in (why_changes_may_hide(tmp_path, tmp_path / "none") or "")


def test_a_type_is_in_one_table() -> None:
    assert not SHOWS_CHANGES & set(HIDES_CHANGES)

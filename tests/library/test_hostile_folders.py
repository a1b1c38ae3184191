"""A folder that was unpacked or cloned may hold symlinks and somebody else's bucket: no other file is touched."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

import pytest

from hashmark.core.errors import HashmarkError, UnsafePath, UsageError
from hashmark.disk.private_folder import PrivateFolder
from hashmark.embedded.embedded_bucket import EmbeddedBucket
from hashmark.images.cache import Cache
from hashmark.library.library import Library
from hashmark.library.settings import SETTINGS
from hashmark.trash.batch import batch_names, find_batch, undoable_batches
from hashmark.trash.contents import trash_entries
from hashmark.trash.empty import trash_contents
from hashmark.trash.journal import Journal
from support.command import Shell

BATCH = "20260101T000000Z-clean-0a1b2c3d"
JOURNAL = Journal("clean", "82_sketch", "2026-01-01T00:00:00Z", "prose", ()).to_bytes()


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A folder of the user's with a file, which must stay as it is."""
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "letter.txt").write_text("dear")
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "unpacked"
    (folder / "82_sketch").mkdir(parents=True)
    (folder / "82_sketch" / "a.txt").write_text("a caption")
    return folder


def settings(root: Path, more: str) -> None:
    (root / SETTINGS).write_text(f'[remote]\nurl = "s3://training-data/styles"\n{more}\n')


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("link", ["", "state.sqlite", "bucket", "bucket/users.lock", "bucket/server.log", "bucket/id"])
def test_row_42_status_follows_no_planted_symlink(root: Path, victim: Path, link: str) -> None:
    """Guard: where links are followed, the state, a log or the bucket's files are written at the other end."""
    settings(root, "embedded = true")
    planted = root / ".hashmark" / link if link else root / ".hashmark"
    planted.parent.mkdir(parents=True, exist_ok=True)
    target = victim if link in {"", "bucket"} else victim / "letter.txt"
    planted.symlink_to(target)
    ran = Shell(root, {})("status")
    assert ran.status in {2, 4}, ran.err
    assert ".hashmark" in ran.err
    assert content(victim) == {"letter.txt": b"dear"}
    assert [path.name for path in victim.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("link", ["locks", "locks/82_sketch.lock"])
def test_a_lock_is_not_opened_through_a_symlink(root: Path, victim: Path, link: str) -> None:
    settings(root, "embedded = true")
    planted = root / ".hashmark" / link
    planted.parent.mkdir(parents=True)
    planted.symlink_to(victim if link == "locks" else victim / "letter.txt")
    with (
        Library.open(root) as library,
        pytest.raises(HashmarkError, match=r"\.hashmark/locks"),
        library.lock("82_sketch"),
    ):
        pytest.fail("the lock was taken")
    assert content(victim) == {"letter.txt": b"dear"}


@pytest.mark.parametrize("name", ["trash", "tmp", "thumbnails"])
def test_no_folder_of_hashmarks_is_a_symlink(root: Path, victim: Path, name: str) -> None:
    settings(root, "embedded = true")
    (root / ".hashmark").mkdir()
    (root / ".hashmark" / name).symlink_to(victim)
    with Library.open(root) as library, pytest.raises(UnsafePath, match=f"{name} is a symlink"):
        library.own_folder(name)


def test_a_planted_symlink_in_the_cache_of_thumbnails_is_removed(tmp_path: Path, victim: Path) -> None:
    (tmp_path / "thumbnails").mkdir()
    (tmp_path / "thumbnails" / "ab").symlink_to(victim)
    cache = Cache(tmp_path / "thumbnails")
    cache.write("ab" + "0" * 30, 64, b"RIFF")
    assert content(victim) == {"letter.txt": b"dear"}


def test_a_batch_that_is_a_symlink_is_neither_listed_nor_emptied_nor_undone(root: Path, victim: Path) -> None:
    settings(root, "embedded = true")
    (victim / "82_sketch").mkdir()
    (victim / "82_sketch" / "letter.txt").write_text("dear")
    (victim / ".journal.json").write_bytes(JOURNAL)
    (root / ".hashmark" / "trash").mkdir(parents=True)
    (root / ".hashmark" / "trash" / BATCH).symlink_to(victim)
    with Library.open(root) as library:
        assert batch_names(library) == []
        assert undoable_batches(library) == []
        assert find_batch(library, BATCH) is None
        with pytest.raises(UnsafePath, match="is a symlink"):
            next(trash_entries(library, BATCH))
        with pytest.raises((UnsafePath, UsageError)):
            trash_contents(library, BATCH)
    assert (victim / "82_sketch" / "letter.txt").read_text() == "dear"


def test_a_symlink_in_a_batch_is_not_restored(root: Path, victim: Path) -> None:
    """A restore would copy the user's own file into the dataset, and a push would upload it."""
    settings(root, "embedded = true")
    kept = root / ".hashmark" / "trash" / BATCH / "82_sketch"
    kept.mkdir(parents=True)
    (kept.parent / ".journal.json").write_bytes(JOURNAL)
    (kept / "a.txt").write_text("old")
    (kept / "b.txt").symlink_to(victim / "letter.txt")
    with Library.open(root) as library:
        entries = trash_entries(library, BATCH)
        assert next(entries).key == "a.txt"
        assert all(entry.side == "bucket" for entry in entries)
        assert library.embedded
        library.embedded.stop()


def test_the_bucket_of_another_machine_is_refused_until_it_is_trusted(root: Path, tmp_path: Path) -> None:
    """Its folder may hold options that make the server write files and listen for everybody."""
    settings(root, "embedded = true")
    data = root / ".hashmark" / "bucket" / "data"
    data.mkdir(parents=True)
    profile = tmp_path / "written by the server"
    (data / "mini.options").write_text(f"cpuprofile={profile}\nmetricsPort=31999\n")
    ran = Shell(root, {})("status")
    assert ran.status == 2
    assert "You did not make the embedded bucket" in ran.err
    assert f"hashmark trust {root}/.hashmark/bucket" in ran.err
    assert not (data.parent / "server.log").exists()
    (data.parent / "users.lock").touch()
    assert Shell(root, {})("trust", f"{root}/.hashmark/bucket").status == 0
    with Library.open(root) as library:
        library.bucket.put("styles/82_sketch/a.txt", b"x")
        assert library.embedded
        library.embedded.stop()
    assert not profile.exists()
    assert "metricsPort=31999" not in (data / "mini.options").read_text()


def test_a_known_bucket_opens_no_symlink_that_came_later(tmp_path: Path, victim: Path) -> None:
    box = EmbeddedBucket(tmp_path / "box", "styles")
    box.stop()
    for name in ("users.lock", "server.lock", "server.log", "credentials", "address.json"):
        path = tmp_path / "box" / name
        saved = path.read_bytes() if path.exists() else None
        path.unlink(missing_ok=True)
        path.symlink_to(victim / "letter.txt")
        with contextlib.suppress(HashmarkError):  # where the link only stands for no file, the bucket starts
            EmbeddedBucket(tmp_path / "box", "styles").stop()
        assert content(victim) == {"letter.txt": b"dear"}, name
        path.unlink(missing_ok=True)
        if saved is not None:
            path.write_bytes(saved)


def test_hashmarks_folder_is_closed_to_others(root: Path) -> None:
    settings(root, "embedded = true")
    (root / ".hashmark").mkdir(mode=0o755)
    with Library.open(root) as library:
        library.state.record_facts("store", {"a": "yes"})
    assert stat.S_IMODE((root / ".hashmark").stat().st_mode) == 0o700


def test_a_private_folder_is_read_and_written_by_its_descriptor(tmp_path: Path) -> None:
    with PrivateFolder(tmp_path, "a", "b") as folder:
        folder.write("x", b"one")
        folder.write("x", b"two", replace=False)
        assert folder.read("x") == b"one"
        folder.write("x", b"three")
        assert folder.read("x") == b"three"
        assert stat.S_IMODE((tmp_path / "a/b/x").stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
        assert not folder.is_empty()
        folder.remove("x")
        folder.remove("x")
        assert folder.is_empty()
    with pytest.raises(UnsafePath, match="belongs to another user"):
        PrivateFolder(tmp_path, "a", owners=[os.geteuid() + 1])

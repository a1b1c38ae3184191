"""Thumbnails can be read by the user alone, as some of their images can."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from hashmark.images.cache import Cache

DIGEST = "0123456789abcdef0123456789abcdef"
WEBP = b"RIFF\x08\0\0\0WEBPdata"


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """The most permissive umask, so that nothing depends on it."""
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder.parent)): stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))
    }


PRIVATE = {"cache": 0o700, "cache/01": 0o700, f"cache/01/{DIGEST}-64.webp": 0o600}


def test_what_is_written_is_private(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    cache.write(DIGEST, 64, WEBP)
    assert modes(tmp_path / "cache") == PRIVATE
    assert cache.read(DIGEST, 64) == WEBP


def test_what_an_earlier_version_left_becomes_private(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "01"
    folder.mkdir(parents=True)
    (folder / f"{DIGEST}-64.webp").write_bytes(WEBP)
    assert set(modes(tmp_path / "cache").values()) == {0o777, 0o666}
    cache = Cache(tmp_path / "cache")
    assert modes(tmp_path / "cache") == PRIVATE | {f"cache/01/{DIGEST}-64.webp": 0o666}, "no other user gets there"
    assert cache.read(DIGEST, 64) == WEBP
    assert modes(tmp_path / "cache") == PRIVATE


def test_a_cache_that_is_being_used_makes_what_is_left_private_when_it_is_read(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    cache.write(DIGEST, 64, WEBP)
    (tmp_path / "cache" / "01" / f"{DIGEST}-64.webp").chmod(0o644)
    cache.read(DIGEST, 64)
    assert modes(tmp_path / "cache") == PRIVATE


def test_stricter_modes_are_kept(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    cache.write(DIGEST, 64, WEBP)
    file = tmp_path / "cache" / "01" / f"{DIGEST}-64.webp"
    file.chmod(0o400)
    assert Cache(tmp_path / "cache").read(DIGEST, 64) == WEBP
    assert stat.S_IMODE(file.stat().st_mode) == 0o400


@pytest.mark.parametrize("left", ["nothing", "a file", "a broken link"])
def test_a_folder_that_is_none_does_no_harm(tmp_path: Path, left: str) -> None:
    place = tmp_path / "cache"
    if left == "a file":
        place.write_bytes(b"")
    if left == "a broken link":
        place.symlink_to(tmp_path / "nowhere" / "at all")
    cache = Cache(place)
    cache.write(DIGEST, 64, WEBP)
    assert cache.read(DIGEST, 64) == (WEBP if left == "nothing" else None)

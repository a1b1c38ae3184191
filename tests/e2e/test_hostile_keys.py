"""Many ordinary keys and fifty hostile ones: the ordinary are moved, the hostile refused by name."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hashmark.core.display import printable
from hashmark.core.keys import is_folder_marker
from support.command import Ran, Shell, library
from support.hostile_keys import HOSTILE_KEYS
from support.peer_uploads import put_by_boto3
from support.stores import Store

NAME = "82_stellar_sketch"
LONGEST = 900
"""Of keys here: the prefix comes before them."""

_WORDS = ("Bird", "Cat", "Dog", "Elk", "Fox", "Gnu", "Hen", "Ibis", "Jay", "Kiwi", "Lynx", "Mole", "Newt", "Owl", "Pug")
COLLIDING = ["\u00e9.txt", "e\u0301.txt", *(name for word in _WORDS for name in (f"{word}.png", f"{word.lower()}.png"))]
"""Pairs that are one file on macOS and Windows, by letter case and by accents."""

MOTO_REFUSES = {"a\n.png", "a.png\n"}
"""What moto itself can't hold; SeaweedFS can."""


def _encodes(key: str) -> bool:
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


def fifty(unsafe: Iterable[str]) -> list[str]:
    """These unsafe keys, made up to fifty with pairs that collide."""
    keys = list(unsafe)
    keys = keys[: len(keys) // 2 * 2]
    return [*keys, *COLLIDING][:50]


def in_moto() -> list[str]:
    """Fifty keys no path may be made of; moto takes any key at all, `..` and `//` included."""
    keys = [k for k in HOSTILE_KEYS if not is_folder_marker(k) and _encodes(k) and len(k.encode()) < LONGEST]
    return fifty(k for k in keys if k not in MOTO_REFUSES)


def in_seaweedfs() -> list[str]:
    """Fifty keys that SeaweedFS takes: it refuses `.` and `..`, and makes `//` and backslashes a `/`."""
    keys = [k for k in in_moto() if k in COLLIDING or not (set(k.split("/")) & {"", ".", ".."} or "\\" in k)]
    names = [k for k in keys if "\0" not in k and all(len(part.encode()) <= 255 for part in k.split("/"))]
    return fifty([*(k for k in names if k not in COLLIDING), *MOTO_REFUSES])


def on_disk() -> list[str]:
    """Fifty names that a Linux disk takes, those that are not UTF-8 included."""
    keys = [k for k in HOSTILE_KEYS if posixpath.normpath(k) == k and not k.startswith(("/", ".")) and "\0" not in k]
    keys = [k for k in keys if ".hashmark/" not in k]  # on disk, the folder of a library is passed over
    names = [k for k in keys if k != "\ud800" and all(len(os.fsencode(p)) <= 255 for p in k.split("/"))]
    return fifty(names)


def ordinary(count: int) -> list[str]:
    return [f"{n:05d}{suffix}" for n in range(count // 2) for suffix in (".png", ".txt")]


def put_all(store: Store, prefix: str, keys: list[str]) -> None:
    bucket = store.bucket()
    like_paths = [key for key in keys if not {".", ".."}.isdisjoint(key.split("/"))]
    for key in like_paths:
        put_by_boto3(store, f"{prefix}/{NAME}/{key}", b"x")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: bucket.put(f"{prefix}/{NAME}/{key}", b"x"), set(keys) - set(like_paths)))


def files_under(root: Path) -> set[str]:
    """Every file below `root` but hashmark's own."""
    found = (p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())
    return {name for name in found if not name.startswith((".hashmark/", "hashmark.toml"))}


def refused(ran: Ran) -> set[str]:
    """The names that the result says it refused, each with a reason."""
    (dataset,) = ran.json["datasets"]
    rows = [row for row in dataset["leftAlone"] if row["verdict"] == "refused"]
    assert all(row["reason"] for row in rows)
    return {row["key"] for row in rows}


def check_pull(store: Store, root: Path, prefix: str, *, hostile: list[str], count: int) -> None:
    assert len(set(hostile)) == len(hostile) == 50
    put_all(store, prefix, [*ordinary(count), *hostile])
    shell: Shell = library(store, root / "deep" / "styles", prefix)
    ran = shell("pull", NAME, "--json", timeout=550)
    assert ran.status == 4, ran.err
    assert refused(ran) == {printable(key) for key in hostile}
    assert ran.json["datasets"][0]["failed"] == []
    assert files_under(shell.cwd) == {f"{NAME}/{key}" for key in ordinary(count)}
    assert {path.name for path in root.iterdir()} == {"deep"}, "nothing was written beside the library"
    assert {path.name for path in (root / "deep").iterdir()} == {"styles"}


def test_fifty_hostile_keys_in_a_bucket_that_takes_any_key_are_refused_by_name(
    moto: Store, tmp_path: Path, prefix: str
) -> None:
    check_pull(moto, tmp_path / "here", prefix, hostile=in_moto(), count=150)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_of_ten_thousand_keys_in_the_bucket_fifty_are_refused_by_name(
    seaweedfs: Store, tmp_path: Path, prefix: str
) -> None:
    check_pull(seaweedfs, tmp_path / "here", prefix, hostile=in_seaweedfs(), count=9_950)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("count", [150, pytest.param(9_950, marks=pytest.mark.slow)])
def test_fifty_hostile_names_on_disk_are_refused_by_name(
    count: int, seaweedfs: Store, tmp_path: Path, prefix: str
) -> None:
    shell = library(seaweedfs, tmp_path / "styles", prefix)
    hostile = on_disk()
    assert len(set(hostile)) == 50
    for key in [*ordinary(count), *hostile]:
        path = Path(os.fsdecode(key.encode("utf-8", "surrogateescape")))
        (shell.cwd / NAME / path).parent.mkdir(parents=True, exist_ok=True)
        (shell.cwd / NAME / path).write_bytes(b"x")
    ran = shell("push", NAME, "--json", timeout=550)
    assert ran.status == 4, ran.err
    assert refused(ran) == {printable(key) for key in hostile}
    held = {item.key for item in seaweedfs.bucket().objects(f"{prefix}/{NAME}/")}
    assert held == set(ordinary(count))
    assert shell("push", NAME, "--json", timeout=550).json["datasets"][0]["actions"] == [], (
        "a second push has nothing to do"
    )

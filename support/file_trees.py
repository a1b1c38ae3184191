"""Trees of files, and the conditions that make the system refuse: another user, a small or read-only mount."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hashmark.core.model import Stamp
from hashmark.disk.place import open_slot
from hashmark.disk.walk import stamp_of

NOBODY = 65534


def fill(root: Path, *keys: str) -> None:
    """A file at each key, with its own name as its content."""
    for key in keys:
        path = root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(key))


def tree(root: Path) -> dict[str, bytes]:
    """Every file under `root`, temporary ones included, with its content."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@contextmanager
def deep(root: Path, name: str, depth: int, file: str) -> Iterator[None]:
    """`file` below `depth` folders of one name: deeper than a path may be long, or than Python's stack."""
    here = os.open(root, os.O_RDONLY)
    try:
        for _ in range(depth):
            os.mkdir(name, dir_fd=here)
            inner = os.open(name, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = inner
        os.close(os.open(file, os.O_CREAT | os.O_WRONLY, dir_fd=here))
        yield
    finally:
        os.close(here)
        subprocess.run(["rm", "-rf", root / name], check=True)  # Python's own removal would be as deep


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that any user may enter; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@contextmanager
def permissions_count() -> Iterator[None]:
    """Permissions mean nothing to root, so root becomes nobody for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[Path]:
    """`mount` these options on `folder`; skips the test, with the reason, where that is not allowed."""
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("mounting a file system needs root and the mount command")
    folder.mkdir(exist_ok=True)
    done = subprocess.run([mount, *options, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"this machine does not allow mounting: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def place(root: Path, key: str, data: bytes, expected: Stamp | None, trash: Path) -> None:
    """What a download does with `Slot`: write beside the place, then put it there."""
    with open_slot(root, key, create=True) as slot:
        temporary = slot.temporary()
        slot.fill(temporary, [data])
        slot.put(temporary, expected, trash, synced=True)


def stamp(path: Path) -> Stamp:
    """The stamp of what stands at `path`, a symlink included."""
    return stamp_of(path.lstat())


OLD, NEW = b"a.txt", b"new content"
BEFORE = {"set/a.txt": OLD}
AFTER = {
    "new": {"set/a.txt": OLD, "set/b.txt": NEW},
    "replace": {"set/a.txt": NEW, "trash/batch/set/a.txt": OLD},
    "remove": {"trash/batch/set/a.txt": OLD},
}
"""The three changes to a dataset `set` that holds `a.txt`: what is on disk before, and after each."""


def change(verb: str, root: Path, trash: Path) -> Callable[[], None]:
    """One of the changes, ready to be made: `trash` is where `a.txt` is to be kept."""
    shown = stamp(root / "a.txt")

    def remove() -> None:
        with open_slot(root, "a.txt") as slot:
            slot.remove(shown, trash)

    return {
        "new": lambda: place(root, "b.txt", NEW, None, trash),
        "replace": lambda: place(root, "a.txt", NEW, shown, trash),
        "remove": remove,
    }[verb]

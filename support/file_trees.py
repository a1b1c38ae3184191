"""Trees of files, and conditions under which the system refuses access: another user, a small or read-only mount."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from hashmark.core.model import Stamp
from hashmark.disk.place import open_slot
from hashmark.disk.unfinished import Unfinished
from hashmark.disk.walk import stamp_of

NOBODY = 65534


def write_files(root: Path, files: Mapping[str, bytes]) -> None:
    """Write the content of each key below `root`."""
    for key, data in files.items():
        path = root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def write_keys(root: Path, *keys: str) -> None:
    """Write a file at each key; its content is the key."""
    write_files(root, {key: os.fsencode(key) for key in keys})


def tree(root: Path) -> dict[str, bytes]:
    """Read every file under `root`, temporary ones included."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@contextmanager
def deep(root: Path, name: str, depth: int, file: str) -> Iterator[None]:
    """Create `file` below `depth` nested folders, deeper than the longest path or Python's stack."""
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
        subprocess.run(["rm", "-rf", root / name], check=True)  # Python's own removal would recurse as deeply


@contextmanager
def open_folder() -> Iterator[Path]:
    """Create a folder that any user may enter; pytest's own are private."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@contextmanager
def permissions_count() -> Iterator[None]:
    """Make permissions count for root: become the user nobody for the body of the block."""
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
    """Mount a file system on `folder`; skip the test, with the reason, if that is not allowed."""
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
    """Replace a file as a download does with `Slot`: write a temporary file, then rename it."""
    with open_slot(root, key, create=True) as slot:
        temporary = slot.temporary()
        file = Unfinished(slot, temporary)
        try:
            file.fill([data])
            file.sync()
            slot.put(temporary, expected, trash, synced=True)
        finally:
            file.drop()


def stamp(path: Path) -> Stamp:
    """Return the stamp of the file at `path`; do not follow a symlink."""
    return stamp_of(path.lstat())


OLD, NEW = b"a.txt", b"new content"
BEFORE = {"set/a.txt": OLD}
AFTER = {
    "new": {"set/a.txt": OLD, "set/b.txt": NEW},
    "replace": {"set/a.txt": NEW, "trash/batch/set/a.txt": OLD},
    "remove": {"trash/batch/set/a.txt": OLD},
}
"""The files of dataset `set` before a change and after each of the three changes."""


def change(verb: str, root: Path, trash: Path) -> Callable[[], None]:
    """Return a function that makes one of the changes; `trash` is where `a.txt` is kept."""
    shown = stamp(root / "a.txt")

    def remove() -> None:
        with open_slot(root, "a.txt") as slot:
            slot.remove(shown, trash)

    return {
        "new": lambda: place(root, "b.txt", NEW, None, trash),
        "replace": lambda: place(root, "a.txt", NEW, shown, trash),
        "remove": remove,
    }[verb]

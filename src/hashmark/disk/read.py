"""Reads small files of a dataset to show and edit them, never through a symlinked folder.

Does not know what the bytes mean. `disk.hashing` hashes large files.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from hashmark.core.errors import LocalError, Unreadable, UnsafePath
from hashmark.core.model import Stamp
from hashmark.disk.place import open_slot
from hashmark.disk.walk import stamp_of


def read_file(root: Path, key: str, limit: int, *, head: bool = False) -> tuple[bytes, Stamp] | None:
    """Return the file's bytes with its stamp, or None if it does not exist.

    A file of more than `limit` bytes is an error; with `head`, only its first `limit` bytes are read.

    Raises:
        UnsafePath: the key is unsafe, or one of its folders is a symlink.
        Unreadable: it cannot be read, is not a regular file, or is too large.
    """
    try:
        with open_slot(root, key) as slot:
            return _read(slot.path_of(slot.name), key, limit, head=head)
    except FileNotFoundError:
        return None
    except (UnsafePath, Unreadable):
        raise
    except LocalError:
        if _is_missing(root / key):
            return None
        raise Unreadable(f"'{key}' cannot be read: its folder cannot be opened.") from None
    except OSError as error:
        raise Unreadable(f"'{key}' cannot be read: {error.strerror}.") from None


def _is_missing(path: Path) -> bool:
    """Return whether certainly nothing is there; a folder without search permission hides the answer."""
    try:
        path.lstat()
    except OSError as error:
        return error.errno in {errno.ENOENT, errno.ENOTDIR}
    return False


def _read(path: str, key: str, limit: int, *, head: bool) -> tuple[bytes, Stamp]:
    # Does not wait for a writer if it is a pipe. Not `open`, which fails on a folder before its type is known.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise Unreadable(f"'{key}' cannot be read: it is not a regular file.")
        if facts.st_size > limit and not head:
            raise Unreadable(f"'{key}' is too large to be read ({facts.st_size} bytes).")
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(min(limit, facts.st_size) + 1)  # a read allocates all that it requests
            if len(data) > facts.st_size:
                data += file.read(limit + 1 - len(data))
    finally:
        os.close(descriptor)
    if len(data) > limit and not head:  # it grew meanwhile, and a part must not be taken for the whole
        raise Unreadable(f"'{key}' is too large to be read (more than {limit} bytes).")
    return data[:limit], stamp_of(facts)

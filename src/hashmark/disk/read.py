"""Reads whole small files of a dataset for showing and editing, never through a symlinked folder.

What the bytes mean is not known here; hashing large files is `disk.hashing`.
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
    """The file's bytes with its stamp, or None where there is no such file.

    A file of more than `limit` bytes is an error, or with `head` is cut off there.

    Raises:
        UnsafePath: the key is unsafe, or one of its folders is a symlink.
        Unreadable: it can't be read, is no regular file, or is too large.
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
        raise Unreadable(f"'{key}' can't be read: its folder can't be opened.") from None
    except OSError as error:
        raise Unreadable(f"'{key}' can't be read: {error.strerror}.") from None


def _is_missing(path: Path) -> bool:
    """Whether it is sure that nothing is there; a folder that may not be looked into hides the answer."""
    try:
        path.lstat()
    except OSError as error:
        return error.errno in {errno.ENOENT, errno.ENOTDIR}
    return False


def _read(path: str, key: str, limit: int, *, head: bool) -> tuple[bytes, Stamp]:
    # Without waiting for a writer, should it be a pipe. Not `open`: that fails on a folder before it can be told.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise Unreadable(f"'{key}' can't be read: it is not a regular file.")
        if facts.st_size > limit and not head:
            raise Unreadable(f"'{key}' is too large to be read here ({facts.st_size} bytes).")
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(min(limit, facts.st_size) + 1)  # asked for the limit, it would make room for that
            if len(data) > facts.st_size:
                data += file.read(limit + 1 - len(data))
    finally:
        os.close(descriptor)
    if len(data) > limit and not head:  # it grew meanwhile: a part must not pass for the whole
        raise Unreadable(f"'{key}' is too large to be read here (more than {limit} bytes).")
    return data[:limit], stamp_of(facts)

"""Finds out whether a file system shows every change of a file in its stamp, so that a digest may be remembered by it.

What is remembered, and for which files, is not known here.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

_MAPPED = "a write through a shared memory map does not change a file's times"

HIDES_CHANGES = {
    "tmpfs": _MAPPED,
    "ramfs": _MAPPED,
    "devtmpfs": _MAPPED,
    "hugetlbfs": _MAPPED,
}
"""Types that do not show every change, each with the reason. Seen on tmpfs, Linux 6.18: the kernel changes the times
when a mapped page becomes writable, which it does again after the page was written to a disk; these have none."""

SHOWS_CHANGES = frozenset({"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "nilfs2", "overlay", "xfs", "zfs"})
"""Types that do: ctime cannot be set, and mapped pages are stamped. Of all others (FUSE, network file systems, other
systems than Linux), whether ctime can be set is tried."""

_MOUNTS = Path("/proc/self/mountinfo")
_TRIED_AGO_NS = 86_400 * 10**9


def why_changes_may_hide(folder: Path, scratch: Path) -> str | None:
    """Return why a file in `folder` may change while its stamp stays the same; None where every change shows.

    `scratch` is a folder of the same file system, in which a temporary file is created if the type does not tell.
    """
    kind = type_of(folder)
    if reason := HIDES_CHANGES.get(kind or ""):
        return f"on {kind}, {reason}"
    if kind in SHOWS_CHANGES:
        return None
    name = f"this file system ({kind})" if kind else "this file system"
    try:
        follows = _ctime_follows_mtime(scratch)
    except OSError as error:
        return f"whether {name} shows every change can't be tried ({error.strerror or error})"
    return f"on {name}, a file's change time can be set along with its modification time" if follows else None


def type_of(folder: Path) -> str | None:
    """Return the type of the file system that holds a folder, as Linux names it (`ext4`, `fuse.rclone`), else None."""
    try:
        mounts = _MOUNTS.read_bytes().splitlines()
    except OSError:
        return None
    path = os.fsencode(os.path.realpath(folder))
    best, found = b"", None
    for line in mounts:
        # proc_pid_mountinfo(5): the fifth field is the mount point, the type follows a lone hyphen.
        fields, _, rest = line.partition(b" - ")
        point = _unescaped(fields.split(b" ")[4])
        is_above = path == point or path.startswith(point.rstrip(b"/") + b"/")
        if is_above and len(point) >= len(best):  # a later mount covers an earlier one of the same place
            best, found = point, os.fsdecode(rest.split(b" ")[0])
    return found


def _unescaped(point: bytes) -> bytes:
    return re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), point)


def _ctime_follows_mtime(folder: Path) -> bool:
    from hashmark.disk.durable import temporary_name  # noqa: PLC0415 - not needed where the type tells

    path = folder / temporary_name()
    try:
        path.touch(exist_ok=False)
        before = path.stat()
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns - _TRIED_AGO_NS))
        return path.stat().st_ctime_ns < before.st_ctime_ns - _TRIED_AGO_NS // 2
    finally:
        with contextlib.suppress(OSError):
            path.unlink()

"""Writes that survive a crash: syncs files and folders, and copies files under temporary names.

Does not know what is written or where it belongs.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from hashmark.core.errors import DiskFull, LocalError, ReadOnly
from hashmark.core.etags import MultipartHasher
from hashmark.disk import page_cache
from hashmark.disk.hashing import CHUNK_BYTES

WRITE_BYTES = 256 << 10
"""Bytes written at a time.

Larger writes cost Linux more: on ext4 with large folios (6.18), 1 MiB at a time took 3 times, 4 MiB 6 times as long.
"""


def as_local_error(error: OSError, path: str) -> LocalError:
    """Return an operating system error as the matching `LocalError`."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFull(f"Cannot write '{path}': no space is left.")
    if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
        return ReadOnly(f"Cannot write '{path}': {error.strerror}.")
    return LocalError(f"'{path}': {error.strerror or error}.", "Check the path and the disk.")


@contextlib.contextmanager
def noting(errors: dict[str, LocalError], key: str) -> Iterator[None]:
    """Record why one file failed, so that the others go on."""
    try:
        yield
    except LocalError as error:
        errors[key] = error
    except OSError as error:
        errors[key] = as_local_error(error, key)


def write_all(
    descriptor: int, chunks: Iterable[bytes], hasher: MultipartHasher | None = None, *, start: int = 0
) -> int:
    """Write all chunks from the byte `start` on, hash them with `hasher`, and return the size that the file then has.

    Raises:
        OSError: they cannot be written.
    """
    size = begun = start
    for chunk in chunks:
        rest = memoryview(chunk)
        while rest:
            rest = rest[os.write(descriptor, rest[:WRITE_BYTES]) :]
        size += len(chunk)
        if size - begun >= CHUNK_BYTES:
            page_cache.start_write_back(descriptor, begun, size - begun)
            begun = size
        if hasher:
            hasher.update(chunk)  # while the device writes
    return size


def temporary_name() -> str:
    """Return a new name for unfinished content, which `core.keys.TEMPORARY` matches."""
    return f".hashmark-{os.getpid()}-{secrets.token_hex(6)}.part"


def continued_name(content: str) -> str:
    """Return the name for unfinished content that a later run continues: the same for the same `content`.

    `core.keys.TEMPORARY` matches it, too. No process has the number 0.
    """
    return f".hashmark-0-{hashlib.sha256(content.encode('utf-8', 'surrogateescape')).hexdigest()[:24]}.part"


def sync_file(path: str) -> None:
    """Sync the file to the device."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def keep_in_trash(path: str, trash: Path) -> None:
    """Link or copy the file at `path` to `trash`, and sync it to the device.

    Raises:
        OSError: neither is possible.
    """
    if not link_or_copy(path, trash):
        sync_file(os.fspath(trash))
    sync_folder(trash.parent)


def link_or_copy(path: str, trash: Path) -> bool:
    """Link the file at `path` to `trash` and return True, or copy it where that is impossible or unsafe.

    A file with several names is copied, since an edit under another name would change the trash, too.

    Raises:
        OSError: neither is possible.
    """
    trash.parent.mkdir(parents=True, exist_ok=True)
    trash.unlink(missing_ok=True)
    if _linked(path, trash):
        return True
    unfinished = trash.with_name(temporary_name())
    try:
        shutil.copy2(path, unfinished, follow_symlinks=False)
        # An incomplete copy must not look like the content: `trash restore` would replace the whole file with it.
        unfinished.replace(trash)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    return False


def _linked(path: str, trash: Path) -> bool:
    if os.stat(path, follow_symlinks=False).st_nlink > 1:  # noqa: PTH116 - the path is relative to a descriptor
        return False
    try:
        os.link(path, trash, follow_symlinks=False)
    except OSError as error:
        if error.errno not in {errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}:
            raise
        return False
    return True


def sync_folder(path: Path) -> None:
    """Sync the folder's entries to the device."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, data: bytes) -> None:
    """Write a whole file so that a reader sees the old or the new content, never a part.

    Raises:
        LocalError: it cannot be written; the old content is untouched.
    """
    temporary = path.with_name(temporary_name())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise as_local_error(error, os.fspath(path)) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)

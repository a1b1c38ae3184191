"""Rewrites many small files as one batch: each holds its old or its new content at every moment, the old is kept.

A file is replaced only while it holds the bytes it is expected to hold. Some hundred files at a time are done in three
steps: keep the old content in the trash and write the new one beside it; have all of that on the device, at once; look
again, and rename. A flush for each file would take minutes for ten thousand. What the content is, and what is
written down about the batch, is not known here.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from hashmark.core.errors import DiskFull, FileChanged, LocalError
from hashmark.disk.durable import as_local_error, link_or_copy, sync_file, sync_folder
from hashmark.disk.place import Slot, open_slot

MAX_FILES_PER_FLUSH = 500
"""Files between two flushes; the most that a stop has to wait for."""

MAX_SINGLE_FLUSHES = 16
"""Files up to which each is flushed by itself: a flush of everything also waits for what other programs write."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """One file: what it holds and is to hold, None for no file.

    `source` is a file that holds `after` already, and that nobody writes to: the place gets a link to it, and so its
    time, or a copy where that would not do.
    """

    key: str
    before: bytes | None
    after: bytes | None
    source: Path | None = None


Done = tuple[Rewrite, LocalError | None]
"""A file, and why it was left as it was; None where it was rewritten."""


def rewrite_all(root: Path, trash: Path, rewrites: Iterable[Rewrite], cancel: threading.Event) -> Iterator[Done]:
    """Rewrite files of the folder `root`, keeping what they held at their keys under `trash`; tells of each.

    Stops early where `cancel` is set or the disk is full. An error of one file leaves that file as it was.

    Raises:
        LocalError: the device fails; the trash holds what was.
    """
    waiting = iter(rewrites)
    while not cancel.is_set() and (some := list(islice(waiting, MAX_FILES_PER_FLUSH))):
        done = _rewrite_some(root, trash, some)
        yield from done
        if any(isinstance(error, DiskFull) for _, error in done):
            return


@dataclass(frozen=True, slots=True)
class _Ready:
    """A file whose old content is in the trash and whose new one waits as `temporary`; None where it is to go."""

    rewrite: Rewrite
    temporary: str | None


def _rewrite_some(root: Path, trash: Path, rewrites: Sequence[Rewrite]) -> list[Done]:
    errors: dict[str, LocalError] = {}
    ready: list[_Ready] = []
    try:
        for rewrite in rewrites:
            with _noting(errors, rewrite.key):
                ready.append(_prepare(root, trash, rewrite))
        _flush(root, trash, ready)
    except BaseException as error:
        for step in ready:
            _withdraw(root, trash, step)
        if isinstance(error, OSError):
            raise as_local_error(error, os.fspath(root)) from None
        raise
    for step in ready:
        with _noting(errors, step.rewrite.key):
            _swap(root, trash, step)
    for folder in _folders(root, ready):
        try:
            sync_folder(folder)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise as_local_error(error, os.fspath(folder)) from None
    return [(rewrite, errors.get(rewrite.key)) for rewrite in rewrites]


@contextlib.contextmanager
def _noting(errors: dict[str, LocalError], key: str) -> Iterator[None]:
    """Note why the body could not be done for one file, and go on with the others."""
    try:
        yield
    except LocalError as error:
        errors[key] = error
    except OSError as error:
        errors[key] = as_local_error(error, key)


def _prepare(root: Path, trash: Path, rewrite: Rewrite) -> _Ready:
    """Keep what is in the place and write what is to be there beside it; nothing is flushed."""
    with open_slot(root, rewrite.key, create=rewrite.before is None) as slot:
        if (slot.stamp() is None) != (rewrite.before is None):
            raise _changed(rewrite.key)
        facts = None if rewrite.before is None else slot.facts()
        kept = trash / rewrite.key
        temporary = None if rewrite.after is None else slot.temporary()
        try:
            if facts is not None:
                link_or_copy(slot.path_of(slot.name), kept)
            if temporary is not None:
                _fill(slot.path_of(temporary), rewrite, facts)
        except BaseException:
            _drop(slot, kept, temporary)
            raise
    return _Ready(rewrite, temporary)


def _fill(path: str, rewrite: Rewrite, like: os.stat_result | None) -> None:
    """Have the new content at `path`: linked, which costs no writing, or written."""
    if rewrite.source is None:
        _write(path, rewrite, like)
        return
    facts = rewrite.source.stat()
    with contextlib.suppress(OSError):
        os.link(rewrite.source, path, follow_symlinks=False)
        if _holds(path, rewrite.after):
            if like is not None and facts.st_mode != like.st_mode:
                os.chmod(path, stat.S_IMODE(like.st_mode) & 0o777)  # noqa: PTH101 - relative to a descriptor
            return
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108 - as above
    _write(path, rewrite, like)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def _write(path: str, rewrite: Rewrite, like: os.stat_result | None) -> None:
    """A new file with the mode, and where we may, the owner of the one it is to replace."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, no path
        file.write(rewrite.after or b"")
        if like is not None:
            os.fchmod(descriptor, stat.S_IMODE(like.st_mode) & 0o777)
            if (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
                with contextlib.suppress(OSError):
                    os.fchown(descriptor, like.st_uid, like.st_gid)


def _swap(root: Path, trash: Path, step: _Ready) -> None:
    """Put the new content in the place, if that still holds the old one."""
    rewrite, temporary = step.rewrite, step.temporary
    try:
        with open_slot(root, rewrite.key) as slot:
            place = slot.path_of(slot.name)
            if rewrite.before is None and temporary is not None:
                slot.link_new(temporary)
            elif _holds(place, rewrite.before):
                if temporary is None:
                    os.unlink(place)  # noqa: PTH108 - relative to a descriptor
                else:
                    os.rename(slot.path_of(temporary), place)  # noqa: PTH104 - as above
            else:
                raise _changed(rewrite.key)
            if temporary is not None:
                slot.drop(temporary)
    except BaseException:
        _withdraw(root, trash, step)
        raise


def _holds(path: str, data: bytes | None) -> bool:
    """Whether a regular file is at `path` and holds exactly `data`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    with open(descriptor, "rb") as file:  # noqa: PTH123 - as above
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        return data is not None and regular and file.read(len(data) + 1) == data


def _changed(key: str) -> FileChanged:
    return FileChanged(f"'{key}' changed on disk after it was looked at and is left as it is.", "Look again.")


def _withdraw(root: Path, trash: Path, step: _Ready) -> None:
    """Take back what `_prepare` did for a file that is not replaced after all.

    What the trash has of it goes only while its place on disk has something: else the trash may hold all that is left.
    """
    with contextlib.suppress(LocalError, OSError), open_slot(root, step.rewrite.key) as slot:
        gone = step.rewrite.before is not None and not os.path.lexists(slot.path_of(slot.name))
        _drop(slot, None if gone or step.rewrite.before is None else trash / step.rewrite.key, step.temporary)


def _drop(slot: Slot, kept: Path | None, temporary: str | None) -> None:
    if temporary is not None:
        slot.drop(temporary)
    if kept is not None:
        with contextlib.suppress(OSError):
            kept.unlink(missing_ok=True)


def _folders(root: Path, ready: Iterable[_Ready]) -> set[Path]:
    return {root / inner for inner in {step.rewrite.key.rpartition("/")[0] for step in ready}}


def _flush(root: Path, trash: Path, ready: Sequence[_Ready]) -> None:
    """Have the old content in the trash and the new one beside the files on their devices, before any is replaced."""
    kept = {folder for folder in _folders(trash, ready) if folder.is_dir()}
    flush_device = _syncfs()
    if flush_device is not None and len(ready) > MAX_SINGLE_FLUSHES:
        for folder in {os.stat(folder).st_dev: folder for folder in (root, *kept)}.values():  # noqa: PTH116
            flush_device(folder)
        return
    for step in ready:
        if step.temporary is not None:
            with open_slot(root, step.rewrite.key) as slot:
                sync_file(slot.path_of(step.temporary))
        if step.rewrite.before is not None:
            sync_file(os.fspath(trash / step.rewrite.key))
    for folder in kept:
        for inner in (folder, *folder.parents):
            if inner == trash.parent.parent.parent:
                break
            sync_folder(inner)


@functools.cache
def _syncfs() -> Callable[[Path], None] | None:
    """Flushes the file system that holds a folder (Linux, syncfs(2)); None where there is no such call."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None) if sys.platform == "linux" else None
    if call is None:
        return None

    def flush(folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if call(descriptor):
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number), os.fspath(folder))
        finally:
            os.close(descriptor)

    return flush

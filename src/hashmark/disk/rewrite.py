"""Rewrites many small files. Each holds its old or its new content at every moment, and the old content is kept.

A file is replaced only while it holds the bytes it is expected to hold. A few hundred files at a time go through three
steps: keep the old content in the trash and write the new content beside the file; flush all of that to the device at
once; check the file again and rename. Flushing each file would take minutes for ten thousand files. Knows neither what
the content means nor what a batch records.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from hashmark.core.errors import DiskFull, FileChanged, LocalError
from hashmark.disk.durable import as_local_error, link_or_copy, noting, sync_file, sync_folder
from hashmark.disk.place import Slot, open_slot

MAX_FILES_PER_FLUSH = 500
"""Files between two flushes. A cancelled run finishes at most these."""

MAX_SINGLE_FLUSHES = 16
"""Up to this many files, each is flushed alone: flushing the device also waits for what other programs write."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """One file: its content before and after, None for no file.

    `source` is a file that already holds `after` and that nobody writes to: the new file is a link to it, and so has
    its time, or a copy with that time where a link is not possible.
    """

    key: str
    before: bytes | None
    after: bytes | None
    source: Path | None = None


Done = tuple[Rewrite, LocalError | None]
"""A file, and why it was not rewritten; None if it was."""


def rewrite_all(root: Path, trash: Path, rewrites: Iterable[Rewrite], cancel: threading.Event) -> Iterator[Done]:
    """Rewrite files of the folder `root`, keep their old content at their keys under `trash`, and yield each result.

    Stops early if `cancel` is set or the disk is full. A file with an error stays as it was.

    Raises:
        LocalError: the device fails; the trash holds the old content.
    """
    waiting = iter(rewrites)
    while not cancel.is_set() and (some := list(islice(waiting, MAX_FILES_PER_FLUSH))):
        done = _rewrite_some(root, trash, some)
        yield from done
        if any(isinstance(error, DiskFull) for _, error in done):
            return


@dataclass(frozen=True, slots=True)
class _Ready:
    """A file whose old content is in the trash and whose new content is in `temporary`; None if it will be deleted."""

    rewrite: Rewrite
    temporary: str | None


def _rewrite_some(root: Path, trash: Path, rewrites: Sequence[Rewrite]) -> list[Done]:
    errors: dict[str, LocalError] = {}
    ready: list[_Ready] = []
    try:
        for rewrite in rewrites:
            with noting(errors, rewrite.key):
                ready.append(_prepare(root, trash, rewrite))
        _flush(root, trash, ready)
    except BaseException as error:
        for step in ready:
            _withdraw(root, trash, step)
        if isinstance(error, OSError):
            raise as_local_error(error, os.fspath(root)) from None
        raise
    for step in ready:
        with noting(errors, step.rewrite.key):
            _swap(root, trash, step)
    for folder in _folders(root, ready):
        try:
            sync_folder(folder)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise as_local_error(error, os.fspath(folder)) from None
    return [(rewrite, errors.get(rewrite.key)) for rewrite in rewrites]


def _prepare(root: Path, trash: Path, rewrite: Rewrite) -> _Ready:
    """Keep the old content in the trash and write the new content beside the file. Flushes nothing."""
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
                _write_new(slot.path_of(temporary), rewrite, facts)
        except BaseException:
            _drop(slot, kept, temporary)
            raise
    return _Ready(rewrite, temporary)


def _write_new(path: str, rewrite: Rewrite, like: os.stat_result | None) -> None:
    """Create the new content at `path`: as a link, which costs no writing, or as a new file.

    A new file gets the mode and, if permitted, the owner of the file it replaces.
    """
    source = rewrite.source.stat() if rewrite.source is not None else None
    if rewrite.source is not None and source is not None:
        with contextlib.suppress(OSError):
            os.link(rewrite.source, path, follow_symlinks=False)
            if _holds(path, rewrite.after):
                if like is not None and source.st_mode != like.st_mode:
                    os.chmod(path, stat.S_IMODE(like.st_mode) & 0o777)  # noqa: PTH101 - relative to a descriptor
                return
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)  # noqa: PTH108 - as above
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, no path
        file.write(rewrite.after or b"")
        if like is not None:
            os.fchmod(descriptor, stat.S_IMODE(like.st_mode) & 0o777)
            if (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
                with contextlib.suppress(OSError):
                    os.fchown(descriptor, like.st_uid, like.st_gid)
    if source is not None:
        os.utime(path, ns=(source.st_atime_ns, source.st_mtime_ns))


def _swap(root: Path, trash: Path, step: _Ready) -> None:
    """Replace the file with its new content if it still holds the old content."""
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
    """Return whether `path` is a regular file that holds exactly `data`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    with open(descriptor, "rb") as file:  # noqa: PTH123 - as above
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        return data is not None and regular and file.read(len(data) + 1) == data


def _changed(key: str) -> FileChanged:
    return FileChanged(f"'{key}' changed on disk meanwhile and is left as it is.", "Run it again.")


def _withdraw(root: Path, trash: Path, step: _Ready) -> None:
    """Undo what `_prepare` did for a file that is not replaced after all.

    The copy in the trash is removed only if the file exists: otherwise it may be the only one left.
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
    """Flush the old content in the trash and the new content beside the files, before any file is replaced."""
    kept = {folder for folder in _folders(trash, ready) if folder.is_dir()}
    if len(ready) > MAX_SINGLE_FLUSHES:
        one_per_device = {os.stat(folder).st_dev: folder for folder in (root, *kept)}.values()  # noqa: PTH116
        if all(_sync_device(folder) for folder in one_per_device):
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


def _sync_device(folder: Path) -> bool:
    """Flush the file system that holds a folder (Linux, syncfs(2)); return False if there is no such call."""
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None) if sys.platform == "linux" else None
    if syncfs is None:
        return False
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if syncfs(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), os.fspath(folder))
    finally:
        os.close(descriptor)
    return True

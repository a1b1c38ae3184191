"""Replaces files so that every path has either the old or the new content at any time.

Paths are resolved one folder at a time from an open descriptor of the dataset, refusing symlinks, so that no key and no
swapped folder can lead outside. New content is written to a file in the same folder (`disk.unfinished`) and synced;
the target is checked again; then the file is renamed and the folder is synced. The old content goes to the trash first.
Does not know where content comes from.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from hashmark.core.errors import FileChanged, ReadOnly, UnsafePath
from hashmark.core.keys import unsafe_reason
from hashmark.core.model import Stamp
from hashmark.disk.durable import as_local_error, keep_in_trash, sync_file, temporary_name
from hashmark.disk.hashing import hash_file
from hashmark.disk.walk import stamp_of

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_EXISTING = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})
_BY_DESCRIPTOR = Path("/proc/self/fd").is_dir()
_CAN_BE_UNNAMED = _BY_DESCRIPTOR and hasattr(os, "O_TMPFILE")
_UNNAMED = os.O_RDWR | getattr(os, "O_TMPFILE", 0) | os.O_CLOEXEC


class Slot:
    """The place of a file: an open folder and a name in it."""

    def __init__(self, root: Path, key: str, folder: int) -> None:
        self.key = key
        self.name = key.rsplit("/", 1)[-1]
        self._folder = folder
        self._root = root

    def path_of(self, name: str) -> str:
        """Return a path to `name` in this folder that renaming parents cannot redirect, where the system has one."""
        if _BY_DESCRIPTOR:
            return f"/proc/self/fd/{self._folder}/{name}"
        return os.fspath((self._root / self.key).with_name(name))

    def facts(self) -> os.stat_result:
        """Return the stat of the file before it is replaced.

        Raises:
            ReadOnly: nobody may write it, which a rename would not check.
        """
        facts = os.stat(self.name, dir_fd=self._folder, follow_symlinks=False)
        if not facts.st_mode & 0o222:
            raise ReadOnly(f"'{self.key}' is read-only and is left as it is.", "Make it writable, then run again.")
        return facts

    def stamp(self, name: str | None = None) -> Stamp | None:
        """Return the current stamp of the file (or of `name` in its folder), or None if there is none.

        Raises:
            UnsafePath: it is a symlink, a folder or a device, which must not be replaced.
        """
        try:
            facts = os.stat(name or self.name, dir_fd=self._folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(facts.st_mode):
            what = "a symlink" if stat.S_ISLNK(facts.st_mode) else "not a regular file"
            raise UnsafePath(f"'{self.key}' is {what} on disk and is left as it is.", "Move it away, then run again.")
        return stamp_of(facts)

    def temporary(self) -> str:
        """Return a new name for unfinished content in this folder."""
        return temporary_name()

    def check_writable(self) -> None:
        """Check that a file can be created here, before anything is downloaded.

        Raises:
            ReadOnly: it cannot.
        """
        if not os.access(".", os.W_OK, dir_fd=self._folder, effective_ids=os.access in os.supports_effective_ids):
            raise ReadOnly(f"'{self.key}' cannot be written: its folder is read-only.")

    def open_new(self, name: str | None) -> tuple[int, str | None]:
        """Create a file in this folder for new content. Return its descriptor and its name.

        Without `name`, it has none until it is linked; or, where the system can't do that, a temporary one.

        Raises:
            OSError: it can't be created.
        """
        if name is None and _CAN_BE_UNNAMED:
            try:
                return os.open(".", _UNNAMED, 0o666, dir_fd=self._folder), None
            except OSError as error:
                # EISDIR: a kernel without O_TMPFILE; the others: a file system without.
                if error.errno not in {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOSYS, errno.ENOENT}:
                    raise
        name = name or temporary_name()
        return os.open(name, _NEW, 0o666, dir_fd=self._folder), name

    def open_existing(self, name: str) -> int:
        """Open a file in this folder for reading and writing. Return its descriptor.

        Raises:
            OSError: it does not exist, or can't be opened.
        """
        return os.open(name, _EXISTING, dir_fd=self._folder)

    def folder_id(self) -> tuple[int, int]:
        """Return what identifies the folder."""
        facts = os.fstat(self._folder)
        return facts.st_dev, facts.st_ino

    def sync_folder(self) -> None:
        """Sync the folder's names to the device.

        Raises:
            LocalError: the system refuses.
        """
        try:
            os.fsync(self._folder)
        except OSError as error:
            raise as_local_error(error, self.key) from None

    def put(
        self,
        temporary: str,
        expected: Stamp | None,
        trash: Path,
        md5: str | None = None,
        *,
        synced: bool = False,
    ) -> None:
        """Move finished content from `temporary` into place, after syncing it unless it is `synced`.

        `expected` is the stamp that the user saw (None: no file), and `md5` its digest. The old content is kept at
        `trash`.

        Raises:
            FileChanged: the place has something else now.
            LocalError: the system refuses; the place is unchanged.
        """
        try:
            if not synced:
                sync_file(self.path_of(temporary))
            if expected is None:
                # Unlike a rename, a link fails if a file has appeared meanwhile.
                self.link_new(temporary)
            else:
                self._check_whole(expected, md5)
                self._inherit_mode(temporary)
                with self._kept(expected, trash):
                    os.rename(temporary, self.name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            os.fsync(self._folder)
        except OSError as error:
            raise as_local_error(error, self.key) from None
        finally:
            self.drop(temporary)

    @contextlib.contextmanager
    def _kept(self, expected: Stamp, trash: Path) -> Iterator[None]:
        """Keep the old content at `trash` while the body replaces it; remove it again if the body fails."""
        began = False
        try:
            keep_in_trash(self.path_of(self.name), trash)
            # A hard link, such as that of the trash, changes the ctime of the inode.
            self._check(expected)
            began = True
            yield
        except BaseException:
            # It is an incomplete copy, or a second name of the live file, which would change with it. But once the
            # live file is gone, whatever the error said, the trash has the only copy.
            if not (began and self._is_gone(expected)):
                with contextlib.suppress(OSError):
                    trash.unlink(missing_ok=True)
            raise

    def _is_gone(self, expected: Stamp) -> bool:
        try:
            now = self.stamp()
        except (OSError, UnsafePath):
            return True
        return now is None or (now.inode, now.device) != (expected.inode, expected.device)

    def link_open(self, descriptor: int) -> bool:
        """Link an open file without a name to this place, which must be empty. Return False if the system can't.

        Raises:
            FileChanged: a file has appeared there.
            UnsafePath: something else has.
            OSError: the system refuses.
        """
        try:
            os.link(f"/proc/self/fd/{descriptor}", self.name, dst_dir_fd=self._folder, follow_symlinks=True)
        except FileExistsError:
            self._raise_taken()
        except OSError as error:
            if error.errno not in {*_NO_LINKS, errno.EXDEV, errno.ENOENT}:
                raise
            return False
        return True

    def _raise_taken(self) -> NoReturn:
        self.stamp()  # a symlink or a folder is named as such
        raise FileChanged(f"'{self.key}' appeared on disk in the meantime and is left as it is.") from None

    def link_new(self, temporary: str) -> None:
        """Link `temporary` to this place, which must be empty.

        Raises:
            FileChanged: a file has appeared there.
            UnsafePath: something else has.
        """
        try:
            os.link(temporary, self.name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except FileExistsError:
            self._raise_taken()
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            self._check(None)  # without hard links, a small gap remains between this check and the rename
            os.rename(temporary, self.name, src_dir_fd=self._folder, dst_dir_fd=self._folder)

    def _inherit_mode(self, temporary: str) -> None:
        mode = stat.S_IMODE(os.stat(self.name, dir_fd=self._folder, follow_symlinks=False).st_mode)
        os.chmod(self.path_of(temporary), mode & 0o777)  # noqa: PTH101 - the path is relative to a descriptor

    def _check(self, expected: Stamp | None) -> None:
        """Check that the place holds `expected`, ignoring its ctime."""
        now = self.stamp()
        if now is None and expected is None:
            return
        if now is None or expected is None or now != expected._replace(ctime_ns=now.ctime_ns):
            raise FileChanged(f"'{self.key}' changed on disk after it was compared and is left as it is.")

    def _check_whole(self, expected: Stamp | None, md5: str | None) -> None:
        """Check that the place holds `expected`, including its ctime.

        Hard links, permissions and renames also change the ctime. If nothing else changed, the bytes decide.
        """
        self._check(expected)
        now = self.stamp()
        if now == expected or (md5 is not None and hash_file(self.path_of(self.name))[0] == md5):
            return
        raise FileChanged(f"'{self.key}' changed on disk after it was compared and is left as it is.")

    def remove(self, expected: Stamp, trash: Path, md5: str | None = None) -> None:
        """Move the file to `trash`, if it is still the one that the user saw (`md5` is its digest).

        Raises:
            FileChanged: it is another one.
            LocalError: the system refuses; the file is still in its place.
        """
        try:
            self._check_whole(expected, md5)
            with self._kept(expected, trash):
                os.unlink(self.name, dir_fd=self._folder)
            os.fsync(self._folder)
        except OSError as error:
            raise as_local_error(error, self.key) from None

    def move_to(self, target: Slot, expected: Stamp, md5: str | None = None) -> None:
        """Rename the file, if it is still the one that the user saw (`md5` is its digest), to an empty place.

        On a disk that ignores letter case, the new name may be one of the file itself.

        Raises:
            FileChanged: it is another one, or a file has appeared in the other place.
            LocalError: the system refuses; the file is still in its place.
        """
        try:
            self._check_whole(expected, md5)
            there = target.stamp()
            if there and (there.inode, there.device) == (expected.inode, expected.device):
                if self.name == target.name and self.folder_id() == target.folder_id():
                    said = f"'{self.key}' and '{target.key}' differ in the name of a folder, which this disk ignores."
                    raise UnsafePath(said, "Rename the folder.")
                if self._is_listed() and target._is_listed():  # two links, between which a rename does nothing
                    os.unlink(self.name, dir_fd=self._folder)
                else:
                    os.rename(self.name, target.name, src_dir_fd=self._folder, dst_dir_fd=target._folder)
            else:
                try:
                    # Unlike a rename, a link fails if a file has appeared meanwhile.
                    os.link(self.name, target.name, src_dir_fd=self._folder, dst_dir_fd=target._folder)
                except FileExistsError:
                    target._raise_taken()
                os.unlink(self.name, dir_fd=self._folder)
            os.fsync(target._folder)
            os.fsync(self._folder)
        except OSError as error:
            raise as_local_error(error, self.key) from None

    def _is_listed(self) -> bool:
        """Return whether the folder has exactly this name, on a disk that ignores letter case too."""
        with os.scandir(self._folder) as scan:
            return any(entry.name == self.name for entry in scan)

    def drop(self, temporary: str) -> None:
        """Remove unfinished content if it exists; what cannot be removed is left for `walk.leftovers`."""
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=self._folder)


@contextlib.contextmanager
def open_slot(root: Path, key: str, *, create: bool = False) -> Iterator[Slot]:
    """Open the place of `key` under `root`, with `create` making its folders.

    Raises:
        UnsafePath: the key is unsafe, or one of its folders is a symlink or a file.
        LocalError: a folder can't be opened or made.
    """
    reason = unsafe_reason(key)
    if reason:
        raise UnsafePath(f"'{key}' {reason}.", "Rename it.")
    try:
        folder = _open_root(root, create=create)
    except OSError as error:
        raise as_local_error(error, os.fspath(root)) from None
    try:
        for part in key.split("/")[:-1]:
            folder = _enter(folder, part, key, create=create)
        yield Slot(root, key, folder)
    finally:
        os.close(folder)


def _open_root(root: Path, *, create: bool) -> int:
    flags = _FOLDER & ~os.O_NOFOLLOW  # the dataset's own folder may be a symlink that its owner made
    try:
        return os.open(root, flags)
    except FileNotFoundError:
        if not create:
            raise
        root.mkdir(parents=True, exist_ok=True)
        return os.open(root, flags)


def _enter(folder: int, part: str, key: str, *, create: bool) -> int:
    try:
        if create:
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, dir_fd=folder)
                os.fsync(folder)  # a synced file is lost if its folder is lost
        inner = os.open(part, _FOLDER, dir_fd=folder)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR}:
            raise UnsafePath(f"'{key}': its folder '{part}' is a symlink or a file.", "Move it away.") from None
        raise as_local_error(error, key) from None
    os.close(folder)
    return inner

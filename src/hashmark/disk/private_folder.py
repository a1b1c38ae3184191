"""Opens hashmark's own folders, which only their owner can enter, without following a symlink.

A folder that was unpacked or cloned may contain symlinks by which a write would reach another file of the user. So
nothing at or below `.hashmark` is reached through one; and because its mode is 0700, no other user can add one later.
Does not know what the files are for.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType

from hashmark.core.errors import UnsafePath
from hashmark.core.keys import TEMPORARY

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL


def own_users() -> frozenset[int]:
    """Return the users whose files are not another user's: this process's, root, and the one who called sudo."""
    users = {os.geteuid(), 0}
    if os.geteuid() == 0 and os.environ.get("SUDO_UID", "").isdecimal():
        users.add(int(os.environ["SUDO_UID"]))
    return frozenset(users)


class PrivateFolder:
    """An open folder of hashmark's own. Use it as a context manager, or call `close`.

    It is `root/name/name…`; the named folders are hashmark's and are created if they are missing, with mode 0700.
    Each must belong to one of `owners`, by default `own_users`.

    Raises:
        UnsafePath: one of them is a symlink, or belongs to another user.
        LocalError: it can't be opened or created.
    """

    def __init__(self, root: Path, *names: str, owners: Collection[int] | None = None) -> None:
        self.path = root.joinpath(*names)
        try:
            root.mkdir(parents=True, exist_ok=True)
            self._folder = _open(root, names, owners or own_users(), create=True)
        except OSError as error:
            from hashmark.disk.durable import as_local_error  # noqa: PLC0415 - only after an error

            raise as_local_error(error, os.fspath(self.path)) from None

    def open(self, name: str, flags: int) -> int:
        """Open a file in the folder, with mode 0600 if this creates it. Return its descriptor.

        Raises:
            OSError: it can't be opened; `ELOOP` if it is a symlink.
        """
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self._folder)

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            OSError: it can't be read.
        """
        with open(self.open(name, os.O_RDONLY), "rb") as file:  # noqa: PTH123 - a descriptor, no path
            return file.read()

    def write(self, name: str, content: bytes, *, replace: bool = True) -> None:
        """Write a file so that a reader sees all of it or none. Without `replace`, one that exists is kept.

        Raises:
            OSError: it can't be written.
        """
        from hashmark.disk.durable import temporary_name  # noqa: PLC0415 - a check of a bucket writes nothing

        temporary = temporary_name()
        try:
            with open(self.open(temporary, _NEW), "wb") as file:  # noqa: PTH123 - as above
                file.write(content)
            if replace:
                os.rename(temporary, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            else:
                with contextlib.suppress(FileExistsError):  # the first of two processes wins
                    os.link(temporary, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        finally:
            self.remove(temporary)

    def remove(self, name: str) -> None:
        """Remove a file, if it exists.

        Raises:
            OSError: it can't be removed.
        """
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._folder)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder's lock, which one process at a time has."""
        fcntl.flock(self._folder, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._folder, fcntl.LOCK_UN)

    def is_empty(self) -> bool:
        """Return whether the folder has no entry but what a killed process did not finish."""
        return all(TEMPORARY.fullmatch(name) for name in os.listdir(self._folder))  # noqa: PTH208 - a descriptor, no path

    def exists(self, name: str) -> bool:
        """Return whether the folder has an entry of that name, of whatever kind."""
        return self.facts(name) is not None

    def facts(self, name: str) -> os.stat_result | None:
        """Return the stat of an entry, not following a symlink; None if there is none."""
        try:
            return os.stat(name, dir_fd=self._folder, follow_symlinks=False)
        except OSError:
            return None

    def close(self) -> None:
        """Close the folder."""
        os.close(self._folder)

    def __enter__(self) -> PrivateFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def private_path(root: Path, *names: str, owners: Collection[int] | None = None) -> Path:
    """Return `root/name/name…`, after checking its folders as `PrivateFolder` does, as far as they can be opened.

    Raises:
        UnsafePath: as `PrivateFolder`.
    """
    with contextlib.suppress(OSError):
        os.close(_open(root, names, owners or own_users(), create=False))
    return root.joinpath(*names)


def check_private_file(path: Path) -> Path:
    """Return the path of a file in a folder of hashmark's, which exists as a regular file or not at all.

    Raises:
        UnsafePath: it is a symlink or no file.
    """
    with contextlib.suppress(OSError):
        if not stat.S_ISREG(path.lstat().st_mode):
            raise _foreign(path, "is not a regular file")
    return path


def _open(root: Path, names: Collection[str], owners: Collection[int], *, create: bool) -> int:
    """Open the innermost folder.

    Raises:
        UnsafePath: as `PrivateFolder`.
        OSError: a folder can't be opened or created.
    """
    path = root
    folder = os.open(root, _FOLDER & ~os.O_NOFOLLOW)  # the user's own folder, which may be reached by a symlink
    for name in names:
        path /= name
        outer = folder
        try:
            if create:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=outer)
            if stat.S_ISLNK(os.stat(name, dir_fd=outer, follow_symlinks=False).st_mode):
                raise _foreign(path, "is a symlink")
            folder = os.open(name, _FOLDER, dir_fd=outer)
        finally:
            os.close(outer)
        facts = os.fstat(folder)
        if facts.st_uid not in owners:
            os.close(folder)
            raise _foreign(path, f"belongs to another user (number {facts.st_uid})")
        if facts.st_mode & 0o077:
            with contextlib.suppress(OSError):  # on a read-only file system, say
                os.fchmod(folder, 0o700)
    return folder


def _foreign(path: Path, what: str) -> UnsafePath:
    return UnsafePath(f"{path} {what}; hashmark did not make it.", "Move it away, then run again.")

"""Walks a dataset's folder in key order and reports what it cannot read.

The order is S3's: by the UTF-8 bytes of the whole key, so a folder sorts as its name plus `/`. Symlinks to folders are
not followed; symlinks to files are read. Does not know what the files are for.
"""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import repeat
from operator import methodcaller
from pathlib import Path

from hashmark.core.blocks import BLOCK_ROWS, blocks, make_rows
from hashmark.core.ignored import IgnoredNames
from hashmark.core.keys import STATE_FOLDER, is_unfinished
from hashmark.core.model import Key, LocalFile, Problem, Stamp
from hashmark.disk.names import in_byte_order
from hashmark.native import kernel

_STATE = f"{STATE_FOLDER}/"

_IS_FOLDER = methodcaller("endswith", "/")

Ignores = Callable[[Sequence[str]], Collection[str]]
"""Returns those of these keys (folders have a final `/`) that are ignored."""


def _nothing(_keys: Sequence[str]) -> Collection[str]:
    return ()


def stamp_of(facts: os.stat_result) -> Stamp:
    """Return the part of a stat that identifies content in the digest cache."""
    return Stamp(facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino, facts.st_dev)


def _stamps(paths: list[str]) -> list[tuple[int, ...]] | None:
    """Return the same as the kernel does."""
    try:
        found = [os.stat(path) for path in paths]  # noqa: PTH116 - a Path for each of a million files costs seconds
    except OSError:
        return None
    regular = all(stat.S_ISREG(facts.st_mode) for facts in found)
    return list(zip(*map(stamp_of, found), strict=True)) if found and regular else None


class Walk:
    """One walk over `root`. Iterate it for the files; `problems` collects what could not be read.

    `ignored` counts and names what was left out by `ignores`. A root that does not exist is an empty dataset.
    """

    def __init__(self, root: Path, ignores: Ignores = _nothing) -> None:
        self.root = root
        self.problems: list[Problem] = []
        self.ignored = IgnoredNames()
        self._ignores = ignores
        self._base = f"{root}/"

    def __iter__(self) -> Iterator[LocalFile]:
        try:
            is_folder = stat.S_ISDIR(self.root.stat().st_mode)
        except FileNotFoundError:
            is_folder = False
        except OSError as error:
            self._problem("", "unreadable", f"{self.root} cannot be read: {error.strerror}")
            return
        if is_folder:
            yield from self._tree()
        elif os.path.lexists(self.root):
            self._problem("", "not-a-folder", f"{self.root} is not a folder")

    def names(self) -> Iterator[str]:
        """Yield the keys in order without a stat of any file, including those of what is not a regular file."""
        # A list of open folders, not recursion: a path can have more folders than Python's stack has frames.
        folders = [self._entries("")]
        while folders:
            found = next(folders[-1], None)
            if found is None:
                folders.pop()
            elif isinstance(found, str):
                folders.append(self._entries(found))
            else:
                yield from found

    def _tree(self) -> Iterator[LocalFile]:
        return itertools.chain.from_iterable(map(self._files, blocks(self.names())))

    def _entries(self, prefix: str) -> Iterator[list[str] | str]:
        """Yield the keys of a folder's entries in byte order, without what is ignored: lists of files, and folders."""
        for block in blocks(self._names(prefix)):
            names = os.fsdecode(b"\0".join(block)).split("\0")
            keys = self._without_ignored([prefix + name for name in names] if prefix else names)
            if not any(map(_IS_FOLDER, keys)):
                yield keys
                continue
            for is_folder, group in itertools.groupby(keys, _IS_FOLDER):
                run = list(group)
                yield from run if is_folder else [run]

    def _names(self, prefix: str) -> Iterator[bytes]:
        """Return the names of a folder's entries in byte order, folders with a final `/`.

        Keeps only the names, packed as bytes, since a flat folder can have a million.
        """
        try:
            with os.scandir(os.fsencode(self._path(prefix))) as scan:
                return in_byte_order(map(self._sort_name, scan))
        except OSError as error:
            self._problem(prefix, "unreadable", f"the folder cannot be read: {error.strerror}")
            return iter(())

    def _path(self, key: str) -> str:
        return self._base + key

    @staticmethod
    def _sort_name(entry: os.DirEntry[bytes]) -> bytes:
        try:
            return entry.name + b"/" if entry.is_dir(follow_symlinks=False) else entry.name
        except OSError:
            return entry.name

    def _without_ignored(self, keys: list[str]) -> list[str]:
        # Also hashmark's own, such as the state of a library inside the dataset. `core.keys` refuses such an object.
        kept = [key for key in keys if STATE_FOLDER not in key or not _is_own(key)]
        if ignored := self._ignores(kept):
            self.ignored.add(key for key in kept if key in ignored)
            kept = [key for key in kept if key not in ignored]
        return kept

    def _files(self, keys: list[str]) -> list[LocalFile]:
        """Return the files with these keys, all looked at in one go unless something is odd about one of them."""
        paths = [self._base + key for key in keys]
        # Loading the kernel takes as long as looking at a thousand files.
        native = kernel.loaded() if len(keys) == BLOCK_ROWS else None
        stamps = native.stamps(paths) if native else _stamps(paths)
        if stamps is None:
            return self._one_by_one(keys)
        return make_rows(LocalFile, keys, make_rows(Stamp, *stamps), repeat(None), repeat(None))

    def _one_by_one(self, keys: Iterable[str]) -> list[LocalFile]:
        return [file for key in keys if (file := self._file(key)) is not None]

    def _file(self, key: str) -> LocalFile | None:
        try:
            facts = os.stat(self._path(key))  # noqa: PTH116 - as in `_stamps`
        except OSError as error:
            # A dangling or circular symlink, or a file that vanished: it exists and cannot be read.
            return self._unreadable(key, f"cannot be read: {error.strerror}")
        if stat.S_ISREG(facts.st_mode):
            return LocalFile(Key(key), stamp_of(facts))
        if stat.S_ISDIR(facts.st_mode):
            self._problem(key, "symlinked-folder", "is a symlink to a folder, which is not followed")
        else:
            self._problem(key, "not-a-file", "is not a regular file (a pipe, socket or device)")
        return None

    def _unreadable(self, key: str, why: str) -> LocalFile:
        self._problem(key, "unreadable", why)
        return LocalFile(Key(key), Stamp(0, 0, 0, 0, 0), trouble=why)

    def _problem(self, key: str, code: str, message: str) -> None:
        self.problems.append(Problem(key, code, message))


def _is_own(key: str) -> bool:
    return f"/{key}".endswith(f"/{_STATE}") or is_unfinished(key)


class OwnWalk(Walk):
    """A walk over a folder of hashmark's own, which never holds symlinks: one to a file is a problem as well."""

    def _files(self, keys: list[str]) -> list[LocalFile]:
        return self._one_by_one(keys)

    def _file(self, key: str) -> LocalFile | None:
        if os.path.islink(self._path(key)):  # noqa: PTH114 - as in `Walk._files`
            self._problem(key, "not-a-file", "is a symlink, which hashmark did not put there")
            return None
        return super()._file(key)


class SelectedWalk(Walk):
    """A walk over chosen keys, for those that have a file now, in key order.

    Like the complete walk, it does not reach ignored names or what is behind a symlinked folder.
    """

    def __init__(self, root: Path, keys: Iterable[str], ignores: Ignores = _nothing) -> None:
        super().__init__(root, ignores)
        self._chosen = sorted(set(keys), key=os.fsencode)

    def _tree(self) -> Iterator[LocalFile]:
        for key in self._chosen:
            if self._reached(key) and (file := self._there(key)) is not None:
                yield file

    def _there(self, key: str) -> LocalFile | None:
        """Return the file at `key`; None where there is certainly none, or a folder."""
        try:
            facts = os.lstat(self._path(key))
        except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL, which no file name has
            return None
        except OSError as error:
            return self._unreadable(key, f"cannot be read: {error.strerror}")
        return None if stat.S_ISDIR(facts.st_mode) else self._file(key)

    def _reached(self, key: str) -> bool:
        parts = key.split("/")
        folders = ["/".join(parts[:n]) for n in range(1, len(parts))]
        if not {"", ".", ".."}.isdisjoint(parts):
            return False
        on_the_way = [*(f"{folder}/" for folder in folders), key]
        if len(self._without_ignored(on_the_way)) < len(on_the_way):
            return False
        return not any(os.path.islink(self._path(folder)) for folder in folders)  # noqa: PTH114 - as in `_files`

"""What is remembered between runs, in `.hashmark/state.sqlite`: digests, bases, and facts about stores.

- digests: path and stamp → MD5, so that an unchanged file is not read twice;
- bases: what was last proven equal, per remote and key, so that a change can be told from a difference;
- facts: what a probe found out about a store;
- contents: MD5 and kind → what was found in those bytes, so that a file that was moved or copied is not decoded again.

Everything here can be lost without losing content: digests are computed again, and without a base a changed
file is `differs` instead of `local-changed`. What becomes of a file that can't be used is `state_file`'s. It does not
decide what is worth remembering.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from hashmark.core.model import Base, Key, LocalFile, Problem, Stamp, key_bytes
from hashmark.state.file import UNUSABLE, go_on, identity, is_damage, is_kept, open_file

PAGE = 4096
MOST_ASKED = 500
"""Values in one question, which SQLite bounds (to 999 where it is old)."""

INTEGER = 1 << 63
"""SQLite's integers are less than this, and not less than its negative."""

_NOT_WRITTEN = "state-not-written"

T = TypeVar("T")
Row = TypeVar("Row", LocalFile, Base)


class State:
    """The remembered state of one library. `problem` says, in words, why an old one was set aside."""

    def __init__(
        self, connection: sqlite3.Connection, problem: Problem | None, *, persistent: bool, path: Path | None = None
    ) -> None:
        self._db = connection
        self._path = path
        self._opened = identity(path)
        self._lock = threading.RLock()
        self.problem = problem
        self.persistent = persistent

    @classmethod
    def open(cls, path: Path) -> State:
        """Open or begin the file at `path`.

        Never fails: what can't be used is set aside (`state.sqlite.damaged-1`) and named in `problem`, and
        where nothing can be written the state lives in memory for this run. Damage that shows only later is
        treated in the same way when it shows.
        """
        connection, problem = open_file(path)
        kept = is_kept(problem)
        return cls(connection, problem, persistent=kept, path=path if kept else None)

    def close(self) -> None:
        """Write what is pending and let go of the file."""
        self._db.close()

    def digests(self, dataset: str, keys: Collection[str] | None = None) -> Iterator[LocalFile]:
        """Remembered digests in key order: all, or those of some keys."""
        select = "SELECT key, size, mtime_ns, ctime_ns, inode, device, md5 FROM digest WHERE dataset = ?"
        if keys is not None:
            return self._some(select, key_bytes(dataset), keys, _digest)
        return self._pages(select, key_bytes(dataset), _digest)

    def remember_digests(self, dataset: str, files: Iterable[LocalFile]) -> None:
        """Remember digests, in one transaction."""
        name = key_bytes(dataset)
        # Inode and device numbers may exceed SQLite's signed 64 bits, so they are kept as text. A time before 1677 or
        # after 2262 does too: such a file is read again each time.
        rows = [
            (name, key_bytes(f.key), f.size, f.stamp.mtime_ns, f.stamp.ctime_ns, *_ids(f.stamp), f.md5)
            for f in files
            if all(-INTEGER <= time < INTEGER for time in (f.stamp.mtime_ns, f.stamp.ctime_ns))
        ]
        self._write("INSERT OR REPLACE INTO digest VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def forget_digests(self, dataset: str, keys: Collection[str] | None = None) -> None:
        """Forget digests of a dataset, all or those of some keys, so that the next status reads these files."""
        if keys is None:
            self._write("DELETE FROM digest WHERE dataset = ?", [(key_bytes(dataset),)])
        else:
            rows = [(key_bytes(dataset), key_bytes(key)) for key in keys]
            self._write("DELETE FROM digest WHERE dataset = ? AND key = ?", rows)

    def bases(self, remote: str, keys: Collection[str] | None = None) -> Iterator[Base]:
        """What was last proven equal with `remote`, in key order: all, or those of some keys."""
        select = "SELECT key, md5, etag, size, common FROM base WHERE remote = ?"
        if keys is not None:
            return self._some(select, _text(remote), keys, _base)
        return self._pages(select, _text(remote), _base)

    def record_bases(self, remote: str, bases: Iterable[Base]) -> None:
        """Record what is proven equal now, in one transaction."""
        rows = [(_text(remote), key_bytes(b.key), b.md5, b.etag, b.size, b.common) for b in bases]
        self._write("INSERT OR REPLACE INTO base VALUES (?, ?, ?, ?, ?, ?)", rows)

    def forget_bases(self, remote: str, keys: Iterable[str]) -> None:
        """Forget the bases of keys that were deleted on both sides."""
        self._write("DELETE FROM base WHERE remote = ? AND key = ?", [(_text(remote), key_bytes(k)) for k in keys])

    def facts(self, store: str) -> dict[str, str]:
        """What is known about a store, by name."""
        return dict(self._read("SELECT name, value FROM fact WHERE store = ?", (_text(store),), _fact))

    def record_facts(self, store: str, facts: dict[str, str]) -> None:
        """Remember what a probe or a proof showed about a store."""
        rows = [(_text(store), name, value) for name, value in facts.items()]
        self._write("INSERT OR REPLACE INTO fact VALUES (?, ?, ?)", rows)

    def forget_facts(self, store: str, names: Iterable[str]) -> None:
        """Forget what no longer holds."""
        self._write("DELETE FROM fact WHERE store = ? AND name = ?", [(_text(store), name) for name in names])

    def has_bases(self, remote: str) -> bool:
        """Whether anything was ever proven equal with `remote`."""
        return bool(self._read("SELECT key FROM base WHERE remote = ? LIMIT 1", (_text(remote),), _key))

    def landmark(self, dataset: str, remote: str, after: str, count: int) -> Key | None:
        """The key that comes `count` places after `after`, among those proven equal with `remote`, else among digests.

        None where neither has so many.
        """
        base = "SELECT key FROM base WHERE remote = ? AND key > ? ORDER BY key LIMIT 1 OFFSET ?"
        digest = "SELECT key FROM digest WHERE dataset = ? AND key > ? ORDER BY key LIMIT 1 OFFSET ?"
        owned: tuple[tuple[str, str | bytes], ...] = ((base, _text(remote)), (digest, key_bytes(dataset)))
        for select, owner in owned:
            if found := self._read(select, (owner, key_bytes(after), count - 1), _key):
                return found[0]
        return None

    def contents(self, kind: str) -> dict[str, str]:
        """What was found in bytes, by their MD5."""
        return dict(self._read("SELECT md5, value FROM content WHERE kind = ?", (kind,), _fact))

    def content_flags(self, kind: str, digests: Sequence[str]) -> dict[str, str]:
        """The flags alone of what was found in the bytes of these MD5s; those not known are left out."""
        found: dict[str, str] = {}
        for start in range(0, len(digests), MOST_ASKED):
            some = digests[start : start + MOST_ASKED]
            marks = ", ".join("?" * len(some))
            query = f"SELECT md5, flags FROM content WHERE kind = ? AND md5 IN ({marks})"  # noqa: S608 - only marks
            found.update(self._read(query, (kind, *some), _fact))
        return found

    def remember_contents(self, kind: str, rows: Iterable[tuple[str, str, str]]) -> None:
        """Remember MD5, flags and value of some bytes, in one transaction."""
        self._write("INSERT OR REPLACE INTO content VALUES (?, ?, ?, ?)", [(kind, *row) for row in rows])

    def _pages(self, select: str, owner: str | bytes, make: Callable[..., Row]) -> Iterator[Row]:
        """Rows in key order, a page at a time: no cursor stays open, so writing meanwhile is safe."""
        after = b""
        while True:
            query = f"{select} AND key > ? ORDER BY key LIMIT {PAGE}"
            rows = self._read(query, (owner, after), make)
            yield from rows
            if len(rows) < PAGE or (last := key_bytes(rows[-1].key)) <= after:
                return
            after = last

    def _some(self, select: str, owner: str | bytes, keys: Collection[str], make: Callable[..., Row]) -> Iterator[Row]:
        for key in sorted(set(map(key_bytes, keys))):
            yield from self._read(f"{select} AND key = ?", (owner, key), make)

    def _read(self, sql: str, values: tuple[str | bytes | int, ...], make: Callable[..., T]) -> list[T]:
        with self._lock:
            try:
                return [make(*row) for row in self._db.execute(sql, values)]
            except (sqlite3.DatabaseError, ValueError, TypeError, AttributeError) as error:
                self._give_up(error)  # the last three: a value that none of ours can have been
                return []

    def _write(self, sql: str, rows: Sequence[tuple[object, ...]]) -> None:
        if not rows:
            return
        with self._lock:
            try:
                self._transaction(sql, rows)
            except UNUSABLE as error:
                if not is_damage(error):
                    # A full disk or a lock held for long costs the memory of this run, not the run itself.
                    why = f"the state can't be written ({error}), so not all that this run found is remembered"
                    self.problem = self.problem or Problem("", _NOT_WRITTEN, why)
                    return
                self._give_up(error)
                with contextlib.suppress(sqlite3.OperationalError):
                    self._transaction(sql, rows)

    def _transaction(self, sql: str, rows: Sequence[tuple[object, ...]]) -> None:
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(sql, rows)

    def _give_up(self, error: Exception) -> None:
        """Go on without what can't be read: damage is set aside, anything else costs the memory of this run.

        Raises:
            sqlite3.DatabaseError: the same, where it is a mistake of ours and not of the file.
        """
        if self._path is None or isinstance(error, sqlite3.ProgrammingError | sqlite3.IntegrityError):
            raise error
        self._db.close()
        self._db, self.problem = go_on(self._path, error, self._opened)
        self._opened = identity(self._path)
        self.persistent = is_kept(self.problem)


def _key(raw: bytes) -> Key:
    return Key(raw.decode("utf-8", "surrogateescape"))


def _digest(key: bytes, size: int, mtime: int, ctime: int, inode: str, device: str, md5: str) -> LocalFile:
    return LocalFile(_key(key), Stamp(size, mtime, ctime, int(inode), int(device)), md5)


def _base(key: bytes, md5: str, etag: str, size: int, common: int) -> Base:
    return Base(_key(key), md5, etag, size, bool(common))


def _fact(name: str, value: str) -> tuple[str, str]:
    return name, value


def _text(name: str) -> str:
    """The name as SQLite can keep it: bytes that are not UTF-8 are spelled out."""
    return name.encode("utf-8", "backslashreplace").decode()


def _ids(stamp: Stamp) -> tuple[str, str]:
    return str(stamp.inode), str(stamp.device)

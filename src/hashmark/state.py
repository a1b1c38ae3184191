"""What is remembered between runs, in `.hashmark/state.sqlite`: digests, bases, and facts about stores.

- digests: path and stamp → MD5, so that an unchanged file is not read twice;
- bases: what was last proven equal, per remote and key, so that a change can be told from a difference;
- facts: what a probe found out about a store;
- contents: MD5 and kind → what was found in those bytes, so that a file that was moved or copied is not decoded again.

Everything here can be lost without losing content: digests are computed again, and without a base a changed
file is `differs` instead of `local-changed`. So a damaged or newer file is set aside and a new one begun, and
where nothing can be written, memory stands in. It does not decide what is worth remembering.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from hashmark.core.model import Base, Key, LocalFile, Problem, Stamp, key_bytes

SCHEMA_VERSION = 2
BUSY_SECONDS = 30
PAGE = 4096
MOST_ASKED = 500
"""Values in one question, which SQLite bounds (to 999 where it is old)."""

INTEGER = 1 << 63
"""SQLite's integers are less than this, and not less than its negative."""

_NOT_KEPT = "state-not-kept"
_NOT_WRITTEN = "state-not-written"

_ELSEWHERE = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_AUTH,
    }
)
"""What is wrong with the disk, or held by others, and says nothing about the file's content."""

_UNUSABLE = (sqlite3.DatabaseError, UnicodeDecodeError)
"""The second comes from damaged bytes in the wording of the first."""

T = TypeVar("T")
Row = TypeVar("Row", LocalFile, Base)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS digest (
    dataset BLOB NOT NULL, key BLOB NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL, inode BLOB NOT NULL, device BLOB NOT NULL, md5 TEXT NOT NULL,
    PRIMARY KEY (dataset, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS base (
    remote TEXT NOT NULL, key BLOB NOT NULL, md5 TEXT NOT NULL, etag TEXT NOT NULL, size INTEGER NOT NULL,
    common INTEGER NOT NULL, PRIMARY KEY (remote, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fact (
    store TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (store, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS content (
    kind TEXT NOT NULL, md5 TEXT NOT NULL, flags TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (kind, md5)) WITHOUT ROWID;
"""


class State:
    """The remembered state of one library. `problem` says, in words, why an old one was set aside."""

    def __init__(
        self, connection: sqlite3.Connection, problem: Problem | None, *, persistent: bool, path: Path | None = None
    ) -> None:
        self._db = connection
        self._path = path
        self._opened = _identity(path)
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
        connection, problem = _open(path)
        kept = _is_kept(problem)
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
            except _UNUSABLE as error:
                if not _is_damage(error):
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
        self._db, self.problem = _after(self._path, error, self._opened)
        self._opened = _identity(self._path)
        self.persistent = _is_kept(self.problem)


class _NewerState(sqlite3.DatabaseError):
    """The file was written by a later hashmark."""


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


def _is_kept(problem: Problem | None) -> bool:
    return problem is None or problem.code != _NOT_KEPT


def _open(path: Path) -> tuple[sqlite3.Connection, Problem | None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _connect(path), None
    except _UNUSABLE as error:
        return _after(path, error)
    except OSError as error:
        return _in_memory(f"{path.parent} can't be written ({error.strerror}); nothing is remembered")


def _is_damage(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF not in _ELSEWHERE


def _identity(path: Path | None) -> tuple[int, int] | None:
    """Which file is at the path now."""
    try:
        facts = path.stat() if path else None
    except OSError:
        return None
    return (facts.st_dev, facts.st_ino) if facts else None


def _after(path: Path, error: Exception, opened: tuple[int, int] | None = None) -> tuple[sqlite3.Connection, Problem]:
    """A connection to go on with. A file that is not the one that was `opened` is another process's new one."""
    if not _is_damage(error):
        # Read-only, locked for too long, no space: the file itself may be fine, so it stays where it is.
        return _in_memory(f"{path} can't be used ({error}); nothing is remembered in this run")
    try:
        if opened and _identity(path) not in {opened, None}:
            text = f"{path.name} was unusable ({error}) and another run has begun a new one"
        else:
            aside = _set_aside(path)
            text = f"{path.name} is unusable ({error}) and was set aside as {aside.name}; a new one was begun"
        return _connect(path), Problem("", "state-set-aside", text)
    except (OSError, sqlite3.DatabaseError) as second:
        return _in_memory(f"{path} is unusable ({error}) and can't be set aside ({second})")


def _in_memory(why: str) -> tuple[sqlite3.Connection, Problem]:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.executescript(_SCHEMA)
    return connection, Problem("", _NOT_KEPT, why)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise _NewerState(f"written by a newer hashmark, format {version}")
        if version < SCHEMA_VERSION:
            _prepare(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    # Where the file system has no shared memory (NFS, some FUSE), SQLite keeps its rollback journal instead.
    with contextlib.suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    for statement in _SCHEMA.split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def _set_aside(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    path.rename(aside)
    for suffix in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return aside

"""The file behind the state: its schema, and what becomes of one that can't be used.

A damaged or newer file is set aside and a new one begun; where nothing can be written, memory stands in. Does not know
what the rows mean.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from hashmark.core.model import Problem

SCHEMA_VERSION = 2
BUSY_SECONDS = 30

_NOT_KEPT = "state-not-kept"

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

UNUSABLE = (sqlite3.DatabaseError, UnicodeDecodeError)
"""The second comes from damaged bytes in the wording of the first."""

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


class _NewerState(sqlite3.DatabaseError):
    """The file was written by a later hashmark."""


def is_kept(problem: Problem | None) -> bool:
    """Whether the state outlives the run, in spite of this problem."""
    return problem is None or problem.code != _NOT_KEPT


def open_file(path: Path) -> tuple[sqlite3.Connection, Problem | None]:
    """A connection to the file, begun where it is not there; to another, or to memory, where it can't be used."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _connect(path), None
    except UNUSABLE as error:
        return go_on(path, error)
    except OSError as error:
        return _in_memory(f"{path.parent} can't be written ({error.strerror}); nothing is remembered")


def is_damage(error: Exception) -> bool:
    """Whether the error is of what the file holds, and not of the disk or of who holds it."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF not in _ELSEWHERE


def identity(path: Path | None) -> tuple[int, int] | None:
    """Which file is at the path now."""
    try:
        facts = path.stat() if path else None
    except OSError:
        return None
    return (facts.st_dev, facts.st_ino) if facts else None


def go_on(path: Path, error: Exception, opened: tuple[int, int] | None = None) -> tuple[sqlite3.Connection, Problem]:
    """A connection to go on with. A file that is not the one that was `opened` is another process's new one."""
    if not is_damage(error):
        # Read-only, locked for too long, no space: the file itself may be fine, so it stays where it is.
        return _in_memory(f"{path} can't be used ({error}); nothing is remembered in this run")
    try:
        if opened and identity(path) not in {opened, None}:
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

"""The SQLite file behind the state: opens, reads and writes it, and keeps a run going when the file is unusable.

A damaged or newer file is set aside and a new one is created. Where nothing can be written, a database in memory takes
its place for the run. Does not know what the rows mean.
"""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from hashmark.core.blocks import blocks
from hashmark.core.model import Problem
from hashmark.state import schema

BUSY_TIMEOUT_S = 30

MAX_SQL_VARIABLES = 500
"""Values in one statement. SQLite limits them, to 999 in older versions."""

_ENVIRONMENT_ERRORS = frozenset(
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
"""Errors of the disk, or of a lock that another process holds. They say nothing about the content of the file."""

_UNUSABLE = (sqlite3.DatabaseError, UnicodeDecodeError)
"""`UnicodeDecodeError` occurs when damaged bytes are part of SQLite's error message."""

T = TypeVar("T")

Table = list[tuple[Any, ...]]
"""Rows as SQLite returns them, each with the columns of its query."""


class Database:
    """One SQLite file, safe to use from several threads.

    `problem` says what was wrong with the file, and `persistent` whether what is written outlives the run.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the file at `path`. Never fails: see the module's docstring."""
        self._path = path
        self._lock = threading.RLock()
        self.problem: Problem | None = None
        self.persistent = True
        try:
            path.parent.mkdir(0o700, parents=True, exist_ok=True)
            self._db = _connect(path)
        except _UNUSABLE as error:
            self._replace(error)
        except OSError as error:
            self._use_memory(f"cannot write {path.parent} ({error.strerror}); nothing is remembered in this run")
        self._opened = _identity(path)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def read(self, sql: str, values: tuple[str | bytes | int, ...], make: Callable[[Table], list[T]]) -> list[T]:
        """Return what `make` makes of the rows, if there are any; nothing where the file turns out to be damaged."""
        with self._lock:
            try:
                table = self._db.execute(sql, values).fetchall()
                return make(table) if table else []
            except (sqlite3.DatabaseError, ValueError, TypeError, AttributeError) as error:
                self._recover(error)  # the last three: a value that hashmark never writes
                return []

    def insert(self, table: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Insert rows with a value for each column, or replace those of the same key, in one transaction.

        Many rows to a statement: after each statement this thread waits for its turn, if others run Python code.
        """
        if not rows:
            return
        per_statement = max(MAX_SQL_VARIABLES // len(rows[0]), 1)
        insert = f"INSERT OR REPLACE INTO {table} VALUES "  # noqa: S608 - a name of `schema.TABLES`
        marks = f"({', '.join('?' * len(rows[0]))})"
        lots = blocks(rows, per_statement)
        self._run((insert + ", ".join([marks] * len(lot)), [[*itertools.chain(*lot)]]) for lot in lots)

    def write(self, sql: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Execute a statement for each row, in one transaction."""
        if rows:
            self._run([(sql, rows)])

    def _run(self, statements: Iterable[tuple[str, Sequence[Sequence[object]]]]) -> None:
        """Execute statements, each for all its rows, in one transaction. Where that fails, the run goes on without."""
        work = list(statements)
        with self._lock:
            try:
                self._transaction(work)
            except _UNUSABLE as error:
                if not _is_damage(error):
                    text = f"cannot write the state ({error}), so not everything found in this run is remembered"
                    self.problem = self.problem or Problem("", "state-not-written", text)
                    return
                self._recover(error)
                with contextlib.suppress(sqlite3.OperationalError):
                    self._transaction(work)

    def _transaction(self, work: list[tuple[str, Sequence[Sequence[object]]]]) -> None:
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            for sql, rows in work:
                self._db.executemany(sql, rows)

    def _recover(self, error: Exception) -> None:
        """Replace a file that can't be used any more.

        Raises:
            sqlite3.DatabaseError: the same error, where it is a bug of hashmark and not damage.
        """
        if not self.persistent or isinstance(error, sqlite3.ProgrammingError | sqlite3.IntegrityError):
            raise error
        self._db.close()
        self._replace(error, self._opened)
        self._opened = _identity(self._path)

    def _replace(self, error: Exception, opened: tuple[int, int] | None = None) -> None:
        """Connect to a new file, or to memory. `opened` identifies the file that was in use until now."""
        path = self._path
        if not _is_damage(error):
            # Read-only, locked for too long, no space: the file itself may be fine, so it stays where it is.
            self._use_memory(f"cannot use {path} ({error}); nothing is remembered in this run")
            return
        try:
            if opened and _identity(path) not in {opened, None}:
                text = f"{path.name} was unusable ({error}); another process has created a new one"
            else:
                aside = _set_aside(path)
                text = f"{path.name} is unusable ({error}) and was set aside as {aside.name}; a new one was created"
            self._db, self.problem = _connect(path), Problem("", "state-set-aside", text)
        except (OSError, sqlite3.DatabaseError) as second:
            self._use_memory(f"{path} is unusable ({error}) and cannot be set aside ({second}); nothing is remembered")

    def _use_memory(self, why: str) -> None:
        self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        schema.update(self._db)
        self.problem, self.persistent = Problem("", "state-not-kept", why), False


def _is_damage(error: Exception) -> bool:
    """Return whether the error is about the content of the file, and not about the disk or a lock."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF not in _ENVIRONMENT_ERRORS


def _identity(path: Path) -> tuple[int, int] | None:
    """Return device and inode of the file that is at the path now."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    try:
        if not schema.is_current(connection):
            # Where the file system has no shared memory (NFS, some FUSE), SQLite keeps its rollback journal instead.
            with contextlib.suppress(sqlite3.OperationalError):
                connection.execute("PRAGMA journal_mode = WAL")
            schema.update(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def _set_aside(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    path.rename(aside)
    for suffix in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return aside

"""The tables of the state file, and the migration of a file with an earlier schema.

Knows neither how the file is opened nor what the rows are used for.
"""

from __future__ import annotations

import sqlite3

SCHEMA_VERSION = 5

TABLES = (
    """CREATE TABLE IF NOT EXISTS digest (
    dataset BLOB NOT NULL, key BLOB NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL, inode BLOB NOT NULL, device BLOB NOT NULL, md5 TEXT NOT NULL,
    PRIMARY KEY (dataset, key)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS base (
    remote TEXT NOT NULL, key BLOB NOT NULL, md5 TEXT NOT NULL, etag TEXT NOT NULL, size INTEGER NOT NULL,
    common INTEGER NOT NULL, last_modified TEXT, PRIMARY KEY (remote, key)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS fact (
    store TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (store, name)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS content (
    kind TEXT NOT NULL, md5 TEXT NOT NULL, flags TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (kind, md5)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS incomplete_upload (
    store TEXT NOT NULL, key BLOB NOT NULL, upload_id TEXT NOT NULL, md5 TEXT,
    PRIMARY KEY (store, key)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS scratch_key (
    store TEXT NOT NULL, key BLOB NOT NULL, PRIMARY KEY (store, key)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS verify_mark (
    remote TEXT NOT NULL, key BLOB NOT NULL, md5 TEXT NOT NULL, size INTEGER NOT NULL, etag TEXT,
    last_modified TEXT, same INTEGER NOT NULL, PRIMARY KEY (remote, key)) WITHOUT ROWID""",
)

MIGRATION_OF_2 = (
    # Before schema 3, these three were rows of other tables, under the name of the store or remote with a suffix.
    """INSERT INTO incomplete_upload (store, key, upload_id)
    SELECT substr(store, 1, length(store) - 8), CAST(name AS BLOB), value
    FROM fact WHERE substr(store, -8) = ' uploads'""",
    """INSERT INTO scratch_key SELECT substr(store, 1, length(store) - 8), CAST(name AS BLOB)
    FROM fact WHERE substr(store, -8) = ' scratch'""",
    # The ETag was followed by a space and the time of the object, `None` where the store lists none.
    """INSERT INTO verify_mark SELECT substr(remote, 1, length(remote) - 9), key, md5, size,
    nullif(substr(etag, 1, instr(etag, ' ') - 1), 'None'), nullif(substr(etag, instr(etag, ' ') + 1), 'None'), common
    FROM base WHERE substr(remote, -9) = ' verified'""",
    "DELETE FROM fact WHERE substr(store, -8) IN (' uploads', ' scratch')",
    "DELETE FROM base WHERE substr(remote, -9) = ' verified'",
)

MIGRATION_OF_3 = ("ALTER TABLE incomplete_upload ADD COLUMN md5 TEXT",)

MIGRATION_OF_4 = ("ALTER TABLE base ADD COLUMN last_modified TEXT",)

_MIGRATIONS = {0: (), 3: MIGRATION_OF_3 + MIGRATION_OF_4, 4: MIGRATION_OF_4}
"""By the version of the file, 0 where it is new; all others are as 2."""


class NewerSchema(sqlite3.DatabaseError):
    """The file was written by a later version of hashmark."""


def is_current(connection: sqlite3.Connection) -> bool:
    """Return whether the file has this schema, and not an earlier one or none.

    Raises:
        NewerSchema: it has a later one.
    """
    version = _version(connection)
    if version > SCHEMA_VERSION:
        raise NewerSchema(f"written by a newer hashmark, format {version}")
    return version == SCHEMA_VERSION


def update(connection: sqlite3.Connection) -> None:
    """Create the tables, or migrate those of an earlier schema, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    if not is_current(connection):  # another process may have done it while this one waited for the lock
        version = _version(connection)
        migration = _MIGRATIONS.get(version, MIGRATION_OF_2 + MIGRATION_OF_4)
        for statement in (*TABLES, *migration):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version

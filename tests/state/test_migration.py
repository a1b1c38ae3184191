"""A state file of an earlier schema keeps everything it holds.

`schema_2.sql` is the dump of a file that schema 2 had: a library with an embedded bucket, after a push, a lint, a
verification that was interrupted, an upload and a probe that were killed.
"""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hashmark.core.model import Base, Key, LocalFile, Stamp
from hashmark.state import schema
from hashmark.state.schema import MIGRATION_OF_2, SCHEMA_VERSION, TABLES
from hashmark.state.state import OpenUpload, State, VerifyMark
from support.file_trees import mounted
from support.state_values import opened

STORE = "embedded:/srv/library/.hashmark/bucket"
REMOTE = f"{STORE}/datasets/82_stellar_sketch/"
DATASET = "82_stellar_sketch"
LISTED_AT = "2026-11-29T23:14:45Z"

MD5 = {
    "0.png": "351034bb2fda1c60cb37c72305af6c27",
    "0.txt": "ac9dd89c3851c297ea95cb50d2e514d8",
    "1.txt": "3add4b7eb65d7feeaa406bba48c8ee40",
    "2.txt": "989ab606a254ada80548d85c28e53231",
    "café.txt": "d61c2850fb967d671fa47b2c3b7ab57b",
}
SIZE = {key: 75 if key == "0.png" else 7 if key == "café.txt" else 27 for key in MD5}
CHANGED = "5731389fc7c68b472a118495a5d93983"
"""The MD5 of `2.txt` on disk when it was verified: it had been edited after the push."""


@pytest.fixture(name="old")
def fixture_old(path: Path) -> Path:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(Path(__file__).with_name("schema_2.sql").read_text(encoding="utf-8"))
    return path


def rows(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table, and the version of the schema."""
    with closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {name: list(connection.execute(f"SELECT * FROM {name}")) for name in names}
        return found | {"version": list(connection.execute("PRAGMA user_version"))}


def check_everything_is_kept(state: State) -> None:
    assert (state.problem, state.persistent) == (None, True)
    assert list(state.bases(REMOTE)) == [Base(Key(key), md5, md5, SIZE[key]) for key, md5 in MD5.items()]
    assert [(f.key, f.md5, f.size) for f in state.digests(DATASET)] == [(k, md5, SIZE[k]) for k, md5 in MD5.items()]
    first = Stamp(75, 1795994081948421711, 1795994081948421711, 2334802, 65024)
    assert next(state.digests(DATASET)) == LocalFile(Key("0.png"), first, MD5["0.png"])
    able = "checksum conditional-delete content-md5 copy create-only etag-md5 etag-multipart replace-only"
    able += " start-after write"
    assert state.facts(STORE) == dict.fromkeys(able.split(), "yes") | {"etag-part-copy": "no"}
    assert sorted(state.contents("caption-2")) == sorted({*MD5.values(), CHANGED} - {MD5["0.png"]})
    assert state.contents("image-1") == {MD5["0.png"]: '["PNG", 8, 8, null, 1, false, null, null]'}
    assert state.incomplete_uploads(STORE) == {
        f"datasets/{DATASET}/large.png": OpenUpload("VXBsb2FkIG9mIGEga2lsbGVkIHB1c2g", None),
    }
    assert state.scratch_keys(STORE) == ["datasets/.hashmark/probe-36cd4109877b.txt"]
    assert list(state.verify_marks(REMOTE)) == [
        VerifyMark(Key(key), CHANGED if key == "2.txt" else md5, SIZE[key], md5, LISTED_AT, same=key != "2.txt")
        for key, md5 in MD5.items()
    ]


def test_a_file_of_schema_2_keeps_everything_it_holds(old: Path) -> None:
    before = rows(old)
    with opened(old) as state:
        check_everything_is_kept(state)
    after = rows(old)
    assert (before["version"], after["version"]) == ([(2,)], [(SCHEMA_VERSION,)])
    assert sum(map(len, after.values())) == sum(map(len, before.values())), "no row is lost or there twice"
    with opened(old) as state:
        check_everything_is_kept(state)
    assert rows(old) == after, "opened again, nothing changes"


def create(path: Path, version: int, *rows: tuple[str, tuple[object, ...]]) -> None:
    """Create a file as schema 3 or 4 had it, with these rows, each after the name of its table."""
    path.parent.mkdir()
    tables = [
        table.replace("common INTEGER NOT NULL, last_modified TEXT,", "common INTEGER NOT NULL,") for table in TABLES
    ]
    if version == 3:
        tables = [table.replace("upload_id TEXT NOT NULL, md5 TEXT,", "upload_id TEXT NOT NULL,") for table in tables]
    with closing(sqlite3.connect(path)) as connection:
        for statement in tables:
            connection.execute(statement)
        for table, values in rows:
            connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)
        connection.execute(f"PRAGMA user_version = {version}")
        connection.commit()


@pytest.mark.parametrize("version", [3, 4])
def test_what_was_proven_before_the_time_of_objects_was_kept_stays_proven(version: int, path: Path) -> None:
    create(path, version, ("base", (REMOTE, b"0.png", MD5["0.png"], "an-etag", 75, 1)))
    with opened(path) as state:
        assert list(state.bases(REMOTE)) == [Base(Key("0.png"), MD5["0.png"], "an-etag", 75)]
        now = Base(Key("0.png"), MD5["0.png"], "an-etag", 75, last_modified=LISTED_AT)
        state.record_bases(REMOTE, [now])
        assert (state.problem, list(state.bases(REMOTE))) == (None, [now])


def test_an_upload_recorded_by_schema_3_is_kept(path: Path) -> None:
    create(path, 3, ("incomplete_upload", (STORE, b"a/big.png", "an-id")))
    with opened(path) as state:
        assert (state.problem, state.incomplete_uploads(STORE)) == (None, {"a/big.png": OpenUpload("an-id", None)})
        state.record_incomplete_upload(STORE, "a/big.png", OpenUpload("another", MD5["0.png"]))
        assert state.incomplete_uploads(STORE) == {"a/big.png": OpenUpload("another", MD5["0.png"])}


def test_no_table_holds_a_suffixed_name_any_more(old: Path) -> None:
    with opened(old):
        pass
    after = rows(old)
    assert {row[0] for row in after["base"]} == {REMOTE}
    assert {row[0] for row in after["fact"]} == {STORE}


def test_an_object_listed_without_etag_or_time_is_migrated_too(old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("UPDATE base SET etag = 'None None' WHERE remote LIKE '% verified' AND key = x'302E706E67'")
        connection.commit()
    with opened(old) as state:
        first = next(state.verify_marks(REMOTE))
        assert (first.key, first.etag, first.last_modified) == ("0.png", None, None)


@pytest.mark.parametrize("done", [1, len(TABLES), len(TABLES) + len(MIGRATION_OF_2) - 1])
def test_a_migration_killed_halfway_leaves_the_file_as_it_was(old: Path, done: int) -> None:
    before = rows(old)
    script = f"""
import sys, time
from pathlib import Path
from hashmark.state import schema
from hashmark.state.state import State
def halting():
    for number, statement in enumerate(every):
        if number == {done}:
            print("halfway", flush=True)
            time.sleep(60)
        yield statement
every = (*schema.TABLES, *schema.MIGRATION_OF_2)
class Halting(tuple):
    __slots__ = ()
    def __iter__(self):
        return halting()
schema.TABLES, schema.MIGRATION_OF_2 = Halting(), ()
State.open(Path(sys.argv[1]))
"""
    process = subprocess.Popen([sys.executable, "-c", script, str(old)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "halfway\n"
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
    assert rows(old) == before
    with opened(old) as state:
        check_everything_is_kept(state)


def test_a_migration_on_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, old: Path) -> None:
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=200k", "tmpfs") as small:
        path, rest = small / old.name, small / "rest"
        path.write_bytes(old.read_bytes())
        with contextlib.suppress(OSError), rest.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        with opened(path) as state:
            assert state.problem is not None
            assert (state.problem.code, state.persistent) == ("state-not-kept", False)
        rest.unlink()
        assert not list(small.glob("*.damaged-*"))
        assert rows(path) == rows(old)
        with opened(path) as state:
            check_everything_is_kept(state)


OPENER = """
import sys
from pathlib import Path
from hashmark.state.state import State
sys.stdin.readline()
state = State.open(Path(sys.argv[1]))
print(state.problem, len(list(state.bases(sys.argv[2]))), len(list(state.verify_marks(sys.argv[2]))))
state.close()
"""


def test_processes_that_open_a_file_of_schema_2_at_once_all_see_everything(old: Path) -> None:
    command = [sys.executable, "-c", OPENER, str(old), REMOTE]
    pipe = subprocess.PIPE
    openers = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(6)]
    for opener in openers:
        assert opener.stdin is not None
        opener.stdin.write("\n")
        opener.stdin.flush()
    for opener in openers:
        assert opener.communicate(timeout=60)[0] == "None 5 5\n"
    with opened(old) as state:
        check_everything_is_kept(state)


def test_a_file_migrated_by_a_newer_version_meanwhile_is_not_migrated_back(old: Path) -> None:
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        assert not schema.is_current(connection)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        with pytest.raises(schema.NewerSchema):
            schema.update(connection)

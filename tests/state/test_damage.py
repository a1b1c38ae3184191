"""An unusable state file is set aside or replaced by memory, and reported. It never stops a run."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hashmark.state import database
from hashmark.state.schema import SCHEMA_VERSION
from hashmark.state.state import State
from support.file_trees import mounted, open_folder, permissions_count
from support.state_values import base, digest, many, opened


def filled(path: Path, count: int = 3000) -> None:
    with opened(path) as state:
        state.record_bases("remote", many(count))
        state.remember_digests("set", [digest(row.key) for row in many(count)])
        state.record_facts("store", {"name": "value"})


def use(state: State) -> int:
    """Do everything that a run does with its state. Return how many rows it knew."""
    rows = len(list(state.bases("remote"))) + len(list(state.digests("set"))) + len(state.facts("store"))
    state.record_bases("remote", [base("new")])
    state.remember_digests("set", [digest("new")])
    state.record_facts("store", {"new": "fact"})
    state.forget_bases("remote", ["000001"])
    state.forget_digests("other")
    return rows


def knows_the_new(state: State) -> bool:
    return (
        base("new") in state.bases("remote") and digest("new") in state.digests("set") and "new" in state.facts("store")
    )


# --- set aside ---------------------------------------------------------------------------------------------------


def test_a_file_that_is_no_database_is_set_aside_and_a_new_one_begun(path: Path) -> None:
    path.parent.mkdir()
    for number in (1, 2):
        path.write_bytes(b"not a database" * 100)
        with opened(path) as state:
            assert state.problem is not None
            assert (state.problem.code, state.persistent) == ("state-set-aside", True)
            assert f"state.sqlite.damaged-{number}" in state.problem.message
            use(state)
            assert knows_the_new(state)
        assert path.with_name(f"state.sqlite.damaged-{number}").read_bytes() == b"not a database" * 100
        with opened(path) as state:
            assert state.problem is None
            assert knows_the_new(state)
        path.unlink()


def test_a_file_of_a_newer_hashmark_is_set_aside_whole(path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with opened(path) as state:
        assert state.problem is not None
        assert state.problem.code == "state-set-aside"
        assert f"newer hashmark, format {SCHEMA_VERSION + 1}" in state.problem.message
        assert use(state) == 0
    with closing(sqlite3.connect(path.with_name("state.sqlite.damaged-1"))) as connection:
        assert connection.execute("SELECT count(*) FROM base").fetchone() == (3000,)


def test_what_a_killed_newer_hashmark_had_only_in_its_log_goes_aside_with_the_file(path: Path) -> None:
    filled(path)
    image = path.parent.parent / "image"
    with closing(sqlite3.connect(path)) as newer:
        newer.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        newer.execute("DELETE FROM base WHERE key > CAST('000009' AS BLOB)")
        newer.commit()
        shutil.copytree(path.parent, image)  # as the disk is when a process is killed
    assert (image / "state.sqlite-wal").stat().st_size > 0
    with opened(image / path.name) as state:
        assert state.problem is not None
        assert use(state) == 0
    with closing(sqlite3.connect(image / "state.sqlite.damaged-1")) as connection:
        assert connection.execute("SELECT count(*) FROM base").fetchone() == (10,)


def test_damage_anywhere_in_the_file_costs_memory_and_never_the_run(path: Path) -> None:
    filled(path, 100)
    whole = path.read_bytes()
    aside = 0
    for seed in range(60):
        for old in path.parent.iterdir():
            old.unlink()
        chance = random.Random(seed)
        data = bytearray(whole)
        for _ in range(chance.choice([1, 5, 500])):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data)
        with opened(path) as state:
            use(state)
            assert state.persistent
            if state.problem:
                aside += 1
                assert state.problem.code == "state-set-aside"
                assert path.with_name("state.sqlite.damaged-1").exists()
                assert knows_the_new(state)
        with opened(path) as state:
            assert state.problem is None or not aside
    assert aside > 10


def test_a_file_cut_short_costs_memory_and_never_the_run(path: Path) -> None:
    filled(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with opened(path) as state:
        use(state)
        assert state.problem is not None
        assert knows_the_new(state)


def test_damage_that_shows_only_while_writing_is_set_aside_and_the_write_made_in_the_new_file(path: Path) -> None:
    filled(path)
    data = path.read_bytes()
    path.write_bytes(data[:4096] + bytes(len(data) - 4096))
    with opened(path) as state:
        state.record_bases("remote", [base("new")])
        assert state.problem is not None
        assert (state.problem.code, list(state.bases("remote"))) == ("state-set-aside", [base("new")])


def test_a_mistake_of_ours_is_not_taken_for_damage(path: Path) -> None:
    filled(path, 3)
    state = State.open(path)
    state.close()
    with pytest.raises(sqlite3.ProgrammingError):
        list(state.bases("remote"))
    assert not path.with_name("state.sqlite.damaged-1").exists()


# --- done without ------------------------------------------------------------------------------------------------


def without(path: Path) -> None:
    """Check that a state in memory takes the place of the file, and says so."""
    with opened(path) as state:
        assert state.problem is not None
        assert (state.problem.code, state.persistent) == ("state-not-kept", False)
        assert "nothing is remembered" in state.problem.message
        assert str(path.parent) in state.problem.message
        use(state)
        assert knows_the_new(state)


def test_in_a_read_only_library_memory_stands_in(tmp_path: Path) -> None:
    with mounted(tmp_path / "library", "-t", "tmpfs", "-o", "ro", "tmpfs") as library:
        without(library / ".hashmark/state.sqlite")


def test_in_a_read_only_library_an_existing_state_is_left_as_it_is(tmp_path: Path, path: Path) -> None:
    filled(path)
    before = path.read_bytes()
    with mounted(tmp_path / "view", "--bind", "-o", "ro", str(tmp_path)) as view:
        with opened(view / ".hashmark/state.sqlite") as state:
            use(state)
        assert path.read_bytes() == before
    assert [item.name for item in path.parent.iterdir()] == ["state.sqlite"]


def test_without_permission_to_write_memory_stands_in() -> None:
    with open_folder() as root:
        root.chmod(0o555)
        with permissions_count():
            without(root / ".hashmark/state.sqlite")


@pytest.mark.parametrize("way", ["the state is a folder", "its folder is a file"])
def test_where_no_file_can_be_memory_stands_in(path: Path, way: str) -> None:
    if way == "the state is a folder":
        path.mkdir(parents=True)
    else:
        path.parent.write_text("a file")
    without(path)


def test_a_file_that_another_program_keeps_locked_is_left_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(path, 3)
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")
        without(path)
    with opened(path) as state:
        assert (state.problem, use(state)) == (None, 7)


def test_a_lock_held_too_long_costs_that_write_and_not_the_run(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.05)
    with opened(path) as state:
        state.record_bases("remote", [base("before")])
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            state.record_bases("remote", [base("meanwhile")])
            assert list(state.bases("remote")) == [base("before")], "readers are not kept out"
        state.record_bases("remote", [base("later")])
        assert [row.key for row in state.bases("remote")] == ["before", "later"]


def test_a_full_disk_costs_the_memory_and_not_the_run(tmp_path: Path) -> None:
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=200k", "tmpfs") as small:
        path = small / "state.sqlite"
        with opened(path) as state:
            state.record_bases("remote", [base("before")])
            state.record_bases("remote", many(5000))
            assert list(state.bases("remote")) == [base("before")]
        with opened(path) as state:
            assert list(state.bases("remote")) == [base("before")]
            assert state.problem is None

"""The state returns what was remembered, to any number of processes, and survives a kill."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashmark.core.model import Key, LocalFile, Stamp, key_bytes
from hashmark.state.state import PAGE_ROWS
from support.state_values import MD5, base, digest, many, opened

# --- what comes back ---------------------------------------------------------------------------------------------


def test_everything_remembered_is_there_the_next_time(path: Path) -> None:
    with opened(path) as state:
        assert (state.problem, state.persistent) == (None, True)
        state.remember_digests("82_sketch", [digest("a.txt")])
        state.record_bases("s3://b/p/", [base("a.txt")])
        state.record_facts("http://h/b", {"etag-is-md5": "seen", "copy": "yes"})
    with opened(path) as state:
        assert list(state.digests("82_sketch")) == [digest("a.txt")]
        assert list(state.bases("s3://b/p/")) == [base("a.txt")]
        assert state.facts("http://h/b") == {"etag-is-md5": "seen", "copy": "yes"}
        assert state.problem is None


KEYS = st.text(st.characters(codec="utf-8") | st.sampled_from("a/-.\udc80\udcff\0"), min_size=1, max_size=8)
STAMPS = st.builds(
    Stamp,
    st.integers(0, 2**63 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
)


@given(st.dictionaries(KEYS, STAMPS, max_size=8))
def test_any_key_and_stamp_comes_back_bit_by_bit_in_key_order(stamps: dict[str, Stamp]) -> None:
    files = [LocalFile(Key(key), stamp, MD5) for key, stamp in stamps.items()]
    with opened(Path("/dev/null/none")) as state:
        state.remember_digests("set", files)
        state.record_bases("remote", [base(key) for key in stamps])
        assert list(state.digests("set")) == sorted(files, key=lambda file: key_bytes(file.key))
        assert [row.key for row in state.bases("remote")] == sorted(stamps, key=key_bytes)


@given(st.dictionaries(KEYS, STAMPS, max_size=8), st.lists(KEYS, max_size=8))
def test_some_keys_come_back_as_from_the_whole(stamps: dict[str, Stamp], more: list[str]) -> None:
    """In key order and each once, in whatever order they are requested; unknown keys not at all."""
    asked = [*list(stamps)[::2], *more, *list(stamps)[::-2]]
    files = [LocalFile(Key(key), stamp, MD5) for key, stamp in stamps.items()]
    with opened(Path("/dev/null/none")) as state:
        for owner in ("set", "other"):
            state.remember_digests(owner, files)
            state.record_bases(owner, [base(key) for key in stamps])
        assert list(state.digests("set", asked)) == [f for f in state.digests("set") if f.key in asked]
        assert list(state.bases("set", asked)) == [b for b in state.bases("set") if b.key in asked]


def test_no_keys_are_none_and_not_all() -> None:
    with opened(Path("/dev/null/none")) as state:
        state.remember_digests("set", [digest("a.txt")])
        state.record_bases("remote", [base("a.txt")])
        assert list(state.digests("set", frozenset())) == []
        assert list(state.bases("remote", frozenset())) == []
        assert list(state.digests("another", {"a.txt"})) == []
        assert list(state.bases("another", {"a.txt"})) == []
        assert [b.key for b in state.bases("remote", {"a.txt"})] == ["a.txt"]


def test_datasets_remotes_and_stores_do_not_see_each_others(path: Path) -> None:
    with opened(path) as state:
        state.remember_digests("a", [digest("x")])
        state.record_bases("a", [base("x")])
        state.record_facts("a", {"name": "value"})
        for other in ("b", "A", ""):
            assert (list(state.digests(other)), list(state.bases(other)), state.facts(other)) == ([], [], {})


def test_datasets_and_remotes_may_have_names_that_are_not_utf8(path: Path) -> None:
    names = ["82_caf\udce9", "82_caf\u00e9", "82_caf"]
    with opened(path) as state:
        for name in names:
            state.remember_digests(name, [digest(name)])
            state.record_bases(name, [base(name)])
            state.record_facts(name, {"name": ascii(name)})
    with opened(path) as state:
        for name in names:
            assert [row.key for row in state.digests(name)] == [name]
            assert [row.key for row in state.bases(name)] == [name]
            assert state.facts(name) == {"name": ascii(name)}
        state.forget_bases(names[0], names)
        assert [len(list(state.bases(name))) for name in names] == [0, 1, 1]


def test_a_newer_record_takes_the_place_of_the_older(path: Path) -> None:
    with opened(path) as state:
        for number in (1, 2):
            state.remember_digests("set", [digest("a", inode=number)])
            state.record_bases("remote", [base("a", md5=f"{number:032x}")])
            state.record_facts("store", {"name": str(number)})
        assert list(state.digests("set")) == [digest("a", inode=2)]
        assert list(state.bases("remote")) == [base("a", md5=f"{2:032x}")]
        assert state.facts("store") == {"name": "2"}


def test_forgetting_takes_what_was_named_and_nothing_else(path: Path) -> None:
    with opened(path) as state:
        state.remember_digests("set", [digest("a")])
        state.remember_digests("other", [digest("a")])
        state.record_bases("remote", [base("a"), base("b")])
        state.record_bases("other", [base("a")])
        state.forget_digests("set")
        state.forget_bases("remote", ["a", "never there"])
        assert (list(state.digests("set")), list(state.digests("other"))) == ([], [digest("a")])
        assert (list(state.bases("remote")), list(state.bases("other"))) == ([base("b")], [base("a")])


def test_nothing_to_record_is_nothing_written(path: Path) -> None:
    with opened(path) as state:
        state.record_bases("remote", [])
        state.remember_digests("set", iter(()))
        assert list(state.bases("remote")) == []


# --- pages, and writing meanwhile --------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [PAGE_ROWS - 1, PAGE_ROWS, PAGE_ROWS + 1, 2 * PAGE_ROWS + 3])
def test_every_row_comes_once_and_in_order_across_pages(path: Path, count: int) -> None:
    with opened(path) as state:
        state.record_bases("remote", reversed(many(count)))
        assert list(state.bases("remote")) == many(count)


def test_writing_while_reading_neither_loses_nor_repeats_a_row(path: Path) -> None:
    rows = many(2 * PAGE_ROWS + 100)
    with opened(path) as state:
        state.record_bases("remote", rows)
        state.remember_digests("set", [digest(row.key) for row in rows])
        seen = []
        for row, file in zip(state.bases("remote"), state.digests("set"), strict=True):
            assert row.key == file.key
            seen.append(row)
            if len(seen) % 1000 == 0:
                state.record_bases("remote", seen[-1000:])  # as a status does: what it has just proven
                state.remember_digests("set", [digest(old.key, mtime_ns=9) for old in seen[-1000:]])
        assert seen == rows
        assert len(list(state.bases("remote"))) == len(rows)


def test_two_threads_of_one_process_lose_nothing(path: Path) -> None:
    with opened(path) as state:

        def write(name: int) -> None:
            for number in range(100):
                state.record_bases("remote", [base(f"{name}/{number}")])

        threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(list(state.bases("remote"))) == 400


WRITER = """
import sys
from pathlib import Path
from hashmark.core.model import Base, Key
from hashmark.state.state import State
name = sys.argv[2]
state = State.open(Path(sys.argv[1]))
print(state.problem, state.persistent, flush=True)
for number in range(50):
    state.record_bases("remote", [Base(Key(f"{name}/{number}"), "0" * 32, "e", 1)])
state.close()
"""


def start(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, text=True)


def test_processes_that_begin_and_write_one_file_at_once_lose_nothing(path: Path) -> None:
    writers = [start(WRITER, str(path), str(number)) for number in range(6)]
    for writer in writers:
        assert writer.communicate(timeout=60)[0] == "None True\n"
        assert writer.returncode == 0
    with opened(path) as state:
        assert len(list(state.bases("remote"))) == 300


KILLED = """
import sys
from pathlib import Path
from hashmark.core.model import Base, Key
from hashmark.state.state import State
state = State.open(Path(sys.argv[1]))
state.record_bases("remote", [Base(Key("kept"), "0" * 32, "e", 1)])

def endless():
    yield from (("remote", str(n).encode(), "0" * 32, "e", 1, 1, None) for n in range(20000))
    print("in the middle", flush=True)
    import time
    time.sleep(60)
state._db.write("INSERT OR REPLACE INTO base VALUES (?, ?, ?, ?, ?, ?, ?)", endless())
"""


def test_a_process_killed_in_the_middle_of_a_transaction_leaves_what_was_there_before(path: Path) -> None:
    writer = start(KILLED, str(path))
    assert writer.stdout is not None
    with writer.stdout:
        assert writer.stdout.readline() == "in the middle\n"
        writer.send_signal(signal.SIGKILL)
        writer.wait(timeout=30)
    with opened(path) as state:
        assert (state.problem, state.persistent) == (None, True)
        assert [row.key for row in state.bases("remote")] == ["kept"]
        state.record_bases("remote", [base("later")])
        assert [row.key for row in state.bases("remote")] == ["kept", "later"]

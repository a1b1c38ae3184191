"""What the events of a job add up to, at every moment of it."""

from __future__ import annotations

import json
from functools import reduce as fold
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashmark.core.events import (
    Counted,
    Ended,
    Event,
    Failure,
    FileDone,
    FileFailed,
    FileProgress,
    FilesCompared,
    FilesRead,
    FileStarted,
    JobState,
    ProbeStarted,
    Started,
    reduce,
    state_json,
    to_json,
)

STARTED = Started(files=3, bytes=300, at=1000.0, notes=("no conditional writes",))


def after(*events: Event) -> JobState:
    return fold(reduce, events, JobState())


def test_before_it_starts_a_job_is_nothing() -> None:
    """And has neither ended nor been interrupted."""
    state = JobState()
    assert (state.files, state.bytes, state.files_done, state.bytes_moved) == (0, 0, 0, 0)
    assert (state.failures, state.notes, dict(state.active), dict(state.by_verb)) == ((), (), {}, {})
    assert not state.ended
    assert not state.interrupted


def test_a_whole_job_adds_up() -> None:
    """Two files done, one failed, one delete; nothing is left in work."""
    state = after(
        Started(files=4, bytes=300, at=1000.0),
        FileStarted("a", "upload", 1000.5),
        FileStarted("b", "upload", 1000.5),
        FileProgress("a", 40, 1001.0),
        FileProgress("b", 60, 1001.0),
        FileDone("a", "upload", 100, "etag-md5", 1002.0),
        FileFailed("b", "upload", "access-denied", "The bucket refuses 'b'.", 1003.0),
        FileStarted("c", "upload", 1003.0),
        FileDone("c", "upload", 50, "etag-md5", 1004.0),
        FileDone("d", "delete-remote", 0, None, 1005.0),
        Ended(interrupted=False, at=1006.0),
    )
    assert (state.files, state.bytes, state.files_done, state.bytes_done) == (4, 300, 3, 150)
    assert state.failures == (Failure("b", "access-denied", "The bucket refuses 'b'."),)
    assert dict(state.by_verb) == {"upload": 2, "delete-remote": 1}
    assert dict(state.active) == {}
    assert (state.started_at, state.now, state.ended, state.interrupted) == (1000.0, 1006.0, True, False)


def test_bytes_of_files_in_work_count_once() -> None:
    """Progress is a total, not a step, and gives way to the size when the file is done."""
    state = after(STARTED, FileStarted("a", "upload", 1001.0), FileProgress("a", 30, 1002.0))
    assert state.bytes_moved == 30
    state = reduce(state, FileProgress("a", 70, 1003.0))
    assert (dict(state.active), state.bytes_moved) == ({"a": 70}, 70)
    state = reduce(state, FileDone("a", "upload", 100, "etag-md5", 1004.0))
    assert (dict(state.active), state.bytes_moved, state.bytes_done) == ({}, 100, 100)


def test_a_retry_takes_its_progress_back() -> None:
    """A bar that cannot go back lies."""
    state = after(STARTED, FileStarted("a", "upload", 1001.0), FileProgress("a", 90, 1002.0))
    assert state.bytes_moved == 90
    assert reduce(state, FileProgress("a", 10, 1003.0)).bytes_moved == 10
    assert reduce(state, FileStarted("a", "upload", 1003.0)).bytes_moved == 0


def test_a_failure_takes_its_progress_back_and_is_not_done() -> None:
    """The other files go on."""
    state = after(STARTED, FileStarted("a", "upload", 1.0), FileProgress("a", 90, 2.0), FileProgress("b", 5, 2.0))
    state = reduce(state, FileFailed("a", "upload", "slow-down", "too many requests", 3.0))
    assert (state.bytes_moved, state.files_done, dict(state.active)) == (5, 0, {"b": 5})
    assert dict(state.by_verb) == {}
    state = reduce(state, FileFailed("b", "upload", "busy", "…", 4.0))
    assert [failure.key for failure in state.failures] == ["a", "b"]


def test_rate_and_time_left_follow_from_bytes_and_time() -> None:
    """On average since the start."""
    state = after(STARTED, FileProgress("a", 100, 1010.0))
    assert state.rate == pytest.approx(10.0)
    assert state.eta == pytest.approx(20.0)
    assert after(STARTED, FileProgress("a", 1, 1000.5)).rate == pytest.approx(2.0)
    assert after(STARTED, FileProgress("a", 1, 1002.0)).eta == pytest.approx(598.0)
    state = after(STARTED, FileDone("a", "upload", 300, None, 1030.0))
    assert state.eta == 0


def test_the_time_left_is_unknown_until_something_moves() -> None:
    """Neither before the start, nor at its very moment, nor where the clock went back."""
    assert (JobState().rate, JobState().eta) == (0.0, None)
    for events in ([STARTED], [STARTED, FileProgress("a", 9, 1000.0)], [STARTED, FileProgress("a", 9, 999.0)]):
        assert (after(*events).rate, after(*events).eta) == (0.0, None)
    assert after(STARTED, FileStarted("a", "upload", 1009.0)).eta is None


def test_what_is_counted_while_it_is_read_has_a_time_left_from_then_on() -> None:
    """What was read before counts too."""
    state = after(Started(0, 0, 1000.0), FilesRead(2, 60, 1005.0), FilesRead(1, 40, 1010.0))
    assert (state.files_done, state.bytes_moved, state.eta) == (3, 100, None)
    assert state.rate == pytest.approx(10.0)
    state = reduce(state, Counted(9, 300, 1010.0))
    assert (state.files, state.files_done) == (9, 3)
    assert state.eta == pytest.approx(20.0)


def test_more_bytes_than_planned_leave_no_negative_time() -> None:
    """A file may have grown."""
    assert after(STARTED, FileProgress("a", 400, 1010.0)).eta == 0


def test_an_interrupted_job_says_so_and_has_nothing_in_work() -> None:
    """What was done stays done."""
    state = after(
        STARTED, FileDone("a", "upload", 100, None, 1001.0), FileProgress("b", 9, 1002.0), Ended(True, 1003.0)
    )
    assert (state.ended, state.interrupted, dict(state.active)) == (True, True, {})
    assert (state.files_done, state.bytes_moved) == (1, 100)


def test_a_start_begins_anew_with_its_notes() -> None:
    """Nothing of an earlier job is carried over."""
    state = after(STARTED, FileDone("a", "upload", 100, None, 1001.0), Started(1, 5, 2000.0))
    assert state == JobState(files=1, bytes=5, started_at=2000.0, now=2000.0)
    assert after(STARTED).notes == ("no conditional writes",)


def test_a_state_is_not_changed_by_what_comes_after() -> None:
    """Readers may keep it while the job goes on."""
    before = after(STARTED, FileProgress("a", 30, 1001.0))
    reduce(before, FileProgress("a", 60, 1002.0))
    reduce(before, FileDone("a", "upload", 100, None, 1002.0))
    assert (dict(before.active), before.now, before.files_done) == ({"a": 30}, 1001.0, 0)
    with pytest.raises(TypeError):
        before.active["a"] = 1  # type: ignore[index]


JSON: dict[type[Event], tuple[Event, dict[str, object]]] = {
    Started: (
        STARTED,
        {"event": "started", "files": 3, "bytes": 300, "at": 1000.0, "notes": ["no conditional writes"]},
    ),
    Counted: (Counted(3, 300, 1.0), {"event": "counted", "files": 3, "bytes": 300, "at": 1.0}),
    FilesRead: (FilesRead(2, 200, 1.0), {"event": "files-read", "files": 2, "bytes": 200, "at": 1.0}),
    FilesCompared: (FilesCompared(2, 1.0), {"event": "files-compared", "files": 2, "at": 1.0}),
    ProbeStarted: (ProbeStarted(1.0), {"event": "probe-started", "at": 1.0}),
    FileStarted: (FileStarted("a", "upload", 1.0), {"event": "file-started", "key": "a", "verb": "upload", "at": 1.0}),
    FileProgress: (FileProgress("a", 9, 1.0), {"event": "file-progress", "key": "a", "moved": 9, "at": 1.0}),
    FileDone: (
        FileDone("a", "upload", 9, "etag-md5", 1.0),
        {"event": "file-done", "key": "a", "verb": "upload", "size": 9, "evidence": "etag-md5", "at": 1.0},
    ),
    FileFailed: (
        FileFailed("a", "upload", "busy", "why", 1.0),
        {"event": "file-failed", "key": "a", "verb": "upload", "code": "busy", "message": "why", "at": 1.0},
    ),
    Ended: (Ended(True, 1.0), {"event": "ended", "interrupted": True, "at": 1.0}),
}


@pytest.mark.parametrize("kind", get_args(Event), ids=lambda kind: str(kind.__name__))
def test_every_event_is_json_with_its_name_and_facts(kind: type[Event]) -> None:
    """A kind that is added without a name fails here."""
    event, expected = JSON[kind]
    assert json.loads(json.dumps(to_json(event))) == expected


KEYS = ["a", "b", "c"]
moments = st.floats(0, 100)
events = st.lists(
    st.one_of(
        st.builds(FileStarted, st.sampled_from(KEYS), st.just("upload"), moments),
        st.builds(FileProgress, st.sampled_from(KEYS), st.integers(0, 50), moments),
        st.builds(FileDone, st.sampled_from(KEYS), st.just("upload"), st.integers(0, 50), st.none(), moments),
        st.builds(FileFailed, st.sampled_from(KEYS), st.just("upload"), st.just("busy"), st.just("why"), moments),
    ),
    max_size=20,
)


@given(events)
def test_whatever_happens_the_numbers_agree(happened: list[Event]) -> None:
    """Done and failed are counted once each, bytes are those of done files and of the latest progress."""
    state = after(Started(9, 99, 0.0), *happened)
    done = [event for event in happened if isinstance(event, FileDone)]
    assert state.files_done == len(done) == sum(state.by_verb.values())
    assert state.bytes_done == sum(event.size for event in done)
    assert len(state.failures) == sum(isinstance(event, FileFailed) for event in happened)
    for key in KEYS:
        last = next((event for event in reversed(happened) if getattr(event, "key", None) == key), None)
        if isinstance(last, FileStarted | FileProgress):
            assert state.active[key] == (last.moved if isinstance(last, FileProgress) else 0)
        else:
            assert key not in state.active
    assert state.bytes_moved == state.bytes_done + sum(state.active.values())
    assert state.rate >= 0
    assert state.eta is None or state.eta >= 0


# --- as plain data -----------------------------------------------------------------------------------------------


def test_a_job_as_plain_data_has_the_shape_that_the_page_reads() -> None:
    state = after(
        Started(files=3, bytes=300, at=1000.0, notes=("a note",)),
        FileStarted("a\udcff", "upload", 1000.5),
        FileProgress("a\udcff", 40, 1001.0),
        FileDone("b", "delete-remote", 0, None, 1002.0),
        FileDone("c", "upload", 60, "etag-md5", 1002.0),
        FileFailed("d\udcff", "upload", "access-denied", "The bucket refuses 'd\udcff'.", 1002.0),
    )
    assert state_json(state) == {
        "files": 3,
        "bytes": 300,
        "filesDone": 2,
        "bytesDone": 60,
        "bytesMoved": 100,
        "failures": [{"key": "d\\xff", "code": "access-denied", "message": "The bucket refuses 'd\\xff'."}],
        "notes": ["a note"],
        "active": {"a\\xff": 40},
        "byVerb": {"delete-remote": 1, "upload": 1},
        "rate": 50.0,
        "eta": 4.0,
        "startedAt": 1000.0,
        "now": 1002.0,
        "interrupted": False,
    }


def test_before_anything_moved_the_time_left_is_not_made_up() -> None:
    shown = state_json(after(STARTED))
    assert (shown["rate"], shown["eta"], shown["bytesMoved"]) == (0.0, None, 0)
    assert state_json(after(STARTED, Ended(interrupted=True, at=1001.0)))["interrupted"] is True


ODD = st.sampled_from(["a", "b/c", "é", "\udcff"])
EVENTS = st.one_of(
    st.builds(FileStarted, ODD, st.just("upload"), st.floats(1000, 2000)),
    st.builds(FileProgress, ODD, st.integers(0, 100), st.floats(1000, 2000)),
    st.builds(FileDone, ODD, st.just("upload"), st.integers(0, 100), st.just("etag-md5"), st.floats(1000, 2000)),
    st.builds(FileFailed, ODD, st.just("upload"), st.just("local"), ODD, st.floats(1000, 2000)),
    st.builds(Ended, st.booleans(), st.floats(1000, 2000)),
)


@given(st.lists(EVENTS))
def test_any_state_can_be_sent_and_says_what_the_state_says(events: list[Event]) -> None:
    """Whatever a job went through, its JSON is strict (no NaN, no lone surrogates) and adds up as the state does."""
    state = after(STARTED, *events)
    sent = json.loads(json.dumps(state_json(state), allow_nan=False).encode())
    assert sent == state_json(state)
    assert (sent["filesDone"], sent["bytesMoved"]) == (state.files_done, state.bytes_moved)
    assert len(sent["failures"]) == len(state.failures)
    assert sum(sent["active"].values()) == sum(state.active.values())
    json.dumps(state_json(state), ensure_ascii=False).encode()

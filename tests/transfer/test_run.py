"""A run tries again what may pass, a store that is busy later and later; and a run that is stopped ends at once."""

from __future__ import annotations

import gc
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, cast

import pytest

from hashmark.core import errors
from hashmark.core.events import Event, FileFailed, FileProgress, FileStarted
from hashmark.core.model import FileStatus, Key, Kind, LocalFile, Stamp, Verdict
from hashmark.core.plan import Action, Direction, Plan, Verb
from hashmark.s3.waiting import Pending
from hashmark.transfer import run as run_module
from hashmark.transfer.action_result import ActionResult
from hashmark.transfer.moves import Mover, held_bytes
from hashmark.transfer.run import LARGE_FILE_BYTES, MAX_OPEN_FILES, WORKER_THREADS, Outcome, Runner

Fate = Callable[[str, int], errors.HashmarkError | None]
"""What befalls a key at its how many-eth try."""


class Played:
    """A run of uploads in which nothing moves: `fate` says how each try ends."""

    def __init__(self, fate: Fate) -> None:
        self.tries: Counter[str] = Counter()
        self.cancel = threading.Event()
        self.events: list[Event] = []
        self.records: list[str] = []
        self._fate = fate

    async def carry_out(self, action: Action, *_: Any) -> ActionResult:
        self.tries[action.key] += 1
        error = self._fate(action.key, self.tries[action.key])
        if error:
            raise error
        return ActionResult(action, None, None)

    def run(self, *sizes: int) -> Outcome:
        actions = tuple(_upload(f"{n:03}.png", size) for n, size in enumerate(sizes))
        plan = Plan(Direction.PUSH, actions, ())
        runner = Runner(
            plan,
            cast("Mover", self),
            on_event=self.events.append,
            record=lambda done: self.records.append(done.action.key),
            cancel=self.cancel,
        )
        return runner.run()


def _upload(key: str, size: int) -> Action:
    local = LocalFile(Key(key), Stamp(size, 0, 0, 1, 1))
    return Action(Verb.UPLOAD, FileStatus(Key(key), Kind.IMAGE, Verdict.LOCAL_ONLY, local=local))


def test_a_busy_store_is_tried_again_until_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "_retry_delay_s", lambda attempt: 0.01 if attempt.number < 4 else None)
    played = Played(lambda _key, number: errors.SlowDown("busy") if number < 4 else None)
    outcome = played.run(*[1] * 200)
    assert (outcome.state.files_done, outcome.state.failures, outcome.not_tried) == (200, (), 0)
    assert set(played.tries.values()) == {4}
    assert sorted(played.records) == sorted(played.tries)


def test_a_store_that_stays_busy_fails_each_file_after_four_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    real, begun = time.monotonic, time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: begun + 100 * (real() - begun))  # the pauses are 1, 2 and 4 seconds
    played = Played(lambda *_: errors.SlowDown("busy"))
    outcome = played.run(1, 1, 1)
    assert [failure.code for failure in outcome.state.failures] == ["slow-down"] * 3
    assert set(played.tries.values()) == {4}


@pytest.mark.timeout(60)
def test_a_run_that_is_stopped_does_not_wait_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is stopped while all that is left to do is to wait."""
    waiting = itertools.count(1)

    def pause(_attempt: object) -> float:
        if next(waiting) == 5:
            threading.Timer(0.3, played.cancel.set).start()
        return 3600.0

    monkeypatch.setattr(run_module, "_retry_delay_s", pause)
    played = Played(lambda *_: errors.SlowDown("busy"))
    outcome = played.run(*[1] * 5)
    assert outcome.state.interrupted
    assert [failure.code for failure in outcome.state.failures] == ["slow-down"] * 5


@pytest.mark.parametrize("error", [errors.ServerError("broken"), errors.BadDigest("damaged")])
def test_what_may_have_been_an_accident_is_tried_once_more(
    monkeypatch: pytest.MonkeyPatch, error: errors.HashmarkError
) -> None:
    played = Played(lambda key, number: error if key == "000.png" or number == 1 else None)
    outcome = played.run(1, 1)
    assert [failure.key for failure in outcome.state.failures] == ["000.png"]
    assert played.tries == {"000.png": 2, "001.png": 2}


def test_what_every_file_would_meet_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(lambda *_: errors.ExpiredCredentials("no"))
    outcome = played.run(*[1] * (MAX_OPEN_FILES * 3))
    assert isinstance(outcome.fatal, errors.ExpiredCredentials)
    assert outcome.not_tried > 0
    assert outcome.not_tried + len(outcome.state.failures) == MAX_OPEN_FILES * 3
    assert set(played.tries.values()) == {1}


def test_a_fault_of_ours_fails_its_file_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def fate(key: str, _number: int) -> None:
        if key == "001.png":
            raise ZeroDivisionError("oh")

    outcome = Played(fate).run(1, 1, 1)
    assert [failure.message for failure in outcome.state.failures] == ["'001.png': ZeroDivisionError: oh."]
    assert outcome.state.files_done == 2


def test_an_error_in_what_is_told_ends_the_run_once_all_under_way_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(lambda *_: errors.AccessDenied("no"))

    class Full(list[Event]):
        def append(self, event: Event) -> None:
            super().append(event)
            if isinstance(event, FileFailed):
                raise OSError("the pipe is closed")

    played.events = Full()
    before = threading.active_count()
    with pytest.raises(OSError, match="pipe is closed"):
        played.run(*[1] * 10)
    assert threading.active_count() <= before


def test_large_files_tell_when_they_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(lambda *_: None)
    played.run(LARGE_FILE_BYTES - 1, LARGE_FILE_BYTES, LARGE_FILE_BYTES + 1)
    assert [event.key for event in played.events if isinstance(event, FileStarted)] == ["001.png", "002.png"]


@pytest.mark.parametrize(("seconds", "reports"), [(4, 40), (0.01, 9)], ids=["slow", "fast"])
def test_progress_is_reported_ten_times_a_second_or_once_a_megabyte(
    seconds: float, reports: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [time.monotonic()]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    async def carry_out(action: Action, on_bytes: Callable[[int], None], _is_cancelled: object) -> ActionResult:
        for _ in range(1000):
            now[0] += seconds / 1000
            on_bytes(10_000)
        return ActionResult(action, None, None)

    played = Played(lambda *_: None)
    monkeypatch.setattr(played, "carry_out", carry_out)
    played.run(10_000_000)
    moved = [event.moved for event in played.events if isinstance(event, FileProgress)]
    assert len(moved) == pytest.approx(reports, abs=2)
    assert moved == sorted(moved)
    assert moved[-1] >= 8_900_000


def test_only_as_many_bytes_are_under_way_as_may_be_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large file that is sent in parts holds few of its bytes."""
    held = [held_bytes(_upload("a.png", size)) for size in (1000, 64 << 20, (64 << 20) + 1, 1 << 40)]
    assert held == [1000, 64 << 20, 16 << 20, 16 << 20]
    under_way, most, lock = 0, 0, threading.Lock()
    waiting: list[Pending[None]] = []

    async def carry_out(action: Action, *_: Any) -> ActionResult:
        """Wait until two files of 60 MiB are under way, and a moment longer, in which a third could begin."""
        nonlocal under_way, most
        answer = Pending[None]()
        with lock:
            under_way += held_bytes(action)
            most = max(most, under_way)
            waiting.append(answer)
            ready = waiting[:] if most > 100 << 20 else []
            del waiting[: len(ready)]
        for each in ready:
            threading.Timer(0.1, each.set_result, [None]).start()
        await answer
        with lock:
            under_way -= held_bytes(action)
        return ActionResult(action, None, None)

    played = Played(lambda *_: None)
    monkeypatch.setattr(played, "carry_out", carry_out)
    assert played.run(*[60 << 20] * 6, *[1 << 40] * 12).state.files_done == 18
    assert 100 << 20 < most <= run_module.MAX_HELD_BYTES


class Bytes(bytes):
    """A file's bytes, counted."""

    held = most = 0

    def __new__(cls) -> Bytes:
        cls.held += 1
        cls.most = max(cls.most, cls.held)
        return super().__new__(cls)

    def __del__(self) -> None:
        type(self).held -= 1


def test_files_that_failed_keep_none_of_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not until a collector of garbage comes by: an error's traceback has the frames in which they were read."""

    def sent() -> Pending[None]:
        refused = Pending[None]()
        refused.set_exception(errors.SlowDown("busy"))
        return refused

    async def carry_out(*_: Any) -> ActionResult:
        data = Bytes()
        try:
            await sent()
        except errors.SlowDown as error:
            raise errors.AccessDenied(f"{len(data)} bytes were refused") from error
        raise AssertionError

    played = Played(lambda *_: None)
    monkeypatch.setattr(played, "carry_out", carry_out)
    gc.disable()
    try:
        outcome = played.run(*[1] * 200)
        assert len(outcome.state.failures) == 200
        assert (Bytes.held, Bytes.most <= WORKER_THREADS) == (0, True)
    finally:
        gc.enable()


@pytest.mark.parametrize("fatal", [True, False])
def test_of_a_run_that_is_stopped_no_more_files_are_begun(fatal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even those that were handed out already, and wait for a thread."""

    def stop(*_: Any) -> errors.HashmarkError | None:
        if fatal:
            return errors.ExpiredCredentials("no")
        played.cancel.set()
        return None

    played = Played(stop)
    outcome = played.run(*[1] * 200)
    begun = sum(played.tries.values())
    assert 1 <= begun <= WORKER_THREADS
    assert outcome.not_tried == 200 - begun
    assert (outcome.state.files_done, len(outcome.state.failures)) == ((0, begun) if fatal else (begun, 0))

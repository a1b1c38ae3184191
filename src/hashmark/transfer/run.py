"""Runs a plan: many actions at once, reported as events, stopped early where every other file would fail too.

Transfers come first, then deletes in the bucket, then deletes on disk; each phase runs only if all before it went well.
The calling thread decides what begins, and reports every event and every result in the order they happen; the threads
of a pool do the work. What is recorded or shown is not known here.
"""

from __future__ import annotations

import queue
import resource
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hashmark.core import errors
from hashmark.core.events import (
    Ended,
    Event,
    FileDone,
    FileFailed,
    FileProgress,
    FileStarted,
    JobState,
    Started,
    reduce,
)
from hashmark.core.plan import DELETES, Action, Plan, Verb
from hashmark.transfer.action_result import ActionResult
from hashmark.transfer.coroutine_pool import CoroutinePool
from hashmark.transfer.moves import Mover, held_bytes

MAX_OPEN_FILES = 256
"""Files under way at once, nearly all of them waiting for an answer or, until `s3.concurrency` gives them room, to be
requested."""

WORKER_THREADS = 4
"""Threads that read, hash, write and sync files; a multipart upload keeps one to itself. With more of them, they mostly
wait for each other: small files are much Python and little else."""

MAX_HELD_BYTES = 128 << 20
"""Bytes of files under way that are held in memory."""

MAX_ATTEMPTS = 4
LARGE_FILE_BYTES = 4 << 20
"""Files from this size on are reported when they start, and while they make progress."""

PROGRESS_BYTES = 1 << 20
PROGRESS_S = 0.1
"""The progress of a file is reported after so many bytes, or so many seconds: libcurl tells of each few kilobytes."""

GATHER_FROM = 32
"""Files under way from which on results gather."""

GATHER_RESULTS_S = 0.005
"""How long results gather while many files are under way: a thread that wakes up for each result costs a switch."""

CANCEL_POLL_S = 0.1
"""How soon a cancelled run notices it while it only waits to retry."""

_PHASES = (frozenset(Verb) - DELETES, {Verb.DELETE_REMOTE}, {Verb.DELETE_LOCAL})
"""What runs together. A phase waits until all before it went well, so that a bucket that refuses costs no file."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended. `fatal` is the error that stopped it early; `not_tried` counts the actions that never began."""

    state: JobState
    fatal: errors.HashmarkError | None
    not_tried: int


class _Attempt:
    """One action and its current attempt.

    It is handed back and forth between the calling thread and the pool; only one of them has it at a time.
    """

    __slots__ = ("action", "due", "held", "number", "result")

    def __init__(self, action: Action) -> None:
        self.action = action
        self.number = 1
        self.due = 0.0
        """When a retry may begin, by the monotonic clock."""
        self.held = held_bytes(action)
        self.result: ActionResult | errors.HashmarkError | None = None


class Runner:
    """One run of one plan. `record` is called with each result as it comes, on the calling thread.

    `cancel` may be set from any thread: files under way are finished, the others are left.
    """

    def __init__(
        self,
        plan: Plan,
        mover: Mover,
        *,
        on_event: Callable[[Event], None],
        record: Callable[[ActionResult], None],
        cancel: threading.Event,
    ) -> None:
        self._plan = plan
        self._mover = mover
        self._on_event = on_event
        self._record = record
        self._cancel = cancel
        self._max_files = _max_open_files()
        self._active = self._held = 0
        """Files under way, and the bytes they hold in memory."""
        self._messages: queue.SimpleQueue[FileProgress | _Attempt] = queue.SimpleQueue()
        self._retries: list[_Attempt] = []
        self._fatal: errors.HashmarkError | None = None
        self._state = JobState()

    def run(self, notes: tuple[str, ...] = ()) -> Outcome:
        """Carry out the plan. Never raises for a file: failures are in the outcome."""
        plan = self._plan
        self._report(Started(len(plan.actions), plan.total_bytes, time.time(), notes))
        for verbs in _PHASES:
            if not self._state.failures and not self._is_stopped():
                self._run_phase([action for action in plan.actions if action.verb in verbs])
        self._report(Ended(self._cancel.is_set(), time.time()))
        left = len(plan.actions) - self._state.files_done - len(self._state.failures)
        return Outcome(self._state, self._fatal, left)

    def _is_stopped(self) -> bool:
        return self._cancel.is_set() or self._fatal is not None

    def _run_phase(self, actions: Iterable[Action]) -> None:
        """Run these actions, a bounded number at a time, until all have ended or the run is stopped."""
        waiting = map(_Attempt, actions)
        following = next(waiting, None)
        if following is None:
            return
        with CoroutinePool(min(WORKER_THREADS, len(self._plan.actions))) as pool:
            try:
                while True:
                    self._begin_retries(pool)
                    while following is not None and not self._is_stopped() and self._begin(pool, following):
                        following = next(waiting, None)
                    if not self._active and not self._retries:
                        return
                    if self._active > GATHER_FROM:
                        time.sleep(GATHER_RESULTS_S)
                    self._receive()
            except BaseException:
                self._cancel.set()
                while self._active:  # what is under way must end before the pool does
                    message = self._messages.get()
                    if isinstance(message, _Attempt):
                        self._end(message)
                raise

    def _begin(self, pool: CoroutinePool, attempt: _Attempt) -> bool:
        """Begin an attempt if there is room for it."""
        if self._active and (self._active >= self._max_files or self._held + attempt.held > MAX_HELD_BYTES):
            return False
        self._active += 1
        self._held += attempt.held
        pool.start(self._work(attempt))
        if attempt.action.size >= LARGE_FILE_BYTES:
            self._report(FileStarted(attempt.action.key, attempt.action.verb, time.time()))
        return True

    def _end(self, attempt: _Attempt) -> None:
        self._active -= 1
        self._held -= attempt.held

    def _begin_retries(self, pool: CoroutinePool) -> None:
        """Begin the retries that are due. In a stopped run they fail instead."""
        now = time.monotonic() if self._retries else 0.0
        for attempt in list(self._retries):
            if self._is_stopped():
                self._fail(attempt)
            elif attempt.due > now or not self._begin(pool, attempt):
                continue
            self._retries.remove(attempt)

    def _receive(self) -> None:
        """Handle all messages that have come, at least one; while a retry is due, wait at most CANCEL_POLL_S for it."""
        while True:
            try:
                message = self._messages.get(timeout=CANCEL_POLL_S if self._retries else None)
            except queue.Empty:
                return
            if isinstance(message, FileProgress):
                self._report(message)
            else:
                self._end(message)
                self._handle_result(message)
            if self._messages.empty():
                return

    def _handle_result(self, attempt: _Attempt) -> None:
        """Record what an attempt has proven, or schedule a retry, or report the failure."""
        result, action = attempt.result, attempt.action
        if isinstance(result, ActionResult):
            self._record(result)
            self._report(FileDone(action.key, action.verb, action.size, result.evidence, time.time()))
        elif isinstance(result, errors.Interrupted) and action.size < LARGE_FILE_BYTES:
            pass  # it had not begun
        elif result is not None:  # else the run was stopped before it began
            delay = None if self._is_stopped() else _retry_delay_s(attempt)
            if delay is None:
                self._fail(attempt)
            else:
                attempt.number += 1
                attempt.due = time.monotonic() + delay
                self._retries.append(attempt)

    def _fail(self, attempt: _Attempt) -> None:
        action, error = attempt.action, attempt.result
        assert isinstance(error, errors.HashmarkError)  # noqa: S101 - only what failed is retried
        self._report(FileFailed(action.key, action.verb, error.code, str(error), time.time()))

    def _report(self, event: Event) -> None:
        self._state = reduce(self._state, event)
        self._on_event(event)

    async def _work(self, attempt: _Attempt) -> None:
        """Carry out an attempt and send it back with its result. In a stopped run, nothing is carried out."""
        action, moved, told, told_at = attempt.action, 0, 0, 0.0
        lock = threading.Lock()  # a large object travels in several requests at once

        def on_bytes(count: int) -> None:
            nonlocal moved, told, told_at
            with lock:
                moved += count
                now = time.monotonic()
                if moved - told >= PROGRESS_BYTES or now - told_at >= PROGRESS_S:
                    told, told_at = moved, now
                    self._messages.put(FileProgress(action.key, min(moved, action.size), time.time()))

        try:
            if not self._is_stopped():
                progress = on_bytes if action.size >= LARGE_FILE_BYTES else None
                attempt.result = await self._mover.carry_out(action, progress, self._is_stopped)
        except errors.HashmarkError as error:
            # Without tracebacks: their frames would keep the bytes of every file that failed.
            error.__cause__ = error.__context__ = None
            attempt.result = error.with_traceback(None)
            if error.fatal:
                self._fatal = self._fatal or error
        except Exception as error:  # noqa: BLE001 - an internal error must not hang the run; the file fails with it
            attempt.result = errors.HashmarkError(f"'{action.key}': {type(error).__name__}: {error}.")
        self._messages.put(attempt)


def _max_open_files() -> int:
    """Return how many files may be under way: each has its folder open, too, and connections need as many again."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_OPEN_FILES if soft == resource.RLIM_INFINITY else min(MAX_OPEN_FILES, max(4, soft // 4))


def _retry_delay_s(attempt: _Attempt) -> float | None:
    """Return the seconds to wait before the next attempt, or None if there should be none."""
    if isinstance(attempt.result, errors.SlowDown):
        return 2.0**attempt.number / 2 if attempt.number < MAX_ATTEMPTS else None
    if isinstance(attempt.result, errors.ServerError | errors.BadDigest):
        return 0.0 if attempt.number == 1 else None
    return None

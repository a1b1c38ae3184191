"""Runs a plan with many actions at once, tells of it in events, and stops where going on makes no sense.

Transfers come first, then deletes in the bucket, then those on disk, each only if all before it went well. The
calling thread decides what begins, and gets every event and every result, in the order they happen; a crew does the
work. What is recorded, shown or asked is not known here.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
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
from hashmark.transfer.crew import Crew
from hashmark.transfer.moves import MAX_SINGLE_PUT_BYTES, Mover
from hashmark.transfer.throttle import Throttle

FILES = 64
"""Files under way at once, nearly all of them waiting for an answer."""

THREADS = 4
"""Those that read, hash, write and sync them; a file that goes in parts keeps one. With more of them, they mostly wait
for each other: small files are much Python and little else."""

MEMORY = 256 << 20
TRIES = 4
LARGE = 4 << 20
"""Files from this size on tell when they begin, and of progress within themselves."""

HANDFUL = 0.005
"""Seconds for which results may gather while many files are under way: a thread that wakes for each costs a switch."""

MOMENT = 0.1
"""Seconds after which a cancelled run notices it, while all it does is wait to try again."""

_PHASES = (frozenset(Verb) - DELETES, {Verb.DELETE_REMOTE}, {Verb.DELETE_LOCAL})
"""What is done together. Each waits until all before it went well, so that a bucket that refuses costs no file."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended. `fatal` is what stopped it early; `not_tried` counts the actions it left."""

    state: JobState
    fatal: errors.HashmarkError | None
    not_tried: int


class _Try:
    """One action: which try it is, begun in which epoch of the throttle, how that ended, and when the next is due.

    It is handed back and forth between the calling thread and the crew; only one of them has it at a time.
    """

    __slots__ = ("action", "due", "epoch", "held", "number", "result")

    def __init__(self, action: Action) -> None:
        self.action = action
        self.number = 1
        self.epoch = 0
        self.due = 0.0
        self.held = min(action.size, MAX_SINGLE_PUT_BYTES)
        """Bytes that it holds in memory; of a file that goes in parts, `s3.multipart` bounds the rest."""
        self.result: ActionResult | errors.HashmarkError | None = None


class Runner:
    """One run of one plan. `record` is given each proof as it comes, on the calling thread.

    `cancel` may be set from anywhere: files under way are finished, the others are left.
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
        self._throttle = Throttle(FILES, MEMORY)
        self._mail: queue.SimpleQueue[FileProgress | _Try] = queue.SimpleQueue()
        self._again: list[_Try] = []
        self._fatal: errors.HashmarkError | None = None
        self._state = JobState()

    def run(self, notes: tuple[str, ...] = ()) -> Outcome:
        """Carry out the plan.

        Never raises for a file: failures are in the outcome.
        """
        plan = self._plan
        self._tell(Started(len(plan.actions), plan.total_bytes, time.time(), notes))
        for verbs in _PHASES:
            if not self._state.failures and not self._stopped():
                self._phase(action for action in plan.actions if action.verb in verbs)
        self._tell(Ended(self._cancel.is_set(), time.time()))
        left = len(plan.actions) - self._state.files_done - len(self._state.failures)
        return Outcome(self._state, self._fatal, left)

    def _stopped(self) -> bool:
        return self._cancel.is_set() or self._fatal is not None

    def _phase(self, actions: Iterable[Action]) -> None:
        """Run these, a bounded number at a time, until all are done or the run is stopped."""
        waiting = map(_Try, actions)
        first = next(waiting, None)
        if first is None:
            return
        with Crew(min(THREADS, len(self._plan.actions))) as crew:
            try:
                self._feed(crew, first, waiting)
            except BaseException:
                self._cancel.set()
                while self._throttle.active:  # what is under way ends before the crew goes
                    message = self._mail.get()
                    if isinstance(message, _Try):
                        self._throttle.end(message.held)
                raise

    def _feed(self, crew: Crew, following: _Try | None, waiting: Iterator[_Try]) -> None:
        while True:
            self._begin_again(crew)
            while following and not self._stopped() and self._throttle.has_room(following.held):
                self._begin(crew, following)
                following = next(waiting, None)
            if not self._throttle.active and not self._again:
                return
            if self._throttle.active > FILES // 2:
                time.sleep(HANDFUL)
            self._take_mail()
            while not self._mail.empty():
                self._take_mail()

    def _begin(self, crew: Crew, attempt: _Try) -> None:
        attempt.epoch = self._throttle.epoch
        if attempt.action.size >= LARGE:
            self._tell(FileStarted(attempt.action.key, attempt.action.verb, time.time()))
        crew.start(self._work(attempt))
        self._throttle.begin(attempt.held)

    def _begin_again(self, crew: Crew) -> None:
        """Begin what waited long enough to be tried again; of a run that was stopped, nothing is."""
        now = time.monotonic() if self._again else 0.0
        for attempt in list(self._again):
            if self._stopped():
                self._fail(attempt)
            elif attempt.due > now or not self._throttle.has_room(attempt.held):
                continue
            else:
                self._begin(crew, attempt)
            self._again.remove(attempt)

    def _take_mail(self) -> None:
        """Handle what comes next. While something is to be tried again, no longer than a moment is waited for it."""
        try:
            message = self._mail.get(timeout=MOMENT if self._again else None)
        except queue.Empty:
            return
        if isinstance(message, FileProgress):
            self._tell(message)
            return
        self._throttle.end(message.held)
        self._settle(message)

    def _settle(self, attempt: _Try) -> None:
        """What follows from how a try ended: a proof, another try, or a failure."""
        result = attempt.result
        if isinstance(result, ActionResult):
            self._throttle.succeeded()
            self._record(result)
            action = attempt.action
            self._tell(FileDone(action.key, action.verb, action.size, result.evidence, time.time()))
            return
        if result is None:
            return  # not begun
        if isinstance(result, errors.SlowDown):
            self._throttle.slow_down(attempt.epoch)
        pause = None if self._stopped() else _pause(attempt)
        if pause is None:
            self._fail(attempt)
        else:
            attempt.number += 1
            attempt.due = time.monotonic() + pause
            self._again.append(attempt)

    def _fail(self, attempt: _Try) -> None:
        action, error = attempt.action, attempt.result
        assert isinstance(error, errors.HashmarkError)  # noqa: S101 - only what failed is tried again
        self._tell(FileFailed(action.key, action.verb, error.code, str(error), time.time()))

    def _tell(self, event: Event) -> None:
        self._state = reduce(self._state, event)
        self._on_event(event)

    async def _work(self, attempt: _Try) -> None:
        """A try's whole work; it always ends with a message. Where the run was stopped meanwhile, nothing is begun."""
        action = attempt.action
        try:
            if not self._stopped():
                attempt.result = await self._mover.carry_out(action, self._progress(action), self._cancel.is_set)
        except errors.HashmarkError as error:
            attempt.result = _without_frames(error)
            if error.fatal:
                self._fatal = self._fatal or error
        except Exception as error:  # noqa: BLE001 - a fault of ours must not hang the run; it is reported as one
            attempt.result = errors.HashmarkError(f"'{action.key}': {type(error).__name__}: {error}.")
        self._mail.put(attempt)

    def _progress(self, action: Action) -> Callable[[int], None] | None:
        if action.size < LARGE:
            return None
        moved = 0
        lock = threading.Lock()  # a large object travels in several requests at once

        def on_bytes(count: int) -> None:
            nonlocal moved
            with lock:
                moved += count
                self._mail.put(FileProgress(action.key, min(moved, action.size), time.time()))

        return on_bytes


def _without_frames(error: errors.HashmarkError) -> errors.HashmarkError:
    """The error without its tracebacks: their frames would keep the bytes of every file that failed."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _pause(attempt: _Try) -> float | None:
    """Seconds until a failed action is tried again, or None where that makes no sense or was done often enough."""
    if isinstance(attempt.result, errors.SlowDown):
        return 2.0**attempt.number / 2 if attempt.number < TRIES else None
    if isinstance(attempt.result, errors.ServerFault | errors.BadDigest):
        return 0.0 if attempt.number == 1 else None
    return None

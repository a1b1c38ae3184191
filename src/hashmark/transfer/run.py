"""Runs a plan with many actions at once, tells of it in events, and stops where going on makes no sense.

Transfers come first, then deletes in the bucket, then those on disk, each only if all before it went well. The
calling thread gets every event and every result, in the order they happen. What is recorded, shown or asked is not
known here.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
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
from hashmark.transfer.moves import SINGLE_PUT, Done, Ends, carry_out
from hashmark.transfer.throttle import Throttle

WORKERS = 16
MEMORY = 256 << 20
TRIES = 4
LARGE = 4 << 20
"""Files from this size on report progress within themselves."""

_PHASES = (frozenset(Verb) - DELETES, {Verb.DELETE_REMOTE}, {Verb.DELETE_LOCAL})
"""What is done together. Each waits until all before it went well, so that a bucket that refuses costs no file."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended. `fatal` is what stopped it early; `not_tried` counts the actions it left."""

    state: JobState
    fatal: errors.HashmarkError | None
    not_tried: int


class Runner:
    """One run of one plan. `record` is given each proof as it comes, on the calling thread.

    `cancel` may be set from anywhere: files under way are finished, the others are left.
    """

    def __init__(
        self,
        plan: Plan,
        ends: Ends,
        *,
        on_event: Callable[[Event], None],
        record: Callable[[Done], None],
        cancel: threading.Event,
        workers: int = WORKERS,
    ) -> None:
        self._plan = plan
        self._ends = ends
        self._on_event = on_event
        self._record = record
        self._cancel = cancel
        self._workers = workers
        self._throttle = Throttle(workers, MEMORY)
        self._mail: queue.SimpleQueue[Event | Done | None] = queue.SimpleQueue()
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
        waiting = iter(actions)
        with ThreadPoolExecutor(self._workers, thread_name_prefix="transfer") as pool:
            try:
                self._feed(pool, waiting)
            except BaseException:
                self._cancel.set()  # before the pool waits for what was handed to it
                raise

    def _feed(self, pool: ThreadPoolExecutor, waiting: Iterator[Action]) -> None:
        running = 0
        while True:
            while running < 2 * self._workers and not self._stopped():
                action = next(waiting, None)
                if action is None:
                    break
                pool.submit(self._work, action)
                running += 1
            if running == 0:
                return
            running -= self._take_mail()

    def _take_mail(self) -> int:
        """Handle one message from a worker; 1 if it was its last, else 0."""
        message = self._mail.get()
        if message is None:
            return 1
        if isinstance(message, Done):
            self._record(message)
            action, evidence = message.action, message.evidence
            self._tell(FileDone(action.key, action.verb, action.size, evidence, time.time()))
        else:
            self._tell(message)
        return 0

    def _tell(self, event: Event) -> None:
        self._state = reduce(self._state, event)
        self._on_event(event)

    def _work(self, action: Action) -> None:
        """A worker's whole task; it always ends with the message None."""
        try:
            with self._throttle.admit(min(action.size, SINGLE_PUT)):
                if not self._stopped():
                    self._mail.put(self._persist(action))
                    self._throttle.succeeded()
        except errors.HashmarkError as error:
            if error.fatal and self._fatal is None:
                self._fatal = error
            self._fail(action, error)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not hang the run; it is reported as one
            self._fail(action, errors.HashmarkError(f"'{action.key}': {type(error).__name__}: {error}."))
        finally:
            self._mail.put(None)

    def _fail(self, action: Action, error: errors.HashmarkError) -> None:
        self._mail.put(FileFailed(action.key, action.verb, error.code, str(error), time.time()))

    def _persist(self, action: Action) -> Done:
        """Try an action until it works, the error is not one that passes, or the tries are used up."""
        attempt = 0
        while True:
            attempt += 1
            self._mail.put(FileStarted(action.key, action.verb, time.time()))
            epoch = self._throttle.epoch
            try:
                return carry_out(action, self._ends, self._progress(action), self._cancel.is_set)
            except errors.SlowDown:
                self._throttle.slow_down(epoch)
                if attempt == TRIES or self._cancel.wait(2.0**attempt / 2):
                    raise
            except (errors.ServerFault, errors.BadDigest):
                if attempt > 1 or self._cancel.is_set():
                    raise

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

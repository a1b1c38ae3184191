"""Jobs: one at a time for a dataset, each with the state its events add up to, kept until the server stops.

The same actions as on the command line do the work, on separate threads. Listeners receive events and proofs on the
event loop's thread. What may be started is decided by the routes.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hashmark.actions.clean import Preview, apply
from hashmark.actions.move import Planned, run
from hashmark.actions.verify import verify
from hashmark.core.display import printable
from hashmark.core.errors import HashmarkError
from hashmark.core.events import Ended, Event, Failure, FileFailed, JobState, reduce, state_json
from hashmark.core.plan import Direction, Policy
from hashmark.core.report import DatasetStatus
from hashmark.library.dataset import Dataset
from hashmark.transfer.action_result import ActionResult
from hashmark.trash.undo import UndoConflict
from hashmark.trash.undo import undo as undo_batch

MAX_ENDED_JOBS = 50
"""How many ended jobs are remembered."""

MAX_FEED_EVENTS = 5000

JOB_NAMES = {
    "push": "A push",
    "pull": "A pull",
    "delete": "A delete",
    "verify": "A verify",
    "clean": "A cleaning",
    "undo": "An undo",
}
"""The beginning of a sentence about a job of each kind."""

MAX_REFUSED_SHOWN = 50
"""How many of the files that an undo left alone are shown with their differences."""


@dataclass(frozen=True)
class WorkResult:
    """What a job's work returned, to be applied on the event loop. Fields as in `Job`."""

    found: DatasetStatus | None = None
    error: HashmarkError | None = None
    trash: str | None = None
    not_tried: int = 0
    batch: str | None = None
    refused: tuple[UndoConflict, ...] = ()
    skipped: tuple[Failure, ...] = ()
    undone: str | None = None
    """The batch that was undone completely."""


@dataclass(eq=False)
class Job:
    """A running or ended plan, verification, cleaning or undo; `kind` says which. Times in seconds since the epoch."""

    dataset: Dataset
    kind: str
    work: Callable[[Job], WorkResult]
    """Runs on a worker thread and changes nothing here."""
    planned: Planned | None = None
    keys: frozenset[str] | None = None
    id: str = field(default_factory=lambda: secrets.token_hex(6))
    state: JobState = field(default_factory=JobState)
    error: HashmarkError | None = None
    trash: str | None = None
    not_tried: int = 0
    since: float = field(default_factory=time.time)
    ended: bool = False
    cancel: threading.Event = field(default_factory=threading.Event)
    found: DatasetStatus | None = None
    """The result of a verification."""
    batch: str | None = None
    """The batch of a cleaning or an undo that can be undone; None where there is none, or it was undone already."""
    refused: tuple[UndoConflict, ...] = ()
    """Files that an undo left alone because they were edited since."""
    skipped: tuple[Failure, ...] = ()
    """Files that were left alone without being tried."""
    feeds: set[EventFeed] = field(default_factory=set)

    @property
    def good(self) -> bool:
        """Whether it ended with nothing left to do."""
        missed = self.state.failures or self.refused or self.skipped or self.not_tried
        return self.ended and not self.error and not missed and not self.state.interrupted

    def to_json(self) -> dict[str, Any]:
        """Return the job as the HTTP API gives it. Refused files beyond the limit are in `refusedCount` only."""
        return {
            "job": self.id,
            "dataset": self.dataset.id,
            "kind": self.kind,
            "ended": self.ended,
            "cancelled": self.cancel.is_set(),
            "error": None if self.error is None else {"code": self.error.code, "message": printable(str(self.error))},
            "trash": self.trash,
            "notTried": self.not_tried,
            "batch": self.batch,
            "refused": [refused.to_json() for refused in self.refused[:MAX_REFUSED_SHOWN]],
            "refusedCount": len(self.refused),
            "skipped": [failure.to_json() for failure in self.skipped],
            **state_json(self.state),
        }


class EventFeed:
    """The events of a job for one open stream. A stream that is too slow starts over from the job's whole state."""

    def __init__(self) -> None:
        self.events: deque[Event] = deque()
        self.behind = False
        self.closed = False
        self.ready = asyncio.Event()

    def put(self, event: Event | None) -> None:
        """Add an event; None only wakes the stream."""
        if event is not None and len(self.events) >= MAX_FEED_EVENTS:
            self.behind = True
            self.events.clear()
        elif event is not None and not self.behind:
            self.events.append(event)
        self.ready.set()


class DatasetBusy(HashmarkError):
    """A job of this dataset is already running; `job` is its id."""

    code = "busy"

    def __init__(self, job: Job) -> None:
        message = f"{JOB_NAMES[job.kind]} of {job.dataset.name} is already running."
        super().__init__(message, "Wait for it to end, or cancel it.")
        self.job = job.id


Listener = Callable[[Job, list[Event], list[ActionResult]], None]


class Jobs:
    """Every job of this server."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._listeners: list[Listener] = []
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="job")
        self._waiting: set[asyncio.Task[None]] = set()
        self.started: Counter[str] = Counter()
        """How many jobs were started so far, by the dataset's name."""
        self.stopping = False
        """Whether the server is shutting down: no stream stays open then."""
        self._loop: asyncio.AbstractEventLoop | None = None

    def listen(self, listener: Listener) -> None:
        """Call `listener` with the events and proofs of every job, in order, on the event loop's thread.

        It is called once more, with neither, when a job has ended.
        """
        self._listeners.append(listener)

    def get(self, job_id: str) -> Job | None:
        """Return the job with that id, if it is remembered."""
        return self._jobs.get(job_id)

    def all(self) -> list[Job]:
        """Return every remembered job, newest first."""
        return list(reversed(self._jobs.values()))

    def running(self, dataset: Dataset) -> Job | None:
        """Return the dataset's job that has not ended."""
        return next((j for j in self._jobs.values() if j.dataset.name == dataset.name and not j.ended), None)

    def forget(self, job_id: str) -> None:
        """Drop an ended job."""
        job = self._jobs.get(job_id)
        if job is not None and job.ended:
            del self._jobs[job_id]

    def run_plan(self, planned: Planned) -> Job:
        """Start to run a plan.

        Raises:
            DatasetBusy: a job of this dataset is running.
        """
        keys = frozenset(str(action.key) for action in planned.plan.actions)
        return self._start(Job(planned.dataset, planned.plan.direction, self._run_plan, planned, keys))

    def verify(self, dataset: Dataset, keys: frozenset[str] | None) -> Job:
        """Start to download every selected object and compare its bytes.

        Raises:
            DatasetBusy: a job of this dataset is running.
        """
        return self._start(Job(dataset, "verify", self._verify, keys=keys))

    def clean(self, preview: Preview) -> Job:
        """Start to write what a preview shows.

        Raises:
            DatasetBusy: a job of this dataset is running.
        """
        return self._start(Job(preview.dataset, "clean", partial(self._clean, preview)))

    def undo(self, dataset: Dataset, batch: str) -> Job:
        """Start to undo a batch of this dataset.

        Raises:
            DatasetBusy: a job of this dataset is running.
        """
        return self._start(Job(dataset, "undo", partial(self._undo, batch)))

    def _start(self, job: Job) -> Job:
        running = self.running(job.dataset)
        if running is not None:
            raise DatasetBusy(running)
        ended = [j.id for j in self._jobs.values() if j.ended]
        for old in ended[: max(0, len(ended) - MAX_ENDED_JOBS)]:
            del self._jobs[old]
        self._jobs[job.id] = job
        self.started[job.dataset.name] += 1
        task = asyncio.get_running_loop().create_task(self._drive(job))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        return job

    async def _drive(self, job: Job) -> None:
        self._loop = asyncio.get_running_loop()
        try:
            self._apply(job, await self._loop.run_in_executor(self._pool, job.work, job))
        except HashmarkError as error:
            job.error = error
        except Exception as error:  # noqa: BLE001 - otherwise the page would show a job that runs for ever
            job.error = HashmarkError(f"Internal error: {type(error).__name__}: {error}.", "Please report this bug.")
        job.ended = True
        job.work = lambda _job: WorkResult()  # frees the captions that a cleaning holds
        if not job.state.ended:
            job.state = reduce(job.state, Ended(job.cancel.is_set(), time.time()))
        self._notify(job, [], [])
        for feed in job.feeds:
            feed.put(None)

    def _apply(self, job: Job, result: WorkResult) -> None:
        job.found, job.error, job.trash, job.not_tried = result.found, result.error, result.trash, result.not_tried
        job.batch, job.refused, job.skipped = result.batch, result.refused, result.skipped
        if result.undone is not None:
            for other in self._jobs.values():
                other.batch = None if other.batch == result.undone else other.batch

    def _run_plan(self, job: Job) -> WorkResult:
        assert job.planned is not None  # noqa: S101 - made by `run_plan`
        relay = self._relay(job)
        result = run(job.planned, relay.add, job.cancel, relay.add)
        return WorkResult(trash=result.trash, not_tried=result.outcome.not_tried, error=result.outcome.fatal)

    def _verify(self, job: Job) -> WorkResult:
        on_event = self._relay(job).add
        return WorkResult(verify(job.dataset, Policy(Direction.PULL, keys=job.keys), on_event, job.cancel))

    def _clean(self, preview: Preview, job: Job) -> WorkResult:
        outcome = apply(preview, self._relay(job).add, job.cancel).outcome
        return WorkResult(
            batch=outcome.batch, not_tried=outcome.not_tried, error=outcome.stopped_by, skipped=preview.skipped
        )

    def _undo(self, batch: str, job: Job) -> WorkResult:
        relay, failed = self._relay(job), set[str]()

        def on_event(event: Event) -> None:
            if isinstance(event, FileFailed):
                failed.add(event.key)
            relay.add(event)

        undone = undo_batch(job.dataset.library, batch, on_event, job.cancel)
        outcome = undone.outcome
        return WorkResult(
            batch=outcome.batch,
            not_tried=outcome.not_tried,
            error=outcome.stopped_by,
            refused=undone.conflicts,
            skipped=tuple(failure for failure in outcome.failures if failure.key not in failed),
            undone=batch if undone.complete else None,
        )

    def _relay(self, job: Job) -> _EventRelay:
        assert self._loop is not None  # noqa: S101 - set when a job starts
        return _EventRelay(self._loop, lambda events, proofs: self._take(job, events, proofs))

    def _take(self, job: Job, events: list[Event], proofs: list[ActionResult]) -> None:
        for event in events:
            job.state = reduce(job.state, event)
            for feed in job.feeds:
                feed.put(event)
        self._notify(job, events, proofs)

    def _notify(self, job: Job, events: list[Event], proofs: list[ActionResult]) -> None:
        for listener in self._listeners:
            listener(job, events, proofs)

    def stop(self) -> None:
        """Cancel every job and end its event streams. May be called from a signal handler."""
        self.stopping = True
        for job in list(self._jobs.values()):
            job.cancel.set()
            for feed in list(job.feeds):
                feed.closed = True
                feed.put(None)

    async def close(self) -> None:
        """Cancel every job and wait until its files in transfer are finished."""
        self.stop()
        await asyncio.gather(*self._waiting, return_exceptions=True)
        self._pool.shutdown()


class _EventRelay:
    """Passes events and proofs from a job's thread to the event loop's, in batches."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, take: Callable[[list[Event], list[ActionResult]], None]
    ) -> None:
        self._loop = loop
        self._take = take
        self._lock = threading.Lock()
        self._waiting: list[Event | ActionResult] = []

    def add(self, news: Event | ActionResult) -> None:
        with self._lock:
            self._waiting.append(news)
            first = len(self._waiting) == 1
        if first:
            with contextlib.suppress(RuntimeError):  # the loop is closed; the job finishes its files
                self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        events = [news for news in waiting if not isinstance(news, ActionResult)]
        self._take(events, [news for news in waiting if isinstance(news, ActionResult)])

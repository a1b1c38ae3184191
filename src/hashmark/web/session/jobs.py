"""Work under way: one job at a time for a dataset, each folded from its events, kept until the server ends.

The same actions as on the command line do the work, on threads of their own. What they prove is handed to
whoever listens, on the event loop's thread. Who may start what is decided by the routes.
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
from hashmark.library.library import Dataset
from hashmark.transfer.action_result import ActionResult
from hashmark.trash.batches import failure_json
from hashmark.trash.undoing import EditedFile
from hashmark.trash.undoing import undo as take_back

KEPT = 50
"""Ended jobs that are remembered."""

A_JOB = {
    "push": "A push",
    "pull": "A pull",
    "delete": "A delete",
    "verify": "A verify",
    "clean": "A cleaning",
    "undo": "An undo",
}
"""A job of each kind, in words."""

MOST_REFUSED = 50
"""Files that an undo refused, and that are shown with how they differ."""


@dataclass(eq=False)
class Job:
    """A plan being run, a verification, a cleaning or its undo; `kind` says which. Times in seconds of the epoch."""

    dataset: Dataset
    kind: str
    work: Callable[[Job], DatasetStatus | None]
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
    """What a verification found."""
    batch: str | None = None
    """What was cleaned or undone, to be taken back by this name; None where there is nothing (any more)."""
    refused: tuple[EditedFile, ...] = ()
    """What an undo left alone, for it was edited since."""
    skipped: tuple[Failure, ...] = ()
    """What was left alone without being tried."""
    feeds: set[Feed] = field(default_factory=set)

    @property
    def good(self) -> bool:
        """Whether it ended with everything done."""
        missed = self.state.failures or self.refused or self.skipped or self.not_tried
        return self.ended and not self.error and not missed and not self.state.interrupted

    def to_json(self) -> dict[str, Any]:
        """The job as the HTTP API gives it. Refused files beyond `MOST_REFUSED` are in `refusedCount` only."""
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
            "refused": [refused.to_json() for refused in self.refused[:MOST_REFUSED]],
            "refusedCount": len(self.refused),
            "skipped": [failure_json(failure) for failure in self.skipped],
            **state_json(self.state),
        }


class Feed:
    """One listener's events, a bounded number: a slow one is told to begin again from the whole state."""

    SIZE = 5000

    def __init__(self) -> None:
        self.events: deque[Event] = deque()
        self.behind = False
        self.closed = False
        self.ready = asyncio.Event()

    def put(self, event: Event | None) -> None:
        """Add an event; None only wakes the listener."""
        if event is not None and len(self.events) >= self.SIZE:
            self.behind = True
            self.events.clear()
        elif event is not None and not self.behind:
            self.events.append(event)
        self.ready.set()


class DatasetBusy(HashmarkError):
    """A job of this dataset is running already; `job` is that one's id."""

    code = "busy"

    def __init__(self, job: Job) -> None:
        super().__init__(f"{A_JOB[job.kind]} of {job.dataset.name} is running already.", "Wait for it, or cancel it.")
        self.job = job.id


Listener = Callable[[Job, list[Event], list[ActionResult]], None]


class Jobs:
    """Every job of this server. `listener` is told of events and proofs, in order, on the loop's thread."""

    def __init__(self, listener: Listener) -> None:
        self._jobs: dict[str, Job] = {}
        self._listener = listener
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="job")
        self._waiting: set[asyncio.Task[None]] = set()
        self.begun: Counter[str] = Counter()
        """How many jobs have begun so far, by the dataset's name."""
        self.ending = False
        """Whether the server is being ended: no stream is kept open then."""
        self._loop: asyncio.AbstractEventLoop | None = None

    def get(self, job_id: str) -> Job | None:
        """The job of that id, if it is remembered."""
        return self._jobs.get(job_id)

    def all(self) -> list[Job]:
        """Every remembered job, the newest first."""
        return list(reversed(self._jobs.values()))

    def running(self, dataset: Dataset) -> Job | None:
        """The dataset's job that has not ended."""
        return next((j for j in self._jobs.values() if j.dataset.name == dataset.name and not j.ended), None)

    def forget(self, job_id: str) -> None:
        """Show an ended job no more."""
        job = self._jobs.get(job_id)
        if job is not None and job.ended:
            del self._jobs[job_id]

    def run_plan(self, planned: Planned) -> Job:
        """Begin to carry out a plan.

        Raises:
            DatasetBusy: a job of this dataset is running.
        """
        keys = frozenset(str(action.key) for action in planned.plan.actions)
        return self._begin(Job(planned.dataset, planned.plan.direction, self._carry_out, planned, keys))

    def verify(self, dataset: Dataset, keys: frozenset[str] | None) -> Job:
        """Begin to read every selected object and compare its bytes.

        Raises:
            DatasetBusy: a job of this dataset is running.
        """
        return self._begin(Job(dataset, "verify", self._verify, keys=keys))

    def clean(self, preview: Preview) -> Job:
        """Begin to write what a preview shows.

        Raises:
            DatasetBusy: a job of this dataset is running.
        """
        return self._begin(Job(preview.dataset, "clean", partial(self._clean, preview)))

    def undo(self, dataset: Dataset, batch: str) -> Job:
        """Begin to take back a batch of this dataset.

        Raises:
            DatasetBusy: a job of this dataset is running.
        """
        return self._begin(Job(dataset, "undo", partial(self._undo, batch)))

    def _begin(self, job: Job) -> Job:
        running = self.running(job.dataset)
        if running is not None:
            raise DatasetBusy(running)
        ended = [j.id for j in self._jobs.values() if j.ended]
        for old in ended[: max(0, len(ended) - KEPT)]:
            del self._jobs[old]
        self._jobs[job.id] = job
        self.begun[job.dataset.name] += 1
        task = asyncio.get_running_loop().create_task(self._drive(job))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        return job

    async def _drive(self, job: Job) -> None:
        self._loop = asyncio.get_running_loop()
        try:
            job.found = await self._loop.run_in_executor(self._pool, job.work, job)
        except HashmarkError as error:
            job.error = error
        except Exception as error:  # noqa: BLE001 - whatever it is, the page must not show a job that runs for ever
            job.error = HashmarkError(f"A fault of hashmark: {type(error).__name__}: {error}.")
        job.ended = True
        job.work = _over  # a cleaning holds its captions
        if not job.state.ended:
            job.state = reduce(job.state, Ended(job.cancel.is_set(), time.time()))
        self._listener(job, [], [])
        for feed in job.feeds:
            feed.put(None)

    def _carry_out(self, job: Job) -> None:
        assert job.planned is not None  # noqa: S101 - made by `run_plan`
        post = self._post(job)
        result = run(job.planned, post.event, job.cancel, post.proof)
        job.trash, job.not_tried, job.error = result.trash, result.outcome.not_tried, result.outcome.fatal

    def _verify(self, job: Job) -> DatasetStatus:
        post = self._post(job)
        return verify(job.dataset, Policy(Direction.PULL, keys=job.keys), post.event, job.cancel)

    def _clean(self, preview: Preview, job: Job) -> None:
        outcome = apply(preview, self._post(job).event, job.cancel).outcome
        job.batch, job.not_tried, job.error = outcome.batch, outcome.not_tried, outcome.stopped_by
        job.skipped = preview.skipped

    def _undo(self, batch: str, job: Job) -> None:
        post, told = self._post(job), set[str]()

        def on_event(event: Event) -> None:
            if isinstance(event, FileFailed):
                told.add(event.key)
            post.event(event)

        undone = take_back(job.dataset.library, batch, on_event, job.cancel)
        outcome = undone.outcome
        job.batch, job.not_tried, job.error = outcome.batch, outcome.not_tried, outcome.stopped_by
        job.refused, job.skipped = undone.refused, tuple(f for f in outcome.failures if f.key not in told)
        if undone.complete:
            for other in self._jobs.values():
                other.batch = None if other.batch == batch else other.batch

    def _post(self, job: Job) -> _Post:
        assert self._loop is not None  # noqa: S101 - set when a job begins
        return _Post(self._loop, lambda events, proofs: self._take(job, events, proofs))

    def _take(self, job: Job, events: list[Event], proofs: list[ActionResult]) -> None:
        for event in events:
            job.state = reduce(job.state, event)
            for feed in job.feeds:
                feed.put(event)
        self._listener(job, events, proofs)

    def end(self) -> None:
        """Ask every job to stop, and end its listeners' streams. May be called from a signal handler."""
        self.ending = True
        for job in list(self._jobs.values()):
            job.cancel.set()
            for feed in list(job.feeds):
                feed.closed = True
                feed.put(None)

    async def close(self) -> None:
        """Ask every job to stop, and wait until the files under way are finished."""
        self.end()
        await asyncio.gather(*self._waiting, return_exceptions=True)
        self._pool.shutdown()


def _over(_job: Job) -> None:
    """Nothing is left to do."""


class _Post:
    """Carries events and proofs from a job's thread to the loop's, as many at once as have gathered meanwhile."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, take: Callable[[list[Event], list[ActionResult]], None]
    ) -> None:
        self._loop = loop
        self._take = take
        self._lock = threading.Lock()
        self._events: list[Event] = []
        self._proofs: list[ActionResult] = []

    def event(self, event: Event) -> None:
        with self._lock:
            first = not self._events and not self._proofs
            self._events.append(event)
        self._ring(first=first)

    def proof(self, done: ActionResult) -> None:
        with self._lock:
            first = not self._events and not self._proofs
            self._proofs.append(done)
        self._ring(first=first)

    def _ring(self, *, first: bool) -> None:
        if first:
            with contextlib.suppress(RuntimeError):  # the server has gone; the job ends what it has begun
                self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        with self._lock:
            events, proofs = self._events, self._proofs
            self._events, self._proofs = [], []
        self._take(events, proofs)

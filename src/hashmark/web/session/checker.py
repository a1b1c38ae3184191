"""Compares datasets with the bucket: all of a dataset on request, edited files by themselves.

One comparison runs for a dataset at a time, and none while a job moves its files. Only the event loop's thread
changes a `LiveDataset`; worker threads return what they found.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping

from hashmark.actions.status import Options, Rescan, status
from hashmark.core.errors import HashmarkError, Interrupted
from hashmark.core.model import FileStatus, Key, Kind, Verdict
from hashmark.core.report import DatasetStatus
from hashmark.disk.walk import Walk
from hashmark.library.dataset import Dataset
from hashmark.search.items import Item, make_items
from hashmark.web.session.background import Background
from hashmark.web.session.caption_reader import CaptionReader, read_captions
from hashmark.web.session.edit_tracker import EditTracker
from hashmark.web.session.jobs import Jobs
from hashmark.web.session.live_dataset import CheckProgress, LastCheck, LiveDataset, LoadedCaption
from hashmark.web.session.live_library import LiveLibrary
from hashmark.web.session.updates import Updates

MAX_SINGLE_FILES = 500
"""Beyond this number of edited files, the whole dataset is compared instead of each file by itself."""

JOB_POLL_INTERVAL_S = 0.1
PROGRESS_INTERVAL_S = 0.3


class Checker:
    """Starts, queues and runs the comparisons of every dataset."""

    def __init__(
        self,
        library: LiveLibrary,
        background: Background,
        jobs: Jobs,
        updates: Updates,
        captions: CaptionReader,
        edits: EditTracker,
    ) -> None:
        self._library = library
        self._background = background
        self._jobs = jobs
        self._updates = updates
        self._captions = captions
        self._edits = edits
        self._running: dict[str, asyncio.Task[None]] = {}
        self._queued: dict[str, asyncio.Task[None]] = {}
        self._rehash: set[str] = set()
        self._stopping = False

    def stop(self) -> None:
        """Interrupt running checks at their next file. May be called from a signal handler."""
        self._stopping = True

    # ---- the whole dataset

    def check(self, live: LiveDataset, *, rehash: bool = False, restart: bool = False) -> asyncio.Task[None]:
        """Compare a dataset with the bucket; returns the task, which does not fail with our errors.

        A check that runs already is enough, unless `restart` asks for one that sees everything that is there now, or
        `rehash` for one that reads every file again: then a new check follows the running one.
        """
        name = live.dataset.name
        if rehash:
            self._rehash.add(name)
        if (queued := self._queued.get(name)) is not None:
            return queued
        running = self._running.get(name)
        if running is not None and running.done():
            running = None
        if running is not None and live.check_progress is not None and not rehash and not restart:
            return running
        self._queued[name] = self._start(live, self._check_after(running, live))
        return self._queued[name]

    def _start(self, live: LiveDataset, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        self._running[live.dataset.name] = task = self._background.start(work)
        return task

    async def _check_after(self, previous: asyncio.Task[None] | None, live: LiveDataset) -> None:
        try:
            if previous is not None:
                await asyncio.wait([previous])
            succeeded = await self._check(live)
        finally:
            self._mark_started(live)
        if succeeded or not self._needs_full_check(live):
            self.check_edited(live)

    def _mark_started(self, live: LiveDataset) -> None:
        """Take this task off the queue: it reads the two sides now, so a later request needs a new check."""
        if self._queued.get(live.dataset.name) is asyncio.current_task():
            del self._queued[live.dataset.name]

    async def _check(self, live: LiveDataset) -> bool:
        """Compare everything. False if that failed; then dirty keys stay dirty."""
        live.check_progress = CheckProgress(time.time())
        self._updates.summary_changed(live)
        try:
            if live.unchecked and not live.items:
                walk = Walk(live.dataset.path, live.dataset.pairing.ignored)
                files = await self._background.run_long(lambda: list(walk))
                live.show_unchecked(files, live.dataset.pairing)
                self._updates.everything_changed(live)
            while not await self._compare(live):
                pass  # a job started meanwhile: what was read while files moved may be outdated
            succeeded = True
        except HashmarkError as error:
            live.fail(error)
            succeeded = False
        finally:
            live.check_progress = None
            self._updates.everything_changed(live)
        if not succeeded:
            await self._edits.mark(live, set(live.dirty))
        await self._captions.read(live)
        return succeeded

    async def _compare(self, live: LiveDataset) -> bool:
        """Compare everything once while no job runs. False, and nothing is applied, if a job started meanwhile.

        That job may even have ended by then: what was read before it is older than what it did.
        """
        dataset = live.dataset
        while self._jobs.running(dataset):
            await asyncio.sleep(JOB_POLL_INTERVAL_S)
        progress = live.check_progress = CheckProgress(time.time())
        against = self._library.against.get(dataset.name)
        edited, jobs_started = dict(live.dirty), self._jobs.started[dataset.name]
        rehash = dataset.name in self._rehash
        self._rehash.discard(dataset.name)
        self._mark_started(live)
        compared = 0  # counted on the worker thread, shown from here

        def on_file(_status: FileStatus) -> None:
            nonlocal compared
            compared += 1
            if self._stopping:
                raise Interrupted("The server is shutting down.")

        def work() -> tuple[DatasetStatus, list[Item]]:
            found = status(dataset, Options(rehash=rehash, against=against), on_file)
            return found, make_items(found.files, found.pairs, found.problems)

        task = asyncio.ensure_future(self._background.run_long(work))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # unless the server has stopped
        while not (await asyncio.wait([task], timeout=PROGRESS_INTERVAL_S))[0]:
            progress.files = compared
            self._updates.summary_changed(live)
        found, items = task.result()
        if self._jobs.started[dataset.name] != jobs_started:
            return False
        live.mark_compared(edited)
        live.show(found, items, LastCheck(progress.since, "listing" if against is None else "saved listing"))
        await self._edits.mark(live, set(live.dirty))  # edited while it was compared
        return True

    # ---- edited files

    def edited_on_disk(self, live: LiveDataset, keys: set[Key]) -> None:
        """Compare these keys, which may have changed on disk; show them as unverified until that is done."""
        live.mark_edited(keys)
        self.check_edited(live)
        self._background.start(self._edits.mark_soon(live, keys))

    def check_edited(self, live: LiveDataset) -> None:
        """Compare dirty keys, unless a running check or the end of a running job will do it."""
        running = self._running.get(live.dataset.name)
        busy = running and not running.done() and running is not asyncio.current_task()
        if live.dirty and not live.unchecked and not busy and not self._jobs.running(live.dataset):
            self._start(live, self._check_all_edited(live))

    async def _check_all_edited(self, live: LiveDataset) -> None:
        """Compare until no key is dirty, a job starts, or a comparison fails.

        After a failure the next edit, job or check tries again: retrying at once would only repeat the error.
        """
        succeeded = True
        while succeeded and live.dirty and not self._jobs.running(live.dataset):
            succeeded = await (self._check(live) if self._needs_full_check(live) else self._check_files(live))

    def _needs_full_check(self, live: LiveDataset) -> bool:
        """Whether the dirty keys can only be settled by comparing the whole dataset."""
        rows = (live.files.get(key) for key in live.dirty)
        refused = any(row and row.verdict is Verdict.REFUSED for row in rows)
        return len(live.dirty) > MAX_SINGLE_FILES or refused or live.dataset.name in self._library.against

    async def _check_files(self, live: LiveDataset) -> bool:
        """Compare the dirty keys; False if that failed. Keys that a job may have moved meanwhile stay dirty."""
        edited, jobs_started = dict(live.dirty), self._jobs.started[live.dataset.name]
        try:
            rows = {key: live.files.get(key) for key in edited}
            changed, texts = await self._background.run_short(compare_files, live.dataset, rows)
        except HashmarkError as error:
            live.fail(error)
            self._updates.summary_changed(live)
            await self._edits.mark(live, set(live.dirty))
            return False
        if self._jobs.started[live.dataset.name] != jobs_started:
            return True
        live.mark_compared(edited)
        live.texts |= texts
        self._updates.apply(live, changed)
        live.health = await self._background.run_short(live.count_health)
        self._updates.summary_changed(live)
        return True


def compare_files(
    dataset: Dataset, rows: Mapping[Key, FileStatus | None]
) -> tuple[dict[Key, FileStatus | None], dict[Key, LoadedCaption]]:
    """Compare these keys with what was listed before; also return the texts of those that are captions.

    `rows` holds what is known of each key. In the result, None stands for a key that neither side has any more.

    Raises:
        HashmarkError: they can't be compared.
    """
    listed = [row.remote for row in rows.values() if row and row.remote]
    found = list(Rescan(dataset, rows, listed))
    gone: dict[Key, FileStatus | None] = {key: None for key, row in rows.items() if row}
    return gone | {row.key: row for row in found}, read_captions(dataset, [r for r in found if r.kind is Kind.CAPTION])

"""Applies what running jobs prove to the datasets that the page shows."""

from __future__ import annotations

from hashmark.actions.move import status_after
from hashmark.core.events import Event
from hashmark.core.model import FileStatus, Key
from hashmark.search.items import make_items
from hashmark.transfer.action_result import ActionResult
from hashmark.web.session.background import Background
from hashmark.web.session.checker import Checker
from hashmark.web.session.edit_tracker import EditTracker
from hashmark.web.session.jobs import Job
from hashmark.web.session.live_dataset import LastCheck
from hashmark.web.session.live_library import LiveLibrary
from hashmark.web.session.updates import Updates


class JobResults:
    """Listens to every job: each proof changes a row, and the end of a job starts a check."""

    def __init__(
        self, library: LiveLibrary, background: Background, updates: Updates, checker: Checker, edits: EditTracker
    ) -> None:
        self._library = library
        self._background = background
        self._updates = updates
        self._checker = checker
        self._edits = edits

    def take(self, job: Job, _events: list[Event], proofs: list[ActionResult]) -> None:
        """Apply the proofs of a job that has moved on or ended."""
        live = self._library.named(job.dataset.name)
        self._updates.jobs_changed(job.dataset)
        if live is None:
            return
        changed: dict[Key, FileStatus | None] = {}
        for done in proofs:
            key = done.action.key
            before = changed.get(key) or live.files.get(key) or done.action.status
            changed[key] = status_after(done, before)
        self._updates.apply(live, changed)
        if edited := changed.keys() & live.dirty.keys():
            self._background.start(self._edits.mark(live, edited))
        if not job.ended:
            return
        if job.found is not None:  # by a verification; after any other job, both sides are compared again
            items = make_items(job.found.files, job.found.pairs, job.found.problems)
            live.show(job.found, items, LastCheck(job.since, "bytes" if job.keys is None else "listing"))
            self._updates.everything_changed(live)
            self._background.start(self._edits.mark(live, set(live.dirty)))
        elif job.state.files_done or job.error:
            self._checker.check(live, restart=True)
        self._checker.check_edited(live)  # keys edited while the job ran were not compared

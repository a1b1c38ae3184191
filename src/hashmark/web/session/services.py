"""Everything that lives as long as the server: one object that each request receives."""

from __future__ import annotations

from collections.abc import Mapping

from hashmark.actions.clean import Preview
from hashmark.actions.move import Planned
from hashmark.core.model import RemoteObject
from hashmark.library.library import Library
from hashmark.web.session.background import Background
from hashmark.web.session.caption_reader import CaptionReader
from hashmark.web.session.checker import Checker
from hashmark.web.session.edit_tracker import EditTracker
from hashmark.web.session.expiring_store import ExpiringStore
from hashmark.web.session.job_results import JobResults
from hashmark.web.session.jobs import Jobs
from hashmark.web.session.lint_runner import LintRunner
from hashmark.web.session.live_library import LiveLibrary
from hashmark.web.session.pictures import Pictures
from hashmark.web.session.updates import Updates

MAX_PREVIEWS = 8
MAX_PREVIEW_BYTES = 128 << 20
"""Bytes of captions that all previews together may hold, not counting the newest."""


class Services:
    """The state and the workers of one server. Create it on the running event loop; `close` it at the end."""

    def __init__(self, library: Library, against: Mapping[str, tuple[RemoteObject, ...]] | None = None) -> None:
        self.background = Background()
        self.updates = Updates()
        self.jobs = Jobs()
        self.library = LiveLibrary(library, against, self.background, self.updates)
        self.captions = CaptionReader(self.background, self.updates)
        edits = EditTracker(self.background, self.jobs, self.updates)
        self.checker = Checker(self.library, self.background, self.jobs, self.updates, self.captions, edits)
        self.jobs.listen(JobResults(self.library, self.background, self.updates, self.checker, edits).take)
        self.pictures = Pictures(library, self.background, self.updates)
        self.lint = LintRunner(self.background, self.updates)
        self.plans = ExpiringStore[Planned]()
        self.previews = ExpiringStore[Preview](_caption_bytes, max_entries=MAX_PREVIEWS, max_size=MAX_PREVIEW_BYTES)

    def stop(self) -> None:
        """Start to shut down: stop every event stream, job and check. May be called from a signal handler."""
        self.checker.stop()
        self.updates.close()
        self.jobs.stop()

    async def close(self) -> None:
        """Stop everything that runs; files in transfer are finished first."""
        self.stop()
        await self.lint.close()
        await self.pictures.close()
        await self.background.cancel_tasks()
        await self.jobs.close()
        await self.background.cancel_tasks()  # the end of a job starts a check
        await self.background.shut_down()


def _caption_bytes(preview: Preview) -> int:
    """A preview holds each caption that would change twice: as it is, and as it would become."""
    return sum(len(change.before) + len(change.after or b"") for change in preview.changes)

"""Shows files that changed on disk as unverified until they are compared again.

When they are compared is decided in `checker`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from hashmark.core.model import FileStatus, Key, Verdict
from hashmark.disk.walk import SelectedWalk
from hashmark.library.dataset import Dataset
from hashmark.web.session.background import Background
from hashmark.web.session.jobs import Jobs
from hashmark.web.session.live_dataset import LiveDataset
from hashmark.web.session.updates import Updates

CHANGED = "it changed on disk since it was compared"

GRACE_S = 1.0
"""How long an edited file keeps its badge while it is being compared, so that the badge does not flicker."""


class EditTracker:
    """Marks edited files as unverified, unless the file on disk is the one that was compared."""

    def __init__(self, background: Background, jobs: Jobs, updates: Updates) -> None:
        self._background = background
        self._jobs = jobs
        self._updates = updates

    async def mark_soon(self, live: LiveDataset, keys: set[Key]) -> None:
        """Mark these keys after a moment, in which they may have been compared."""
        if live.check_progress is None and not self._jobs.running(live.dataset):
            await asyncio.sleep(GRACE_S)
        await self.mark(live, keys)

    async def mark(self, live: LiveDataset, keys: set[Key]) -> None:
        """Mark those of these keys that are still dirty and whose file changed since it was compared."""
        rows = {key: row for key in keys if (row := live.files.get(key))}
        while rows := {key: row for key, row in rows.items() if key in live.dirty}:
            marked = await self._background.run_short(unverified_rows, live.dataset, rows, *self._reason(live))
            same = {key for key, row in rows.items() if live.files.get(key) is row and key in live.dirty}
            self._updates.apply(live, {key: row for key, row in marked.items() if key in same})
            rows = {key: row for key in rows.keys() - same if (row := live.files.get(key))}

    def _reason(self, live: LiveDataset) -> tuple[str, str | None]:
        """Why an edited file is unverified, and what would settle it."""
        if self._jobs.running(live.dataset):
            return f"{CHANGED}; it is compared when the running job has ended", None
        if live.check_progress:
            return f"{CHANGED}; the running check or the next one compares it", None
        return CHANGED, "a check"


def unverified_rows(
    dataset: Dataset, rows: Mapping[Key, FileStatus], reason: str, settle: str | None
) -> dict[Key, FileStatus]:
    """Return those of these rows whose file is not the one that was compared, as unverified. Reads the disk.

    A row that an edit can't make untrue is left out: the bucket has no such object, or the key is refused. So is a row
    whose file has the stamp with which it was compared, for example because a job put it there.
    """
    on_disk = {file.key: file for file in SelectedWalk(dataset.path, rows, dataset.pairing.ignored)}
    unverified = {}
    for key, row in rows.items():
        before, now = row.local, on_disk.get(key)
        same = before.stamp == now.stamp and not now.trouble if before and now else before is now
        if row.remote and row.verdict is not Verdict.REFUSED and not same:
            unverified[key] = row._replace(
                verdict=Verdict.UNVERIFIED, evidence=None, reason=reason, remedy=settle, detail=None
            )
    return unverified

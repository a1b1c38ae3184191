"""The datasets of the library as the server knows them now, on disk and in the bucket, by id and by name."""

from __future__ import annotations

from collections.abc import Mapping

from hashmark.core.errors import HashmarkError
from hashmark.core.ignored import IgnoredNames
from hashmark.core.model import RemoteObject
from hashmark.library.dataset import Dataset
from hashmark.library.library import Library
from hashmark.web.session.background import Background
from hashmark.web.session.live_dataset import LiveDataset
from hashmark.web.session.updates import Updates


class LiveLibrary:
    """Every dataset of a library. `against` holds saved listings, by dataset name, that stand in for the bucket."""

    def __init__(
        self,
        library: Library,
        against: Mapping[str, tuple[RemoteObject, ...]] | None,
        background: Background,
        updates: Updates,
    ) -> None:
        self.library = library
        self.against = dict(against or {})
        self.datasets: dict[str, LiveDataset] = {}
        """By id."""
        self.ignored: dict[str, IgnoredNames] = {}
        """What belongs to no dataset, by reason (see `core.ignored.ROOT_REASONS`)."""
        self.error: HashmarkError | None = None
        """Why the datasets on disk or in the bucket can't be listed, if they can't."""
        self.watch_error: HashmarkError | None = None
        """Why edits on disk are not seen as they happen, if they are not."""
        self._background = background
        self._updates = updates

    async def refresh(self) -> None:
        """List the datasets on disk and in the bucket again."""
        found: list[Dataset] | None = None
        error = None
        ignored = self.ignored
        try:
            found = await self._background.run_short(self.library.datasets)
            ignored = await self._background.run_short(self.library.ignored)
            found += await self._background.run_short(self.library.remote_only)
            ignored = await self._background.run_short(self.library.ignored)
        except HashmarkError as raised:
            error = raised
            known = [live.dataset for live in self.datasets.values()]
            found = known if found is None else [*found, *(d for d in known if not d.path.exists())]
        by_name = {live.dataset.name: live for live in self.datasets.values()}
        datasets = {}
        for dataset in found:
            live = by_name.get(dataset.name) or LiveDataset(dataset)
            live.dataset = dataset  # its id changes when another dataset of the same number appears
            datasets[dataset.id] = live
        changed = list(datasets) != list(self.datasets) or str(error) != str(self.error) or ignored != self.ignored
        self.datasets, self.ignored, self.error = datasets, ignored, error
        if changed:
            self._updates.library_changed()

    def set_watch_error(self, error: HashmarkError | None) -> None:
        """Record why edits on disk are not seen as they happen; None when they are."""
        changed = str(error) != str(self.watch_error)
        self.watch_error = error
        if changed:
            self._updates.library_changed()
            for live in self.datasets.values():
                self._updates.summary_changed(live)

    def named(self, name: str) -> LiveDataset | None:
        """Return the dataset of that name. The name stays the same when the id passes to another dataset."""
        return next((live for live in self.datasets.values() if live.dataset.name == name), None)

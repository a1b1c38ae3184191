"""Collects what changed for each open page, until the page's event stream sends it.

A slow page costs nothing: what changes twice is sent once. What a message looks like is decided in `event_stream`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from hashmark.core.model import FileStatus, Key
from hashmark.library.dataset import Dataset
from hashmark.search.items import Item
from hashmark.web.session.live_dataset import LiveDataset


@dataclass
class Changes:
    """What a page has not been sent yet. Datasets by name."""

    library: bool = False
    summaries: set[str] = field(default_factory=set)
    structure: bool = False
    items: dict[str, Item] = field(default_factory=dict)
    jobs: bool = False


class Subscription:
    """One open page: of the dataset with this name, or of the whole library (None)."""

    def __init__(self, dataset: str | None) -> None:
        self.dataset = dataset
        self._changes = Changes(library=True, structure=dataset is not None, jobs=True)
        if dataset:
            self._changes.summaries.add(dataset)
        self.closed = False
        self._ready = asyncio.Event()
        self._ready.set()

    def pending(self) -> Changes:
        """Return the changes to add to, and wake the page."""
        self._ready.set()
        return self._changes

    async def take(self) -> Changes | None:
        """Wait for changes and take them; None when the server shuts down."""
        await self._ready.wait()
        if self.closed:
            return None
        self._ready.clear()
        changes, self._changes = self._changes, Changes()
        return changes


class Updates:
    """Every open page, and what has changed for it."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()
        self._closed = False

    @contextlib.contextmanager
    def subscribe(self, dataset: str | None) -> Iterator[Subscription]:
        """Subscribe while the body runs. At first, everything counts as changed."""
        subscription = Subscription(dataset)
        subscription.closed = self._closed  # a page reconnects at once when its stream ends
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def close(self) -> None:
        """End every stream, and those opened from now on. May be called from a signal handler."""
        self._closed = True
        for subscription in list(self._subscriptions):
            subscription.closed = True
            subscription.pending()

    def library_changed(self) -> None:
        """Datasets appeared or disappeared."""
        for subscription in self._subscriptions:
            subscription.pending().library = True

    def summary_changed(self, live: LiveDataset) -> None:
        """The counts, the progress of a check or the error of a dataset changed."""
        for subscription in self._interested(live.dataset):
            subscription.pending().summaries.add(live.dataset.name)

    def everything_changed(self, live: LiveDataset) -> None:
        """Every item of a dataset may have changed."""
        self.summary_changed(live)
        for subscription in self._subscriptions:
            if subscription.dataset == live.dataset.name:
                subscription.pending().structure = True

    def apply(self, live: LiveDataset, changed: Mapping[Key, FileStatus | None]) -> None:
        """Apply new statuses to a dataset, and announce the items that changed by them."""
        if not changed:
            return
        structure = live.structure
        items = live.apply(changed)
        if live.structure != structure:
            self.everything_changed(live)
            return
        self.summary_changed(live)
        for subscription in self._subscriptions:
            if subscription.dataset == live.dataset.name:
                subscription.pending().items |= {item.id: item for item in items}

    def jobs_changed(self, dataset: Dataset) -> None:
        """A job of a dataset started, moved on or ended."""
        for subscription in self._interested(dataset):
            changes = subscription.pending()
            changes.jobs = True
            changes.summaries.add(dataset.name)

    def _interested(self, dataset: Dataset) -> Iterator[Subscription]:
        return (s for s in self._subscriptions if s.dataset in {None, dataset.name})

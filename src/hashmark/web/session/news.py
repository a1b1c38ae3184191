"""Who is told when something changes: each open page gathers what it has not been sent yet.

A slow page costs nothing: what changes twice is sent once. What a message looks like is decided in `events`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from hashmark.library.library import Dataset
from hashmark.search.items import Item
from hashmark.web.session.board import Board


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

    def note(self) -> Changes:
        """The changes to add to; the page is woken."""
        self._ready.set()
        return self._changes

    async def take(self) -> Changes | None:
        """Wait for changes, and take them; None when the server ends."""
        await self._ready.wait()
        if self.closed:
            return None
        self._ready.clear()
        changes, self._changes = self._changes, Changes()
        return changes


class News:
    """Every open page."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()
        self._closed = False

    @contextlib.contextmanager
    def subscribed(self, dataset: str | None) -> Iterator[Subscription]:
        """A subscription for as long as the body runs; it begins with everything to be sent."""
        subscription = Subscription(dataset)
        subscription.closed = self._closed  # a page reconnects at once when its stream ends
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def close(self) -> None:
        """End every page's stream, and those that are opened from now on. May be called from a signal handler."""
        self._closed = True
        for subscription in list(self._subscriptions):
            subscription.closed = True
            subscription.note()

    def library(self) -> None:
        """Datasets came or went."""
        for subscription in self._subscriptions:
            subscription.note().library = True

    def summary(self, board: Board) -> None:
        """Counts, a check's progress or an error changed."""
        for subscription in self._of(board.dataset):
            subscription.note().summaries.add(board.dataset.name)

    def structure(self, board: Board) -> None:
        """Everything of a dataset may have changed."""
        self.summary(board)
        for subscription in self._subscriptions:
            if subscription.dataset == board.dataset.name:
                subscription.note().structure = True

    def items(self, board: Board, items: Iterable[Item]) -> None:
        """These items changed, and no others."""
        self.summary(board)
        for subscription in self._subscriptions:
            if subscription.dataset == board.dataset.name:
                subscription.note().items |= {item.id: item for item in items}

    def jobs(self, dataset: Dataset) -> None:
        """A job began, went on or ended."""
        for subscription in self._of(dataset):
            changes = subscription.note()
            changes.jobs = True
            changes.summaries.add(dataset.name)

    def _of(self, dataset: Dataset) -> Iterator[Subscription]:
        return (s for s in self._subscriptions if s.dataset in {None, dataset.name})

"""Which items a search finds, in which order. The language is `search.query`; measuring images is asked for here.

Runs off the event loop: a hundred thousand items take a tenth of a second.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from hashmark.search.items import Item, Seen
from hashmark.search.query import Query
from hashmark.search.searchable import COLOURS
from hashmark.web.session.board import Board


class Sort(StrEnum):
    """The order of items: by key, the worst first, or the largest first."""

    NAME = "name"
    STATE = "state"
    SIZE = "size"


@dataclass(frozen=True, slots=True)
class Found:
    """The ids of the items that match, in order. `unmeasured` images were left out because their size is unknown."""

    revision: int
    total: int
    ids: list[str]
    unmeasured: int


def search(board: Board, wanted: Query, sort: Sort) -> Found:
    """Ask every item of the board."""
    revision, items = board.revision, list(board.items)
    if not items:
        return Found(revision, 0, [], 0)
    unmeasured = 0
    chosen: list[Item] = []
    seen = Seen(
        items[0], lambda item: caption_of(board, item), lambda item: pixels(board, item), board.codes, board.lint_of
    )
    for item in items:
        seen.item = item
        if wanted.needs_size and _can_be_measured(board, item):
            unmeasured += 1
        if wanted.matches(seen):
            chosen.append(item)
    if sort is not Sort.NAME:
        chosen.sort(key=_ORDERS[sort])
    return Found(revision, len(items), [item.id for item in chosen], unmeasured)


def caption_of(board: Board, item: Item) -> str | None:
    """The caption's text, if it was read."""
    row = item.lead if item.kind == "caption" else item.caption
    return board.text(row.key) if row else None


def pixels(board: Board, item: Item) -> tuple[int, int] | None:
    """Width and height of the image on disk, if they were measured."""
    md5 = item.lead.local.md5 if item.lead.local else None
    return board.sizes.get(md5) if md5 else None


def _can_be_measured(board: Board, item: Item) -> bool:
    """Whether it is an image on disk that was not measured yet."""
    local = item.lead.local
    return item.kind == "pair" and local is not None and local.md5 is not None and local.md5 not in board.sizes


def _size(item: Item) -> int:
    held = item.lead.local or item.lead.remote
    return -(held.size or 0) if held else 0


_ORDERS: dict[Sort, Callable[[Item], int]] = {
    Sort.STATE: lambda item: COLOURS.index(item.colour),
    Sort.SIZE: _size,
}

"""The tags of a dataset's captions: how common each is, and how often it stands beside the trigger.

Nothing is read here. Runs off the event loop: the tags of a hundred thousand captions take some
seconds to count, once for each revision.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from hashmark.core.cleaning import TagCounts, count_tags, tag_key
from hashmark.search.query import tag_search
from hashmark.web.session.board import Board


class Only(StrEnum):
    """Which tags: those of one caption only, or those never without the trigger."""

    ALL = "all"
    SINGLETONS = "singletons"
    ALWAYS = "always"


class TagSort(StrEnum):
    """The commonest first, by name, or first what stands beside the trigger most often."""

    COUNT = "count"
    NAME = "name"
    TOGETHER = "together"


def tags_json(
    board: Board, trigger: str, part: str, only: Only, order: TagSort, start: int, count: int
) -> dict[str, Any]:
    """A page of the tags whose name has `part` in it. Each has the search that finds its captions."""
    counted = _counted(board, trigger)
    wanted = tag_key(part)
    names = [name for name in _chosen(counted, only) if name and wanted in name]
    names.sort(key=_orders(counted)[order])
    return {
        "captions": counted.captions,
        "distinct": len(counted.counts),
        "singletons": len(counted.singletons),
        "trigger": trigger,
        "withTrigger": counted.counts[tag_key(trigger)] if trigger else None,
        "total": len(names),
        "tags": [_tag(counted, name, trigger) for name in names[start : start + count]],
    }


def _counted(board: Board, trigger: str) -> TagCounts:
    """The counts as of the board's revision; the last ones are kept, for a reader goes through their pages."""
    revision = board.revision
    if board.counted is None or board.counted[:2] != (revision, trigger):
        found = (board.text_of(item) for item in list(board.items))
        board.counted = (revision, trigger, count_tags((text for text in found if text is not None), trigger))
    return board.counted[2]


def _chosen(counted: TagCounts, only: Only) -> list[str]:
    if only is Only.SINGLETONS:
        return counted.singletons
    return counted.always_with_trigger() if only is Only.ALWAYS else list(counted.counts)


def _orders(counted: TagCounts) -> dict[TagSort, Callable[[str], Any]]:
    return {
        TagSort.COUNT: lambda name: (-counted.counts[name], name),
        TagSort.NAME: lambda name: name,
        TagSort.TOGETHER: lambda name: (-counted.together[name], -counted.counts[name], name),
    }


def _tag(counted: TagCounts, name: str, trigger: str) -> dict[str, Any]:
    together = counted.together[name] if trigger and name != tag_key(trigger) else None
    return {"tag": name, "count": counted.counts[name], "together": together, "search": tag_search(name)}

"""Counts the tags of a dataset's captions: how common each is, and how often it stands beside the trigger.

The captions have been read before; nothing is read here.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from hashmark.core.cleaning import TagCounts, count_tags, tag_key
from hashmark.web.session.background import Background
from hashmark.web.session.live_dataset import LiveDataset


class Only(StrEnum):
    """Which tags: all, those of one caption only, or those that never stand without the trigger."""

    ALL = "all"
    SINGLETONS = "singletons"
    ALWAYS = "always"


class TagSort(StrEnum):
    """The order of tags: most common first, by name, or most often beside the trigger first."""

    COUNT = "count"
    NAME = "name"
    TOGETHER = "together"


async def tag_counts(background: Background, live: LiveDataset, trigger: str) -> TagCounts:
    """Count the tags as of the dataset's revision, or return the last counts if nothing changed since.

    The tags of a hundred thousand captions take some seconds to count, on a worker thread.
    """
    revision = live.revision
    if live.tag_counts is not None and live.tag_counts[:2] == (revision, trigger):
        return live.tag_counts[2]
    counts = await background.run_long(_count, live, trigger)
    live.tag_counts = (revision, trigger, counts)
    return counts


def _count(live: LiveDataset, trigger: str) -> TagCounts:
    texts = (live.text_of(item) for item in list(live.items))
    return count_tags((text for text in texts if text is not None), trigger)


def select_tags(counts: TagCounts, part: str, only: Only, order: TagSort) -> list[str]:
    """Return the names of the tags that contain `part`, in order."""
    names = list(counts.counts)
    if only is Only.SINGLETONS:
        names = counts.singletons
    elif only is Only.ALWAYS:
        names = counts.always_with_trigger()
    wanted = tag_key(part)
    orders: dict[TagSort, Callable[[str], Any]] = {
        TagSort.COUNT: lambda name: (-counts.counts[name], name),
        TagSort.NAME: lambda name: name,
        TagSort.TOGETHER: lambda name: (-counts.together[name], -counts.counts[name], name),
    }
    return sorted((name for name in names if name and wanted in name), key=orders[order])

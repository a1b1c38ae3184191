"""Splits a line into tags, and decides when two tags are equal.

The rules of `tag_rules` and tag statistics use it. Does not know which tags are wanted.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hashmark.core.cleaning.faces import KAOMOJI, is_face
from hashmark.core.cleaning.fixed_point import BLANK

_BLANKS = re.compile("[ \t_]+")
_MAX_CACHED_CHARS = 100
"""Longer tags are not cached."""

_COMMA_FACES = sorted(face for face in KAOMOJI if "," in face)
_SPLIT = re.compile(rf"(?<![^, \t])(?P<face>{'|'.join(map(re.escape, _COMMA_FACES))})(?=[ \t]*(?:,|\Z))|,")


def split(line: str) -> list[str]:
    """Split a line at commas, keeping spaces: `dog, ,cat` -> `["dog", " ", "cat"]`.

    Every comma separates, except in a face that is a tag of its own, as `:,(` in `cat, :,(, dog`. `",".join` restores
    the line.
    """
    if ":," not in line and ",_," not in line:  # a fast test that the line has none of _COMMA_FACES
        return line.split(",")
    parts, start, place = [], 0, 0
    while found := _SPLIT.search(line, place):
        if found["face"] and not line[start : found.start()].strip(BLANK):
            place = found.end()
            continue
        comma = line.index(",", found.start())
        parts.append(line[start:comma])
        start = place = comma + 1
    return [*parts, line[start:]]


def tags_of(text: str) -> Iterator[str]:
    """Yield the tags of a text, line by line, without surrounding spaces and without empty tags."""
    for line in text.split("\n"):
        yield from filter(None, (part.strip(BLANK) for part in split(line)))


def tag_key(tag: str) -> str:
    """Return the form that equal tags share, ignoring letter case and reading `_` as a space.

    `Long_Hair` -> `long hair`. A face equals only itself, since `o_o` is not `O_O`.
    """
    return _key(tag) if len(tag) < _MAX_CACHED_CHARS else _key.__wrapped__(tag)


@functools.lru_cache(16_384)
def _key(tag: str) -> str:
    tag = tag.strip(BLANK)
    return tag if is_face(tag) else " ".join(_BLANKS.split(tag.casefold())).strip()


@dataclass(frozen=True, slots=True)
class TagCounts:
    """The number of captions that have each tag, by `tag_key`."""

    captions: int
    """Number of captions counted."""
    counts: Counter[str]
    together: Counter[str]
    """The captions of `counts` that also have the trigger; empty without a trigger."""

    @property
    def singletons(self) -> list[str]:
        """Tags that only one caption has, by name; often typing errors."""
        return sorted(tag for tag, count in self.counts.items() if count == 1)

    def always_with_trigger(self) -> list[str]:
        """Return the tags that never occur without the trigger, most common first: the trigger may absorb them."""
        found = [tag for tag, count in self.together.items() if count == self.counts[tag] > 1]
        return sorted(found, key=lambda tag: (-self.counts[tag], tag))


def count_tags(captions: Iterable[str], trigger: str = "") -> TagCounts:
    """Count tags by caption. A tag counts once per caption; the trigger is not counted together with itself."""
    counts: Counter[str] = Counter()
    together: Counter[str] = Counter()
    wanted, total = tag_key(trigger), 0
    for caption in captions:
        keys = {tag_key(tag) for tag in tags_of(caption)}
        counts.update(keys)
        if wanted and wanted in keys:
            together.update(keys - {wanted})
        total += 1
    return TagCounts(total, counts, together)

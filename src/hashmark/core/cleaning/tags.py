"""A line of tags as a list and back, and what makes two tags the same one.

The rules of `tag_rules` stand on this, and so do counts over a dataset. Refuses to know which tags are wanted.
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
_LONG = 100
"""Characters from which on a tag is not worth remembering."""

_COMMA_FACES = sorted(face for face in KAOMOJI if "," in face)
_SPLIT = re.compile(rf"(?<![^, \t])(?P<face>{'|'.join(map(re.escape, _COMMA_FACES))})(?=[ \t]*(?:,|\Z))|,")


def split(line: str) -> list[str]:
    """The parts of a line between commas, blanks and all: `dog, ,cat` -> `["dog", " ", "cat"]`.

    A comma separates always, but for the one in a face that is a tag by itself, as `:,(` in `cat, :,(, dog`.
    `",".join` brings the line back.
    """
    if ":," not in line and ",_," not in line:  # the quick way to say: none of _COMMA_FACES
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
    """The tags of a text, line by line, without blanks around them and without empty ones."""
    for line in text.split("\n"):
        yield from filter(None, (part.strip(BLANK) for part in split(line)))


def tag_key(tag: str) -> str:
    """What two tags have in common when they are the same: letter case and `_` for a space do not count.

    `Long_Hair` -> `long hair`. A face equals only itself, for `o_o` is not `O_O`.
    """
    return _key(tag) if len(tag) < _LONG else _key.__wrapped__(tag)


@functools.lru_cache(16_384)
def _key(tag: str) -> str:
    tag = tag.strip(BLANK)
    return tag if is_face(tag) else " ".join(_BLANKS.split(tag.casefold())).strip()


@dataclass(frozen=True, slots=True)
class TagCounts:
    """In how many captions each tag stands, by `tag_key`."""

    captions: int
    """How many captions were counted."""
    counts: Counter[str]
    together: Counter[str]
    """Of `counts`, the captions that have the trigger as well; empty where none was named."""

    @property
    def singletons(self) -> list[str]:
        """Tags of one caption only, by name: often a slip of the pen."""
        return sorted(tag for tag, count in self.counts.items() if count == 1)

    def always_with_trigger(self) -> list[str]:
        """Tags that never stand without the trigger, the commonest first: what it may learn to stand for."""
        found = [tag for tag, count in self.together.items() if count == self.counts[tag] > 1]
        return sorted(found, key=lambda tag: (-self.counts[tag], tag))


def count_tags(captions: Iterable[str], trigger: str = "") -> TagCounts:
    """Count the tags of many captions. Twice in one caption is once; the trigger is not counted with itself."""
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

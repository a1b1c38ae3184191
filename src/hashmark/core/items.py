"""What the page lists: pairs, and the files that belong to none, each with an id that is not a path.

An id is a digest of the leading key, so it names the same item after a restart, and nothing can be reached by it
that was not listed. Where items are kept, drawn or searched is not known here.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hashmark.core.filters import Searchable, colour
from hashmark.core.model import FileStatus, Key, Kind, Problem, key_bytes
from hashmark.core.pairs import Pair
from hashmark.core.report import shown


def item_id(key: str) -> str:
    """16 hex digits that stand for a key."""
    return hashlib.blake2b(key_bytes(key), digest_size=8).hexdigest()


@dataclass(slots=True)
class Item:
    """An image with its caption, or another file alone. `lead` is the image, or that file; `odd` what is strange."""

    id: str
    kind: str
    lead: FileStatus
    caption: FileStatus | None = None
    odd: tuple[Problem, ...] = ()

    @property
    def colour(self) -> str:
        """The worst of both badges (see `core.filters.colour`)."""
        return colour(self.lead.verdict, self.caption.verdict if self.caption else None)

    @property
    def keys(self) -> tuple[Key, ...]:
        """The keys of its files."""
        return (self.lead.key, self.caption.key) if self.caption else (self.lead.key,)

    def searchable(self, text: str | None, size: tuple[int, int] | None) -> Searchable:
        """What the filter language sees of it. `text` is the caption's, case-folded; `size` is in pixels."""
        lead = self.lead
        name = shown(lead.key)
        held = lead.local.size if lead.local else (lead.remote.size or 0 if lead.remote else 0)
        width, height = size or (None, None)
        return Searchable(
            name=name,
            folded=name.casefold(),
            image=lead.verdict,
            caption=self.caption.verdict if self.caption else None,
            kind=self.kind,
            text=text,
            size=held,
            width=width,
            height=height,
            odd=frozenset(problem.code for problem in self.odd),
        )


_KINDS = {Kind.IMAGE: "pair", Kind.CAPTION: "caption", Kind.MASK: "mask"}


def make_items(files: Iterable[FileStatus], pairs: Iterable[Pair], problems: Iterable[Problem]) -> list[Item]:
    """The items of a dataset, in key order of their leading files."""
    odd: dict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        odd[problem.key].append(problem)
    captions = {pair.image.key: pair.caption for pair in pairs}
    claimed = {caption.key for caption in captions.values() if caption}
    items = []
    for row in files:
        if row.kind is Kind.IGNORED or row.key in claimed:
            continue
        kind = _KINDS.get(row.kind, "other")
        items.append(Item(item_id(row.key), kind, row, captions.get(row.key), tuple(odd.get(row.key, ()))))
    return items


def count_colours(items: Iterable[Item]) -> Counter[tuple[str, str]]:
    """How many, by role (`pair`, `image`, `caption`, `other`) and colour; `none` stands for a caption not there."""
    counts: Counter[tuple[str, str]] = Counter()
    for item in items:
        counts.update(colours_of(item))
    return counts


def colours_of(item: Item) -> Iterator[tuple[str, str]]:
    """What one item adds to `count_colours`."""
    yield "pair", item.colour
    if item.kind == "caption":
        yield "caption", colour(item.lead.verdict, None)
        return
    yield "image" if item.kind == "pair" else "other", colour(item.lead.verdict, None)
    if item.caption:
        yield "caption", colour(None, item.caption.verdict)
    elif item.kind == "pair":
        yield "caption", "none"

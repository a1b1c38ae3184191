"""Items: pairs, and the files that belong to none, each with an id that is not a path.

An id is a digest of the leading key, so it is stable across restarts and cannot reach a file that was not listed.
Does not know where items are kept or shown.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from hashmark.core.display import printable
from hashmark.core.model import FileStatus, Key, Kind, Problem, Verdict, key_bytes
from hashmark.core.pairs import Pair
from hashmark.core.vocabulary import pair_colour


def item_id(key: str) -> str:
    """Return the 16 hex digits that identify a key."""
    return hashlib.blake2b(key_bytes(key), digest_size=8).hexdigest()


KINDS = ("pair", "caption", "mask", "other")
"""The kinds of items; a "caption" is one without an image."""


@dataclass(slots=True)
class Item:
    """An image with its caption, or another file. `lead` is the image or that file; `odd` its pairing problems."""

    id: str
    kind: str
    lead: FileStatus
    caption: FileStatus | None = None
    odd: tuple[Problem, ...] = ()

    @property
    def colour(self) -> str:
        """The colour of the worse badge (see `core.vocabulary.pair_colour`)."""
        return pair_colour(self.lead.verdict, self.caption.verdict if self.caption else None)

    @property
    def size(self) -> int:
        """Size in bytes of the leading file, on disk if it is there, else in the bucket."""
        held = self.lead.local or self.lead.remote
        return (held.size or 0) if held else 0

    @property
    def keys(self) -> tuple[Key, ...]:
        """The keys of the item's files."""
        return (self.lead.key, self.caption.key) if self.caption else (self.lead.key,)


class ItemFacts(Protocol):
    """What is known of items beyond their files. A search asks only for the facts that its terms need."""

    def text_of(self, item: Item) -> str | None:
        """Return the caption's text, or None where there is none or it was not read."""

    def pixels_of(self, item: Item) -> tuple[int, int] | None:
        """Return the image's width and height, or None where it was not measured."""

    def is_unmeasured(self, item: Item) -> bool:
        """Return whether the item is an image on disk that was not measured yet."""

    def issues_of(self, item: Item) -> Collection[str]:
        """Return the codes of `core.vocabulary.CAPTION_ISSUES` that its caption has, as far as it was read."""

    def lint_of(self, item: Item) -> Collection[str]:
        """Return `CODE`, `TRAINER` and `TRAINER/CODE` of each lint finding in its files."""


class ItemRow:
    """An item as a query reads it: only what its terms need is computed. Assign `item` to use it for another one."""

    __slots__ = ("_facts", "item")

    def __init__(self, item: Item, facts: ItemFacts) -> None:
        self.item = item
        self._facts = facts

    @property
    def folded(self) -> str:
        """The printable leading key, casefolded."""
        return printable(self.item.lead.key).casefold()

    @property
    def image(self) -> Verdict:
        """The verdict on the image, or on the file itself where `kind` is not "pair"."""
        return self.item.lead.verdict

    @property
    def caption(self) -> Verdict | None:
        """The verdict on the image's caption; None where neither side has one."""
        return self.item.caption.verdict if self.item.caption else None

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        return self.item.kind

    @property
    def text(self) -> str | None:
        """The caption's text, casefolded; None where there is none or it was not read."""
        text = self._facts.text_of(self.item)
        return None if text is None else text.casefold()

    @property
    def size(self) -> int:
        """As `Item.size`."""
        return self.item.size

    @property
    def width(self) -> int | None:
        """Pixels, where they were measured."""
        pixels = self._facts.pixels_of(self.item)
        return pixels[0] if pixels else None

    @property
    def height(self) -> int | None:
        """Pixels, where they were measured."""
        pixels = self._facts.pixels_of(self.item)
        return pixels[1] if pixels else None

    @property
    def odd(self) -> frozenset[str]:
        """Codes of its pairing problems."""
        return frozenset(problem.code for problem in self.item.odd)

    @property
    def health(self) -> Collection[str]:
        """Codes of its caption issues."""
        return self._facts.issues_of(self.item)

    @property
    def lint(self) -> Collection[str]:
        """Codes of its lint findings."""
        return self._facts.lint_of(self.item)


_KINDS = {Kind.IMAGE: "pair", Kind.CAPTION: "caption", Kind.MASK: "mask"}


def make_items(files: Iterable[FileStatus], pairs: Iterable[Pair], problems: Iterable[Problem]) -> list[Item]:
    """Return the items of a dataset, in key order of their leading files."""
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
    """Count items by role (`pair`, `image`, `caption`, `other`) and colour; `none` is a caption that does not exist."""
    counts: Counter[tuple[str, str]] = Counter()
    for item in items:
        counts.update(colours_of(item))
    return counts


def colours_of(item: Item) -> Iterator[tuple[str, str]]:
    """Yield what one item adds to `count_colours`."""
    yield "pair", item.colour
    if item.kind == "caption":
        yield "caption", pair_colour(item.lead.verdict, None)
        return
    yield "image" if item.kind == "pair" else "other", pair_colour(item.lead.verdict, None)
    if item.caption:
        yield "caption", pair_colour(None, item.caption.verdict)
    elif item.kind == "pair":
        yield "caption", "none"

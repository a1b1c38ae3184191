"""What the rules of one dataset were told, as values.

Refuses to know how that is written down (`settings`), and what the rules make of it (`registry`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hashmark.core.cleaning.patterns import Replacement


class Profile(StrEnum):
    """What a dataset's captions are."""

    TAGS = "tags"
    PROSE = "prose"


class Preset(StrEnum):
    """Which rules run where none are named."""

    DEFAULT = "default"
    """What can't take a meaning away: characters, blanks, and for tags empty and doubled ones."""
    THOROUGH = "thorough"
    """Also what editors and models put around a caption: curly quotes, `Caption:`, `The image shows`, stray marks."""


@dataclass(frozen=True)
class TagOrder:
    """How the rule `order` sorts: by `name` or `frequency`, after the first `keep` tags."""

    by: str
    keep: int = 0


@dataclass(frozen=True)
class Length:
    """The limit of the rule `length`, in `words`, `chars` or `tags`; `truncate` also cuts."""

    unit: str
    limit: int
    truncate: bool = False


@dataclass(frozen=True)
class CleaningOptions:
    """A dataset's `[datasets."x".clean]`, understood: which rules run, and what they were told."""

    profile: Profile = Profile.PROSE
    rules: frozenset[str] = frozenset()
    sequence: tuple[str, ...] = ()
    """The order that the user wants of some rules, which run first; empty for the usual order of all."""
    newlines: str = "keep"
    separators: tuple[str, ...] = (",",)
    parentheses: str = ""
    protect: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    """From `tag_key` to the tag that takes its place."""
    blacklist: tuple[str, ...] = ()
    replace: tuple[Replacement, ...] = ()
    trigger: str = ""
    append: str = ""
    placeholder: str = ""
    order: TagOrder | None = None
    counts: Mapping[str, int] | None = None
    """For an order by frequency: in how many captions of the dataset each `tag_key` stands."""
    length: Length | None = None
    empty: str = "flag"
    """What becomes of a caption of which nothing is left: `flag`, `delete`, or `token`, which puts `token` there."""
    token: str = ""
    final_newline: str = "unchanged"

    @property
    def every_line(self) -> bool:
        """Whether each line is a caption of its own."""
        return self.newlines == "variants"

    @property
    def spared(self) -> tuple[str, ...]:
        """Words whose spelling is the user's."""
        own = (self.trigger, self.append, self.placeholder, self.token)
        return tuple(word for word in (*self.protect, *own) if word)

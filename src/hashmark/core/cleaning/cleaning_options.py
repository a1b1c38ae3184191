"""The settings of one dataset's rules, as values.

Does not know how they are written (`config`) or what the rules do with them (`registry`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hashmark.core.cleaning.patterns import Replacement


class Profile(StrEnum):
    """The kind of a dataset's captions."""

    TAGS = "tags"
    PROSE = "prose"


class Preset(StrEnum):
    """Which rules run by default."""

    DEFAULT = "default"
    """Rules that keep the meaning: characters, spaces and, for tags, empty and duplicate ones."""
    THOROUGH = "thorough"
    """Also what editors and models add to captions: curly quotes, `Caption:`, `The image shows`, stray marks."""


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
    """A dataset's parsed `[datasets."x".clean]`: which rules run, and their parameters."""

    profile: Profile = Profile.PROSE
    rules: frozenset[str] = frozenset()
    sequence: tuple[str, ...] = ()
    """Rules that run first, in this order; empty for the default order."""
    newlines: str = "keep"
    separators: tuple[str, ...] = (",",)
    parentheses: str = ""
    protect: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    """From `tag_key` to the tag that replaces it."""
    blacklist: tuple[str, ...] = ()
    replace: tuple[Replacement, ...] = ()
    trigger: str = ""
    append: str = ""
    placeholder: str = ""
    order: TagOrder | None = None
    counts: Mapping[str, int] | None = None
    """For an order by frequency: the number of captions of the dataset that have each `tag_key`."""
    length: Length | None = None
    empty: str = "flag"
    """What to do with a caption that cleaning empties: `flag`, `delete`, or `token`, which writes `token`."""
    token: str = ""
    final_newline: str = "unchanged"

    @property
    def every_line(self) -> bool:
        """Whether each line is a caption of its own."""
        return self.newlines == "variants"

    @property
    def spared(self) -> tuple[str, ...]:
        """Words that rules must not respell."""
        own = (self.trigger, self.append, self.placeholder, self.token)
        return tuple(word for word in (*self.protect, *own) if word)

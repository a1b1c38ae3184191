"""The facts of a folder: its files, pairs, captions and images, as plain values.

Does not know what a fact means; `core.lint.checks` and `core.lint.claims` do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from enum import StrEnum
from typing import Any

from hashmark.core.model import EMPTY_MD5

UNMARKED = "utf-16 without its mark"
"""The encoding of a caption that is valid UTF-8 but probably UTF-16."""


class Trainer(StrEnum):
    """Trainers for which hashmark knows how they read a folder."""

    KOHYA = "kohya"
    MUSUBI = "musubi"
    DIFFUSION_PIPE = "diffusion-pipe"
    AI_TOOLKIT = "ai-toolkit"
    SIMPLETUNER = "simpletuner"
    ONETRAINER = "onetrainer"


@dataclass(frozen=True, slots=True)
class CaptionFacts:
    """Facts of a caption. `encoding` is the name that `core.encoding.decode` gives, or `UNMARKED`.

    `lines` counts lines that are not blank. `starts_blank`: the first line is blank and a later one is not. `tokens` is
    a lower bound on its CLIP tokens. `suspect` says why it reads like a refusal (`core.cleaning.flags.refusal`).
    """

    encoding: str = "utf-8"
    lines: int = 1
    starts_blank: bool = False
    tokens: int = 0
    suspect: str | None = None

    @property
    def flags(self) -> tuple[str, ...]:
        """The caption's issues, of `core.vocabulary.CAPTION_FLAGS`."""
        said = {
            "blank": not self.lines,
            "multi-line": self.lines > 1,
            "wrong-encoding": self.encoding != "utf-8",
            "suspect": self.suspect is not None,
        }
        return tuple(name for name, is_so in said.items() if is_so)

    def to_text(self) -> str:
        """Return the form that is stored."""
        if self.suspect is None:  # as nearly all are; the encoder takes four times as long
            starts_blank = "true" if self.starts_blank else "false"
            return f'["{self.encoding}", {self.lines}, {starts_blank}, {self.tokens}, null]'
        return json.dumps([self.encoding, self.lines, self.starts_blank, self.tokens, self.suspect])

    @classmethod
    def from_text(cls, text: str) -> CaptionFacts:
        """Parse what `to_text` wrote.

        Raises:
            ValueError: it is something else.
        """
        return cls(*_fields(text, 5))


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """Facts of a decoded image. `trouble` says why it does not decode; then other facts can be missing (0, empty).

    Sizes are before EXIF rotation; `orientation` is EXIF's 1 to 8. `alpha`: some pixel is not opaque. `hash` is its
    difference hash (128 bits), None where the image is too plain for a significant one.
    """

    format: str = ""
    width: int = 0
    height: int = 0
    orientation: int | None = None
    frames: int = 1
    alpha: bool = False
    hash: int | None = None
    trouble: str | None = None

    def to_text(self) -> str:
        """Return the form that is stored."""
        return json.dumps(astuple(self))

    @classmethod
    def from_text(cls, text: str) -> ImageFacts:
        """Parse what `to_text` wrote.

        Raises:
            ValueError: it is something else.
        """
        return cls(*_fields(text, 8))


def _fields(text: str, count: int) -> list[Any]:
    found = json.loads(text)
    if not isinstance(found, list) or len(found) != count:
        raise ValueError(text)
    return found


@dataclass(frozen=True, slots=True)
class File:
    """A file on disk: its key, size in bytes, and MD5 in lower-case hex, None where it could not be read."""

    key: str
    size: int
    md5: str | None

    @property
    def empty(self) -> bool:
        """Whether it has no bytes."""
        return self.md5 == EMPTY_MD5


@dataclass(frozen=True, slots=True)
class PairFacts:
    """An image and its caption, as `core.pairs` finds it; `others` are further captions of its stem."""

    image: File
    caption: File | None
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Folder:
    """Everything that a lint needs. Facts are by MD5; a file without facts was not read.

    `orphans` are captions without an image, `extras` the keys of other files, `decoys` images with a folder in place of
    their caption, `odd` the images whose match `core.pairs` calls `double-suffix` or `inexact-match`, by that code.
    `huge` captions are too large to be read.
    """

    name: str
    pairs: tuple[PairFacts, ...] = ()
    orphans: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    decoys: Mapping[str, str] = field(default_factory=dict)
    odd: Mapping[str, str] = field(default_factory=dict)
    huge: Mapping[str, int] = field(default_factory=dict)
    captions: Mapping[str, CaptionFacts] = field(default_factory=dict)
    images: Mapping[str, ImageFacts] = field(default_factory=dict)

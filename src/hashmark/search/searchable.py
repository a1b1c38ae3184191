"""What the search language sees of one row of the page, and the colour that the row has.

Refuses to know how a search is written (`search.query`) and where rows come from (`search.items`).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from hashmark.core.lint.health import FLAGS
from hashmark.core.model import NEEDS_SYNC, Verdict

COLOURS = ("conflict", "red", "grey", "refused", "cloud", "green")
"""What a badge can be, worst first."""

KINDS = ("pair", "caption", "mask", "other")

HEALTH = ("missing", "zero-byte", *FLAGS)
"""What can be not well with an image's caption, the worst first; `core.lint.health` says what each is."""


class Searchable(Protocol):
    """What a filter sees of one row of the page: a pair, or a file that belongs to none.

    A filter asks for nothing that it does not look at, so what is dear can be found out when it is asked for.
    """

    @property
    def folded(self) -> str:
        """The key as shown, casefolded."""

    @property
    def image(self) -> Verdict | None:
        """Of the image, or of the lone file where `kind` is not "pair"; None only where there is no such file."""

    @property
    def caption(self) -> Verdict | None:
        """None: no caption on either side."""

    @property
    def kind(self) -> str:
        """One of `KINDS`; "caption" is a caption without an image."""

    @property
    def text(self) -> str | None:
        """The caption, casefolded; None where there is none or it was not read."""

    @property
    def size(self) -> int:
        """Bytes of the image on disk, else in the bucket."""

    @property
    def width(self) -> int | None:
        """None: not measured (yet). Likewise `height`."""

    @property
    def height(self) -> int | None: ...  # noqa: D102 - as width

    @property
    def odd(self) -> frozenset[str]:
        """Codes of its problems."""

    @property
    def health(self) -> Collection[str]:
        """What is not well with its caption: of `HEALTH`, as far as it was read."""

    @property
    def lint(self) -> Collection[str]:
        """What trainers will stumble on: `CODE`, `TRAINER` and `TRAINER/CODE` of each finding."""


def colour(image: Verdict | None, caption: Verdict | None) -> str:
    """The colour of a pair's badge: the worse of both halves, in the order of `COLOURS`; None does not count."""
    if Verdict.CONFLICT in (image, caption):
        return "conflict"
    if image in NEEDS_SYNC or caption in NEEDS_SYNC:
        return "red"
    if Verdict.UNVERIFIED in (image, caption):
        return "grey"
    if Verdict.REFUSED in (image, caption):
        return "refused"
    return "cloud" if image in _CLOUD or caption in _CLOUD else "green"


_CLOUD = frozenset({Verdict.REMOTE_ONLY, Verdict.DELETED_LOCALLY})

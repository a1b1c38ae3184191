"""The difference of two captions, word by word. Text in, pieces out; colours are the reader's affair."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from enum import StrEnum


class Change(StrEnum):
    """Where a piece of text is found."""

    BOTH = "both"
    REMOVED = "removed"
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text, and on which side it is."""

    change: Change
    text: str


MOST_TOKENS = 2000
"""Longer texts are compared line by line: word by word, the time grows with the square."""

_TOKENS = re.compile(r"\s|[\w'’]+|[^\w\s]")


def word_diff(before: str, after: str) -> list[Piece]:
    """Pieces that, without the added ones, spell `before`, and without the removed ones, `after`.

    >>> [(p.change.value, p.text) for p in word_diff("a red cat", "a blue cat")]
    [('both', 'a '), ('removed', 'red'), ('added', 'blue'), ('both', ' cat')]
    """
    left, right = _TOKENS.findall(before), _TOKENS.findall(after)
    if len(left) + len(right) > MOST_TOKENS:
        left, right = before.splitlines(keepends=True), after.splitlines(keepends=True)
    pieces: list[Piece] = []
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            pieces.append(Piece(Change.BOTH, "".join(left[i1:i2])))
            continue
        if i2 > i1:
            pieces.append(Piece(Change.REMOVED, "".join(left[i1:i2])))
        if j2 > j1:
            pieces.append(Piece(Change.ADDED, "".join(right[j1:j2])))
    return pieces


def visible(text: str) -> str:
    """The text with what can't be seen spelled out: control, zero-width and filler characters, odd blanks, tabs, CR.

    >>> visible("a\\u200bb")
    'a⟨U+200B⟩b'
    """
    return "".join(_shown(char) for char in text)


_NO_GLYPH = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Letters, marks and symbols that show nothing (Unicode, DerivedCoreProperties, Default_Ignorable_Code_Point).

The other characters of that list, and all blanks but the space, are unprintable to `str.isprintable`.
"""


def _shown(char: str) -> str:
    if char == "\n":
        return "⏎\n"
    if char == "\r":
        return "␍"
    if char == "\t":
        return "→"
    if not char.isprintable() or _NO_GLYPH.match(char):
        return f"⟨U+{ord(char):04X}⟩"
    return char

"""Compares two captions word by word. Rendering is the caller's job."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class PieceChange(StrEnum):
    """Which of the texts has a piece."""

    BOTH = "both"
    REMOVED = "removed"
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text, and which of the texts has it."""

    change: PieceChange
    text: str


MAX_EXACT_TOKENS = 2000
"""Longer texts are compared line by line: the time of a comparison by words grows with the square."""

MAX_LINE_PAIRS = 4_000_000
"""Pairs of lines that are compared, in about a second. A larger difference becomes one change."""

_TOKENS = re.compile(r"\s|[\w'’]+|[^\w\s]")


def word_diff(before: str, after: str) -> list[Piece]:
    """Return pieces that spell `before` without the added ones, and `after` without the removed ones.

    >>> [(p.change.value, p.text) for p in word_diff("a red cat", "a blue cat")]
    [('both', 'a '), ('removed', 'red'), ('added', 'blue'), ('both', ' cat')]
    """
    left, right = _TOKENS.findall(before), _TOKENS.findall(after)
    if len(left) + len(right) <= MAX_EXACT_TOKENS:
        return _pieces(left, right)
    left, right = before.splitlines(keepends=True), after.splitlines(keepends=True)
    start, tail = common_ends(left, right)
    head, end = "".join(left[:start]), "".join(left[len(left) - tail :])
    middle = _pieces(left[start : len(left) - tail], right[start : len(right) - tail])
    whole = [Piece(PieceChange.BOTH, head), *middle, Piece(PieceChange.BOTH, end)]
    return [piece for piece in whole if piece.text]


def _pieces(left: list[str], right: list[str]) -> list[Piece]:
    if len(left) * len(right) > MAX_LINE_PAIRS:
        return [Piece(PieceChange.REMOVED, "".join(left)), Piece(PieceChange.ADDED, "".join(right))]
    pieces: list[Piece] = []
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            pieces.append(Piece(PieceChange.BOTH, "".join(left[i1:i2])))
            continue
        if i2 > i1:
            pieces.append(Piece(PieceChange.REMOVED, "".join(left[i1:i2])))
        if j2 > j1:
            pieces.append(Piece(PieceChange.ADDED, "".join(right[j1:j2])))
    return pieces


def common_ends(left: Sequence[str], right: Sequence[str]) -> tuple[int, int]:
    """Return how many items both begin with, and how many of the others both end with.

    >>> common_ends("abcd", "axcd")
    (1, 2)
    """
    most = min(len(left), len(right))
    start = next((n for n in range(most) if left[n] != right[n]), most)
    rest = most - start
    return start, next((n for n in range(rest) if left[-1 - n] != right[-1 - n]), rest)

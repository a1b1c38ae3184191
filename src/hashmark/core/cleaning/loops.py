"""A captioning model that got stuck repeats itself until its tokens run out; here is how that end is found.

Refuses to know why it repeats, and anything that repeats elsewhere than at the end of a line.
"""

from __future__ import annotations

import re

from hashmark.core.cleaning.faces import is_face
from hashmark.core.cleaning.fixed_point import apply_until_stable, each_line

_WORD = re.compile(r"\S+")
_ENOUGH = 3
"""How often a phrase is to stand at the end to count as a loop."""


def loops(text: str) -> str:
    """Keep a phrase once that ends a line three times or more: `red, on red, on red, on` -> `red, on`.

    Words are compared without their letter case and the `,` `.` `;` behind them; the loop may break off in the middle
    of its phrase, as it does where the model's tokens ran out (SimpleTuner#283, LAVIS#713). The last mark stays.
    """
    return each_line(lambda line: apply_until_stable(_once, line), text)


def _once(line: str) -> str:
    spans = [found.span() for found in _WORD.finditer(line)]
    if len(spans) < _ENOUGH:
        return line
    words = [_bare(line[start:end]) for start, end in spans]
    length, period = _tail(words)
    if not period:
        return line
    keep = line[: spans[len(words) - length + period - 1][1]]
    end = _mark(line[spans[-1][0] : spans[-1][1]])
    bare = keep if is_face(keep.rsplit(None, 1)[-1]) else keep.rstrip(",;")
    return bare + ("" if bare.endswith(end) else end)


def _bare(word: str) -> str:
    return word if is_face(word) else word.rstrip(",.;").casefold() or word


def _mark(word: str) -> str:
    """The marks behind a word, but those of a separator, which separates nothing at the end."""
    return "" if is_face(word) else word[len(word.rstrip(",.;")) :].strip(",;")


def _tail(words: list[str]) -> tuple[int, int]:
    """How many words at the end repeat with which period; the longest such end, or (0, 0).

    By the Z-function of the words read backwards: at `p` it says how far the words still agree when shifted by `p`.
    """
    back, count = words[::-1], len(words)
    agree = [0] * count
    left = right = 0
    best = (0, 0)
    for at in range(1, count):
        run = min(right - at, agree[at - left]) if at < right else 0
        while at + run < count and back[run] == back[at + run]:
            run += 1
        agree[at] = run
        if at + run > right:
            left, right = at, at + run
        if run >= (_ENOUGH - 1) * at and run + at > best[0]:
            best = (run + at, at)
    return best

"""Removes the repetition at the end of a caption whose model looped until its tokens ran out.

Ignores repetition anywhere but at the end of a line.
"""

from __future__ import annotations

import re

from hashmark.core.cleaning.faces import is_face
from hashmark.core.cleaning.fixed_point import apply_until_stable, each_line

_WORD = re.compile(r"\S+")
_MIN_REPEATS = 3
"""A phrase repeated this often at the end of a line is a loop."""


def loops(text: str) -> str:
    """Keep one copy of a phrase repeated three times or more at the end: `red, on red, on red, on` -> `red, on`.

    Compares words ignoring case and a trailing `,` `.` `;`. The last copy may be incomplete, where the model's tokens
    ran out (SimpleTuner#283, LAVIS#713). The last mark stays.
    """
    return each_line(lambda line: apply_until_stable(_once, line), text)


def _once(line: str) -> str:
    spans = [found.span() for found in _WORD.finditer(line)]
    if len(spans) < _MIN_REPEATS:
        return line
    words = [line[start:end] for start, end in spans]
    length, period = _tail([word if is_face(word) else word.rstrip(",.;").casefold() or word for word in words])
    if not period:
        return line
    keep = line[: spans[len(words) - length + period - 1][1]]
    last = words[-1]
    # The marks after the last word, without separators, which separate nothing at the end.
    end = "" if is_face(last) else last[len(last.rstrip(",.;")) :].strip(",;")
    bare = keep if is_face(keep.rsplit(None, 1)[-1]) else keep.rstrip(",;")
    return bare + ("" if bare.endswith(end) else end)


def _tail(words: list[str]) -> tuple[int, int]:
    """Return how many words at the end repeat, and their period, for the longest repetition; else (0, 0).

    Uses the Z-function of the reversed words: at `p` it is how many words still agree when shifted by `p`.
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
        if run >= (_MIN_REPEATS - 1) * at and run + at > best[0]:
            best = (run + at, at)
    return best

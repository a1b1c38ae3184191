r"""Parentheses in captions: the weights of a web UI's prompts, and the backslashes that tell names from weights.

`(x:1.2)` and `((x))` are weights in a web UI; `saber (fate)` is a name, which it needs written as `saber \(fate\)`.
Trainers read all of it as text. BooruDatasetTagManager's issues 108, 142 and 188 (BDTM below) show what goes wrong
when a tool guesses. Does not know which of both a dataset is for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hashmark.core.cleaning.faces import FACE, is_face
from hashmark.core.cleaning.fixed_point import BLANK, apply_until_stable, each_line
from hashmark.core.cleaning.tags import split

PARENTHESES = ("escape", "unescape")

_TOKEN = re.compile(
    rf"\\.|(?P<face>{FACE})|(?P<open>\()|(?P<weight>:[ \t]*[+-]?(?:\d+(?:\.\d*)?|\.\d+)[ \t]*)?(?P<close>\))"
)
_UNESCAPED = re.compile(rf"\\[()]|(?P<face>{FACE})|(?P<bare>[()])")
_ESCAPED = re.compile(r"(?<!\\)\\+([()])")


def weights(text: str, *, tags: bool) -> str:
    """Remove the weights of prompts: `(red hair:1.2)` -> `red hair`, `((x))` -> `x`; leaves `name (series)`.

    With `tags`, plain parentheses around a whole tag are a weight, too: `(full body)` -> `full body` (BDTM#142). Keeps
    escaped parentheses. A weight can span commas but not lines; a single parenthesis, as in `:(`, is not one.
    """

    def unweigh(line: str) -> str:
        return apply_until_stable(lambda line: _unweigh(line, tags), line) if "(" in line else line

    return each_line(unweigh, text)


def _unweigh(line: str, tags: bool) -> str:
    pairs = list(_pairs(line))
    closes = {start: end for start, end, _ in pairs}
    drop: list[tuple[int, int]] = []
    for start, end, weight in pairs:
        inner = line[start + 1 : end - weight].strip(BLANK) if end - start < 64 else "x"
        double = weight == 0 and closes.get(start + 1) == end - 1
        whole = tags and weight == 0 and _stands_alone(line, start, end)
        if inner and (weight or double or whole):
            drop += [(start, start + 1), (end - weight, end + 1)]
            if double:
                drop += [(start + 1, start + 2), (end - 1, end)]
    kept, place = [], 0
    for start, end in sorted(drop):
        kept.append(line[place:start])
        place = max(place, end)
    return "".join([*kept, line[place:]])


def _pairs(line: str) -> Iterator[tuple[int, int, int]]:
    """Yield where each parenthesis opens and closes, and how many characters before its close are a weight."""
    opened: list[int] = []
    for token in _TOKEN.finditer(line):
        if token["open"]:
            opened.append(token.start())
        elif token["close"] and opened:
            yield opened.pop(), token.end() - 1, len(token["weight"] or "")


def _stands_alone(line: str, start: int, end: int) -> bool:
    """Return whether only spaces separate the parentheses from the commas around them."""
    while start and line[start - 1] in BLANK:
        start -= 1
    end += 1
    while end < len(line) and line[end] in BLANK:
        end += 1
    return (start == 0 or line[start - 1] == ",") and (end == len(line) or line[end] == ",")


def parentheses(text: str, mode: str, *, spare_weights: bool = False) -> str:
    r"""Escape or unescape every parenthesis, never twice, except in faces: `saber \(fate\)` <-> `saber (fate)`.

    Unescaping removes all preceding backslashes, since tools have doubled them (BDTM#108). With `spare_weights`, a tag
    that would become a weight, such as `\(medium\)`, keeps its backslashes, or the rule `weights` would remove the
    parentheses.
    """
    if mode == "escape":
        return _UNESCAPED.sub(lambda m: f"\\{m[0]}" if m["bare"] else m[0], text)
    if not spare_weights:
        return apply_until_stable(_unescape, text)
    return each_line(_unescape_names, text)


def _unescape(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def _unescape_names(line: str) -> str:
    """Unescape each part that does not become a weight, unless they would be one together."""
    if "\\" not in line:
        return line
    parts = [part if is_face(part.strip(BLANK)) else _unescape(part) for part in split(line)]
    safe = [new if weights(new, tags=True) == new else old for new, old in zip(parts, split(line), strict=True)]
    after = ",".join(safe)
    return after if weights(after, tags=True) == after else line

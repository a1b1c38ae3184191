"""Rules for commas, full stops and semicolons that recognise faces.

They know nothing about tags but where a line of tags ends.
"""

from __future__ import annotations

import re

from hashmark.core.cleaning.faces import MARKED_FACE, ends_in_face
from hashmark.core.cleaning.fixed_point import apply_until_stable, each_line

_MARKS = re.compile(
    rf"(?P<face>{MARKED_FACE})"
    rf"|(?<![ \t])[ \t]+(?!{MARKED_FACE})(?=,)"
    rf"|(?<![, \t])[ \t]+(?!{MARKED_FACE})(?=[.;]+(?:[\s\"',]|\Z))"
    r"|(?P<twice>,{2,}|(?<!\.)\.\.(?!\.))"
)
_CANDIDATE = re.compile(r"[ \t,.][,.;]")


def punctuation(text: str) -> str:
    """Drop spaces before `,` `.` `;`, and reduce `,,` and `..` (not `...`) to one: `a cat , sits..` -> `a cat, sits.`

    A space stays before a kaomoji, before a mark that begins a word (`.png`, `;d`), and after a comma.
    """
    return apply_until_stable(_fixed, text) if _CANDIDATE.search(text) else text


def _fixed(text: str) -> str:
    return _MARKS.sub(lambda m: m["face"] or (m["twice"] or "")[:1], text)


def tag_end(text: str) -> str:
    """Drop `,` `.` `;` at the end of each line of tags, except in a kaomoji: `1girl, solo.` -> `1girl, solo`.

    This part of the punctuation rule is for tags only.
    """
    return each_line(_drop_end_marks, text)


def _drop_end_marks(line: str) -> str:
    end = len(line)
    while end and line[end - 1] in ",.;" and not ends_in_face(line, end):
        end -= 1
        while end and line[end - 1] in " \t":
            end -= 1
    return line[:end]


def tag_punctuation(text: str) -> str:
    """Apply `punctuation` and `tag_end` to tags: `1girl , solo..` -> `1girl, solo`."""
    return apply_until_stable(lambda text: tag_end(punctuation(text)), text)

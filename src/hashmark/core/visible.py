"""Text with what can't be seen spelled out, for people to read. It refuses to know what the text is."""

from __future__ import annotations

import re


def visible(text: str) -> str:
    """The text with what can't be seen spelled out: control, zero-width and filler characters, odd blanks, tabs, CR.

    >>> visible("a\\u200bb")
    'a⟨U+200B⟩b'
    """
    if text.isascii() and text.isprintable():
        return text
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

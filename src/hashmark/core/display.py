"""Text made safe to show: names that are not UTF-8, characters that cannot be seen. Does not know what the text is."""

from __future__ import annotations

import re


def printable(text: str) -> str:
    """A key, or a text that quotes keys, as it can be printed and encoded: bytes that are not UTF-8 as `\\\\xNN`."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def shortened(text: str, most: int = 60) -> str:
    """Return the text for a `repr`: printable on one line, the middle left out where it is longer than `most`."""
    shown = reveal(printable(text)).replace("\n", "")
    half = (most - 1) // 2
    return shown if len(shown) <= most else f"{shown[:half]}…{shown[-half:]}"


def reveal(text: str) -> str:
    """Spell out what cannot be seen: control, zero-width and filler characters, unusual spaces, tabs, CR.

    >>> reveal("a\\u200bb")
    'a⟨U+200B⟩b'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(char) for char in text)


_NO_GLYPH = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Letters, marks and symbols that show nothing (Unicode, DerivedCoreProperties, Default_Ignorable_Code_Point).

`str.isprintable` is false for the other characters of that list, and for every space character but U+0020.
"""


def _escaped(char: str) -> str:
    if char == "\n":
        return "⏎\n"
    if char == "\r":
        return "␍"
    if char == "\t":
        return "→"
    if not char.isprintable() or _NO_GLYPH.match(char):
        return f"⟨U+{ord(char):04X}⟩"
    return char

"""Decodes and encodes caption files, and keeps the encoding of an edited file.

An edit must preserve what the user did not change: encoding, byte order mark and line endings. What a caption should
look like is up to `core.cleaning`.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator

from hashmark.core.word_diff import common_ends

_CP1252 = {byte: bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(0x80, 0xA0)}
_FROM_CP1252 = {ord(char): byte for byte, char in _CP1252.items()}

MAX_CAPTION_BYTES = 1 << 20
"""A larger file is not read as a caption."""

MAX_CELLS = 1_000_000
"""Pairs of lines in a diff, whose time grows with them: a megabyte of empty lines would never end."""

_UTF16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


def decode(data: bytes) -> tuple[str, str]:
    """Return the text of a caption file and the name of the encoding it was read as.

    `utf-16` if the file begins with a UTF-16 byte order mark and the rest is valid; else `utf-8` if the bytes are valid
    UTF-8, called `utf-8-sig` with a byte order mark; else `cp1252`, whose five undefined bytes become the control
    characters of the same number. Never raises and never inserts a U+FFFD. A UTF-8 mark stays in the text as U+FEFF, so
    that the rule `bom` can remove it visibly and `text.encode()` restores the bytes: `b"\\xef\\xbb\\xbfcat"` ->
    `"\\ufeffcat", "utf-8-sig"`.
    """
    if data.startswith(tuple(_UTF16)):
        try:
            return data.decode("utf-16"), "utf-16"
        except UnicodeDecodeError:
            pass
    try:
        return data.decode("utf-8"), "utf-8-sig" if data.startswith(b"\xef\xbb\xbf") else "utf-8"
    except UnicodeDecodeError:
        return data.decode("latin-1").translate(_CP1252), "cp1252"


def undecodable(data: bytes) -> str | None:
    """Return why bytes are not text, or None where they are.

    `decode` accepts any bytes, in order to show them. Before a rule rewrites a file, bytes that are Windows-1252 only
    because nothing else fits must be recognised: Windows-1252 text has no NUL, and five bytes of it stand for no
    character (Microsoft, code page 1252). This finds damaged UTF-16 and images called `.txt`. `is_unmarked_utf16` finds
    valid UTF-8 that is not text.
    """
    encoding = decode(data)[1]
    if encoding == "cp1252" and data.startswith(tuple(_UTF16)):
        return "cannot be decoded: it begins like UTF-16 and is damaged"
    if encoding in {"utf-8", "cp1252"} and is_unmarked_utf16(data):
        return "looks like UTF-16 without a byte order mark"
    if encoding != "cp1252":
        return None
    for place, byte in enumerate(data):
        if byte == 0 or byte in _UNDEFINED:
            return f"cannot be decoded: byte 0x{byte:02X} at {place} is neither UTF-8 nor Windows-1252"
    return None


def is_unmarked_utf16(data: bytes) -> bool:
    """Return whether bytes look like UTF-16 without a byte order mark (RFC 2781, section 3.2).

    In UTF-16, the high bytes of the letters of Europe and the Near East, at all even or at all odd offsets, are 0 to 6:
    control characters in any other encoding. If half of either are, this is UTF-16; text has hardly any. Tab, LF and CR
    do not count.
    """
    if len(data.translate(None, _CONTROLS)) == len(data):
        return False  # as in nearly every caption
    halves = (data[0::2], data[1::2])
    return any(half and 2 * len(half.translate(None, _CONTROLS)) <= len(half) for half in halves)


_CONTROLS = bytes(set(range(0x20)) - set(b"\t\n\r"))

_UNDEFINED = frozenset(byte for byte, char in _CP1252.items() if ord(char) == byte)
"""The bytes of cp1252 that stand for no character."""


def encode(text: str, like: bytes) -> bytes:
    """Encode the text in the encoding of `like`, the file that it replaces.

    Uses UTF-8 where `decode` would not find the same encoding in the result: the edit may have fixed the last byte of a
    cp1252 file that was not UTF-8.

    Raises:
        UnicodeEncodeError: the encoding cannot represent a character of the text.
    """
    encoding = decode(like)[1]
    if encoding == "utf-16":
        mark = like[:2]
        return mark + text.encode(_UTF16[mark])
    if encoding == "cp1252":
        data = text.translate(_FROM_CP1252).encode("latin-1") if _fits(text) else text.encode("cp1252")
        return data if decode(data) == (text, "cp1252") else text.encode()
    return text.encode()


def _fits(text: str) -> bool:
    """Return whether every character has a byte in cp1252, including its five undefined ones."""
    return all(ord(char) < 0x80 or 0xA0 <= ord(char) <= 0xFF or ord(char) in _FROM_CP1252 for char in text)


def keep_line_ends(before: str, after: str) -> str:
    r"""`after`, as a browser or editor gives it (LF only), with the line ends that `before` had.

    A line that stayed keeps its own; a new one gets the end that most lines of `before` have.

    >>> keep_line_ends("a\r\nb\r\n", "a\nc\n")
    'a\r\nc\r\n'
    """
    old = _lines(before)
    ends = [end for _, end in old if end]
    if not ends or set(ends) == {"\n"}:
        return after
    usual = Counter(ends).most_common(1)[0][0]
    new = [(line, usual if end else "") for line, end in _lines(after)]
    for left, right in _stayed([line for line, _ in old], [line for line, _ in new]):
        line, end = new[right]
        new[right] = (line, old[left][1] or end) if end else (line, end)
    for n in range(1, len(new)):
        if new[n] == ("", "\n") and new[n - 1][1] == "\r":
            new[n] = ("", "\r")  # a CR next to an LF would be read as one line ending, and a line would be lost
    return "".join(line + end for line, end in new)


def _stayed(old: list[str], new: list[str]) -> Iterator[tuple[int, int]]:
    """Yield the positions in both of each unchanged line: before, after and, by a diff, inside the edit."""
    start, tail = common_ends(old, new)
    yield from ((n, n) for n in range(start))
    yield from ((len(old) - n, len(new) - n) for n in range(tail, 0, -1))
    left, right = old[start : len(old) - tail], new[start : len(new) - tail]
    if len(left) * len(right) > MAX_CELLS:
        return  # these lines get the usual ending
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    for at, to, count in matcher.get_matching_blocks():
        yield from ((start + at + n, start + to + n) for n in range(count))


def _lines(text: str) -> list[tuple[str, str]]:
    """Split into lines with their endings; only CRLF, CR and LF end a line, as in a browser's text field."""
    found: list[tuple[str, str]] = []
    start = 0
    while start < len(text):
        stops = [at for at in (text.find("\r", start), text.find("\n", start)) if at >= 0]
        if not stops:
            found.append((text[start:], ""))
            break
        at = min(stops)
        end = "\r\n" if text.startswith("\r\n", at) else text[at]
        found.append((text[start:at], end))
        start = at + len(end)
    return found

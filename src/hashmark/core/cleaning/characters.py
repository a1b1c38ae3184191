"""Rules for characters, spaces and line breaks, for any caption.

Each is a pure, idempotent function of the text. They know neither tags nor prose; `core.encoding` handles bytes.
"""

from __future__ import annotations

import re
import unicodedata

from hashmark.core.cleaning.faces import ends_in_face
from hashmark.core.cleaning.fixed_point import BLANK

_SMART = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033", '"'),
        **dict.fromkeys("\u2013\u2014", "-"),
        "\u2026": "...",
        "\u00a0": " ",
    }
)
_LINE_ENDS = re.compile("\r\n|[\r\u2028\u2029]")
_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b\u2060]")
_RUN = re.compile("[ \t]+")

NEWLINES = ("keep", "space", "comma", "first", "variants")
"""What the rule `newlines` does with line breaks."""

FINAL_NEWLINES = ("unchanged", "none", "one")


def bom(text: str) -> str:
    r"""Drop leading U+FEFF, which `str.strip` keeps: `"\ufeff1girl"` -> `"1girl"`."""
    return text.lstrip("\ufeff")


def line_ends(text: str) -> str:
    r"""Turn CRLF, CR, U+2028 and U+2029 into LF: `"a\r\nb"` -> `"a\nb"`."""
    return text if text.isascii() and "\r" not in text else _LINE_ENDS.sub("\n", text)


def invisible(text: str) -> str:
    r"""Drop control characters except LF and TAB, and U+200B, U+2060, U+00AD: `"cat\u200b"` -> `"cat"`.

    The zero-width joiner stays, since it joins emoji such as a family.
    """
    return text if text.isprintable() and text.isascii() else _INVISIBLE.sub("", text)


def nfc(text: str) -> str:
    r"""Compose canonically: `"e\u0301"` -> `"\u00e9"`. Not NFKC, which would turn a circled one into `1`."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def smart_punctuation(text: str) -> str:
    """Write curly quotes, primes, ellipsis, en and em dash and NBSP in ASCII: `“x” – girl’s` -> `"x" - girl's`.

    The characters are those of A Thousand Words.
    """
    return text if text.isascii() else text.translate(_SMART)


def spaces(text: str) -> str:
    r"""Make each run of spaces and tabs one space, trim every line and both ends: `"a   cat "` -> `"a cat"`.

    Line breaks after the last word become one final newline; none is added.
    """
    one = _RUN.sub(" ", text) if "  " in text or "\t" in text else text
    if "\n" not in one:
        return one.strip(" ")
    lines = [line.strip(" ") for line in one.split("\n")]
    body = "\n".join(lines).strip("\n")
    return body + "\n" if body and not lines[-1] else body


def newlines(text: str, policy: str) -> str:
    r"""Follow one of `NEWLINES`: with `space`, `"a cat\n\non a mat"` -> `"a cat on a mat"`.

    `keep` changes nothing, `space` and `comma` join lines, `first` keeps the first line that is not blank, `variants`
    keeps every line as a caption of its own, as SimpleTuner and OneTrainer read them (taggui#244). All but `keep`
    drop blank lines. A final newline stays. `comma` adds no comma after a line that ends in one.
    """
    if policy == "keep" or "\n" not in text:
        return text
    lines = [line for line in text.split("\n") if line.strip()]
    if policy == "first":
        body = lines[0] if lines else ""
    elif policy == "variants":
        body = "\n".join(lines)
    elif policy == "comma":
        body = ", ".join([*map(without_end_commas, lines[:-1]), *lines[-1:]])
    else:
        body = " ".join(lines)
    return body + "\n" if body and text.endswith("\n") else body


def without_end_commas(line: str) -> str:
    """Return the line without commas and spaces at its end, except in a face: `a cat,, ` -> `a cat`."""
    end = len(line.rstrip(BLANK))
    while end and line[end - 1] in ", \t" and not ends_in_face(line, end):
        end -= 1
    return line[:end]


def final_newline(text: str, policy: str) -> str:
    r"""End the text as one of `FINAL_NEWLINES` says: with `one`, `"a cat"` -> `"a cat\n"`; empty text stays empty."""
    if policy == "unchanged":
        return text
    body = text.rstrip("\n")
    return body + "\n" if body and policy == "one" else body

"""How a store writes keys in listings that were requested with `encoding-type=url`, found out from its pages.

S3 percent-encodes them and writes a space as `+`. Some stores say that they do and leave `+`, or everything, as it is
(SeaweedFS, where it lists uploads). Then `a+b.txt` would be taken for `a b.txt`. What a key is for is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import Enum
from html import unescape
from urllib.parse import unquote_to_bytes

_KEY = re.compile(rb"<(?:Key|Prefix)>([^<]*)</")
_URL = b"<EncodingType>url</EncodingType>"


class KeyEncoding(Enum):
    """How a key's text is decoded. S3's is the first."""

    FORM = "form"
    """Percent-encoded, and `+` is a space (botocore decodes it so, too)."""
    PERCENT = "percent"
    """Percent-encoded; `+` is itself."""
    NONE = "none"

    def decode(self, text: str) -> str:
        """Return the key that a listing has as `text`."""
        if self is KeyEncoding.NONE or ("%" not in text and "+" not in text):
            return text
        plain = text.replace("+", " ") if self is KeyEncoding.FORM else text
        return unquote_to_bytes(plain).decode("utf-8", "surrogateescape")


def is_ambiguous(page: bytes, possible: Collection[KeyEncoding]) -> bool:
    """Return whether a page has a key that the possible encodings read differently."""
    if len(possible) == 1 or not (b"%" in page or b"+" in page) or _URL not in page:
        return False
    return any(len({encoding.decode(text) for encoding in possible}) > 1 for text in _special(page))


def still_possible(page: bytes, plain: bytes, possible: Collection[KeyEncoding]) -> list[KeyEncoding]:
    """Return the possible encodings of a page's keys, S3's first, given the same page without `encoding-type`.

    They are those by which most of its keys are also those of the other page; S3's, where that is encoded as well.
    """
    if _URL in plain:
        return [KeyEncoding.FORM]
    wanted = {_text(key) for key in _KEY.findall(plain)}
    special = _special(page)
    found = {encoding: len({encoding.decode(text) for text in special} & wanted) for encoding in possible}
    return [encoding for encoding in KeyEncoding if found.get(encoding) == max(found.values())]


def _special(page: bytes) -> list[str]:
    return [_text(key) for key in _KEY.findall(page) if b"%" in key or b"+" in key]


def _text(key: bytes) -> str:
    return unescape(key.decode("utf-8", "surrogateescape"))

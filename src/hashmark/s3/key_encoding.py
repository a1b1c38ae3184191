"""How a store writes keys in listings that were requested with `encoding-type=url`, found out from one page.

S3 percent-encodes them and writes a space as `+`. Some stores say that they do and leave `+`, or everything, as it is
(SeaweedFS, where it lists uploads). Then `a+b.txt` would be taken for `a b.txt`. What a key is for is not known here.
"""

from __future__ import annotations

import re
from enum import Enum
from html import unescape
from urllib.parse import unquote_to_bytes

_KEY = re.compile(rb"<(?:Key|Prefix)>([^<]*)</")
_URL = b"<EncodingType>url</EncodingType>"


class KeyEncoding(Enum):
    """How a key's text is decoded."""

    FORM = "form"
    """As S3's: percent-encoded, `+` is a space (botocore decodes it so, too)."""
    PERCENT = "percent"
    """Percent-encoded; `+` is itself."""
    NONE = "none"

    def decode(self, text: str) -> str:
        """Return the key that a listing has as `text`."""
        if self is KeyEncoding.NONE or ("%" not in text and "+" not in text):
            return text
        plain = text.replace("+", " ") if self is KeyEncoding.FORM else text
        return unquote_to_bytes(plain).decode("utf-8", "surrogateescape")


def is_ambiguous(page: bytes) -> bool:
    """Return whether a page has a key that is read differently by the encodings."""
    may_be = (b"%" in page or b"+" in page) and _URL in page
    return may_be and any(b"%" in key or b"+" in key for key in _KEY.findall(page))


def encoding_of(page: bytes, as_it_is: bytes) -> KeyEncoding:
    """Return how the keys of a page are encoded, given the same page without `encoding-type`.

    It is the encoding by which more of the keys that would be read differently are those of the other page; where none
    is, or that page is encoded as well, S3's.
    """
    if _URL in as_it_is:
        return KeyEncoding.FORM
    wanted = {_text(key) for key in _KEY.findall(as_it_is)}
    special = [_text(key) for key in _KEY.findall(page) if b"%" in key or b"+" in key]

    def found(encoding: KeyEncoding) -> int:
        return len({encoding.decode(text) for text in special} & wanted)

    return max(KeyEncoding, key=found)


def _text(key: bytes) -> str:
    return unescape(key.decode("utf-8", "surrogateescape"))

"""The facts of a caption, from its bytes. How files are read, and what a fact means to a trainer, is not known here."""

from __future__ import annotations

import re

from hashmark.core.encoding import decode, is_unmarked_utf16
from hashmark.core.lint.facts import UNMARKED, CaptionFacts

_LINE_END = re.compile("\r\n|\r|\n")
"""What ends a line to Python's text mode, which the trainers read with (SimpleTuner splits at LF alone)."""

_CLIP_WORDS = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[^\W\d_]+|\d|(?:[^\s\w]|_)+", re.IGNORECASE)
"""The pieces that CLIP's tokenizer splits further (openai/CLIP, clip/simple_tokenizer.py, `pat`)."""

_EVERY_BLANK = " \t\r\n\v\f\ufeff\u00a0\u200b\u2060"


def caption_facts(data: bytes) -> CaptionFacts:
    """The facts of a caption's bytes, whatever they are; never raises."""
    text, encoding = decode(data)
    if encoding == "utf-8" and is_unmarked_utf16(data):
        encoding = UNMARKED
    filled = [bool(line.strip(_EVERY_BLANK)) for line in _LINE_END.split(text)]
    return CaptionFacts(
        encoding=encoding,
        lines=sum(filled),
        starts_blank=any(filled) and not filled[0],
        tokens=least_tokens(text),
        suspect=_refusal(text),
    )


def least_tokens(text: str) -> int:
    """How many CLIP tokens a text takes at least, begin and end marks not counted: each of its words takes one or more.

    A proof needs no vocabulary: where this exceeds what a text encoder reads, the end of the text is cut.

    >>> least_tokens("a cat's 2 mats, red")
    7
    """
    return len(_CLIP_WORDS.findall(text))


def _refusal(text: str) -> str | None:
    """As cleaning flags it. Imported here because a status without changes looks into no caption."""
    from hashmark.core.cleaning.flags import refusal  # noqa: PLC0415 - see above

    return refusal(text)

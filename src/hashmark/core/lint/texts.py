"""Extracts the facts of a caption from its bytes. Does not know what they mean for a trainer."""

from __future__ import annotations

import re

from hashmark.core.encoding import decode, is_unmarked_utf16
from hashmark.core.lint.facts import UNMARKED, CaptionFacts

_LINE_END = re.compile("\r\n|\r|\n")
"""Line endings of Python's text mode, which the trainers use (SimpleTuner splits only at LF)."""

_CLIP_WORDS = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[^\W\d_]+|\d|(?:[^\s\w]|_)+", re.IGNORECASE)
"""The pieces that CLIP's tokenizer splits further (openai/CLIP, clip/simple_tokenizer.py, `pat`)."""

_EVERY_BLANK = " \t\r\n\v\f\ufeff\u00a0\u200b\u2060"


def caption_facts(data: bytes) -> CaptionFacts:
    """Return the facts of a caption's bytes. Never raises."""
    from hashmark.core.cleaning.flags import refusal  # noqa: PLC0415 - a status without changes reads no caption

    text, encoding = decode(data)
    if encoding == "utf-8" and is_unmarked_utf16(data):
        encoding = UNMARKED
    filled = [bool(line.strip(_EVERY_BLANK)) for line in _LINE_END.split(text)]
    return CaptionFacts(
        encoding=encoding,
        lines=sum(filled),
        starts_blank=any(filled) and not filled[0],
        tokens=min_tokens(text),
        suspect=refusal(text),
    )


def min_tokens(text: str) -> int:
    """Return a lower bound on the CLIP tokens of a text, without start and end tokens: one per word.

    This needs no vocabulary: if it exceeds what a text encoder reads, the end of the text is certainly cut.

    >>> min_tokens("a cat's 2 mats, red")
    7
    """
    return len(_CLIP_WORDS.findall(text))

"""Rules that flag captions without editing them: refusals and captions over a length; and `truncate`, which cuts.

Lengths are in words, characters or tags, since the vocabularies of text encoders are not available to count tokens.
CLIP reads 75 tokens, which is 50 to 60 English words, or fewer if they are rare.
"""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass

from hashmark.core.cleaning.faces import ends_in_face
from hashmark.core.cleaning.tags import tags_of

UNITS = ("words", "chars", "tags")

_REFUSAL = re.compile("\\bI (?:can['\u2019]t|cannot)\\b|\\bunable to\\b|\\bASSISTANT:", re.IGNORECASE)
_REFUSAL_WORDS = ("i can", "unable to", "assistant:")
"""In small letters, one of these is in each refusal."""
_CUT = re.compile(r"[,;\n]|[.!?](?=\s|\Z)")
_WORD = re.compile(r"\S+")
_TAG_CUT = re.compile(r"[,\n]")


@dataclass(frozen=True, slots=True)
class Flag:
    """Something about a caption that needs review. `rule` is the name of the rule that flags it."""

    rule: str
    message: str


def refusal(text: str) -> str | None:
    """Flag what a captioning model says when it refuses: `I can't describe this` -> a flag, and no edit.

    Finds `I can't`, `I cannot`, `unable to` and `ASSISTANT:`, ignoring case. It also flags a bird unable to fly.
    """
    if text.isascii() and not any(map(text.lower().__contains__, _REFUSAL_WORDS)):
        return None  # as in nearly every caption, in a fifth of the time
    found = _REFUSAL.search(text)
    return f"may be a model's refusal, not a caption: it says '{found[0]}'" if found else None


def measure(text: str, unit: str) -> int:
    """Return the length of a caption in `words`, `chars` or `tags`: `a red cat, solo` -> 4, 15 or 2."""
    if unit == "words":
        return len(text.split())
    return len(text) if unit == "chars" else sum(1 for _ in tags_of(text))


def length(text: str, unit: str, limit: int) -> str | None:
    """Flag a caption that is longer than `limit`: 81 words with a limit of 75 -> a flag, and no edit."""
    size = measure(text.strip(), unit)
    if size <= limit:
        return None
    name = "characters" if unit == "chars" else unit
    return f"is {size:,} {name if size != 1 else name[:-1]} long; the limit is {limit:,}"


def truncate(text: str, unit: str, limit: int, last: str = "") -> str:
    """Cut a caption at the last separator within `limit`: `a, b, c` -> `a, b` with a limit of 2 tags.

    Separators are `,` and line breaks; for words and characters also `;` and the ends of sentences, which keep their
    mark. Without a separator in that range the caption is unchanged, and `length` flags it. If the caption ends in the
    word `last`, the result does, too.
    """
    if measure(text.strip(), unit) <= limit:
        return text
    body, tail = text.rstrip(), ""
    if last and body.endswith(f", {last}"):
        body, tail = body.removesuffix(f", {last}"), f", {last}"
    room = limit - (len(tail) if unit == "chars" else measure(tail, unit))
    cut = _last_cut(body, unit, room)
    kept = body[:cut].rstrip(" \t\n,;") if cut and not ends_in_face(body, cut) else body[:cut]
    if not kept.strip():
        return text
    return kept + tail + ("\n" if text.endswith("\n") else "")


def _last_cut(body: str, unit: str, room: int) -> int:
    """Return how many characters of `body` fit, up to a separator. Measures each piece once."""
    starts = [word.start() for word in _WORD.finditer(body)] if unit == "words" else []
    best = start = used = 0
    for found in (_TAG_CUT if unit == "tags" else _CUT).finditer(body):
        end = found.end() if found[0] in ".!?" else found.start()
        if unit == "tags":
            used += measure(body[start:end], unit)
        else:
            used = end if unit == "chars" else bisect.bisect_left(starts, end)
        if used > room:
            break
        best, start = end, found.end()
    return best

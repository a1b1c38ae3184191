"""Rules for what captioning models write around, before and after a caption.

Each is a pure, idempotent function of the text, in time proportional to its length. They know no tags and no trainers.
"""

from __future__ import annotations

import re

from hashmark.core.cleaning.faces import KAOMOJI, is_face
from hashmark.core.cleaning.fixed_point import BLANK, apply_until_stable

_EDGE = " \t\n"
_QUOTE_PAIRS = {'"': '"', "'": "'", "\u201c": "\u201d", "\u2018": "\u2019"}
_THINK = re.compile("<(/?)think>", re.IGNORECASE)
_FENCE = re.compile(r"```[\w+-]*[ \t]*")
_FENCED_WHOLE = re.compile(r"\A```([^`]*)```\Z")
_LABEL = re.compile(r"\A(?:caption[ \t]*:[ \t\n]*)+", re.IGNORECASE)

_OPENING = re.compile(
    r"\A\s*(?:(?:the|this)\s+(?:image|photo|picture|illustration)"
    r"\s+(?:shows|depicts|features|captures|showcases)\s+)+(?=\S)",
    re.IGNORECASE,
)
_SENTENCE = re.compile("(?<=[.!?])[\"'\u201d\u2019)]?\\s+(?=\\S)")
_SUMMARY = re.compile(r"overall,|the overall mood\b", re.IGNORECASE)

_BOLD = re.compile(r"\*\*(?=[^\s*])([^*\n]+)(?<=\S)\*\*")
_CODE = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^#{1,6}[ \t]+(?=\S)", re.MULTILINE)
_BULLET = re.compile(r"^(?P<indent>[ \t]*)[-*+\u2022][ \t]+(?=[^\s*+-])", re.MULTILINE)


def wrappers(text: str) -> str:
    """Remove what a captioning model wraps around a caption: `Caption: "a cat"` -> `a cat`.

    Removes every `<think>…</think>`, the marks of code fences, the label `Caption:` at the start, and quotes around the
    whole text. Keeps quotes that only begin and end the text (`"a" and "b"`), and a `<think>` or fence that is never
    closed.
    """
    body = text.strip(_EDGE)
    bare = apply_until_stable(_unwrap_once, body)
    if bare == body:
        return text
    return bare + "\n" if bare and text.rstrip(BLANK).endswith("\n") else bare


def _unwrap_once(body: str) -> str:
    if "<" in body:
        body = _without_thoughts(body)
    if "```" in body:
        body = _FENCED_WHOLE.sub(r"\1", _without_fences(body).strip(_EDGE))
    body = _LABEL.sub("", body.strip(_EDGE)).strip(_EDGE)
    last = _QUOTE_PAIRS.get(body[:1])
    if len(body) < 2 or last != body[-1] or body in KAOMOJI:
        return body
    inner = body[1:-1]
    return body if body[0] in inner or last in inner else inner.strip(_EDGE)


def _without_thoughts(body: str) -> str:
    """Remove each `<think>` up to the next `</think>`, in one pass even for a million unclosed ones."""
    kept, start, opened = [], 0, -1
    for mark in _THINK.finditer(body):
        if not mark[1] and opened < 0:
            opened = mark.start()
        elif mark[1] and opened >= 0:
            kept.append(body[start:opened])
            start, opened = mark.end(), -1
    return "".join([*kept, body[start:]])


def _without_fences(body: str) -> str:
    """Remove opening fences and their closing fences, keeping the lines between them."""
    kept: list[str] = []
    held: list[str] = []
    for line in body.split("\n"):
        end = line.rstrip(BLANK)
        if held and end.endswith("```"):
            kept += [*held[1:], end[:-3]] if end != "```" else held[1:]
            held = []
        elif held or _FENCE.fullmatch(line):
            held.append(line)
        else:
            kept.append(line)
    return "\n".join([*kept, *held])


def boilerplate_start(text: str) -> str:
    """Drop an opening that only says that there is a picture: `The image shows a cat.` -> `A cat.`

    An opening is, ignoring case: the/this, then image/photo/picture/illustration, then shows/depicts/features/captures/
    showcases. The next word takes over its capital, unless it is a face. Further openings are dropped, too, so that a
    second cleaning changes nothing. A caption that is only an opening stays. Requested in minigpt4-batch#1 and
    joycaption#15; the verbs are those of SimpleTuner's filter list.
    """
    return apply_until_stable(_drop_opening, text)


def _drop_opening(text: str) -> str:
    found = _OPENING.match(text)
    if not found:
        return text
    rest = text[found.end() :]
    capital = rest[0].upper()
    if not found[0].lstrip()[0].isupper() or len(capital) != 1 or is_face(rest[:40].split()[0]):
        return rest
    return capital + rest[1:]


def boilerplate_end(text: str) -> str:
    """Drop a final sentence that begins with `Overall,` or `The overall mood`: `A cat. Overall, calm.` -> `A cat.`

    A caption with nothing else stays, since it would become empty.
    """
    return apply_until_stable(_drop_summary, text)


def _drop_summary(text: str) -> str:
    body = text.rstrip()
    if "verall" not in body and "VERALL" not in body:
        return text
    ends = [found.span() for found in _SENTENCE.finditer(body)]
    if not ends or not _SUMMARY.match(body, ends[-1][1]):
        return text
    return body[: ends[-1][0]] + body[ends[-1][0] : ends[-1][1]].rstrip() + text[len(body) :]


def markdown(text: str) -> str:
    """Unwrap `**bold**` and `` `code` ``, drop the marks of headings and bullets: `**Cat** on mat` -> `Cat on mat`.

    Not `_x_`, which would make `long_blonde_hair` one word. A face is not a bullet.
    """
    return apply_until_stable(_unmark, text)


def _unmark(text: str) -> str:
    if "*" in text:
        text = _BOLD.sub(r"\1", text)
    if "`" in text:
        text = _CODE.sub(r"\1", text)
    if "#" in text:
        text = _HEADING.sub("", text)
    return _BULLET.sub(r"\g<indent>", text)

"""Rules for tags between commas: how they are separated and spelt, which stay, and in which order.

Each is a pure, idempotent function of the text, line by line, since each line is a caption to some trainers. They take
what they need as arguments and do not know settings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping

from hashmark.core.cleaning.faces import is_face
from hashmark.core.cleaning.fixed_point import BLANK, Edit, apply_until_stable, each_line
from hashmark.core.cleaning.tags import split, tag_key

SEPARATORS = (",", "\uff0c", "\u3001")
"""Valid separators of tags; the comma always is one."""

_WORDS = re.compile(r"([ \t]+)")
_FACE_WORDS = re.compile(r"([\s,]+)")
_SCORE = re.compile(r"score_\d+(?:_up)?", re.IGNORECASE)


def separators(text: str, also: Collection[str] = ()) -> str:
    """Split each line on `,`, trim, drop empties, join with `, `: `dog,, ,solo ,` -> `dog, solo`.

    `also` can have the full-width and the ideographic comma. Every comma separates, except in a face such as `:,(` that
    is a tag of its own. img-txt_viewer does the same on saving.
    """
    for other in also:
        text = text.replace(other, ",")
    return each_line(lambda line: ", ".join(filter(None, [part.strip(BLANK) for part in split(line)])), text)


def underscores(text: str, protect: Collection[str] = ()) -> str:
    """Write `_` as a space: `long_hair, ^_^` -> `long hair, ^_^`.

    Keeps faces (wd14-tagger#7), even in a weight such as `(^_^:1.2)`; `score_9` and `score_8_up`, which models know in
    this spelling; tags of only underscores; and the whole tags in `protect`.
    """
    kept = {word.strip(BLANK) for word in protect}

    def rule(tag: str) -> str:
        return tag if tag in kept or "_" not in tag else "".join(map(_spaced, _WORDS.split(tag))).strip(BLANK)

    return each_tag(rule, text)


def _spaced(word: str) -> str:
    bare = re.sub(r":[\d.]+\)*\Z", "", word.lstrip("([")).rstrip(")],.;") if word[:1] in "([" else word.rstrip(",.;")
    if is_face(word) or is_face(bare) or _SCORE.fullmatch(bare) or not word.strip("_"):
        return word
    return word.replace("_", " ")


def case(text: str, protect: Collection[str] = ()) -> str:
    """Lower-case all but protected words and faces: `Solo, OhWx` -> `solo, OhWx` where `OhWx` is protected.

    A protected word counts wherever it is a whole word in exactly this spelling.
    """
    if text == text.lower():
        return text
    spared = sorted(filter(None, protect), key=len, reverse=True)
    pattern = "|".join([*map(re.escape, spared)])
    words = re.compile(rf"(?<!\w)({pattern})(?!\w)") if spared else None

    def rule(line: str) -> str:
        pieces = words.split(line) if words else [line]
        pieces[::2] = [
            "".join(word if is_face(word) else word.lower() for word in _FACE_WORDS.split(p)) for p in pieces[::2]
        ]
        return "".join(pieces)

    return each_line(rule, text)


def duplicates(text: str) -> str:
    """Keep the first of equal tags on a line: `1girl, solo, 1girl` -> `1girl, solo`.

    Tags are equal if they agree ignoring case, with `_` read as a space. A kaomoji equals only itself. Nothing becomes
    a weight, as it did in BDTM#142.
    """

    def rule(line: str) -> str:
        kept: dict[object, str] = {}
        parts = split(line)
        for place, raw in enumerate(parts):
            kept.setdefault(tag_key(raw) or (place if not raw.strip(BLANK) else raw), raw)
        return line if len(kept) == len(parts) else ",".join(kept.values())

    return _each_list(rule, text)


def subsumed(text: str, protect: Collection[str] = ()) -> str:
    """Drop a tag of one word that is the last word of a longer tag on its line: `shirt, white shirt` -> `white shirt`.

    As sd-scripts' clean_captions_and_tags and DatasetHelpers do. Protected tags and faces stay.
    """
    spared = set(map(tag_key, protect))

    def rule(line: str) -> str:
        keys = [tag_key(part) for part in split(line)]
        last = {key.rpartition(" ")[2] for key in keys if " " in key and not is_face(key)}
        return _kept(line, lambda tag: tag_key(tag) not in last - spared)

    return _each_list(rule, text)


def aliases(text: str, table: Mapping[str, str]) -> str:
    """Put one whole tag for another: `grey hair` -> `gray hair` where the table says so.

    `table` maps `tag_key`s to tags, none of which `table` replaces in turn.
    """
    return each_tag(lambda tag: table.get(tag_key(tag), tag), text)


def blacklist(text: str, unwanted: Callable[[str], bool]) -> str:
    """Drop the whole tags that are unwanted: `solo, watermark, rating:safe` -> `solo`.

    `patterns.tag_test` makes `unwanted` from exact tags, globs and regular expressions.
    """
    return _each_list(lambda line: _kept(line, lambda tag: not unwanted(tag)), text)


def order(text: str, key: Callable[[str], tuple[int, str]], keep: int = 0, last: str = "") -> str:
    """Keep the first `keep` tags of a line in place and sort the rest: `x, b, a` -> `x, a, b` with `keep` 1.

    The tag `last` stays at the end if it is there. Equal tags keep their order.
    """

    def rule(line: str) -> str:
        parts = split(line)
        tags = [part.strip(BLANK) for part in parts]
        end = len(tags) - 1 if last and tag_key(tags[-1]) == tag_key(last) else len(tags)
        middle = sorted(tags[keep:end], key=key)
        return line if middle == tags[keep:end] else ", ".join([*tags[:keep], *middle, *tags[end:]])

    return each_line(rule, text)


def each_tag(change: Edit, text: str) -> str:
    """Edit each tag, keeping surrounding spaces and blank tags. A tag that becomes empty is dropped."""

    def rule(line: str) -> str:
        parts = split(line)
        after: list[str] = []
        for part in parts:
            tag = part.strip(BLANK)
            new = change(tag) if tag else tag
            if new == tag:
                after.append(part)
            elif new:
                after.append(part.replace(tag, new, 1))
        return line if after == parts else ",".join(after)

    return _each_list(rule, text)


def _each_list(rule: Edit, text: str) -> str:
    """Apply a rule that drops tags to each line; remaining neighbours such as `:` and `(` can become a face."""

    def whole(line: str) -> str:
        return apply_until_stable(rule, line) if ":," in line or "_," in line else rule(line)

    return each_line(whole, text)


def _kept(line: str, wanted: Callable[[str], bool]) -> str:
    """Drop unwanted tags from a line. Blank tags stay; the line does not begin with a new space."""
    parts = split(line)
    kept = [part for part in parts if not part.strip(BLANK) or wanted(part.strip(BLANK))]
    if len(kept) == len(parts):
        return line
    return ",".join(kept).lstrip(BLANK) if line[:1] not in BLANK else ",".join(kept)

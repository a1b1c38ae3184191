"""The terms of the search language: what each filter tests of an item.

Does not know how terms are combined (`search.grammar`), nor how captions and sizes were read.
"""

from __future__ import annotations

import difflib
import fnmatch
import operator
import re
from collections.abc import Callable, Collection, Mapping

from hashmark.core.display import reveal
from hashmark.core.model import Verdict
from hashmark.core.vocabulary import CAPTION_FLAGS, CAPTION_ISSUES, COLOURS, pair_colour
from hashmark.search.grammar import Test, Value, Word, any_of
from hashmark.search.items import KINDS, ItemRow
from hashmark.search.ranges import BYTES, COUNT, parse_range

MAX_PATTERN_CHARS = 200
"""Bounds the time and memory to compile a pattern."""


def test_of(word: Word, needs: set[str]) -> Test[ItemRow]:
    """Return the test for one word; add to `needs` what it reads: `text`, `size`, `lint`.

    Raises:
        QueryError: the word is not a valid term.
    """
    key = word.key
    if key is None:
        needs.add("text")
        if not (wanted := word.text.casefold()):
            raise word.wrong("the quotes are empty")
        return lambda item: wanted in item.folded or ((text := item.text) is not None and wanted in text)
    build = _TERMS.get(key)
    if build is None:
        right = f"unknown filter{_nearest(key, tuple(_TERMS))}; valid filters: {', '.join(_TERMS)}"
        raise word.wrong(right, 'To search for the text itself, put it in quotes, as in ":d".')
    values = list(word.values())
    if key in _OF_TEXT or any(value.folded in _OF_TEXT_TOO.get(key, ()) for value in values):
        needs.add("text")
    if key in {"w", "h", "px"}:
        needs.add("size")
    if key == "lint":
        needs.add("lint")
    return any_of(map(build, values))


def _nearest(word: str, known: tuple[str, ...], likeness: float = 0.6) -> str:
    found = difflib.get_close_matches(word[:40], known, 1, likeness)
    return f" (did you mean '{found[0]}'?)" if found else ""


# --- verdicts and other words

_SHADES = {(image, caption): pair_colour(image, caption) for image in (None, *Verdict) for caption in (None, *Verdict)}
_STATES = tuple(dict.fromkeys((*COLOURS, *Verdict)))


def _one_of(value: Value, known: tuple[str, ...]) -> str:
    if value.folded not in known:
        raise value.word.wrong(f"'{value.word.key}:' takes {', '.join(known)}{_nearest(value.folded, known)}")
    return value.folded


def _is_state(state: str, image: Verdict | None, caption: Verdict | None) -> bool:
    """Return whether a pair has this colour (a conflict is red, too), or one of its halves has this verdict."""
    shade = _SHADES[image, caption]
    return state in (shade, image, caption) or (state == "red" and shade == "conflict")


def _sync(value: Value) -> Test[ItemRow]:
    state = _one_of(value, _STATES)
    wanted = frozenset(pair for pair in _SHADES if _is_state(state, *pair))
    return lambda item: (item.image, item.caption) in wanted


def _image(value: Value) -> Test[ItemRow]:
    wanted = _verdicts(_one_of(value, _STATES))
    return lambda item: item.image in wanted and item.kind == "pair"


def _caption(value: Value) -> Test[ItemRow]:
    """Test the caption, which may have no image. `none` is for images alone: masks need no caption."""
    state = _one_of(value, ("none", "any", "blank", *_STATES))
    if state == "none":
        return lambda item: item.caption is None and item.kind == "pair"
    if state == "any":
        return lambda item: item.caption is not None or item.kind == "caption"
    if state == "blank":
        return lambda item: (text := item.text) is not None and not text.strip()
    wanted = _verdicts(state)
    return lambda item: (item.image if item.kind == "caption" else item.caption) in wanted


def _verdicts(state: str) -> frozenset[Verdict]:
    return frozenset(verdict for verdict in Verdict if _is_state(state, verdict, None))


def _kind(value: Value) -> Test[ItemRow]:
    wanted = _one_of(value, KINDS)
    return lambda item: item.kind == wanted


def _is(value: Value) -> Test[ItemRow]:
    """Accept any code, since other modules report problems too, but not one that looks like a typing error."""
    code = value.folded
    if code == "odd":
        return lambda item: bool(item.odd)
    if code == "orphan":
        return lambda item: item.kind == "caption"
    slip = code not in _ODDITIES and _nearest(code, _ODDITIES, 0.8)
    if slip or not _CODE.fullmatch(code):
        raise value.word.wrong(f"'is:' takes {', '.join(_ODDITIES)} or the code of another problem{slip or ''}")
    if code in CAPTION_ISSUES:
        return lambda item: code in item.health
    return lambda item: code in item.odd


def _lint(value: Value) -> Test[ItemRow]:
    name = value.folded
    if not all(_CODE.fullmatch(part) for part in name.split("/", 1)):
        right = "'lint:' takes a trainer, a finding or both: lint:kohya, lint:several-lines, lint:kohya/several-lines"
        raise value.word.wrong(right)
    return lambda item: name in item.lint


_CODE = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_PAIRING = ("aggregate-captions", "double-suffix", "inexact-match", "orphan-caption", "several-captions")
_ODDITIES = ("odd", "orphan", *_PAIRING, "shared-caption", *CAPTION_ISSUES)
_OF_TEXT = frozenset({"text", "tag", "chars", "tags", "words"})
_OF_TEXT_TOO: Mapping[str, Collection[str]] = {"caption": ("blank",), "is": CAPTION_FLAGS}
"""Values that need the text of captions though their key does not."""


# --- text and names


def _text(value: Value) -> Test[ItemRow]:
    if not value.regex:
        wanted = value.folded
        return lambda item: (text := item.text) is not None and wanted in text
    if len(value.text) > MAX_PATTERN_CHARS:
        raise value.word.wrong(f"a pattern can have at most {MAX_PATTERN_CHARS} characters")
    search = _found_by(value, value.text)
    return lambda item: (text := item.text) is not None and search(text) is not None


def _tag(value: Value) -> Test[ItemRow]:
    """Test for a tag between commas, as tag statistics count tags: `Long_Hair` is `long hair`."""
    from hashmark.core.cleaning.tags import tag_key, tags_of  # noqa: PLC0415 - takes 15 ms, only `tag:` needs it

    wanted = tag_key(value.folded)
    first = wanted.partition(" ")[0]

    def test(item: ItemRow) -> bool:
        text = item.text
        return text is not None and first in text and any(tag_key(tag) == wanted for tag in tags_of(text))

    return test


def _found_by(value: Value, pattern: str) -> Callable[[str], object]:
    """Return a function that searches a text for the pattern in time proportional to the text.

    Uses RE2 and not Python's `re`, where one pattern such as `(a+)+b` could occupy the whole server forever.
    """
    import re2  # noqa: PLC0415 - takes 30 ms, only patterns need it

    options = re2.Options()
    options.case_sensitive, options.log_errors = False, False
    try:
        search = re2.compile(pattern.encode("utf-8", "surrogatepass"), options).search
    except re2.error as error:
        said = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        hint = "The syntax is RE2's: github.com/google/re2/wiki/Syntax."
        raise value.word.wrong(f"invalid pattern ({reveal(said)})", hint) from None
    return lambda text: search(text.encode("utf-8", "replace"))


_WILD = re.compile(r"[*?]|\[.+\]", re.DOTALL)


def _name(value: Value) -> Test[ItemRow]:
    """Test for part of the key or, with a wildcard, for a glob of the key or its last part; `*` also matches `/`."""
    wanted = value.folded
    if not _WILD.search(wanted):
        return lambda item: wanted in item.folded
    match = re.compile(fnmatch.translate(wanted)).match
    if wanted.startswith("*"):  # such a glob matches the whole key wherever it matches its last part
        return lambda item: match(item.folded) is not None
    return lambda item: bool(match(item.folded) or match(item.folded.rpartition("/")[2]))


# --- numbers


def _numeric(
    measure: Callable[[ItemRow], int | None], units: Mapping[str, int] = COUNT
) -> Callable[[Value], Test[ItemRow]]:
    """Return the term for a number. A number that is not known (None) is in no range."""

    def build(value: Value) -> Test[ItemRow]:
        found = parse_range(value.text, units)
        if not found:
            raise value.word.wrong(_NUMBERS[units is BYTES].format(value.word.key))
        low, high = found

        def test(item: ItemRow) -> bool:
            number = measure(item)
            return number is not None and low <= number <= high

        return test

    return build


_NUMBERS = (
    "'{0}:' takes a whole number of at most 18 digits, as in {0}:<512, {0}:>=512, {0}:512, {0}:512..768",
    "'{0}:' takes a number of bytes, as in {0}:<100k, {0}:>=1.5M, {0}:1MiB..2MiB",
)


def _pixels(item: ItemRow) -> int | None:
    width, height = item.width, item.height
    return None if width is None or height is None else width * height


_BLANK_PART = re.compile(r",\s*,")


def _tags(item: ItemRow) -> int | None:
    """Count the parts between commas that are not blank. Splitting takes twice as long as counting commas."""
    if (whole := item.text) is None:
        return None
    text = whole.strip()
    if not text or _BLANK_PART.search(text):
        return sum(map(bool, map(str.strip, text.split(","))))
    return text.count(",") + 1 - text.startswith(",") - text.endswith(",")


_TERMS: Mapping[str, Callable[[Value], Test[ItemRow]]] = {
    "sync": _sync,
    "image": _image,
    "caption": _caption,
    "text": _text,
    "tag": _tag,
    "name": _name,
    "kind": _kind,
    "is": _is,
    "lint": _lint,
    "w": _numeric(operator.attrgetter("width")),
    "h": _numeric(operator.attrgetter("height")),
    "px": _numeric(_pixels),
    "size": _numeric(operator.attrgetter("size"), BYTES),
    "chars": _numeric(lambda item: None if (text := item.text) is None else len(text)),
    "tags": _numeric(_tags),
    "words": _numeric(lambda item: None if (text := item.text) is None else len(text.split())),
}

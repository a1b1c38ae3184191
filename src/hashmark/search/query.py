"""The search language: a text becomes a test of one row.

`HELP` describes it; `search.grammar` combines terms, and this module defines what each term means. Does not know where
rows come from, how captions and sizes were read, or what is done with the rows that match.
"""

from __future__ import annotations

import difflib
import fnmatch
import operator
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from hashmark.core.display import reveal
from hashmark.core.model import Verdict
from hashmark.core.vocabulary import CAPTION_FLAGS, CAPTION_ISSUES, COLOURS, pair_colour
from hashmark.search.grammar import Test, Value, Word, any_of, read
from hashmark.search.ranges import BYTES, COUNT, parse_range

MAX_PATTERN_CHARS = 200
"""Bounds the time and memory to compile a pattern."""


KINDS = ("pair", "caption", "mask", "other")


class SearchRow(Protocol):
    """What a query reads of one row: a pair, or a file that belongs to none.

    A query reads only what its terms need, so a row can compute expensive values on demand.
    """

    @property
    def folded(self) -> str:
        """The printable key, casefolded."""

    @property
    def image(self) -> Verdict | None:
        """The verdict on the image, or on the file itself where `kind` is not "pair"."""

    @property
    def caption(self) -> Verdict | None:
        """The verdict on the caption; None where neither side has one."""

    @property
    def kind(self) -> str:
        """One of `KINDS`; "caption" is a caption without an image."""

    @property
    def text(self) -> str | None:
        """The caption's text, casefolded; None where there is none or it was not read."""

    @property
    def size(self) -> int:
        """Size in bytes of the file on disk, else in the bucket."""

    @property
    def width(self) -> int | None:
        """Pixels; None where the image was not measured. Likewise `height`."""

    @property
    def height(self) -> int | None: ...  # noqa: D102 - as width

    @property
    def odd(self) -> frozenset[str]:
        """Codes of its pairing problems."""

    @property
    def health(self) -> Collection[str]:
        """Codes of `CAPTION_ISSUES` that its caption has, as far as it was read."""

    @property
    def lint(self) -> Collection[str]:
        """`CODE`, `TRAINER` and `TRAINER/CODE` of each lint finding."""


@dataclass(frozen=True, slots=True)
class Query:
    """A compiled query; `parse` makes it."""

    text: str
    needs_text: bool
    """Whether it needs the text of captions."""
    needs_size: bool
    """Whether it needs widths or heights."""
    needs_lint: bool
    """Whether it needs lint findings."""
    _test: Test[SearchRow] = field(repr=False)

    def matches(self, item: SearchRow) -> bool:
        """Return whether the row matches. Never raises."""
        return self._test(item)


def parse(text: str) -> Query:
    """Compile a query; an empty one matches everything.

    Raises:
        QueryError: the query is invalid, longer than 2,000 characters or nested more than 50 deep.
    """
    needs: set[str] = set()
    test = read(text, lambda word: _term(word, needs))
    return Query(text.strip(), "text" in needs, "size" in needs, "lint" in needs, test or _everything)


def _everything(_item: SearchRow) -> bool:
    return True


def _term(word: Word, needs: set[str]) -> Test[SearchRow]:
    """Return the test for one word; add to `needs` what it reads."""
    key = word.key
    if key is None:
        needs.add("text")
        return _bare(word)
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


def _bare(word: Word) -> Test[SearchRow]:
    wanted = word.text.casefold()
    if not wanted:
        raise word.wrong("the quotes are empty")
    return lambda item: wanted in item.folded or ((text := item.text) is not None and wanted in text)


# --- verdicts and other words

_SHADES = {(image, caption): pair_colour(image, caption) for image in (None, *Verdict) for caption in (None, *Verdict)}
_STATES = tuple(dict.fromkeys((*COLOURS, *Verdict)))


def _one_of(value: Value, known: tuple[str, ...]) -> str:
    if value.folded not in known:
        right = f"'{value.word.key}:' takes {', '.join(known)}{_nearest(value.folded, known)}"
        raise value.word.wrong(right)
    return value.folded


def _is_state(state: str, image: Verdict | None, caption: Verdict | None) -> bool:
    """Return whether a pair has this colour (a conflict is red, too), or one of its halves has this verdict."""
    shade = _SHADES[image, caption]
    return state in (shade, image, caption) or (state == "red" and shade == "conflict")


def _sync(value: Value) -> Test[SearchRow]:
    state = _one_of(value, _STATES)
    wanted = frozenset(pair for pair in _SHADES if _is_state(state, *pair))
    return lambda item: (item.image, item.caption) in wanted


def _image(value: Value) -> Test[SearchRow]:
    wanted = _verdicts(_one_of(value, _STATES))
    return lambda item: item.image in wanted and item.kind == "pair"


def _caption(value: Value) -> Test[SearchRow]:
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


def _kind(value: Value) -> Test[SearchRow]:
    wanted = _one_of(value, KINDS)
    return lambda item: item.kind == wanted


def _is(value: Value) -> Test[SearchRow]:
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


def _lint(value: Value) -> Test[SearchRow]:
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


def _text(value: Value) -> Test[SearchRow]:
    if not value.regex:
        wanted = value.folded
        return lambda item: (text := item.text) is not None and wanted in text
    if len(value.text) > MAX_PATTERN_CHARS:
        raise value.word.wrong(f"a pattern can have at most {MAX_PATTERN_CHARS} characters")
    search = _found_by(value, value.text)
    return lambda item: (text := item.text) is not None and search(text) is not None


def _tag(value: Value) -> Test[SearchRow]:
    """Test for a tag between commas, as tag statistics count tags: `Long_Hair` is `long hair`."""
    from hashmark.core.cleaning.tags import tag_key, tags_of  # noqa: PLC0415 - takes 15 ms, only `tag:` needs it

    wanted = tag_key(value.folded)
    first = wanted.partition(" ")[0]

    def test(item: SearchRow) -> bool:
        text = item.text
        return text is not None and first in text and any(tag_key(tag) == wanted for tag in tags_of(text))

    return test


def tag_search(tag: str) -> str:
    """Return the query that finds a tag.

    >>> tag_search('long hair')
    'tag:"long hair"'
    """
    escaped = tag.replace("\\", "\\\\").replace('"', '\\"')
    return f'tag:"{escaped}"'


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


def _name(value: Value) -> Test[SearchRow]:
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
    measure: Callable[[SearchRow], int | None], units: Mapping[str, int] = COUNT
) -> Callable[[Value], Test[SearchRow]]:
    """Return the term for a number. A number that is not known (None) is in no range."""

    def build(value: Value) -> Test[SearchRow]:
        found = parse_range(value.text, units)
        if not found:
            raise value.word.wrong(_NUMBERS[units is BYTES].format(value.word.key))
        low, high = found

        def test(item: SearchRow) -> bool:
            number = measure(item)
            return number is not None and low <= number <= high

        return test

    return build


_NUMBERS = (
    "'{0}:' takes a whole number of at most 18 digits, as in {0}:<512, {0}:>=512, {0}:512, {0}:512..768",
    "'{0}:' takes a number of bytes, as in {0}:<100k, {0}:>=1.5M, {0}:1MiB..2MiB",
)


def _pixels(item: SearchRow) -> int | None:
    width, height = item.width, item.height
    return None if width is None or height is None else width * height


def _chars(item: SearchRow) -> int | None:
    return None if (text := item.text) is None else len(text)


_BLANK_PART = re.compile(r",\s*,")


def _tags(item: SearchRow) -> int | None:
    """Count the parts between commas that are not blank. Splitting takes twice as long as counting commas."""
    if (whole := item.text) is None:
        return None
    text = whole.strip()
    if not text or _BLANK_PART.search(text):
        return sum(map(bool, map(str.strip, text.split(","))))
    return text.count(",") + 1 - text.startswith(",") - text.endswith(",")


def _words(item: SearchRow) -> int | None:
    return None if (text := item.text) is None else len(text.split())


_TERMS: Mapping[str, Callable[[Value], Test[SearchRow]]] = {
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
    "chars": _numeric(_chars),
    "tags": _numeric(_tags),
    "words": _numeric(_words),
}

HELP: tuple[tuple[str, str], ...] = (
    ("cat", "the name or the caption contains cat"),
    ('"red cat"', r'quotes keep spaces and punctuation: ":d", "OR", "a, b"; escape \" and \\'),
    ("cat dog", "both"),
    ("cat OR dog", "either; AND binds tighter than OR: a b OR c d is (a b) OR (c d)"),
    ("(cat OR dog) red", "parentheses group"),
    ("-cat", "not; also NOT cat, -(cat OR dog)"),
    ("sync:red", "the pair's colour: green, red (conflicts too), grey, cloud, conflict, refused"),
    ("sync:local-changed,differs", "the image or the caption has one of these verdicts; a comma means OR"),
    ("image:red", "the image alone, with the same values; use sync: for masks and other files"),
    ("caption:synced", "the caption alone, with the same values"),
    ("caption:none", "an image without a caption; also caption:any, and caption:blank for only whitespace"),
    ("text:cat,dog", "the caption contains cat or dog"),
    ("text:/cats? on .* mat/", r"the caption matches a regular expression; \/ is a slash"),
    (
        'tag:"long hair"',
        "one of the parts between commas is exactly this tag; ignores case, and _ is a space",
    ),
    ("name:cat", "the name contains cat"),
    ("name:*.png", "the whole name, or its last part, matches: * ? [abc]"),
    ("kind:pair", "pair, caption (one without an image), mask, other"),
    ("is:odd", "has a pairing problem; or a certain one, as in is:several-captions"),
    ("is:orphan", "a caption without an image"),
    ("is:missing,zero-byte", "caption issues: missing, zero-byte, blank, multi-line, wrong-encoding, suspect"),
    ("lint:kohya", "findings for this trainer; or one finding, as in lint:several-lines, lint:kohya/several-lines"),
    ("w:<512", "width in pixels; < <= > >= = and ranges, for every number"),
    ("h:512..1024", "height in pixels, both ends included"),
    ("px:>=1048576", "width times height"),
    ("size:>1.5M", "bytes of the image; k M G are thousands, KiB MiB GiB are 1024s"),
    ("chars:>300", "characters of the caption"),
    ("tags:<5", "parts of the caption between commas"),
    ("words:0", "words of the caption"),
)
"""Rows of the help sheet: a query that can be typed as it stands, and what it finds."""

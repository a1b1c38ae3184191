"""The search language of the dataset page and of `--filter`: a text becomes a test of one row.

`HELP` shows it; `search.grammar` has what joins terms, and here is what each term means. Refuses to know where rows
come from, how captions and sizes were read, and what is done with the rows that match.
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

MOST_PATTERN = 200
"""Characters of a pattern; this bounds the time and memory to compile it."""


KINDS = ("pair", "caption", "mask", "other")


class SearchRow(Protocol):
    """What a filter sees of one row of the page: a pair, or a file that belongs to none.

    A filter asks for nothing that it does not look at, so what is dear can be found out when it is asked for.
    """

    @property
    def folded(self) -> str:
        """The key as shown, casefolded."""

    @property
    def image(self) -> Verdict | None:
        """Of the image, or of the lone file where `kind` is not "pair"; None only where there is no such file."""

    @property
    def caption(self) -> Verdict | None:
        """None: no caption on either side."""

    @property
    def kind(self) -> str:
        """One of `KINDS`; "caption" is a caption without an image."""

    @property
    def text(self) -> str | None:
        """The caption, casefolded; None where there is none or it was not read."""

    @property
    def size(self) -> int:
        """Bytes of the image on disk, else in the bucket."""

    @property
    def width(self) -> int | None:
        """None: not measured (yet). Likewise `height`."""

    @property
    def height(self) -> int | None: ...  # noqa: D102 - as width

    @property
    def odd(self) -> frozenset[str]:
        """Codes of its problems."""

    @property
    def health(self) -> Collection[str]:
        """What is not well with its caption: codes of `CAPTION_ISSUES`, as far as it was read."""

    @property
    def lint(self) -> Collection[str]:
        """What trainers will stumble on: `CODE`, `TRAINER` and `TRAINER/CODE` of each finding."""


@dataclass(frozen=True, slots=True)
class Query:
    """A search, ready to be asked of many rows; `parse` makes it."""

    text: str
    needs_text: bool
    """Whether it looks at captions."""
    needs_size: bool
    """Whether it looks at width or height."""
    needs_lint: bool
    """Whether it looks at what trainers will stumble on."""
    _test: Test[SearchRow] = field(repr=False)

    def matches(self, item: SearchRow) -> bool:
        """Whether the row is searched for. Never raises."""
        return self._test(item)


def parse(text: str) -> Query:
    """Understand a search; an empty one matches everything.

    Raises:
        QueryError: it can't be understood, is longer than 2,000 characters or nested more than 50 deep.
    """
    looks: set[str] = set()
    test = read(text, lambda word: _term(word, looks))
    return Query(text.strip(), "text" in looks, "size" in looks, "lint" in looks, test or _everything)


def _everything(_item: SearchRow) -> bool:
    return True


def _term(word: Word, looks: set[str]) -> Test[SearchRow]:
    """The test for one word; adds to `looks` what it will look at."""
    key = word.key
    if key is None:
        looks.add("text")
        return _bare(word)
    build = _TERMS.get(key)
    if build is None:
        right = f"there is no such key{_nearest(key, tuple(_TERMS))}; the keys are {', '.join(_TERMS)}"
        raise word.wrong(right, 'To search for it as it stands, put it in quotes, as in ":d".')
    values = list(word.values())
    if key in _OF_TEXT or any(value.folded in _OF_TEXT_TOO.get(key, ()) for value in values):
        looks.add("text")
    if key in {"w", "h", "px"}:
        looks.add("size")
    if key == "lint":
        looks.add("lint")
    return any_of(map(build, values))


def _nearest(word: str, known: tuple[str, ...], likeness: float = 0.6) -> str:
    found = difflib.get_close_matches(word[:40], known, 1, likeness)
    return f" (did you mean '{found[0]}'?)" if found else ""


def _bare(word: Word) -> Test[SearchRow]:
    wanted = word.text.casefold()
    if not wanted:
        raise word.wrong("there is nothing between the quotes")
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
    """Whether a pair is of this colour, a conflict being red as well, or one of its halves has this verdict."""
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
    """Of a caption without an image, its own verdict counts. `none` is for images: masks and the like need none."""
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
    """Any code is taken, for others than the core find problems too; one that looks like a slip is not."""
    code = value.folded
    if code == "odd":
        return lambda item: bool(item.odd)
    if code == "orphan":
        return lambda item: item.kind == "caption"
    slip = code not in _ODDITIES and _nearest(code, _ODDITIES, 0.8)
    if slip or not _CODE.fullmatch(code):
        raise value.word.wrong(f"'is:' takes {', '.join(_ODDITIES)} or another problem's code{slip or ''}")
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
"""The values for which a key looks at captions that does not otherwise."""


# --- text and names


def _text(value: Value) -> Test[SearchRow]:
    if not value.regex:
        wanted = value.folded
        return lambda item: (text := item.text) is not None and wanted in text
    if len(value.text) > MOST_PATTERN:
        raise value.word.wrong(f"a pattern has {MOST_PATTERN} characters at most")
    search = _found_by(value, value.text)
    return lambda item: (text := item.text) is not None and search(text) is not None


def _tag(value: Value) -> Test[SearchRow]:
    """One of the parts between commas is this tag, as the statistics count tags: `Long_Hair` is `long hair`."""
    from hashmark.core.cleaning.tags import tag_key, tags_of  # noqa: PLC0415 - 15 ms, only for those who ask for tags

    wanted = tag_key(value.folded)
    first = wanted.partition(" ")[0]

    def test(item: SearchRow) -> bool:
        text = item.text
        return text is not None and first in text and any(tag_key(tag) == wanted for tag in tags_of(text))

    return test


def tag_search(tag: str) -> str:
    """The search that finds a tag.

    >>> tag_search('long hair')
    'tag:"long hair"'
    """
    escaped = tag.replace("\\", "\\\\").replace('"', '\\"')
    return f'tag:"{escaped}"'


def _found_by(value: Value, pattern: str) -> Callable[[str], object]:
    """Searches a text for the pattern, in time that grows with the text alone.

    RE2 and not Python's `re`: one pattern such as `(a+)+b` could keep the whole server busy for ever.
    """
    import re2  # noqa: PLC0415 - 30 ms, only for those who search by pattern

    options = re2.Options()
    options.case_sensitive, options.log_errors = False, False
    try:
        search = re2.compile(pattern.encode("utf-8", "surrogatepass"), options).search
    except re2.error as error:
        said = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        hint = "Patterns are RE2's: github.com/google/re2/wiki/Syntax."
        raise value.word.wrong(f"the pattern is not valid ({reveal(said)})", hint) from None
    return lambda text: search(text.encode("utf-8", "replace"))


_WILD = re.compile(r"[*?]|\[.+\]", re.DOTALL)


def _name(value: Value) -> Test[SearchRow]:
    """Without a wildcard, part of the key; else a glob (`*` also matches `/`) of the key or of its last part."""
    wanted = value.folded
    if not _WILD.search(wanted):
        return lambda item: wanted in item.folded
    match = re.compile(fnmatch.translate(wanted)).match
    if wanted.startswith("*"):  # then a glob of the last part is one of the key as well
        return lambda item: match(item.folded) is not None
    return lambda item: bool(match(item.folded) or match(item.folded.rpartition("/")[2]))


# --- numbers


def _numeric(
    measure: Callable[[SearchRow], int | None], units: Mapping[str, int] = COUNT
) -> Callable[[Value], Test[SearchRow]]:
    """The term for a number. What is not known (None) is in no range."""

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
    """Parts between commas that are not blank. Counting commas does, unless one is; splitting takes twice as long."""
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
    ('"red cat"', r'quotes hold blanks and marks: ":d", "OR", "a, b"; within them \" and \\'),
    ("cat dog", "both"),
    ("cat OR dog", "either; a blank binds first: a b OR c d is (a b) OR (c d)"),
    ("(cat OR dog) red", "parentheses group"),
    ("-cat", "not; also NOT cat, -(cat OR dog)"),
    ("sync:red", "the pair's colour: green, red (conflicts too), grey, cloud, conflict, refused"),
    ("sync:local-changed,differs", "the image or the caption has one of these verdicts; a comma means or"),
    ("image:red", "the image alone, by the same words; masks and other files are found by sync:"),
    ("caption:synced", "the caption alone, by the same words"),
    ("caption:none", "an image without a caption; also caption:any, and caption:blank for one without a word"),
    ("text:cat,dog", "the caption contains cat or dog"),
    ("text:/cats? on .* mat/", r"the caption fits a regular expression; \/ is a slash"),
    (
        'tag:"long hair"',
        "one of the parts between commas is exactly this tag; letter case and _ for a blank don't count",
    ),
    ("name:cat", "the name contains cat"),
    ("name:*.png", "the whole name, or its last part, fits: * ? [abc]"),
    ("kind:pair", "pair, caption (one without an image), mask, other"),
    ("is:odd", "has a problem; or one in particular, as in is:several-captions"),
    ("is:orphan", "a caption without an image"),
    ("is:missing,zero-byte", "captions not well: missing, zero-byte, blank, multi-line, wrong-encoding, suspect"),
    ("lint:kohya", "what this trainer stumbles on; or one finding, as in lint:several-lines, lint:kohya/several-lines"),
    ("w:<512", "width in pixels; < <= > >= = and ranges, for every number"),
    ("h:512..1024", "height in pixels, both ends included"),
    ("px:>=1048576", "width times height"),
    ("size:>1.5M", "bytes of the image; k M G are thousands, KiB MiB GiB are 1024s"),
    ("chars:>300", "characters of the caption"),
    ("tags:<5", "parts of the caption between commas"),
    ("words:0", "words of the caption"),
)
"""Rows for the help sheet: an example that can be typed as it stands, and what it finds."""

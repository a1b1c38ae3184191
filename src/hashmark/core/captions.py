"""Caption cleaning: rules that are each a pure, idempotent `str -> str`, the profiles that pick
among them.

Refuses to know files, trainers and what the caller does with the answer. A rule never judges
whether an empty caption is acceptable, and `clean` never touches a final newline.

To add a rule: write the function, name it in `RULES` at its place in the order, list it in the
profiles that want it. The tests hold every entry of `RULES` to the laws.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

Rule = Callable[[str], str]

_FACES = r"""
    ^_^ ^.^ ^o^ >_< >.< >_o >o< <o>_<o> <|>_<|> o_o o.o 0_0 (o)_(o) u_u u.u x_x t_t @_@ =_= -_- -.- +_+ +_-
    3_3 6_9 |_| ||_|| ;_; ;-; ;; ;) ;( ;-) ;d ;p ;o ;3 ;q :; ._. .__. .-. ,_, :,( :,) '_' "_" ...
"""
KAOMOJI = frozenset(_FACES.split())
"""Faces, and the tag `...`, in marks that a rule could take for punctuation or quotes; in lower case."""

_FACE = rf"(?<![^\s,])(?:{'|'.join(map(re.escape, sorted(KAOMOJI, key=len, reverse=True)))})(?![^\s,.;])"
_FACE_AT_END = re.compile(rf"{_FACE}\Z")
_BLANK = " \t"
_EDGE = " \t\n"

_SMART = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033", '"'),
        **dict.fromkeys("\u2013\u2014", "-"),
        "\u2026": "...",
        "\u00a0": " ",
    }
)
_QUOTE_PAIRS = {'"': '"', "'": "'", "\u201c": "\u201d", "\u2018": "\u2019"}
_THINK = re.compile(r"<think>.*?</think>", re.DOTALL | re.IGNORECASE)
_FENCED_LINES = re.compile(r"^```[\w+-]*[ \t]*\n(.*?)\n?```[ \t]*$", re.DOTALL | re.MULTILINE)
_FENCED_WHOLE = re.compile(r"\A```([^`]*)```\Z")
_LABEL = re.compile(r"\A(?:caption[ \t]*:[ \t\n]*)+", re.IGNORECASE)
_BOILERPLATE = re.compile(
    r"\A\s*(?:(?:the|this)\s+(?:image|photo|picture|illustration)"
    r"\s+(?:shows|depicts|features|captures|showcases)\s+)+(?=\S)",
    re.IGNORECASE,
)
_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b\u2060]")
_PUNCTUATION = re.compile(
    rf"(?P<face>{_FACE})"
    rf"|[ \t]+(?!{_FACE})(?=,)"
    rf"|(?<![, \t])[ \t]+(?!{_FACE})(?=[.;]+(?:[\s\"',]|\Z))"
    r"|(?P<twice>,{2,}|(?<!\.)\.\.(?!\.))"
)

_MOST_PASSES = 64


def bom(text: str) -> str:
    r"""Drop leading U+FEFF, which `str.strip` keeps: `"\ufeff1girl"` -> `"1girl"`."""
    return text.lstrip("\ufeff")


def line_ends(text: str) -> str:
    r"""Turn CRLF, CR, U+2028 and U+2029 into LF: `"a\r\nb"` -> `"a\nb"`."""
    return re.sub("\r\n|[\r\u2028\u2029]", "\n", text)


def invisible(text: str) -> str:
    r"""Drop control characters except LF and TAB, and U+200B, U+2060, U+00AD: `"cat\u200b"` -> `"cat"`.

    The zero-width joiner stays, for it holds emoji such as a family together.
    """
    return _INVISIBLE.sub("", text)


def nfc(text: str) -> str:
    r"""Compose canonically: `"e\u0301"` -> `"\u00e9"`. Never NFKC, which would turn a circled one into `1`."""
    return unicodedata.normalize("NFC", text)


def smart_punctuation(text: str) -> str:
    """Write curly quotes, primes, ellipsis, en and em dash and NBSP in ASCII: `“x” – girl’s` -> `"x" - girl's`."""
    return text.translate(_SMART)


def spaces(text: str) -> str:
    r"""Make each run of spaces and tabs one space, trim every line and both ends: `"a   cat "` -> `"a cat"`.

    Line breaks after the last word become one final newline; where there was none, none is added.
    """
    lines = [re.sub("[ \t]+", " ", line).strip(_BLANK) for line in text.split("\n")]
    body = "\n".join(lines).strip("\n")
    return body + "\n" if body and not lines[-1] else body


def wrappers(text: str) -> str:
    """Take off what a captioning model wraps around its answer: `Caption: "a cat"` -> `a cat`.

    Removed, as often as they occur: `<think>…</think>`, the marks of a code fence, the label
    `Caption:` at the start, and quotes that enclose everything. Quotes that only begin and end the
    text (`"a" and "b"`) stay, as does a `<think>` or a fence that is never closed.
    """
    body = text.strip(_EDGE)
    bare = _settle(_unwrap_once, body)
    if bare == body:
        return text
    return bare + "\n" if bare and text.rstrip(_BLANK).endswith("\n") else bare


def _unwrap_once(body: str) -> str:
    body = _FENCED_LINES.sub(r"\1", _THINK.sub("", body)).strip(_EDGE)
    body = _LABEL.sub("", _FENCED_WHOLE.sub(r"\1", body)).strip(_EDGE)
    last = _QUOTE_PAIRS.get(body[:1])
    inner = body[1:-1]
    enclosed = len(body) > 1 and last == body[-1] and body[0] not in inner and last not in inner
    return inner.strip(_EDGE) if enclosed and body not in KAOMOJI else body


def boilerplate_prefix(text: str) -> str:
    """Drop the opening that says only that there is a picture: `The image shows a cat.` -> `A cat.`

    At the start, ignoring case: the/this, then image/photo/picture/illustration, then shows/depicts/
    features/captures/showcases. A capital it began with passes to the next word. An opening behind
    the opening goes too, or a second cleaning would differ from the first; nothing but the opening stays.
    """
    return _settle(_drop_opening, text)


def _drop_opening(text: str) -> str:
    found = _BOILERPLATE.match(text)
    if not found:
        return text
    rest = text[found.end() :]
    capital = rest[0].upper()
    return capital + rest[1:] if found[0].lstrip()[0].isupper() and len(capital) == 1 else rest


def separators(text: str) -> str:
    """Split each line on `,`, trim, drop empties, join with `, `: `dog,, ,solo ,` -> `dog, solo`.

    A comma always separates; no vocabulary of tags has one inside a tag.
    """
    return _each_line(lambda line: ", ".join(filter(None, (tag.strip(_BLANK) for tag in line.split(",")))), text)


def duplicate_tags(text: str) -> str:
    """Keep the first of equal tags on a line: `1girl, solo, 1girl` -> `1girl, solo`.

    Tags are equal if they agree after case folding, with `_` read as a space. A kaomoji equals only itself.
    """
    return _each_line(_first_of_each, text)


def _first_of_each(line: str) -> str:
    kept: dict[object, str] = {}
    for place, raw in enumerate(line.split(",")):
        tag = raw.strip(_BLANK)
        key = tag if tag.casefold() in KAOMOJI else " ".join(re.split("[ \t_]+", tag.casefold()))
        kept.setdefault(key if tag else place, raw)
    return ",".join(kept.values())


def punctuation(text: str) -> str:
    """No space before `,` `.` `;`, and `,,` and `..` (not `...`) once: `a cat , sits..` -> `a cat, sits.`

    A space stays before a kaomoji, before a mark that begins a word (`.png`, `;d`), and after a comma.
    """
    return _settle(lambda text: _PUNCTUATION.sub(lambda m: m["face"] or (m["twice"] or "")[:1], text), text)


def tag_end(text: str) -> str:
    """Drop `,` `.` `;` at the end of each line of tags, but no kaomoji: `1girl, solo.` -> `1girl, solo`.

    The part of the punctuation operation that holds for tags alone.
    """
    return _each_line(_drop_end_marks, text)


def _drop_end_marks(line: str) -> str:
    while line.endswith((",", ".", ";")) and not _FACE_AT_END.search(line):
        line = line[:-1].rstrip(_BLANK)
    return line


def _each_line(rule: Rule, text: str) -> str:
    return "\n".join(map(rule, text.split("\n")))


def _settle(step: Rule, text: str) -> str:
    """Repeat a step that only ever removes until it finds nothing more."""
    while (after := step(text)) != text:
        text = after
    return text


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        rule.__name__: rule
        for rule in (
            bom,
            line_ends,
            invisible,
            nfc,
            smart_punctuation,
            spaces,
            wrappers,
            boilerplate_prefix,
            separators,
            duplicate_tags,
            punctuation,
            tag_end,
        )
    }
)
"""Every rule by its name, in the order in which they run."""

_ONLY_PROSE = {"boilerplate_prefix"}
_ONLY_TAGS = {"separators", "duplicate_tags", "tag_end"}

PROFILES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "tags": tuple(name for name in RULES if name not in _ONLY_PROSE),
        "prose": tuple(name for name in RULES if name not in _ONLY_TAGS),
    }
)
"""The names of the rules that fit a kind of caption, in the order in which they run."""


def clean(text: str, profile: str) -> str:
    """Run the rules of a profile until they change nothing more; `clean(clean(x)) == clean(x)` always.

    What one rule uncovers another may have to clean (`The image shows "a cat"`), hence the passes;
    two or three are usual. A text that has not settled after 64 is given back untouched, so that
    the law holds for hostile input too. Raises KeyError for a profile that `PROFILES` does not name.
    """
    return apply(text, PROFILES[profile])


def apply(text: str, names: Iterable[str]) -> str:
    """Run the named rules, in the order of `RULES` whatever the order given, as `clean` does.

    Raises KeyError for a name that `RULES` does not hold.
    """
    wanted = {name: RULES[name] for name in names}
    rules = [rule for name, rule in RULES.items() if name in wanted]
    before = text
    for _ in range(_MOST_PASSES):
        after = before
        for rule in rules:
            after = rule(after)
        if after == before:
            return after
        before = after
    return text

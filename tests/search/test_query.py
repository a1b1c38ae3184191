"""What each term finds, what each mistake is told, and the laws of searching."""

from __future__ import annotations

import fnmatch
import itertools
import operator
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hashmark.core.cleaning import tag_key, tags_of
from hashmark.core.errors import QueryError
from hashmark.core.model import NEEDS_SYNC, Verdict
from hashmark.core.pairs import Pairing, pair_up
from hashmark.core.vocabulary import COLOURS, pair_colour
from hashmark.search.items import KINDS, ItemRow
from hashmark.search.query import HELP, Query, parse, tag_search
from hashmark.search.ranges import BYTES, COUNT, parse_range
from support.core_values import in_bytes, status

V = Verdict


@dataclass(frozen=True)
class Row:
    """What a filter sees of an `ItemRow`, as given."""

    folded: str
    image: Verdict | None
    caption: Verdict | None
    kind: str
    text: str | None
    size: int
    width: int | None
    height: int | None
    odd: frozenset[str] = frozenset()
    health: tuple[str, ...] = ()
    lint: tuple[str, ...] = ()


def row(name: str = "Sub/Night Cat.PNG", text: str | None = "a red cat, on a mat", **changes: Any) -> ItemRow:
    """A pair in sync whose image is 640 by 480; `changes` are what else is to be different."""
    plain: dict[str, Any] = {"image": V.SYNCED, "caption": V.SYNCED, "kind": "pair", "size": 1000}
    plain |= {"width": 640, "height": 480}
    folded = None if text is None else text.casefold()
    return cast("ItemRow", Row(folded=name.casefold(), text=folded, **(plain | changes)))


def found(search: str, item: ItemRow | None = None) -> bool:
    return parse(search).matches(item or row())


def refused(search: str) -> QueryError:
    with pytest.raises(QueryError) as caught:
        parse(search)
    return caught.value


def states(image: Verdict | None, caption: Verdict | None = None) -> ItemRow:
    return row(image=image, caption=caption)


ORPHAN = row("b.txt", kind="caption", image=V.LOCAL_ONLY, caption=None, odd=frozenset({"orphan-caption"}))

VERDICTS: list[tuple[str, ItemRow, bool]] = [
    ("sync:green", states(V.SYNCED, V.SYNCED), True),
    ("sync:green", states(V.SYNCED, None), True),
    ("sync:green", states(V.SYNCED, V.REMOTE_ONLY), False),
    ("sync:red", states(V.SYNCED, V.LOCAL_CHANGED), True),
    ("sync:red", states(V.UNVERIFIED, V.LOCAL_CHANGED), True),
    ("sync:red", states(V.SYNCED, V.CONFLICT), True),
    ("sync:red", states(V.SYNCED, V.UNVERIFIED), False),
    ("sync:conflict", states(V.CONFLICT, V.LOCAL_ONLY), True),
    ("sync:conflict", states(V.DIFFERS, V.LOCAL_ONLY), False),
    ("sync:grey", states(V.UNVERIFIED, V.REFUSED), True),
    ("sync:grey", states(V.UNVERIFIED, V.DIFFERS), False),
    ("sync:cloud", states(V.SYNCED, V.DELETED_LOCALLY), True),
    ("sync:cloud", states(V.REMOTE_ONLY, V.REFUSED), False),
    ("sync:refused", states(V.SYNCED, V.REFUSED), True),
    ("sync:refused", states(V.DIFFERS, V.REFUSED), True),
    ("sync:synced", states(V.SYNCED, V.DIFFERS), True),
    ("sync:differs", states(V.CONFLICT, V.DIFFERS), True),
    ("sync:differs", states(V.DIFFERS, V.SYNCED), True),
    ("sync:differs", states(V.LOCAL_CHANGED, V.SYNCED), False),
    ("sync:green,grey", states(V.UNVERIFIED), True),
    ("sync:green,grey", states(V.SYNCED), True),
    ("sync:green,grey", states(V.DIFFERS), False),
    ("SYNC:Green", states(V.SYNCED), True),
    ('sync:"green"', states(V.SYNCED), True),
    ("sync:red", ORPHAN, True),
    ("image:green", states(V.SYNCED, V.CONFLICT), True),
    ("image:red", states(V.SYNCED, V.CONFLICT), False),
    ("image:red", states(V.CONFLICT, V.SYNCED), True),
    ("image:conflict", states(V.DIFFERS), False),
    ("image:local-changed", states(V.LOCAL_CHANGED), True),
    ("image:local-changed", states(V.SYNCED, V.LOCAL_CHANGED), False),
    ("image:green", states(None, V.SYNCED), False),
    ("image:red", row(kind="mask", image=V.LOCAL_ONLY), False),
    ("image:red", ORPHAN, False),
    ("caption:red", states(V.SYNCED, V.CONFLICT), True),
    ("caption:red", states(V.CONFLICT, V.SYNCED), False),
    ("caption:remote-only", states(V.SYNCED, V.REMOTE_ONLY), True),
    ("caption:cloud", states(V.SYNCED, V.REMOTE_ONLY), True),
    ("caption:green", states(V.SYNCED, None), False),
    ("caption:red", ORPHAN, True),
    ("caption:green", ORPHAN, False),
    ("caption:none", states(V.SYNCED, None), True),
    ("caption:none", states(V.SYNCED, V.SYNCED), False),
    ("caption:none", row(kind="mask", caption=None), False),
    ("caption:none", ORPHAN, False),
    ("caption:any", states(V.SYNCED, None), False),
    ("caption:any", states(V.SYNCED, V.REMOTE_ONLY), True),
    ("caption:any", ORPHAN, True),
    ("caption:none,red", states(V.SYNCED, None), True),
    ("caption:blank", row(text=" \n\t\u3000"), True),
    ("caption:blank", row(text=""), True),
    ("caption:blank", row(text="\n."), False),
    ("caption:blank", row(text=None), False),
]

TEXTS: list[tuple[str, ItemRow, bool]] = [
    ("text:RED", row(), True),
    ("text:dog", row(), False),
    ("text:dog,mat", row(), True),
    ("text:night", row(), False),
    ("text:cat", row(text=None), False),
    ("text:STRASSE", row(text="Straße"), True),
    ("text:straße", row(text="STRASSE"), True),
    ('text:"red cat"', row(), True),
    ('text:"cat red"', row(), False),
    ('text:"cat, on"', row(), True),
    ('text:"x, y","cat,"', row(), True),
    (r'text:"\"cat\""', row(text='a "cat"'), True),
    (r'text:"\"cat\""', row(text="a cat"), False),
    (r'text:"a\\b"', row(text=r"a\b"), True),
    (r'text:"\(fate\)"', row(text=r"saber \(fate\)"), True),
    (r"text:\(fate\)", row(text=r"saber \(fate\)"), True),
    ("text:miku_(vocaloid)", row(text="hatsune_miku_(vocaloid)"), True),
    ("text:/c.t/", row(), True),
    ("text:/C.T/", row(), True),
    ("TEXT:/c.t/", row(), True),
    ("text:/^c.t/", row(), False),
    ("text:/c.t/", row(text=None), False),
    ("text:/red cat/", row(), True),
    ("text:/(dog|cat), o/", row(), True),
    ("text:dog,/c.t/", row(), True),
    ("text:/d.g/,cat", row(), True),
    ('text:/"/', row(text='a "cat"'), True),
    (r"text:/a\/b/", row(text="a/b"), True),
    (r"text:/\\/", row(text="a\\b"), True),
    ('text:"/c.t/"', row(), False),
    ('text:"/c.t/"', row(text="/c.t/"), True),
    ("text:a/b", row(text="a/b"), True),
    ("text:/[[a]/", row(text="["), True),
]

TAGS: list[tuple[str, ItemRow, bool]] = [
    ("tag:cat", row(text="dog, cat"), True),
    ("tag:cat", row(text="dog, red cat"), False),
    ("tag:cat", row(text="dog, cats"), False),
    ("tag:cat,dog", row(text="a, dog"), True),
    ('tag:"long hair"', row(text="1girl,Long_Hair , smile"), True),
    ("tag:long_hair", row(text="long hair"), True),
    ('tag:"long hair"', row(text="long\nhair"), False),
    ("tag:hair", row(text="a\nhair"), True),
    ("tag:cat", row(text=None), False),
    ('tag:":,("', row(text="cat, :,(, dog"), True),
    ("is:missing", row(health=("missing",)), True),
    ("is:zero-byte,blank", row(health=("blank",)), True),
    ("is:multi-line", row(health=("wrong-encoding",)), False),
    ("is:odd", row(health=("suspect",)), False),
    ("lint:kohya", row(lint=("kohya", "several-lines", "kohya/several-lines")), True),
    ("lint:kohya/several-lines,x", row(lint=("kohya/several-lines",)), True),
    ("lint:several-lines", row(lint=("kohya",)), False),
]

NAMES: list[tuple[str, ItemRow, bool]] = [
    ("name:night", row(), True),
    ("name:SUB/", row(), True),
    ("name:red", row(), False),
    ('name:"t cat"', row(), True),
    ("name:*.png", row(), True),
    ("name:*.jpg", row(), False),
    ("name:*.jpg,*.PNG", row(), True),
    ("name:Night*", row(), True),
    ("name:sub/*", row(), True),
    ("name:sub/*", row("x/sub/a"), False),
    ("name:b*", row("a/b/c"), False),
    ("name:*b", row("a/b/c"), False),
    ("name:*b*", row("a/b/c"), True),
    ("name:?", row("a/b/c"), True),
    ("name:a?b", row("a/b"), True),
    ("name:[ab].png", row("x/a.png"), True),
    ("name:[AB].png", row("x/c.png"), False),
    ("name:a.p", row("x/a.png"), True),
    ("name:a?p", row("x/a.png"), False),
    ("name:a[1", row("x/a[1].png"), True),
    ("name:.png", row("axpng"), False),
    ("name:/x/", row("y/x/z"), True),
    ("name:/x/", row("yxz"), False),
    ("kind:pair", row(), True),
    ("kind:mask,OTHER", row(kind="other"), True),
    ("kind:mask,other", row(), False),
    ("kind:caption", ORPHAN, True),
    ("is:odd", row(), False),
    ("is:odd", row(odd=frozenset({"x"})), True),
    ("is:orphan", ORPHAN, True),
    ("is:orphan", row(odd=frozenset({"orphan-caption"})), False),
    ("is:orphan-caption", ORPHAN, True),
    ("is:several-captions", row(odd=frozenset({"several-captions", "x"})), True),
    ("is:several-captions", row(odd=frozenset({"shared-caption"})), False),
    ("is:Unheard-of2", row(odd=frozenset({"unheard-of2"})), True),
]

NUMBERS: list[tuple[str, ItemRow, bool]] = [
    ("w:640", row(), True),
    ("w:=640", row(), True),
    ("w:639", row(), False),
    ("w:641", row(), False),
    ("w:<640", row(), False),
    ("w:<641", row(), True),
    ("w:<=640", row(), True),
    ("w:<=639", row(), False),
    ("w:>640", row(), False),
    ("w:>639", row(), True),
    ("w:>=640", row(), True),
    ("w:>=641", row(), False),
    ("w:600..640", row(), True),
    ("w:640..640", row(), True),
    ("w:641..700", row(), False),
    ("w:1,600..700", row(), True),
    ("w:00640", row(), True),
    ("h:480", row(), True),
    ("h:640", row(), False),
    ("px:307200", row(), True),
    ("px:<307200", row(), False),
    *((f"{key}:>=0", row(width=None, height=480), key == "h") for key in ("w", "h", "px")),
    *((f"{key}:>=0", row(width=640, height=None), key == "w") for key in ("w", "h", "px")),
    ("px:0", row(width=0), True),
    ("size:1000", row(), True),
    ("size:1k", row(), True),
    ("size:1K", row(), True),
    ("size:1KB", row(), True),
    ("size:1000B", row(), True),
    ("size:1KiB", row(), False),
    ("size:1KiB", row(size=1024), True),
    ("size:2M", row(size=2_000_000), True),
    ("size:2MB", row(size=2_000_000), True),
    ("size:2MiB", row(size=2 * 1024**2), True),
    ("size:3G", row(size=3 * 10**9), True),
    ("size:3GB", row(size=3 * 10**9), True),
    ("size:3GiB", row(size=3 * 1024**3), True),
    ("size:1.5k", row(size=1500), True),
    ("size:<0.0015k", row(size=1), True),
    ("size:<0.0015k", row(size=2), False),
    ("size:>0.0015k", row(size=1), False),
    ("size:>0.0015k", row(size=2), True),
    ("size:0.0015k", row(size=1), False),
    ("size:0.0015k", row(size=2), False),
    ("size:0.5k..1.5M", row(), True),
    ("size:>999999999999999999", row(size=10**18), True),
    ("chars:19", row(), True),
    ("chars:0", row(text=""), True),
    ("chars:>=0", row(text=None), False),
    ("words:6", row(), True),
    ("words:0", row(text=" \n"), True),
    ("words:>=0", row(text=None), False),
    ("tags:2", row(), True),
    ("tags:0", row(text=" , ,"), True),
    ("tags:>=0", row(text=None), False),
]

BARE: list[tuple[str, ItemRow, bool]] = [
    ("", row(), True),
    (" \n ", row(), True),
    ("RED", row(), True),
    ("night", row(), True),
    ("night", row(text=None), True),
    ("red", row(text=None), False),
    ("dog", row(), False),
    ('"red cat"', row(), True),
    ('":D"', row(text="smile, :d"), True),
    ('":d"', row(text="smile, d"), False),
    ('"sync:red"', row(), False),
    ('"sync:red"', row(text="sync:red"), True),
    ('sync":"red', row(text="sync:red"), True),
    ('"text":red', row(), False),
    ('"text":red', row(text="text:red"), True),
    ("straße", row(text="STRASSE"), True),
    ('"http://x"', row(text="see http://x"), True),
    ('"OR"', row(text="this or that"), True),
    ('"OR"', row(text="this"), False),
    ("or", row(text="this or that"), True),
    ("cat,", row(), True),
    ("cat,mat", row(), False),
    ("night(1)", row("night(1).png"), True),
    ('"-_-"', row(text="-_-"), True),
    ('-"-_-"', row(text="-_-"), False),
    ("blue-eyes", row(text="blue-eyes"), True),
    ('"a("', row(text="a("), True),
    ('ni"ght c"at', row(), True),
]

JOINED: list[tuple[str, ItemRow, bool]] = [
    ("red cat", row(), True),
    ("red dog", row(), False),
    ("dog red", row(), False),
    ("red\u3000cat\ndog", row(), False),
    ("dog OR red", row(), True),
    ("dog OR owl", row(), False),
    ("dog OR owl OR red", row(), True),
    ("red OR dog owl", row(), True),
    ("owl dog OR red", row(), True),
    ("owl (dog OR red)", row(), False),
    ("(red OR dog) owl", row(), False),
    ("(red OR dog) cat", row(), True),
    ("(dog)(red)", row(), False),
    ("( red ) cat", row(), True),
    ("((red))", row(), True),
    ("-red", row(), False),
    ("-dog", row(), True),
    ("red -dog", row(), True),
    ("red -cat", row(), False),
    ("NOT red", row(), False),
    ("NOT dog", row(), True),
    ("not", row(text="why not"), True),
    ("NOT NOT red", row(), True),
    ("--red", row(), True),
    ("NOT -red", row(), True),
    ("---red", row(), False),
    ("-red OR cat", row(), True),
    ("-red cat", row(), False),
    ("-(red OR dog)", row(), False),
    ("-(dog owl)", row(), True),
    ("NOT(dog)", row(), True),
    ("NOT (red dog)", row(), True),
    ("dog OR(red)", row(), True),
    ("red AND cat", row(), True),
    ("red AND dog", row(), False),
    ("red AND -dog OR owl", row(), True),
    ("and", row(text="this and that"), True),
    ("-sync:red", row(), True),
    ("-text:dog,cat", row(), False),
    ("ORcat", row("ORcat"), True),
]

TABLE = [*VERDICTS, *TEXTS, *TAGS, *NAMES, *NUMBERS, *BARE, *JOINED]


@pytest.mark.parametrize(("search", "item", "expected"), TABLE, ids=[ascii(case[0]) for case in TABLE])
def test_a_search_finds_what_it_says(search: str, item: ItemRow, expected: bool) -> None:
    """Term by term, then how they join; and in a group that is negated, the contrary."""
    assert found(search, item) is expected
    if search.strip():
        assert found(f"-({search})", item) is not expected


WRONG: dict[str, str] = {
    # keys
    "color:red": "valid filters: sync, image, caption",
    "red imag:red": "did you mean 'image'?",
    "http://x": "'http://x'",
    ":3": "unknown filter",
    "  -:d": "':d'",
    # words
    "sync:gren": "'sync:' takes conflict, red, grey, refused, cloud, green, synced, local-only",
    "a sync:gren": "did you mean 'green'?",
    "sync:none": "'sync:' takes",
    "image:any": "'image:' takes",
    "caption:nine": "'caption:' takes none, any, blank, conflict",
    "kind:image": "'kind:' takes pair, caption, mask, other",
    "kind:pair,x": "'kind:pair,x'",
    "is:od": "did you mean 'odd'?",
    "is:sevral-captions": "did you mean 'several-captions'?",
    "is:a_b": "'is:' takes odd, orphan",
    "is:a-": "'is:' takes",
    # values
    "a sync:": "a value is missing",
    "sync: red": "a value is missing",
    "sync:red,": "a value is missing",
    "text:,a": "a value is missing",
    'text:""': "a value is missing",
    'a ""': "quotes are empty",
    # numbers
    "w:<abc": "'w:' takes a whole number of at most 18 digits, as in w:<512",
    "h:-5": "'h:' takes",
    "px:1.5": "'px:' takes a whole number",
    "w:1k": "'w:' takes",
    "w:1_0": "'w:' takes",
    "w:٣": "'w:' takes",
    "w:5..": "'w:' takes",
    "w:..5": "'w:' takes",
    "w:5...6": "'w:' takes",
    "w:6..5": "'w:' takes",
    "w:<5..6": "'w:' takes",
    "w:=<5": "'w:' takes",
    "w:5px": "'w:' takes",
    'w:" 5"': "'w:' takes",
    "tags:1e3": "'tags:' takes",
    "chars:" + "9" * 19: "18 digits",
    "words:" + "9" * 1900: "'words:' takes",
    "w:1.." + "9" * 1900: "'w:' takes",
    "size:1T": "'size:' takes a number of bytes, as in size:<100k",
    "size:1.": "'size:' takes",
    "size:.5": "'size:' takes",
    "size:1.2.3": "'size:' takes",
    "size:1." + "9" * 19: "'size:' takes",
    # patterns
    "a text:/(/": "invalid pattern (missing )",
    "text:/*/": "invalid pattern (no argument for repetition",
    "text:/(?L)a/": "invalid pattern",
    "text:/(?a)(?u)a/": "invalid pattern",
    "text:/a{1001}/": "invalid pattern",
    f"text:/{'a' * 201}/": "at most 200 characters",
    "a text:/b": "between two slashes",
    "text:/a/b": "between two slashes",
    "text://": "between two slashes",
    "text:a,/b c": "between two slashes",
    r"text:/b\/": "between two slashes",
    # quotes
    'a "b': "the quotes are never closed",
    'name:"b': "the quotes are never closed",
    r'"b\"': "the quotes are never closed",
    '"a"b"': "the quotes are never closed",
    # operators
    "OR": "at 'OR': it needs a term after it",
    "OR a": "'OR'",
    "a OR": "'OR'",
    "a OR OR b": "'OR'",
    "(a OR) b": "'OR'",
    "(OR a)": "'OR'",
    "AND a": "'AND'",
    "a AND": "'AND'",
    "a AND OR b": "'AND'",
    "a NOT": "'NOT'",
    "NOT OR": "'NOT'",
    "(NOT)": "'NOT'",
    "-": "'-'",
    "a - b": "right before what it excludes",
    "a --": "'-'",
    "-OR": "at '-': it needs a term after it",
    # parentheses
    "()": "nothing between the parentheses",
    "a ( )": "nothing between the parentheses",
    "(": "never closed",
    "a (b": "never closed",
    "((a)": "never closed",
    ")": "no parenthesis to close",
    "a)": "no parenthesis to close",
    "(a))": "no parenthesis to close",
    "a b(c": "inside the word",
    "a(b(c": "inside the word",
    "text:(a OR b)": "inside the word",
    "(a(b)": "never closed",
    "(" * 51 + "a" + ")" * 51: "more than 50 deep",
    # length
    "a" * 2001: "The query has 2001 characters; the limit is 2000.",
    " " * 2001: "2001 characters",
}


@pytest.mark.parametrize(("search", "words"), WRONG.items(), ids=[ascii(search[:40]) for search in WRONG])
def test_a_mistake_is_named_with_what_would_be_right(search: str, words: str) -> None:
    error = refused(search)
    assert error.code == "filter"
    assert words in error.message
    assert error.message.endswith(".")
    assert len(error.message) < 400


@pytest.mark.parametrize(
    "search", ["x\ud800:a", "\x1b[31m:a", "text:/(?P<\ud800>/", "text:/(?\ud800/", "text:/(?\x1b/"]
)
def test_a_message_can_be_printed_whatever_was_typed(search: str) -> None:
    """No lone surrogate, no control character."""
    assert str(refused(search)).isprintable()
    assert str(refused(search)).encode()


@pytest.mark.parametrize(
    ("search", "hint"),
    [
        (":d", 'put it in quotes, as in ":d"'),
        ("NOT", 'write "NOT"'),
        ("a - b", 'write "-"'),
        (")", 'write ")"'),
        ("(", '"("'),
        ("a(b", '"a(b"'),
        ("text:/a", r"\/"),
        ('"', r"\""),
    ],
)
def test_what_means_something_bare_can_be_searched_for_in_quotes(search: str, hint: str) -> None:
    """And the error says how."""
    assert hint in refused(search).hint


def test_the_most_that_is_allowed_is_allowed() -> None:
    """2,000 characters, 50 parentheses deep, a pattern of 200; and a thousand terms are no deep recursion."""
    assert found("(" * 50 + "red" + ")" * 50)
    assert found(f"text:/{'(red)?' * 33}re/")
    assert not found(f"text:/{'(' * 99}x{')' * 99}/")
    assert not found("a" * 2000)
    assert found("a " * 1000)
    assert not found("x OR " * 399 + "x")
    assert found("NOT " * 498 + "red")
    assert found("-" * 1996 + "red")
    assert found("sync:" + "red," * 490 + "green")


@pytest.mark.parametrize(
    ("search", "text", "size"),
    [
        ("", False, False),
        ("sync:red image:red caption:none,any kind:pair is:odd name:a size:>1", False, False),
        ("cat", True, False),
        ("text:cat", True, False),
        ("text:/cat/", True, False),
        ("sync:red OR (name:a -chars:1)", True, False),
        ("tags:1", True, False),
        ("tag:cat", True, False),
        ("is:missing,zero-byte", False, False),
        ("is:missing,Blank", True, False),
        ("words:1", True, False),
        ("caption:none,BLANK", True, False),
        ("w:1", False, True),
        ("h:1", False, True),
        ("sync:red -(px:1)", False, True),
        ("W:1 cat", True, True),
    ],
)
def test_a_filter_says_what_has_to_be_read_for_it(search: str, text: bool, size: bool) -> None:
    """Captions and sizes are dear: nobody reads them for a search by verdicts."""
    made = parse(search)
    assert (made.needs_text, made.needs_size) == (text, size)


def test_a_filter_keeps_its_text_without_the_blanks_around_it() -> None:
    """As it goes into an address."""
    assert parse(" sync:red  cat \n").text == "sync:red  cat"
    assert parse("  ").text == ""


@pytest.mark.parametrize("example", [example for example, _ in HELP])
def test_every_example_of_the_help_can_be_typed(example: str) -> None:
    """And the help leaves out no term."""
    assert isinstance(parse(example), Query)


def test_the_help_leaves_nothing_out() -> None:
    """Every key that an error would list, every colour and kind."""
    keys = refused("x:y").message.partition("valid filters: ")[2].rstrip(".").split(", ")
    examples = {example.partition(":")[0] for example, _ in HELP if ":" in example}
    assert set(keys) == examples
    told = " ".join(f"{example} {meaning}" for example, meaning in HELP)
    assert {word for word in (*COLOURS, *KINDS) if word not in told} == set()


def test_every_oddity_of_pairing_can_be_searched_for() -> None:
    """No code of `core.pairs` is taken for a slip of another, and each is among those that an error lists."""
    names = ["a.jpg", "a.png", "a.txt", "a.caption", "B.png", "b.txt", "c.jpg", "c.jpg.txt", "d.txt", "metadata.csv"]
    problems = pair_up([status(name) for name in in_bytes(names)], Pairing()).problems
    codes = {problem.code for problem in problems}
    assert len(codes) == 6
    listed = refused("is:?").message
    for code in codes:
        assert found(f"is:{code}", row(odd=frozenset({code})))
        assert f" {code}" in listed


# --- laws

ANY = [None, *Verdict]


def by_the_book(image: Verdict | None, caption: Verdict | None) -> str:
    """Colours as the page's legend has them: the colour of each half, then the one that comes first."""
    cloud = {V.REMOTE_ONLY: "cloud", V.DELETED_LOCALLY: "cloud"}
    others = {V.SYNCED: "green", V.CONFLICT: "conflict", V.UNVERIFIED: "grey", V.REFUSED: "refused"}
    of_one = cloud | others | dict.fromkeys(NEEDS_SYNC - {V.CONFLICT}, "red")
    worst_first = ["conflict", "red", "grey", "refused", "cloud", "green"]
    return min([of_one[half] for half in (image, caption) if half] or ["green"], key=worst_first.index)


@pytest.mark.parametrize(("image", "caption"), list(itertools.product(ANY, ANY)))
def test_a_pair_has_the_colour_of_its_worse_half(image: Verdict | None, caption: Verdict | None) -> None:
    """For every two verdicts; and `sync:` finds it by that colour and by either verdict, and by no other."""
    shade = by_the_book(image, caption)
    assert pair_colour(image, caption) == shade == pair_colour(caption, image)
    names = {shade, *(str(half) for half in (image, caption) if half)} | ({"red"} if shade == "conflict" else set())
    item = states(image, caption)
    assert {word for word in {*COLOURS, *map(str, Verdict)} if found(f"sync:{word}", item)} == names
    for term, half in (("image", image), ("caption", caption)):
        alone = {by_the_book(half, None), str(half)} if half else set()
        alone |= {"red"} & {"red" for _ in alone & {"conflict"}}
        assert {word for word in {*COLOURS, *map(str, Verdict)} if found(f"{term}:{word}", item)} == alone


texts = st.one_of(st.none(), st.text("ab ,:(\n", max_size=6), st.text(max_size=6).map(str.casefold))
halves = st.sampled_from(ANY)
counts = st.one_of(st.none(), st.integers(0, 4))
rows = st.builds(
    lambda name, **rest: Row(folded=name.casefold(), **rest),
    name=st.text("abAB./", min_size=1, max_size=5),
    image=halves,
    caption=halves,
    kind=st.sampled_from(KINDS),
    text=texts,
    size=st.integers(0, 3000),
    width=counts,
    height=counts,
    odd=st.sampled_from([frozenset[str](), frozenset({"several-captions"})]),
)

Meaning = Callable[[ItemRow], bool]


def _count(sign: str, number: int, measured: str) -> tuple[str, Meaning]:
    compare = {
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
        "=": operator.eq,
        "": operator.eq,
    }

    def meaning(item: ItemRow) -> bool:
        of = {
            "w": item.width,
            "h": item.height,
            "px": None if None in (item.width, item.height) else (item.width or 0) * (item.height or 0),
            "chars": None if item.text is None else len(item.text),
            "words": None if item.text is None else len(re.findall(r"\S+", item.text)),
            "tags": None if item.text is None else len([part for part in item.text.split(",") if part.strip()]),
        }[measured]
        return of is not None and bool(compare[sign](of, number))

    return f"{measured}:{sign}{number}", meaning


terms: st.SearchStrategy[tuple[str, Meaning]] = st.one_of(
    st.sampled_from(
        [
            ("a", lambda item: "a" in item.folded or "a" in (item.text or "")),
            ('"a b"', lambda item: "a b" in item.folded or "a b" in (item.text or "")),
            ("text:a,b", lambda item: bool({"a", "b"} & set(item.text or ""))),
            ("text:/^a( |b)/", lambda item: (item.text or "")[:2] in {"a ", "ab"}),
            ("name:B", lambda item: "b" in item.folded),
            ("sync:red", lambda item: by_the_book(item.image, item.caption) in {"red", "conflict"}),
            ("kind:pair,mask", lambda item: item.kind in {"pair", "mask"}),
            ("is:odd", lambda item: len(item.odd) > 0),
            ("size:<1k", lambda item: item.size < 1000),
            ("size:0.5k..1KiB", lambda item: 500 <= item.size <= 1024),
        ]
    ),
    st.builds(
        _count,
        st.sampled_from(["<", "<=", ">", ">=", "=", ""]),
        st.integers(0, 4),
        st.sampled_from(["w", "h", "px", "chars", "words", "tags"]),
    ),
)


def _either(one: tuple[str, Meaning], other: tuple[str, Meaning]) -> tuple[str, Meaning]:
    return f"({one[0]} OR {other[0]})", lambda item: one[1](item) or other[1](item)


def _both(one: tuple[str, Meaning], other: tuple[str, Meaning], blank: str) -> tuple[str, Meaning]:
    return f"({one[0]}{blank}{other[0]})", lambda item: one[1](item) and other[1](item)


def _not(one: tuple[str, Meaning], mark: str) -> tuple[str, Meaning]:
    return f"{mark}{one[0]}", lambda item: not one[1](item)


searches = st.recursive(
    terms,
    lambda inner: st.one_of(
        st.builds(_either, inner, inner),
        st.builds(_both, inner, inner, st.sampled_from([" ", "\n ", " AND "])),
        st.builds(_not, inner, st.sampled_from(["-", "NOT "])),
    ),
    max_leaves=6,
)


@given(searches, rows)
def test_a_search_means_what_its_parts_mean(search: tuple[str, Meaning], item: ItemRow) -> None:
    """However they are joined, against plain Python."""
    text, meaning = search
    assert found(text, item) is meaning(item)


@given(st.lists(st.lists(searches, min_size=1, max_size=3), min_size=1, max_size=3), rows)
def test_blanks_bind_before_or(groups: list[list[tuple[str, Meaning]]], item: ItemRow) -> None:
    """`a b OR c d` is the union of two intersections."""
    text = " OR ".join(" ".join(search for search, _ in group) for group in groups)
    assert found(text, item) is any(all(meaning(item) for _, meaning in group) for group in groups)


@given(searches, searches, rows)
def test_not_is_the_complement_a_blank_the_intersection_or_the_union(
    one: tuple[str, Meaning], other: tuple[str, Meaning], item: ItemRow
) -> None:
    """For any two searches and any row."""
    a, b = one[0], other[0]
    assert found(f"NOT {a}", item) is (not found(a, item)) is found(f"-{a}", item)
    assert found(f"{a} {b}", item) is (found(a, item) and found(b, item))
    assert found(f"{a} OR {b}", item) is (found(a, item) or found(b, item))


pieces = st.lists(
    st.one_of(
        st.sampled_from(
            [" ", "(", ")", "-", '"', "\\", ",", "/", "OR", "NOT", "AND", ":", "..", "<", "=", "*", "[", "]"]
        ),
        st.sampled_from([f"{key}:" for key in ("sync", "image", "caption", "text", "name", "kind", "is", "w", "size")]),
        st.sampled_from(
            ["red", "none", "odd", "1", "1.5", "k", "text:/", "/ ", "{9}", "(?", "--", "[[", "\ud800", "\0"]
        ),
        st.text(max_size=3),
    ),
    max_size=12,
).map("".join)


@given(st.one_of(pieces, st.text(max_size=30)), rows)
@example("text:/[[a--b]||c]/", row())
@example("name:[[!--a]", row())
@example("w:²", row())
def test_whatever_is_typed_is_understood_or_refused(search: str, item: ItemRow) -> None:
    """Nothing else is raised, not even a warning; and a filter that was made never fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            made = parse(search)
        except QueryError as error:
            assert str(error).encode()
            return
    assert made.matches(item) in {True, False}
    assert made.text == search.strip()


@given(st.text(min_size=1, max_size=8), st.text(max_size=12))
@example('a"b\\', '\\a"b\\')
def test_anything_can_be_searched_for_in_quotes(wanted: str, caption: str) -> None:
    """With `\\` before quotes and backslashes, and no other letter needs care."""
    quoted = '"' + wanted.replace("\\", "\\\\").replace('"', '\\"') + '"'
    for text in (caption, caption + wanted):
        expected = wanted.casefold() in text.casefold()
        assert found(f"text:{quoted}", row(text=text)) is expected
        assert found(quoted, row("/", text=text)) is (expected or wanted == "/")


@given(st.text("ab*?[]!-/", min_size=1, max_size=6), st.text("abAB[]-/", min_size=1, max_size=6))
def test_a_glob_is_pythons_over_the_name_or_its_last_part(glob: str, name: str) -> None:
    """`fnmatch` is the judge where there is a wildcard; a `[` that nothing closes is none."""
    if not re.search(r"[*?]|\[.+\]", glob):
        expected = glob in name.casefold()
    else:
        expected = any(fnmatch.fnmatchcase(part.casefold(), glob) for part in (name, name.rpartition("/")[2]))
    assert found(f'name:"{glob}"', row(name)) is expected


@given(st.text("a ,\n\t\u3000\x1f", max_size=8))
def test_tags_are_the_parts_between_commas_that_are_not_blank(text: str) -> None:
    """However many commas stand together, begin or end the caption."""
    assert found(f"tags:{len([part for part in text.split(',') if part.strip()])}", row(text=text))


numbers = st.builds(
    lambda whole, part, unit: (f"{whole}{part}{unit}", Fraction(f"{whole}{part}") * BYTES[unit.casefold()]),
    st.integers(0, 3000),
    st.sampled_from(["", ".0", ".5", ".25", ".0004"]),
    st.sampled_from(["", "B", "k", "kB", "KiB", "M", "MiB", "G", "GiB"]),
)


@given(numbers, numbers, st.integers(-2, 2))
def test_a_range_holds_exactly_the_whole_numbers_it_names(
    one: tuple[str, Fraction], other: tuple[str, Fraction], off: int
) -> None:
    """Decided at both sides of its ends, without rounding."""
    (text, bound), (_, another) = one, other
    for n in (int(bound) + off, int(another) + off):
        at_most = {"<": n < bound, "<=": n <= bound}
        at_least = {">": n > bound, ">=": n >= bound}
        for sign, holds in {**at_most, **at_least, "": n == bound, "=": n == bound}.items():
            low, high = parse_range(sign + text, BYTES) or (1, 0)
            assert (low <= n <= high) is holds
        between = parse_range(f"{text}..{other[0]}", BYTES)
        assert (between is None) is (bound > another)
        assert between is None or (between[0] <= n <= between[1]) is (bound <= n <= another)


def test_a_count_has_no_units_and_no_parts() -> None:
    """Nobody means half a pixel."""
    assert parse_range("5", COUNT) == (5, 5)
    assert parse_range("5.0", COUNT) is None
    assert parse_range("5k", COUNT) is None


@pytest.mark.timeout(20)
def test_no_pattern_keeps_the_server_busy() -> None:
    assert not parse("text:/(a+)+b/").matches(row(text="a" * 60_000))


@given(st.text(st.characters(codec="utf-8"), max_size=60))
@example('say "hi", back\\slash, (a:1.2), -x, :,(, é')
def test_the_search_for_a_tag_finds_every_caption_that_has_it(caption: str) -> None:
    for tag in tags_of(caption):
        if tag_key(tag):  # of separators that only Unicode calls blank, nothing is left
            assert found(tag_search(tag), row(text=caption))
            assert found(tag_search(tag_key(tag)), row(text=caption))

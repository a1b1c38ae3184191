"""The search language: a text becomes a test of one item.

`HELP` describes it; `search.grammar` combines terms, and `search.terms` defines what each of them means. Does not know
where items come from, or what is done with those that match.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hashmark.search.grammar import Test, read
from hashmark.search.items import ItemRow
from hashmark.search.terms import test_of


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
    _test: Test[ItemRow] = field(repr=False)

    def matches(self, item: ItemRow) -> bool:
        """Return whether the item matches. Never raises."""
        return self._test(item)


def parse(text: str) -> Query:
    """Compile a query; an empty one matches everything.

    Raises:
        QueryError: the query is invalid, longer than 2,000 characters or nested more than 50 deep.
    """
    needs: set[str] = set()
    test = read(text, lambda word: test_of(word, needs))
    return Query(text.strip(), "text" in needs, "size" in needs, "lint" in needs, test or (lambda _item: True))


def tag_search(tag: str) -> str:
    """Return the query that finds a tag.

    >>> tag_search('long hair')
    'tag:"long hair"'
    """
    escaped = tag.replace("\\", "\\\\").replace('"', '\\"')
    return f'tag:"{escaped}"'


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

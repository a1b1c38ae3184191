r"""The grammar of queries: splits text into words and combines the tests of words into one test.

    a b        both              a OR b     either, binds weaker than AND           ( )     group
    -a         not               NOT a      not                                     "a b"   with \" and \\

`key:a,b` is a word with a key and two values. A word keeps parentheses that close within it: `miku_(vocaloid)`.
Does not know keys, what a word means or what is tested (`search.terms`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from hashmark.core.display import reveal
from hashmark.core.errors import QueryError

MAX_QUERY_CHARS = 2000
MAX_NESTING_DEPTH = 50

T = TypeVar("T")
Test = Callable[[T], bool]


@dataclass(frozen=True, slots=True)
class Value:
    """One of the values after a key. A `regex` was written between slashes, which are not part of `text`."""

    text: str
    regex: bool
    word: Word

    @property
    def folded(self) -> str:
        """The text without its letter case."""
        return self.text.casefold()


@dataclass(frozen=True, slots=True)
class Word:
    """A word as written (`source`) and as meant (`text`), or a mark or operator, whose `kind` is itself."""

    kind: str
    position: int
    source: str
    text: str = ""
    """Without quotes and escapes."""
    plain: str = ""
    """The same with a NUL for each quoted character, which is no colon or comma of the grammar."""

    @property
    def key(self) -> str | None:
        """What precedes the first unquoted colon, without its letter case; None where there is no colon."""
        before, colon, _ = self.plain.partition(":")
        return before.casefold() if colon and "\0" not in before else None

    def values(self) -> Iterator[Value]:
        """Yield what follows the first colon, split at commas.

        Raises:
            QueryError: a value is empty.
        """
        at = self.plain.find(":") + 1
        for plain in self.plain[at:].split(","):
            text, regex = self.text[at : at + len(plain)], plain.startswith("/\0")
            if not text:
                raise self.wrong("a value is missing; write it right after the colon or comma, as in name:cat,dog")
            yield Value(text[1:-1] if regex else text, regex, self)
            at += len(plain) + 1

    def wrong(self, right: str, hint: str = "") -> QueryError:
        """Return the error that names this word and what would be right."""
        return _wrong(self.source, right, hint)


def read(text: str, term: Callable[[Word], Test[T]]) -> Test[T] | None:
    """Return one test for the whole query, with `term` as the test of each word; None for an empty query.

    Raises:
        QueryError: the query is invalid, longer than `MAX_QUERY_CHARS` or nested deeper than `MAX_NESTING_DEPTH`.
    """
    if len(text) > MAX_QUERY_CHARS:
        raise QueryError(f"The query has {len(text)} characters; the limit is {MAX_QUERY_CHARS}.")
    return _Parser(list(_words(text)), term).whole()


def _wrong(source: str, right: str, hint: str) -> QueryError:
    quoted = reveal(source if len(source) <= 40 else f"{source[:39]}…")
    return QueryError(f"Invalid query at '{quoted}': {right}.", hint)


_OPERATORS = frozenset({"AND", "OR", "NOT"})
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE = re.compile(r'\\(["\\])')
_REGEX = re.compile(r"/((?:[^/\\]|\\.)+)/(?=[\s,)]|\Z)", re.DOTALL)
_REGEX_NEXT = re.compile(r"text:(?:.*,)?", re.DOTALL | re.IGNORECASE)


def _words(source: str) -> Iterator[Word]:
    at = 0
    while at < len(source):
        char = source[at]
        if char in "()-":
            yield Word(char, at, char)
            at += 1
        elif char.isspace():
            at += 1
        else:
            word = _word(source, at)
            yield word
            at += len(word.source)
    yield Word("end", at, "")


def _word(source: str, start: int) -> Word:
    at, text, plain = start, "", ""
    opened: list[int] = []
    while at < len(source) and not (char := source[at]).isspace():
        end, said, kept = at + 1, char, char
        if char == '"':
            end, said = _quoted(source, at)
            kept = "\0" * len(said)
        elif char == "/" and _REGEX_NEXT.fullmatch(plain):
            end, said = _regex(source, at)
            kept = "/" + "\0" * (len(said) - 1)
        elif char == "(":
            if plain in _OPERATORS:
                break
            opened.append(at)
        elif char == ")":
            if not opened:
                break
            opened.pop()
        at, text, plain = end, text + said, plain + kept
    if opened:
        right = "a parenthesis opens inside the word and does not close there"
        raise _wrong(source[start:at], right, 'Put the word in quotes, as in "a(b".')
    return Word(plain if plain in _OPERATORS else "word", start, source[start:at], text, plain)


def _quoted(source: str, at: int) -> tuple[int, str]:
    found = _QUOTED.match(source, at)
    if not found:
        hint = r"Inside quotes, write \" for a quote and \\ for a backslash."
        raise _wrong(source[at:], "the quotes are never closed", hint)
    return found.end(), _ESCAPE.sub(r"\1", found[1])


def _regex(source: str, at: int) -> tuple[int, str]:
    found = _REGEX.match(source, at)
    if not found:
        hint = r'Write \/ for a slash inside the pattern, or text:"a/b" for plain text.'
        raise _wrong(source[at:], "write a pattern between two slashes, as in text:/cats?/", hint)
    return found.end(), found[0]


class _Parser(Generic[T]):
    """Combines words into one test by recursive descent, at most `MAX_NESTING_DEPTH` deep."""

    def __init__(self, words: list[Word], term: Callable[[Word], Test[T]]) -> None:
        self._words = iter(words)
        self._next = next(self._words)
        self._term = term

    def whole(self) -> Test[T] | None:
        if self._next.kind == "end":
            return None
        test = self._either(0)
        if self._next.kind != "end":
            raise self._next.wrong("there is no parenthesis to close", 'To search for it, write ")".')
        return test

    def _take(self) -> Word:
        word = self._next
        self._next = next(self._words, word)
        return word

    def _either(self, depth: int) -> Test[T]:
        tests = [self._both(depth, None)]
        while self._next.kind == "OR":
            tests.append(self._both(depth, self._take()))
        return any_of(tests)

    def _both(self, depth: int, before: Word | None) -> Test[T]:
        tests = [self._one(depth, before)]
        while self._next.kind not in {"end", ")", "OR"}:
            tests.append(self._one(depth, self._take() if self._next.kind == "AND" else None))
        return _all_of(tests)

    def _one(self, depth: int, before: Word | None) -> Test[T]:
        """Parse one term or group with its negations; `before` is the operator that needs it."""
        negated = False
        while self._next.kind in {"-", "NOT"}:
            before = self._take()
            negated = not negated
            if before.kind == "-" and self._next.position != before.position + 1:
                raise before.wrong("write it right before what it excludes, as in -cat", 'To search for it, write "-".')
        word = self._take()
        if word.kind == "word":
            test = self._term(word)
        elif word.kind == "(":
            test = self._group(word, depth + 1)
        elif word.kind == ")" and before is None:
            raise word.wrong("there is no parenthesis to close", 'To search for it, write ")".')
        else:
            blamed = before or word
            hint = f'To search for it, write "{blamed.source}".'
            raise blamed.wrong("it needs a term after it, as in: cat OR dog, cat NOT dog", hint)
        return (lambda item: not test(item)) if negated else test

    def _group(self, opening: Word, depth: int) -> Test[T]:
        hint = 'To search for a parenthesis, put it in quotes: "(".'
        if depth > MAX_NESTING_DEPTH:
            raise opening.wrong(f"parentheses are nested more than {MAX_NESTING_DEPTH} deep", hint)
        if self._next.kind == ")":
            raise opening.wrong("there is nothing between the parentheses", hint)
        if self._next.kind == "end":
            raise opening.wrong("the parenthesis is never closed", hint)
        test = self._either(depth)
        if self._take().kind != ")":
            raise opening.wrong("the parenthesis is never closed", hint)
        return test


def any_of(tests: Iterable[Test[T]]) -> Test[T]:
    """Return a test that one of these passes. A loop, not a chain of calls: a query may have a thousand terms."""
    several = tuple(tests)
    if len(several) == 1:
        return several[0]

    def test(item: T) -> bool:
        for one in several:  # noqa: SIM110 — `any` would make a generator per item
            if one(item):
                return True
        return False

    return test


def _all_of(tests: Iterable[Test[T]]) -> Test[T]:
    several = tuple(tests)
    if len(several) == 1:
        return several[0]

    def test(item: T) -> bool:
        for one in several:  # noqa: SIM110
            if not one(item):
                return False
        return True

    return test

r"""The grammar of searches: text in, words out, and tests of words joined to one test.

    a b        both              a OR b     either, binding less than a blank       ( )     what belongs together
    -a         not               NOT a      not                                     "a b"   with \" and \\

`key:a,b` is a word with a key and two values. A word keeps parentheses that close within it: `miku_(vocaloid)`.
Refuses to know keys, what a word means and what is tested (`search.query`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from hashmark.core.display import reveal
from hashmark.core.errors import QueryError

MOST_CHARACTERS = 2000
MOST_NESTING = 50

T = TypeVar("T")
Test = Callable[[T], bool]


@dataclass(frozen=True, slots=True)
class Value:
    """One of the alternatives after a key. A `regex` stood between slashes, which are not part of `text`."""

    text: str
    regex: bool
    word: Word

    @property
    def folded(self) -> str:
        """The text, letter case aside."""
        return self.text.casefold()


@dataclass(frozen=True, slots=True)
class Word:
    """A word as written (`source`) and as meant (`text`); or a mark or operator, which is its own `kind`."""

    kind: str
    position: int
    source: str
    text: str = ""
    """Quotes and escapes undone."""
    plain: str = ""
    """The same, with a NUL for each character that was quoted, and so is no colon or comma of ours."""

    @property
    def key(self) -> str | None:
        """What stands before the first colon, letter case aside; None where there is none that is not quoted."""
        before, colon, _ = self.plain.partition(":")
        return before.casefold() if colon and "\0" not in before else None

    def values(self) -> Iterator[Value]:
        """What stands behind the first colon, parted by commas.

        Raises:
            QueryError: one of them is empty.
        """
        at = self.plain.find(":") + 1
        for plain in self.plain[at:].split(","):
            text, regex = self.text[at : at + len(plain)], plain.startswith("/\0")
            if not text:
                raise self.wrong("a value is missing; it goes right behind the colon or comma, as in name:cat,dog")
            yield Value(text[1:-1] if regex else text, regex, self)
            at += len(plain) + 1

    def wrong(self, right: str, hint: str = "") -> QueryError:
        """The error that names this word and what would be right."""
        return _wrong(self.source, self.position, right, hint)


def read(text: str, term: Callable[[Word], Test[T]]) -> Test[T] | None:
    """One test for the whole search, each word of it turned into a test by `term`; None for an empty search.

    Raises:
        QueryError: it can't be understood, or is longer or nested deeper than any person's would be.
    """
    if len(text) > MOST_CHARACTERS:
        wrong = f"The search has {len(text)} characters; {MOST_CHARACTERS} are the most."
        raise QueryError(wrong, position=MOST_CHARACTERS)
    return _Parser(list(_words(text)), term).whole()


def _wrong(source: str, position: int, right: str, hint: str) -> QueryError:
    shown = reveal(source if len(source) <= 40 else f"{source[:39]}…")
    return QueryError(f"'{shown}' can't be understood: {right}.", hint, position=position)


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
        right = "a parenthesis opens within the word and does not close there"
        raise _wrong(source[start:at], opened[-1], right, 'Put the word in quotes, as in "a(b".')
    return Word(plain if plain in _OPERATORS else "word", start, source[start:at], text, plain)


def _quoted(source: str, at: int) -> tuple[int, str]:
    found = _QUOTED.match(source, at)
    if not found:
        hint = r"Within quotes, a quote is written \" and a backslash before one \\."
        raise _wrong(source[at:], at, "the quotes are never closed", hint)
    return found.end(), _ESCAPE.sub(r"\1", found[1])


def _regex(source: str, at: int) -> tuple[int, str]:
    found = _REGEX.match(source, at)
    if not found:
        hint = r'Write \/ for a slash within it, or text:"a/b" for the plain text.'
        raise _wrong(source[at:], at, "a pattern stands between two slashes, as in text:/cats?/", hint)
    return found.end(), found[0]


class _Parser(Generic[T]):
    """Words to one test, by recursive descent; `MOST_NESTING` bounds the depth."""

    def __init__(self, words: list[Word], term: Callable[[Word], Test[T]]) -> None:
        self._words = iter(words)
        self._next = next(self._words)
        self._term = term

    def whole(self) -> Test[T] | None:
        if self._next.kind == "end":
            return None
        test = self._either(0)
        if self._next.kind != "end":
            raise self._next.wrong("nothing is open that it could close", 'To search for it, write ")".')
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
        """One term or group, with the marks that negate it; `before` is the operator that asks for it."""
        negated = False
        while self._next.kind in {"-", "NOT"}:
            before = self._take()
            negated = not negated
            if before.kind == "-" and self._next.position != before.position + 1:
                raise before.wrong("it goes right before what it excludes, as in -cat", 'To search for it, write "-".')
        word = self._take()
        if word.kind == "word":
            test = self._term(word)
        elif word.kind == "(":
            test = self._group(word, depth + 1)
        elif word.kind == ")" and before is None:
            raise word.wrong("nothing is open that it could close", 'To search for it, write ")".')
        else:
            blamed = before or word
            hint = f'To search for it, write "{blamed.source}".'
            raise blamed.wrong("it needs a term beside it, as in: cat OR dog, cat NOT dog", hint)
        return _not(test) if negated else test

    def _group(self, opening: Word, depth: int) -> Test[T]:
        hint = 'To search for a parenthesis, put it in quotes: "(".'
        if depth > MOST_NESTING:
            raise opening.wrong(f"parentheses are nested more than {MOST_NESTING} deep", hint)
        if self._next.kind == ")":
            raise opening.wrong("there is nothing between the parentheses", hint)
        if self._next.kind == "end":
            raise opening.wrong("the parenthesis is never closed", hint)
        test = self._either(depth)
        if self._take().kind != ")":
            raise opening.wrong("the parenthesis is never closed", hint)
        return test


def any_of(tests: Iterable[Test[T]]) -> Test[T]:
    """Whether one of them holds. A loop, not a chain of calls: a search may have a thousand terms."""
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


def _not(test: Test[T]) -> Test[T]:
    return lambda item: not test(item)

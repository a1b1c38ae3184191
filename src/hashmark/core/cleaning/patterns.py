"""Patterns that users write: exact tags, globs and regular expressions; and find and replace.

Regular expressions use RE2, whose time is proportional to the text; it is loaded when first used. An invalid pattern
raises SettingsError. Does not know where patterns are configured.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hashmark.core.cleaning.faces import is_face
from hashmark.core.cleaning.fixed_point import apply_until_stable
from hashmark.core.cleaning.tag_rules import each_tag
from hashmark.core.cleaning.tags import tag_key
from hashmark.core.display import reveal
from hashmark.core.errors import SettingsError

MAX_PATTERN_CHARS = 1000
"""Bounds the time and memory to compile a pattern."""

UNITS = ("caption", "tag")

_GROUP = re.compile(r"\\(?:(\d)|g<(\w+)>|(.)|\Z)", re.DOTALL)


def compiled(pattern: str, *, ignore_case: bool = False, literal: bool = False) -> Any:
    """Compile an RE2 pattern for UTF-8 bytes.

    Raises:
        SettingsError: it is not valid RE2 syntax, or is too long.
    """
    import re2  # noqa: PLC0415 - takes 30 ms, only patterns need it

    if len(pattern) > MAX_PATTERN_CHARS:
        raise SettingsError(f"a pattern can have at most {MAX_PATTERN_CHARS} characters")
    options = re2.Options()
    options.case_sensitive, options.log_errors, options.literal = not ignore_case, False, literal
    try:
        return re2.compile(pattern.encode("utf-8", "surrogatepass"), options)
    except re2.error as error:
        said = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        hint = "The syntax is RE2's: github.com/google/re2/wiki/Syntax."
        raise SettingsError(f"the pattern {reveal(pattern)} is invalid ({reveal(said)})", hint) from None


def tag_test(entries: Iterable[str]) -> Callable[[str], bool]:
    """Return a test for whole tags: `watermark` exactly, `rating:*` as a glob, `/sign(ed|ature)/` by RE2.

    Exact tags and globs ignore case and read `_` as a space. In a glob only `*` is special, and an entry without a
    letter or digit, such as `*_*`, is a face and no glob. A regular expression must match the whole tag as written,
    ignoring case.

    Raises:
        SettingsError: an entry is blank, or an invalid regular expression.
    """
    exact: set[str] = set()
    tests: list[Callable[[str, str], bool]] = []
    for entry in entries:
        if not entry.strip():
            raise SettingsError("an entry is blank")
        if len(entry) > 2 and entry.startswith("/") and entry.endswith("/"):
            fits = compiled(entry[1:-1], ignore_case=True).fullmatch
            tests.append(lambda tag, _key, fits=fits: fits(tag.encode("utf-8", "replace")) is not None)  # type: ignore[misc]
        elif "*" in entry and not is_face(entry) and any(map(str.isalnum, entry)):
            pieces = [re.sub("[ \t_]+", " ", piece) for piece in entry.casefold().strip().split("*")]
            tests.append(lambda _tag, key, pieces=pieces: _globs(key, pieces))  # type: ignore[misc]
        else:
            exact.add(tag_key(entry))

    def unwanted(tag: str) -> bool:
        key = tag_key(tag)
        return key in exact or any(test(tag, key) for test in tests)

    return unwanted


def _globs(key: str, pieces: list[str]) -> bool:
    """Return whether `key` is the pieces in this order with anything between them. Searches once, from the left."""
    first, *middle, last = pieces
    if not key.startswith(first) or not key[len(first) :].endswith(last):
        return False
    place, end = len(first), len(key) - len(last)
    for piece in middle:
        found = key.find(piece, place, end)
        if found < 0:
            return False
        place = found + len(piece)
    return True


@dataclass(frozen=True)
class Replacement:
    r"""One find and replace: with `(\d)boys?` and `\1girl`, `1boy` -> `1girl`.

    Without `regex`, `find` and `to` are literal. With it, `to` may have `\1` or `\g<name>` for a group and `\\` for a
    backslash. `unit` is `caption`, or `tag`, which edits each tag by itself and drops those that become empty. Whole
    words consist of Unicode letters and digits.

    Raises:
        SettingsError: the pattern or the replacement is invalid, or the pattern matches an empty text.
    """

    find: str
    to: str
    regex: bool = False
    ignore_case: bool = False
    whole_word: bool = False
    unit: str = "caption"
    _pattern: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        pattern = compiled(self.find, ignore_case=self.ignore_case, literal=not self.regex)
        if not self.find or pattern.search(b"") is not None:
            raise SettingsError(f"'find' = {reveal(self.find)!r} matches an empty text, and so everywhere")
        object.__setattr__(self, "_pattern", pattern)
        for number, name, other in _GROUP.findall(self.to) if self.regex else ():
            known = int(number) <= pattern.groups if number else name in self._names() if name else other == "\\"
            if not known:
                said = f"'with' = {reveal(self.to)!r} names a group that 'find' does not have, or ends in a backslash"
                raise SettingsError(said, r"Groups are \1 or \g<name>; write \\ for a backslash.")

    def _names(self) -> dict[str, int]:
        found: dict[str | bytes, int] = self._pattern.groupindex
        names = {name.decode() if isinstance(name, bytes) else name: at for name, at in found.items()}
        return names | {str(at): at for at in range(self._pattern.groups + 1)}

    def __call__(self, text: str) -> str:
        """Replace until nothing is found; return the text unchanged where that never ends.

        A match that is already part of its replacement stays: `girl` by `girl with hat` does not add a second hat.
        """
        return apply_until_stable(self.once, text)

    def once(self, text: str) -> str:
        """Replace once; anything it changes in the result of `self(text)` would never end."""
        return self._in_text(text) if self.unit == "caption" else each_tag(lambda tag: self._in_text(tag).strip(), text)

    def is_stable(self, text: str) -> bool:
        """Return whether nothing is left to replace in a text."""
        return self.once(text) == text

    def _in_text(self, text: str) -> str:
        data = text.encode("utf-8", "replace")
        kept, place = [], 0
        for found in self._pattern.finditer(data):
            start, end = found.span()
            if start == end or start < place or (self.whole_word and _is_inside_word(data, start, end)):
                continue
            new = self._expanded(found)
            if new != found.group(0) and not _stands_already(data, found, new):
                kept += [data[place:start], new]
                place = end
        return (b"".join(kept) + data[place:]).decode("utf-8", "replace") if kept else text

    def _expanded(self, found: Any) -> bytes:
        if not self.regex:
            return self.to.encode("utf-8", "replace")
        return _GROUP.sub(partial(self._group, found), self.to).encode("utf-8", "replace")

    def _group(self, found: Any, part: re.Match[str]) -> str:
        if part[3] is not None:
            return part[3]
        value: bytes | None = found.group(int(part[1]) if part[1] else self._names()[part[2]])
        return (value or b"").decode("utf-8", "replace")


def _stands_already(data: bytes, found: Any, new: bytes) -> bool:
    """Whether what was found is the same part of `new` standing there in full. `new` is looked through once."""
    part = found.group(0)
    at = new.find(part)
    while at >= 0:
        start = found.start() - at
        if start >= 0 and data[start : start + len(new)] == new:
            return True
        at = new.find(part, at + 1)
    return False


def _is_inside_word(data: bytes, start: int, end: int) -> bool:
    """Return whether a letter, a digit or `_` stands right before or after."""
    before = data[max(0, start - 4) : start].decode("utf-8", "ignore")[-1:]
    after = data[end : end + 4].decode("utf-8", "ignore")[:1]
    return any(char.isalnum() or char == "_" for char in before + after)

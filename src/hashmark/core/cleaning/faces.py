"""Faces made of punctuation, which a rule could mistake for punctuation, a weight, or a word with an underscore.

Lists them and finds them in a text. Does not know what the rules do.
"""

from __future__ import annotations

import re

_LISTED = r"""
    ^_^ ^.^ ^o^ >_< >.< >_o >o< <o>_<o> <|>_<|> o_o o.o 0_0 (o)_(o) u_u u.u x_x t_t @_@ =_= -_- -.- +_+ +_-
    3_3 6_9 |_| ||_|| ;_; ;-; ;; ;) ;( ;-) ;d ;p ;o ;3 ;q :; ._. .__. .-. ,_, :,( :,) '_' "_" ...
    :) :( :-) :-( =) =( >:) >:( (: ): :d :p :o :q
"""
KAOMOJI = frozenset(_LISTED.split())
"""Faces and the tag `...`, in lower case. The ones with `_` are from wd14-tagger#7, with similar ones added."""

_MARKS = re.compile(r"[^\w\s,]{1,3}_+[^\w\s,]{1,3}")
_TWINS = re.compile(r"([^\s,_])_\1")


def _pattern(faces: frozenset[str]) -> str:
    """Match any of the faces as a word of its own. The first character is tested first, to be fast."""
    first = re.escape("".join(sorted({char for face in faces for char in (face[0], face[0].upper())})))
    longest_first = sorted(faces, key=len, reverse=True)
    return rf"(?=[{first}])(?<![^\s,])(?i:{'|'.join(map(re.escape, longest_first))})(?![^\s,.;])"


FACE = _pattern(KAOMOJI)
"""A pattern for any face of the list; they have at most 7 characters."""

MARKED_FACE = _pattern(frozenset(face for face in KAOMOJI if set(face) & set(",.;")))
"""The same for the faces with a comma, full stop or semicolon, which could be mistaken for punctuation."""

_AT_END = re.compile(rf"{FACE}\Z")
_LONGEST = max(map(len, KAOMOJI))


def is_face(word: str) -> bool:
    """Return whether a word is a face: one of `KAOMOJI` ignoring case, `c_c`, or marks around an underscore.

    `^_^`, `T_T`, `$_$`, `*_-` are; `a_b` and `__` are not.
    """
    return word.casefold() in KAOMOJI or bool(_TWINS.fullmatch(word) or _MARKS.fullmatch(word))


def ends_in_face(line: str, end: int) -> bool:
    """Return whether a face of `KAOMOJI` ends just before `end`. Reads a few characters, however long the line."""
    return _AT_END.search(line, max(0, end - _LONGEST), end) is not None

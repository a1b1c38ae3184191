"""Faces written in marks, which a rule could take for punctuation, a weight, or a word with an underscore.

Holds which they are and how to find them in a text. Refuses to know what the rules do.
"""

from __future__ import annotations

import re

_LISTED = r"""
    ^_^ ^.^ ^o^ >_< >.< >_o >o< <o>_<o> <|>_<|> o_o o.o 0_0 (o)_(o) u_u u.u x_x t_t @_@ =_= -_- -.- +_+ +_-
    3_3 6_9 |_| ||_|| ;_; ;-; ;; ;) ;( ;-) ;d ;p ;o ;3 ;q :; ._. .__. .-. ,_, :,( :,) '_' "_" ...
    :) :( :-) :-( =) =( >:) >:( (: ): :d :p :o :q
"""
KAOMOJI = frozenset(_LISTED.split())
"""Faces, and the tag `...`; in lower case. The ones with `_` are those of wd14-tagger#7 and more of their kind."""

_MARKS = re.compile(r"[^\w\s,]{1,3}_+[^\w\s,]{1,3}")
_TWINS = re.compile(r"([^\s,_])_\1")


def _pattern(faces: frozenset[str]) -> str:
    """Any of the faces, where it stands by itself. That its first character is one of theirs is asked first."""
    first = re.escape("".join(sorted({char for face in faces for char in (face[0], face[0].upper())})))
    longest_first = sorted(faces, key=len, reverse=True)
    return rf"(?=[{first}])(?<![^\s,])(?i:{'|'.join(map(re.escape, longest_first))})(?![^\s,.;])"


FACE = _pattern(KAOMOJI)
"""A pattern of a face of the list, at most 7 characters long."""

MARKED_FACE = _pattern(frozenset(face for face in KAOMOJI if set(face) & set(",.;")))
"""The same for the faces with a comma, a full stop or a semicolon, which punctuation could be taken for."""

_AT_END = re.compile(rf"{FACE}\Z")
_LONGEST = max(map(len, KAOMOJI))


def is_face(word: str) -> bool:
    """Whether a word is a face: one of `KAOMOJI` in any letter case, `c_c`, or marks around an underscore.

    `^_^`, `T_T`, `$_$`, `*_-` are; `a_b` and `__` are not.
    """
    return word.casefold() in KAOMOJI or bool(_TWINS.fullmatch(word) or _MARKS.fullmatch(word))


def ends_in_face(line: str, end: int) -> bool:
    """Whether a face of `KAOMOJI` ends just before `end`. Looks at a few characters, however long the line."""
    return _AT_END.search(line, max(0, end - _LONGEST), end) is not None

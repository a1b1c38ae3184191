"""Two captions, word by word, and what can't be seen in them."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hashmark.core.display import reveal
from hashmark.core.word_diff import Piece, PieceChange, common_ends, word_diff

BOTH, REMOVED, ADDED = PieceChange.BOTH, PieceChange.REMOVED, PieceChange.ADDED

texts = st.one_of(
    st.text(max_size=30),
    st.lists(
        st.sampled_from(["a", "cat", "cat's", "red", " ", ",", ".", "\n", "\u200b", "é", "\ud800"]), max_size=12
    ).map("".join),
)


@pytest.mark.parametrize(
    ("before", "after", "pieces"),
    [
        ("", "", []),
        ("a cat", "a cat", [(BOTH, "a cat")]),
        ("", "a cat", [(ADDED, "a cat")]),
        ("a cat", "", [(REMOVED, "a cat")]),
        ("a red cat", "a blue cat", [(BOTH, "a "), (REMOVED, "red"), (ADDED, "blue"), (BOTH, " cat")]),
        ("a cat", "a cat\n", [(BOTH, "a cat"), (ADDED, "\n")]),
        ("a\r\nb", "a\nb", [(BOTH, "a"), (REMOVED, "\r"), (BOTH, "\nb")]),
        ("a  cat", "a cat", [(BOTH, "a "), (REMOVED, " "), (BOTH, "cat")]),
        ("girl’s cat", "girl's cat", [(REMOVED, "girl’s"), (ADDED, "girl's"), (BOTH, " cat")]),
        ("cat\u200b", "cat", [(BOTH, "cat"), (REMOVED, "\u200b")]),
        ("1girl,solo", "1girl, solo", [(BOTH, "1girl,"), (ADDED, " "), (BOTH, "solo")]),
    ],
    ids=lambda value: ascii(value) if isinstance(value, str) else "",
)
def test_what_changed_is_told_by_whole_words(before: str, after: str, pieces: list[tuple[PieceChange, str]]) -> None:
    """Each blank and each mark is a word of its own, so that an edit of one character is seen as that."""
    assert [(piece.change, piece.text) for piece in word_diff(before, after)] == pieces


def test_a_word_that_comes_often_is_compared_like_any_other() -> None:
    """Long captions repeat themselves; an edit at both ends is still only that."""
    often = " very" * 150 + " "
    assert Piece(BOTH, often) in word_diff(f"a{often}good", f"one{often}bad")


def test_texts_too_long_to_compare_by_words_are_compared_by_lines() -> None:
    """And still spelled whole."""
    lines = [f"line {n} of a long text\n" for n in range(300)]
    before, after = "".join(lines), "".join([*lines[:9], "line nine\n", *lines[10:]])
    expected = [(BOTH, "".join(lines[:9])), (REMOVED, lines[9]), (ADDED, "line nine\n"), (BOTH, "".join(lines[10:]))]
    assert [(piece.change, piece.text) for piece in word_diff(before, after)] == expected


@given(texts, texts)
def test_the_pieces_spell_both_texts(before: str, after: str) -> None:
    """Without the added ones the text before, without the removed ones the text after; not a character is lost."""
    pieces = word_diff(before, after)
    assert "".join(piece.text for piece in pieces if piece.change is not ADDED) == before
    assert "".join(piece.text for piece in pieces if piece.change is not REMOVED) == after
    assert all(piece.text for piece in pieces)


@given(texts, texts)
def test_there_is_a_change_exactly_where_the_texts_differ(before: str, after: str) -> None:
    """Equal texts have no removed and no added piece, different ones have."""
    assert any(piece.change is not BOTH for piece in word_diff(before, after)) == (before != after)


@given(st.text(st.sampled_from("ab")), st.text(st.sampled_from("ab")))
def test_common_ends_are_common_and_do_not_overlap(left: str, right: str) -> None:
    """And what lies between begins and ends with a difference."""
    start, tail = common_ends(left, right)
    assert start + tail <= min(len(left), len(right))
    assert left[:start] == right[:start]
    assert left[len(left) - tail :] == right[len(right) - tail :]
    inner, other = left[start : len(left) - tail], right[start : len(right) - tail]
    assert not (inner and other) or (inner[0] != other[0] and inner[-1] != other[-1])


def test_a_megabyte_of_equal_lines_is_compared_in_no_time() -> None:
    """A diff of them all would take hours; what differs at both ends is still told apart or shown as one change."""
    many = "\n" * 400_000
    began = time.process_time()
    assert word_diff(f"{many}a\n{many}", f"{many}b\n{many}") == [
        Piece(BOTH, many),
        Piece(REMOVED, "a\n"),
        Piece(ADDED, "b\n"),
        Piece(BOTH, many),
    ]
    assert word_diff(f"a\n{many}a\n", f"b\n{many}b\n") == [
        Piece(REMOVED, f"a\n{many}a\n"),
        Piece(ADDED, f"b\n{many}b\n"),
    ]
    assert word_diff(many, many) == [Piece(BOTH, many)]
    assert time.process_time() - began < 20


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a red cat, 1girl_(x)", "a red cat, 1girl_(x)"),
        ("猫 é \U0001f431 → “x” …", "猫 é \U0001f431 → “x” …"),
        ("a\nb", "a⏎\nb"),
        ("a\r\nb", "a␍⏎\nb"),
        ("a\tb", "a→b"),
        ("a\u200bb", "a⟨U+200B⟩b"),
        ("\ufeffa", "⟨U+FEFF⟩a"),
        ("a\u00a0b", "a⟨U+00A0⟩b"),
        ("a\u3000b", "a⟨U+3000⟩b"),
        ("a\u2009b", "a⟨U+2009⟩b"),
        ("a\u202fb", "a⟨U+202F⟩b"),
        ("a\u00adb", "a⟨U+00AD⟩b"),
        ("a\u061cb", "a⟨U+061C⟩b"),
        ("❤\ufe0f", "❤⟨U+FE0F⟩"),
        ("\u3164", "⟨U+3164⟩"),
        ("\U000e0041", "⟨U+E0041⟩"),
        ("\x00\x1b[2J\x7f\x85", "⟨U+0000⟩⟨U+001B⟩[2J⟨U+007F⟩⟨U+0085⟩"),
        ("\u202etxt", "⟨U+202E⟩txt"),
        ("a\u2028b", "a⟨U+2028⟩b"),
        ("\udcff", "⟨U+DCFF⟩"),
    ],
    ids=ascii,
)
def test_what_cannot_be_seen_is_spelled_out(text: str, seen: str) -> None:
    """And what can be seen stays as it is."""
    assert reveal(text) == seen


IGNORABLE = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0\ufe00\ufe0f\U000e0100\U000e01ef"
"""Letters, marks and symbols without a glyph: Unicode's Default_Ignorable_Code_Point, and the empty Braille cell."""


@given(st.one_of(st.text(st.characters()), st.text(st.sampled_from(IGNORABLE + "\u200b\u00a0\u3000 a\n\t"))))
@example(IGNORABLE)
def test_nothing_invisible_is_left(text: str) -> None:
    """No control, format or private character, no surrogate, no blank but the space and the marked line end."""
    for line in reveal(text).replace("⏎\n", "⏎").split("\n"):
        for char in line:
            assert char == " " or unicodedata.category(char)[0] not in "CZ", ascii(char)
            assert char not in IGNORABLE
    assert reveal(text).count("\n") == text.count("\n") <= reveal(text).count("⏎\n")
    reveal(text).encode()


@given(st.text(st.characters(categories=["L", "N", "P", "S"], exclude_characters=IGNORABLE)))
def test_what_can_be_seen_is_not_touched(text: str) -> None:
    """Letters of any script, digits, marks and symbols."""
    assert reveal(text) == text

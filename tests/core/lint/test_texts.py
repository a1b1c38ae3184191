"""The facts of a caption, from any bytes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashmark.core.cleaning import flags
from hashmark.core.cleaning.flags import refusal
from hashmark.core.lint import texts
from hashmark.core.lint.facts import UNMARKED, CaptionFacts, ImageFacts
from hashmark.core.lint.texts import caption_facts, min_tokens


@pytest.mark.parametrize(
    ("data", "flags"),
    [
        (b"a cat", ()),
        (b"a cat\n", ()),
        (b"a cat\r\n\r\n", ()),
        ("café ☆".encode(), ()),
        (b" \t\r\n", ("blank",)),
        (b"\xef\xbb\xbf\n", ("blank", "wrong-encoding")),
        ("\u00a0\u200b".encode(), ("blank",)),
        (b"a\nb", ("multi-line",)),
        (b"a\rb", ("multi-line",)),
        (b"\xef\xbb\xbfa", ("wrong-encoding",)),
        (b"caf\xe9", ("wrong-encoding",)),
        ("a".encode("utf-16"), ("wrong-encoding",)),
        ("a cat".encode("utf-16-le"), ("wrong-encoding",)),
        ("кот и собака".encode("utf-16-be"), ("wrong-encoding",)),
        (b"I can't help with that", ("suspect",)),
        ("I can’t help\nwith that".encode(), ("multi-line", "suspect")),
    ],
)
def test_a_caption_is_flagged_for_what_its_bytes_show(data: bytes, flags: tuple[str, ...]) -> None:
    assert caption_facts(data).flags == flags


def test_a_line_separator_of_unicode_ends_no_line() -> None:
    """Python's text mode, with which the trainers read, does not take it for one."""
    assert caption_facts("a\u2028b".encode()).lines == 1


@pytest.mark.parametrize(("data", "starts"), [(b"\na", True), (b" \na", True), (b"a\n\nb", False), (b"\n\n", False)])
def test_a_blank_line_before_the_caption_is_seen(data: bytes, starts: bool) -> None:
    assert caption_facts(data).starts_blank is starts


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("a cat", 2),
        ("a cat's", 3),
        ("1024", 4),
        ("long_hair", 3),
        ("red, blue!!", 4),
        ("café", 1),
        ("猫 犬", 2),
    ],
)
def test_each_piece_of_a_text_takes_a_token_or_more(text: str, tokens: int) -> None:
    assert min_tokens(text) == tokens


def test_what_is_suspect_is_what_cleaning_flags() -> None:
    assert caption_facts(b"I'm UNABLE TO say").suspect == refusal("I'm UNABLE TO say")
    assert caption_facts(b"an assistant in a shop").suspect is None


@given(st.binary(max_size=300))
def test_any_bytes_have_facts_that_survive_being_remembered(data: bytes) -> None:
    facts = caption_facts(data)
    assert CaptionFacts.from_text(facts.to_text()) == facts


def test_facts_of_an_image_survive_being_remembered() -> None:
    facts = ImageFacts("PNG", 9, 8, 6, 2, alpha=True, hash=1 << 127, trouble="it's damaged")
    assert ImageFacts.from_text(facts.to_text()) == facts


@pytest.mark.parametrize("text", ["", "{}", "[1]", "null", "[1,2,3,4,5,6]"])
def test_what_was_not_remembered_so_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        CaptionFacts.from_text(text)


ASCII = st.text(st.characters(max_codepoint=127))


@given(ASCII | st.text() | st.lists(st.sampled_from(["it", "'s", "7", "_", ",", " ", "\x1c", "é", "A1b"])).map("".join))
def test_words_are_counted_as_the_tokenizer_divides_them(text: str) -> None:
    assert min_tokens(text) == len(texts._CLIP_WORDS.findall(text))


@given(
    ASCII
    | st.lists(st.sampled_from(["I ", "can", "'t", "not", "Unable", " to", "ASSISTANT", ":", "i CAN"])).map("".join)
)
def test_a_refusal_is_found_whatever_is_looked_for_first(text: str) -> None:
    assert (refusal(text) is None) == (flags._REFUSAL.search(text) is None)


@given(st.sampled_from(["utf-8", "cp1252", UNMARKED]), st.integers(0, 9), st.booleans(), st.none() | st.text())
def test_facts_are_stored_as_json_and_come_back(encoding: str, count: int, starts: bool, suspect: str | None) -> None:
    facts = CaptionFacts(encoding, count, starts, count, suspect)
    assert json.loads(facts.to_text()) == [encoding, count, starts, count, suspect]
    assert CaptionFacts.from_text(facts.to_text()) == facts

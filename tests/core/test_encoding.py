"""A caption file read as text and written back keeps what the editor did not touch."""

from __future__ import annotations

import re
import time
from codecs import BOM_UTF8

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from hashmark.core.encoding import decode, encode, keep_line_ends, undecodable

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SOME = st.text(st.sampled_from("aé€\x81\ufeff\u0416 \n😀"), max_size=6)
FILES = st.one_of(
    st.binary(),
    TEXT.map(str.encode),
    TEXT.map(lambda text: BOM_UTF8 + text.encode()),
    TEXT.map(lambda text: b"\xff\xfe" + text.encode("utf-16-le")),
    TEXT.map(lambda text: b"\xfe\xff" + text.encode("utf-16-be")),
    SOME.map(lambda text: text.encode("cp1252", "ignore")),
)

UNMARKED = [
    (text, encoding)
    for text in ("a cat", "кот и собака", "ёж\nёлка", "café", "γάτα")
    for encoding in ("utf-16-le", "utf-16-be")
]
"""Texts that are valid UTF-8 in UTF-16 too, or nearly: every other byte of them is a control character."""

# --- decode and encode -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        (b"", "", "utf-8"),
        (b"caf\xc3\xa9", "café", "utf-8"),
        (BOM_UTF8 + b"cat", "\ufeffcat", "utf-8-sig"),
        (BOM_UTF8, "\ufeff", "utf-8-sig"),
        (b"\xff\xfec\x00", "c", "utf-16"),
        (b"\xfe\xff\x00c", "c", "utf-16"),
        (b"\xff\xfe", "", "utf-16"),
        (b"\xff\xfec", "ÿþc", "cp1252"),
        (b"\xff\xfe\x00\xd8", "ÿþ\x00Ø", "cp1252"),
        (b"caf\xe9 \x80\x93", "café €“", "cp1252"),
        (b"\x81\x8d\x8f\x90\x9d\xff", "\x81\x8d\x8f\x90\x9dÿ", "cp1252"),
        (b"\xc0\x80", "À€", "cp1252"),
    ],
)
def test_a_file_is_read_as(data: bytes, text: str, encoding: str) -> None:
    """Half a character, odd bytes after a UTF-16 mark and overlong UTF-8 are all cp1252."""
    assert decode(data) == (text, encoding)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", None),
        ("caf\u00e9 \x00".encode(), None),
        ("caf\u00e9".encode("utf-16"), None),
        (b"girl\x92s caf\xe9", None),
        (b"caf\xe9 \x81", "byte 0x81 at 5 is neither UTF-8 nor Windows-1252"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "byte 0x00 at 8"),
        (b"\xff\xfe\x00\xd8", "begins like UTF-16 and is damaged"),
        *((text.encode(encoding), "looks like UTF-16 without a byte order mark") for text, encoding in UNMARKED),
        ("кот и собака".encode("utf-16-le")[:-1], "looks like UTF-16 without a byte order mark"),
        (b"a\tcat\r\n\r\n", None),
        (b"\x1b[31mred\x1b[0m, cat", None),
        (BOM_UTF8 + b"a\x00", None),
    ],
)
def test_bytes_that_no_encoding_fits_are_told_from_text(data: bytes, why: str | None) -> None:
    """`decode` reads them all the same, so that they can be looked at; no rule may rewrite them."""
    said = undecodable(data)
    assert (said is None) if why is None else (why in (said or ""))


@given(FILES)
@example(b"\xff\xfe\xff\xfe")
@example(BOM_UTF8 + BOM_UTF8)
def test_what_is_not_edited_comes_back_byte_for_byte(data: bytes) -> None:
    text, _ = decode(data)
    assert encode(text, data) == data
    assert "\ufffd" not in text or b"\xff\xfd" in data or b"\xfd\xff" in data or b"\xef\xbf\xbd" in data


@given(FILES, st.one_of(TEXT, SOME))
@example(b"caf\xe9", "Ã©")
@example(b"caf\xe9", "ÿþ")
@example(b"caf\xe9", "plain")
@example(b"\xff\xfea\x00", "\ufeff")
def test_what_is_written_is_read_as_the_same_text(like: bytes, text: str) -> None:
    """Or the encoding has no bytes for it, which only cp1252 has not."""
    try:
        data = encode(text, like)
    except UnicodeEncodeError as error:
        assert decode(like)[1] == "cp1252"
        assert error.object[error.start] not in bytes(range(256)).decode("cp1252", "ignore")
        return
    assert decode(data)[0] == text


@given(FILES, TEXT)
def test_an_edit_keeps_the_encoding_where_it_can_be_found_again(like: bytes, text: str) -> None:
    """UTF-16 keeps its byte order, too; a cp1252 file may be mended into UTF-8."""
    before = decode(like)[1]
    try:
        data = encode(text, like)
    except UnicodeEncodeError:
        return
    after = decode(data)[1]
    if before == "utf-16":
        assert (after, data[:2]) == ("utf-16", like[:2])
    elif before == "cp1252":
        assert after == "cp1252" or data == text.encode()
    else:
        assert data == text.encode()


@pytest.mark.parametrize("like", [b"", BOM_UTF8, b"\xff\xfea\x00", b"caf\xe9"])
def test_half_a_character_has_no_bytes_in_any_encoding(like: bytes) -> None:
    with pytest.raises(UnicodeEncodeError) as caught:
        encode("a\ud83d", like)
    assert caught.value.object[caught.value.start] == "\ud83d"


# --- line ends ---------------------------------------------------------------------------------------------------


def as_shown(text: str) -> str:
    """The text as a browser's field gives it back."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("", "a\nb\n", "a\nb\n"),
        ("a", "a\nb", "a\nb"),
        ("a\nb\n", "a\nc\n", "a\nc\n"),
        ("a\r\nb\r\n", "a\nc\n", "a\r\nc\r\n"),
        ("a\rb\r", "a\nc\nb\n", "a\rc\rb\r"),
        ("a\r\nb\nc\r\n", "a\nb\nc\n", "a\r\nb\nc\r\n"),
        ("a\r\nb\nc\r\n", "a\nx\nb\nc\n", "a\r\nx\r\nb\nc\r\n"),
        ("a\r\nb\nc\r\n", "b\nc\n", "b\nc\r\n"),
        ("a\r\nb\nc\r\n", "a\nc\n", "a\r\nc\r\n"),
        ("a\r\nb\r\n", "a\nb", "a\r\nb"),
        ("a\r\nb", "a\nb\n", "a\r\nb\r\n"),
        ("a\r\n", "", ""),
        ("a\rx\n\nb\r", "a\n\nb\n", "a\r\rb\r"),
        ("a\r\nb\u2028c\r\n", "a\nb\u2028d\n", "a\r\nb\u2028d\r\n"),
        ("x\r\na\nb\ny\r\nz\r\n", "a\nb\nx\ny\nz\n", "a\nb\nx\r\ny\r\nz\r\n"),
    ],
)
def test_lines_keep_their_ends_and_new_ones_get_the_usual_end(before: str, after: str, expected: str) -> None:
    assert keep_line_ends(before, after) == expected


LINES = st.lists(
    st.tuples(st.sampled_from(["", "a", "b", "a b"]), st.sampled_from(["\n", "\r\n", "\r"])), max_size=12
).map(lambda lines: "".join(line + end for line, end in lines))


@given(LINES, st.sampled_from(["", "last"]))
def test_a_text_that_was_only_shown_keeps_every_line_end(before: str, last: str) -> None:
    assert keep_line_ends(before + last, as_shown(before + last)) == before + last


@given(LINES, LINES)
def test_line_ends_are_all_that_changes(before: str, after: str) -> None:
    """What the editor sees of the result is what the editor wrote, and no end is new to the file."""
    result = keep_line_ends(before, as_shown(after))
    assert as_shown(result) == as_shown(after)
    assume("\r" in before)
    if "\n" not in before.replace("\r\n", ""):
        assert "\n" not in result.replace("\r\n", "")
    if "\r" not in before.replace("\r\n", ""):
        assert "\r" not in result.replace("\r\n", "")


@given(LINES, st.integers(0, 12), st.sampled_from(["x", "x\ny"]))
def test_lines_before_and_after_an_edit_keep_their_ends(before: str, at: int, new: str) -> None:
    """One line that differs from all others is put in; the rest of the file has the very bytes it had."""
    whole = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)", before)
    at = min(at, len(whole))
    assume(whole[at : at + 1] != ["\n"])  # after a new line that ends in CR it could not stay as it is
    edited = "".join((*whole[:at], f"{new}\n", *whole[at:]))
    result = keep_line_ends(before, as_shown(edited))
    assert result.startswith("".join(whole[:at]))
    assert result.endswith("".join(whole[at:]))


def test_a_megabyte_of_line_ends_is_done_in_no_time() -> None:
    """A diff of as many equal lines would take hours; the edit at both ends of it is still told apart."""
    many = "\r\n" * 300_000
    began = time.process_time()
    assert keep_line_ends(f"a\n{many}b\n", f"x\n{as_shown(many)}y\n") == f"x\r\n{many}y\r\n"
    assert keep_line_ends(many + "\n", as_shown(many)) == many
    assert keep_line_ends("b\r\na\r\n" * 60_000, "a\nb\n" * 60_001) == "a\r\nb\r\n" * 60_001
    assert time.process_time() - began < 20

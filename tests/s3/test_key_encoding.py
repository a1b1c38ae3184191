"""What a page shows of the encoding of keys, and what it leaves open."""

from __future__ import annotations

import pytest

from hashmark.s3.key_encoding import KeyEncoding, is_ambiguous, still_possible

FORM, PERCENT, NONE = KeyEncoding


def page(*keys: str, encoded: bool = True) -> bytes:
    said = "<EncodingType>url</EncodingType>" if encoded else ""
    return f"<R>{said}{''.join(f'<Key>{key}</Key>' for key in keys)}</R>".encode()


@pytest.mark.parametrize(
    ("encoded", "plain", "possible"),
    [
        (["a%2Bb", "c+d"], ["a+b", "c d"], [FORM]),
        (["a+b", "c%20d"], ["a+b", "c d"], [PERCENT]),
        (["a+b", "c%20d"], ["a+b", "c%20d"], [NONE]),
        (["c%20d"], ["c d"], [FORM, PERCENT]),
        (["a+b"], ["a+b"], [PERCENT, NONE]),
        (["a&amp;%20"], ["a&amp; "], [FORM, PERCENT]),
        (["gone%20"], [], list(KeyEncoding)),
    ],
)
def test_what_is_possible_follows_from_the_same_page_without_encoding(
    encoded: list[str], plain: list[str], possible: list[KeyEncoding]
) -> None:
    both = page(*encoded), page(*plain, encoded=False)
    assert still_possible(*both, list(KeyEncoding)) == possible


def test_a_later_page_decides_what_an_earlier_one_left_open() -> None:
    assert not is_ambiguous(page("c%20d"), [FORM, PERCENT])
    assert is_ambiguous(page("a+b"), [FORM, PERCENT])
    assert still_possible(page("a+b"), page("a+b", encoded=False), [FORM, PERCENT]) == [PERCENT]


def test_a_store_that_encodes_unasked_encodes_as_s3_does() -> None:
    assert still_possible(page("a+b"), page("a+b"), list(KeyEncoding)) == [FORM]
    assert not is_ambiguous(page("a+b"), [FORM])
    assert not is_ambiguous(page("a+b", encoded=False), list(KeyEncoding))

"""Captions counted by what is odd with them."""

from __future__ import annotations

from hashmark.core.lint.health import CaptionHealth, health_of
from hashmark.core.model import EMPTY_MD5
from hashmark.core.vocabulary import CAPTION_FLAGS


def test_each_caption_counts_under_all_that_is_odd_with_it() -> None:
    captions = [
        None,
        ("b.txt", EMPTY_MD5),
        ("c.txt", "well"),
        ("d.txt", "odd"),
        ("e.txt", "unknown"),
        ("f.txt", None),
    ]
    found = health_of(captions, {"well": (), "odd": CAPTION_FLAGS})
    assert found == CaptionHealth(6, 5, 1, 1, 1, 1, 1, 1, 2)
    assert list(found.issues) == ["missing", "zero-byte", *CAPTION_FLAGS]


def test_a_caption_of_two_images_counts_once() -> None:
    found = health_of([("a.txt", "x"), ("a.txt", "x")], {"x": ("blank",)})
    assert (found.images, found.captions, found.blank) == (2, 1, 1)


def test_where_all_is_well_there_is_nothing_to_say() -> None:
    assert not health_of([("a.txt", "x")], {"x": ()}).issues

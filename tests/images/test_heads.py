"""Heads are read by hand without trusting a byte of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashmark.images import heads
from support.sample_images import encoded, quarters

STARTS = [
    *(b"RIFF\xff\xff\xff\xffWEBPVP8X", b"RIFF\0\0\0\0WEBPVP8 ", b"RIFF\0\0\0\0WEBPVP8L", b"\x89PNG\r\n\x1a\n", b""),
    *(b"\0\0\0\x10ftypavif\0\0\0\0\0\0\0\x01meta", b"\0\0\0\x10ftypavif\0\0\0\0\0\0\0\0meta\0\0\0\0\0\0\0\0iprp"),
]


@given(st.sampled_from(STARTS), st.binary(max_size=200))
def test_any_bytes_are_read_without_an_error(start: bytes, rest: bytes) -> None:
    data = start + rest
    for name in heads.FORMATS:
        found = heads.read(name, data)
        assert found is None or (found.frames >= 1 and found.width >= 1 and found.height >= 1)
    assert heads.kind(data) in {None, *heads.FORMATS}


@pytest.mark.parametrize("name", heads.FORMATS)
def test_a_format_is_known_by_its_first_32_bytes(name: str) -> None:
    assert heads.kind(encoded(quarters(), name)[:32]) == name


@pytest.mark.parametrize("start", [b"MM\0*", b"II+\0", b"MM\0+"])
def test_the_rarer_kinds_of_tiff_are_known(start: bytes) -> None:
    assert heads.kind(start) == "TIFF"


def test_an_avif_may_name_its_brand_among_the_compatible_ones() -> None:
    assert heads.kind(b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif") == "AVIF"
    assert heads.kind(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic") is None
    assert heads.kind(b"\0\0\0\x14ftypmif1\0\0\0\0mif1avif") is None

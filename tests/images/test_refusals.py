"""Hostile and broken bytes: each is refused in words, by itself, and the renderer goes on working."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from hashmark.core.errors import ImageRefused
from hashmark.images import heads
from hashmark.images.processes import Limits
from hashmark.images.renderer import MAX_IMAGE_BYTES, Renderer
from support.sample_images import encoded, png, quarters, render, shown, slow_jpeg

GOOD = encoded(quarters(), "PNG")


@pytest.fixture(autouse=True)
def still_working(renderer: Renderer) -> Iterator[None]:
    yield
    assert shown(renderer, GOOD).size == (64, 43)


def refusal(renderer: Renderer, data: bytes) -> str:
    with pytest.raises(ImageRefused) as caught:
        render(renderer, data).result(60)
    return str(caught.value)


def zipped() -> bytes:
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w") as archive:
        archive.writestr("a.png", GOOD)
    return result.getvalue()


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n(/etc/passwd) (r) file\nshowpage\n"
SVG = (
    b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script></svg>'
)


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\0", b"\x89PNG", b"a caption, in words", SVG, b"<!DOCTYPE html><title>x</title>", EPS, zipped()),
        *(encoded(quarters(), name) for name in ("PPM", "ICO", "TGA", "PCX", "JPEG2000", "PDF", "ICNS", "SGI", "DDS")),
        encoded(Image.new("RGB", (9, 9)), "AVIF").replace(b"avif", b"heic").replace(b"avis", b"heis"),
    ],
    ids=lambda data: data[:4].hex() or "empty",
)
def test_what_is_of_no_allowed_format_is_refused(renderer: Renderer, data: bytes) -> None:
    assert refusal(renderer, data) == heads.NOT_AN_IMAGE


@pytest.mark.parametrize("name", heads.FORMATS)
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_what_is_cut_short_is_refused(renderer: Renderer, name: str, part: float) -> None:
    """Not shown half grey: it would look as if the file were whole."""
    noise = Image.frombytes("RGB", (100, 100), random.Random(1).randbytes(30_000))
    data = encoded(noise, name)
    assert "damaged or incomplete" in refusal(renderer, data[: int(len(data) * part)])


@pytest.mark.parametrize("name", heads.FORMATS)
def test_a_format_s_first_bytes_alone_are_refused(renderer: Renderer, name: str) -> None:
    assert "damaged or incomplete" in refusal(renderer, encoded(quarters(), name)[:24])


@pytest.mark.parametrize("name", heads.FORMATS)
def test_garbage_behind_a_good_beginning_is_shown_or_refused(renderer: Renderer, name: str) -> None:
    """Whatever a decoder makes of it, it is one of the two."""
    chance = random.Random(2)
    good = encoded(quarters(40, 30), name)
    works = [render(renderer, spoilt(good, chance)) for _ in range(40)]
    for work in works:
        error = work.exception(60)
        assert error is None or isinstance(error, ImageRefused)


def spoilt(data: bytes, chance: random.Random) -> bytes:
    result = bytearray(data)
    for _ in range(chance.randint(1, 12)):
        result[chance.randrange(12, len(result))] = chance.randrange(256)
    return bytes(result)


# --- size --------------------------------------------------------------------------------------------------------


def webp(width: int, height: int) -> bytes:
    """A canvas as large as it says, without a frame in it."""
    body = bytes([0x10, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + body


def bombs() -> list[tuple[str, bytes]]:
    gif = b"GIF89a" + struct.pack("<HHBBB", 50000, 50000, 0, 0, 0)
    bmp = encoded(Image.new("RGB", (1, 1)), "BMP")
    jpeg = encoded(Image.new("L", (1, 1)), "JPEG")
    at = jpeg.index(b"\xff\xc0") + 5
    return [
        ("PNG", png(50000, 50000, data=bytes(1000))),
        ("GIF", gif + b"\x2c" + struct.pack("<HHHHB", 0, 0, 50000, 50000, 0) + b"\x02\x00;"),
        ("BMP", bmp[:18] + struct.pack("<ii", 50000, 50000) + bmp[26:]),
        ("JPEG", jpeg[:at] + struct.pack(">HH", 50000, 50000) + jpeg[at + 4 :]),
        ("WEBP", webp(50000, 50000)),
    ]


@pytest.mark.parametrize(("name", "data"), bombs(), ids=[name for name, _ in bombs()])
def test_row_40_a_decompression_bomb_is_refused_by_its_header(renderer: Renderer, name: str, data: bytes) -> None:
    """So quickly that nothing can have been decoded; the size is told.

    Guard: without the pixel limit, it is decoded, or refused only for its memory.
    """
    assert heads.kind(data) == name
    assert "50000 x 50000 pixels" in refusal(renderer, data)


@pytest.mark.parametrize("data", [png(10001, 10000), webp(10001, 10000)], ids=["PNG", "WEBP"])
def test_the_limit_of_pixels_is_held_to_the_pixel(renderer: Renderer, data: bytes) -> None:
    """Pillow by itself only warns up to twice as many."""
    assert "10001 x 10000 pixels" in refusal(renderer, data)


def test_as_many_pixels_as_allowed_are_decoded(renderer: Renderer) -> None:
    assert shown(renderer, encoded(Image.new("L", (10000, 10000), 9), "JPEG")).size == (64, 64)


def test_a_text_that_unpacks_to_a_gigabyte_is_refused(renderer: Renderer) -> None:
    """Metadata can be a bomb as well as pixels."""
    text = b"Comment\0\0" + zlib.compress(bytes(256 << 20), 1)
    assert "damaged" in refusal(renderer, png(1, 1, (b"zTXt", text), data=b"\0\0\0\0"))


def test_a_file_that_is_too_large_is_not_even_sent(tmp_path: Path) -> None:
    with Renderer(tmp_path, 1, limits=Limits(seconds=0)) as renderer:
        assert "256 MiB" in refusal(renderer, bytes(MAX_IMAGE_BYTES + 1))


# --- time and memory ---------------------------------------------------------------------------------------------


def test_what_takes_too_long_is_ended(tmp_path: Path) -> None:
    """A hundred kilobytes can keep a decoder busy for a quarter of an hour."""
    with Renderer(tmp_path, 1, limits=Limits(seconds=3)) as renderer:
        shown(renderer, GOOD)
        assert "It took longer than 3 s." in refusal(renderer, slow_jpeg())
        assert shown(renderer, GOOD).size == (64, 43)


def test_what_takes_too_much_memory_is_refused(tmp_path: Path) -> None:
    """With the same limit, a smaller image is shown."""
    large = png(5000, 5000, data=bytes(5000 * 15001))
    with Renderer(tmp_path, 1, limits=Limits(memory=100 << 20)) as renderer:
        assert "more memory" in refusal(renderer, large)
        assert shown(renderer, GOOD).size == (64, 43)

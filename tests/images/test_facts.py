"""The facts of an image are read from its first bytes, and only from what is there."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from hashmark.images import heads
from hashmark.images.decode import Facts
from hashmark.images.renderer import HEAD_BYTES, Renderer
from support.sample_images import BLUE, RED, TURNED, encoded, exif, png, quarters


def facts(renderer: Renderer, *given: bytes) -> list[Facts | str]:
    return renderer.facts(given).result(60)


def noise(mode: str = "RGB", width: int = 500, height: int = 300) -> Image.Image:
    """Far more than `HEAD_BYTES` in every format."""
    bands = len(Image.new(mode, (1, 1)).getbands())
    image = Image.frombytes(mode, (width, height), random.Random(1).randbytes(width * height * bands))
    if mode == "P":
        image.putpalette(bytes(range(256)) * 3)
    return image


WHOLE: list[tuple[str, Image.Image, dict[str, Any], Facts]] = [
    ("PNG", noise(), {}, Facts(500, 300, "PNG", "RGB", None, 1, False)),
    ("PNG", noise("RGBA"), {"exif": exif(6)}, Facts(500, 300, "PNG", "RGBA", 6, 1, True)),
    ("PNG", noise("LA"), {}, Facts(500, 300, "PNG", "LA", None, 1, True)),
    ("PNG", noise("P"), {"transparency": 3}, Facts(500, 300, "PNG", "P", None, 1, True)),
    (
        "PNG",
        noise(),
        {"save_all": True, "append_images": [noise("L")] * 2},
        Facts(500, 300, "PNG", "RGB", None, 3, False),
    ),
    ("JPEG", noise(), {"quality": 95, "exif": exif(8)}, Facts(500, 300, "JPEG", "RGB", 8, 1, False)),
    ("JPEG", noise("CMYK"), {"quality": 95}, Facts(500, 300, "JPEG", "CMYK", None, 1, False)),
    ("BMP", noise(), {}, Facts(500, 300, "BMP", "RGB", None, 1, False)),
    ("GIF", noise("P"), {}, Facts(500, 300, "GIF", "P", None, 1, False)),
    ("TIFF", noise(), {"exif": exif(6)}, Facts(500, 300, "TIFF", "RGB", 6, 1, False)),
    ("TIFF", noise(), {"exif": exif(3)}, Facts(500, 300, "TIFF", "RGB", 3, 1, False)),
    ("WEBP", noise(), {"quality": 95}, Facts(500, 300, "WEBP", "RGB", None, 1, False)),
    ("WEBP", noise(), {"quality": 95, "exif": exif(6)}, Facts(500, 300, "WEBP", "RGB", 6, 1, False)),
    ("WEBP", noise("RGBA"), {"quality": 95}, Facts(500, 300, "WEBP", "RGBA", None, 1, True)),
    ("WEBP", noise("RGBA"), {"lossless": True}, Facts(500, 300, "WEBP", "RGBA", None, 1, True)),
    ("WEBP", noise(), {"lossless": True}, Facts(500, 300, "WEBP", "RGB", None, 1, False)),
    ("AVIF", noise(), {"quality": 95}, Facts(500, 300, "AVIF", "RGB", None, 1, False)),
    ("AVIF", noise("RGBA"), {"quality": 95}, Facts(500, 300, "AVIF", "RGBA", None, 1, True)),
    ("AVIF", noise(), {"quality": 95, "exif": exif(6)}, Facts(500, 300, "AVIF", "RGB", 6, 1, False)),
]
IDS = [f"{name}-{facts.mode}-{'-'.join(options)}" for name, _, options, facts in WHOLE]
FILES = [(encoded(image, name, **options), expected) for name, image, options, expected in WHOLE]


@pytest.mark.parametrize(("data", "expected"), FILES, ids=IDS)
def test_the_head_of_a_file_tells_its_facts(renderer: Renderer, data: bytes, expected: Facts) -> None:
    """What stands behind the head is not known: orientation in a WEBP or AVIF."""
    assert len(data) > HEAD_BYTES
    behind = expected.format in {"WEBP", "AVIF"}
    assert facts(renderer, data) == [replace(expected, orientation=None) if behind else expected]


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", [3, 6])
def test_a_whole_small_file_tells_everything(renderer: Renderer, name: str, orientation: int) -> None:
    """The size is that of the stored pixels, not of the upright image."""
    turn = TURNED[orientation]
    assert turn is not None
    stored = quarters(90, 50).transpose(turn)
    (found,) = facts(renderer, encoded(stored, name, exif=exif(orientation)))
    assert found == Facts(*stored.size, name, "RGB", orientation, 1, alpha=False)


@pytest.mark.parametrize("name", ["GIF", "PNG", "WEBP", "AVIF", "TIFF"])
def test_frames_are_counted(renderer: Renderer, name: str) -> None:
    others = [Image.new("RGB", (120, 80), colour) for colour in (RED, BLUE)]
    data = encoded(quarters(), name, save_all=True, append_images=others)
    (found,) = facts(renderer, data)
    assert isinstance(found, Facts)
    assert (found.frames, found.width, found.height) == (3, 120, 80)


@pytest.mark.parametrize("name", ["GIF", "WEBP", "TIFF", "AVIF"])
def test_frames_behind_the_head_are_not_counted(renderer: Renderer, name: str) -> None:
    frames = [noise("RGB", 200, 150).rotate(90 * turn) for turn in range(4)]
    data = encoded(frames[0], name, save_all=True, append_images=frames[1:], lossless=True, quality=100)
    assert len(data) > HEAD_BYTES
    (found,) = facts(renderer, data)
    assert isinstance(found, Facts)
    assert (found.width, found.height) == (200, 150)
    assert 1 <= found.frames < 4


def test_a_jpeg_with_more_pictures_in_it_is_a_jpeg(renderer: Renderer) -> None:
    data = encoded(noise(), "MPO", save_all=True, append_images=[quarters()])
    assert facts(renderer, data) == [Facts(500, 300, "JPEG", "RGB", None, 2, alpha=False)]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16", "P", "RGB", "RGBA"])
def test_a_workflow_longer_than_the_head_hides_nothing(renderer: Renderer, mode: str) -> None:
    """Generators write it before the pixels, and it may be hundreds of kilobytes long."""
    info = PngInfo()
    info.add_text("workflow", "x" * (3 * HEAD_BYTES))
    data = encoded(Image.new(mode, (500, 300)), "PNG", pnginfo=info)
    assert b"IDAT" not in data[:HEAD_BYTES]
    assert facts(renderer, data) == [Facts(500, 300, "PNG", mode, None, 1, mode in {"LA", "RGBA"})]


def test_a_tiff_whose_header_is_at_its_end_says_so(renderer: Renderer) -> None:
    (why,) = facts(renderer, encoded(noise(), "TIFF", compression="tiff_lzw"))
    assert why == "This TIFF is damaged and can't be read."


def test_the_size_of_an_image_that_is_too_large_is_told(renderer: Renderer) -> None:
    """Its thumbnail is refused, and this tells why."""
    assert facts(renderer, png(50000, 50000)) == [Facts(50000, 50000, "PNG", "RGB", None, 1, alpha=False)]


def test_each_of_a_batch_has_its_own_answer_in_its_place(renderer: Renderer) -> None:
    good, svg, empty, broken = facts(renderer, encoded(quarters(), "PNG"), b"<svg/>", b"", b"\xff\xd8\xff\xe0")
    assert isinstance(good, Facts)
    assert svg == empty == heads.NOT_AN_IMAGE
    assert broken == "This JPEG is damaged and can't be read."
    assert facts(renderer) == []


@pytest.mark.parametrize(("data", "expected"), FILES, ids=IDS)
def test_wherever_a_head_ends_it_tells_nothing_wrong(renderer: Renderer, data: bytes, expected: Facts) -> None:
    for found in facts(renderer, *(data[:end] for end in [*range(400), *range(400, 4000, 37)])):
        if isinstance(found, Facts):
            assert (found.width, found.height, found.format) == (500, 300, expected.format)


@pytest.mark.parametrize(("data", "expected"), FILES, ids=IDS)
def test_a_spoilt_head_breaks_nothing(renderer: Renderer, data: bytes, expected: Facts) -> None:
    chance = random.Random(3)
    spoilt = []
    for _ in range(100):
        one = bytearray(data[:2000])
        for _ in range(8):
            one[chance.randrange(8, 300)] = chance.randrange(256)
        spoilt.append(bytes(one))
    assert len(facts(renderer, *spoilt)) == 100

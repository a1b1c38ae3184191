"""A thumbnail looks like its image, is upright, fits, and says nothing else."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from hashmark.images.renderer import Renderer
from support.sample_images import (
    BLUE,
    GREEN,
    ORIENTATION,
    RED,
    TURNED,
    WHITE,
    corners,
    encoded,
    exif,
    near,
    quarters,
    render,
    shown,
)

ALL = [RED, GREEN, BLUE, WHITE]
GREYS = [round(0.299 * r + 0.587 * g + 0.114 * b) for r, g, b in ALL]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("PNG", {}),
        ("JPEG", {"quality": 95, "subsampling": 0}),
        ("JPEG", {"quality": 95, "subsampling": 0, "progressive": True}),
        ("WEBP", {"quality": 95}),
        ("WEBP", {"lossless": True}),
        ("BMP", {}),
        ("GIF", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("AVIF", {"quality": 90}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else value,
)
def test_every_format_is_shown(renderer: Renderer, name: str, options: dict[str, Any]) -> None:
    found = shown(renderer, encoded(quarters(), name, **options))
    assert found.size == (64, 43)
    assert near(corners(found), ALL)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_is_upright_whatever_the_camera_did(renderer: Renderer, name: str, orientation: int) -> None:
    turn = TURNED[orientation]
    stored = quarters() if turn is None else quarters().transpose(turn)
    found = shown(renderer, encoded(stored, name, exif=exif(orientation), quality=95))
    assert found.size == (64, 43)
    assert near(corners(found), ALL, 24)


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_turns_nothing(renderer: Renderer, value: int) -> None:
    found = shown(renderer, encoded(quarters(), "PNG", exif=exif(value)))
    assert near(corners(found), ALL)


def test_broken_exif_turns_nothing(renderer: Renderer) -> None:
    found = shown(renderer, encoded(quarters(), "PNG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff nonsense"))
    assert near(corners(found), ALL)


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [
        ((1, 5000), 320, (1, 320)),
        ((5000, 1), 320, (320, 1)),
        ((120, 80), 320, (120, 80)),
        ((1, 1), 320, (1, 1)),
        ((3000, 2000), 256, (256, 171)),
        ((100, 100), 1, (1, 1)),
    ],
)
@pytest.mark.parametrize("name", ["PNG", "JPEG"])
def test_it_fits_and_is_never_enlarged(
    renderer: Renderer, name: str, size: tuple[int, int], side: int, expected: tuple[int, int]
) -> None:
    assert shown(renderer, encoded(Image.new("RGB", size, RED), name), side).size == expected


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_it_keeps_no_metadata(renderer: Renderer, name: str) -> None:
    """Neither the place where a photo was taken nor its colour profile."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = encoded(quarters(), name, exif=exif(6), icc_profile=profile, xmp=b"<x:xmpmeta>SecretXmp</x:xmpmeta>")
    assert b"SecretCamera" in data
    found = shown(renderer, data)
    assert not {"exif", "icc_profile", "xmp"} & set(found.info)
    assert ORIENTATION not in found.getexif()


def test_the_text_that_generators_leave_in_a_png_is_not_kept(renderer: Renderer) -> None:
    info = PngInfo()
    info.add_text("parameters", "SecretPrompt")
    data = encoded(quarters(), "PNG", pnginfo=info)
    assert b"SecretPrompt" in data
    assert b"SecretPrompt" not in render(renderer, data).result(60)


# --- modes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("L", "PNG"),
        ("P", "PNG"),
        ("P", "GIF"),
        ("CMYK", "JPEG"),
        ("CMYK", "TIFF"),
        ("YCbCr", "TIFF"),
        ("YCbCr", "JPEG"),
    ],
)
def test_opaque_modes_look_right(renderer: Renderer, mode: str, name: str) -> None:
    found = shown(renderer, encoded(quarters().convert(mode), name))
    assert found.mode == "RGB"
    assert near(corners(found), [(grey,) * 3 for grey in GREYS] if mode == "L" else ALL, 24)


def test_black_and_white_is_shown(renderer: Renderer) -> None:
    image = Image.new("1", (80, 80), 0)
    image.paste(1, (40, 0, 80, 80))
    assert near(corners(shown(renderer, encoded(image, "PNG"))), [(0, 0, 0), (255, 255, 255)] * 2)


@pytest.mark.parametrize("name", ["PNG", "TIFF"])
def test_sixteen_bits_are_shown_as_eight(renderer: Renderer, name: str) -> None:
    """65535 is white and 32896 the middle; nothing is cut off at 255."""
    image = Image.new("I;16", (80, 80), 0)
    image.paste(32896, (40, 0, 80, 40))
    image.paste(65535, (0, 40, 80, 80))
    found = corners(shown(renderer, encoded(image, name)))
    assert near(found, [(0,) * 3, (128,) * 3, (255,) * 3, (255,) * 3], 6)


@pytest.mark.parametrize(("mode", "values"), [("F", (-0.5, 0.0, 0.5)), ("I", (-1000, 0, 1000)), ("F", (7.0, 7.0, 7.0))])
def test_numbers_without_a_range_go_from_black_to_white(
    renderer: Renderer, mode: str, values: tuple[float, float, float]
) -> None:
    low, middle, high = values
    image = Image.new(mode, (80, 80), low)
    image.paste(middle, (40, 0, 80, 40))
    image.paste(high, (0, 40, 80, 80))
    wanted = [(0,) * 3, (128,) * 3, (255,) * 3, (255,) * 3] if high > low else [(0,) * 3] * 4
    assert near(corners(shown(renderer, encoded(image, "TIFF"))), wanted, 6)


@pytest.mark.parametrize(
    ("mode", "name"),
    [("RGBA", "PNG"), ("RGBA", "WEBP"), ("RGBA", "AVIF"), ("RGBA", "TIFF"), ("LA", "PNG"), ("PA", "PNG")],
)
def test_alpha_is_kept(renderer: Renderer, mode: str, name: str) -> None:
    image = quarters().convert("RGBA")
    image.putalpha(0)
    image.paste((*RED, 255), (60, 0, 120, 80))
    found = shown(renderer, encoded(image if mode == "PA" else image.convert(mode), name))
    assert found.mode == "RGBA"
    alpha = found.getchannel("A")
    assert near([alpha.getpixel((5, 20)), alpha.getpixel((58, 20))], [0, 255], 4)


@pytest.mark.parametrize("name", ["PNG", "GIF"])
def test_a_transparent_colour_of_a_palette_is_transparent(renderer: Renderer, name: str) -> None:
    image = quarters().quantize(4)
    found = shown(renderer, encoded(image, name, transparency=image.getpixel((0, 0))))
    assert found.mode == "RGBA"
    alpha = found.getchannel("A")
    assert near([alpha.getpixel((5, 5)), alpha.getpixel((58, 5)), alpha.getpixel((58, 35))], [0, 255, 255], 4)


def test_a_transparent_colour_of_an_rgb_image_is_transparent(renderer: Renderer) -> None:
    alpha = shown(renderer, encoded(quarters(), "PNG", transparency=RED)).getchannel("A")
    assert near([alpha.getpixel((5, 5)), alpha.getpixel((58, 5))], [0, 255], 4)


def test_hidden_colours_do_not_bleed_into_the_edges(renderer: Renderer) -> None:
    """The colour of a transparent pixel counts for nothing when pixels are mixed."""
    image = Image.new("RGBA", (100, 100), (*GREEN, 0))
    image.paste((*RED, 255), (0, 0, 49, 100))
    found = shown(renderer, encoded(image, "PNG"), 10)
    edge = found.crop((4, 5, 5, 6)).tobytes()
    assert edge[3] > 100
    assert near(edge[:2], RED[:2], 40)


# --- frames ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["GIF", "PNG", "WEBP", "AVIF", "TIFF"])
def test_the_first_frame_of_an_animation_is_shown(renderer: Renderer, name: str) -> None:
    others = [Image.new("RGB", (120, 80), colour) for colour in (GREEN, BLUE)]
    data = encoded(quarters(), name, save_all=True, append_images=others)
    with Image.open(io.BytesIO(data)) as image:
        assert getattr(image, "n_frames", 1) == 3
    assert near(corners(shown(renderer, data)), ALL, 24)


def test_a_jpeg_with_a_second_picture_in_it_is_a_jpeg(renderer: Renderer) -> None:
    """Phones add depth maps and the like; Pillow calls it an MPO."""
    data = encoded(quarters(), "MPO", save_all=True, append_images=[Image.new("RGB", (120, 80), RED)], quality=95)
    assert near(corners(shown(renderer, data)), ALL, 24)

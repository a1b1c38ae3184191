"""Images decoded whole: what they are, whether they end early, and whether two look alike."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from hashmark.core.errors import ImageRefused
from hashmark.core.lint.alike import MAX_DISTANCE_BITS
from hashmark.images.processes import Died, WorkerProcesses
from hashmark.images.renderer import Renderer
from support.lint_cases import picture
from support.sample_images import ORIENTATION, TURNED, encoded, quarters


def turned(orientation: int, kind: str = "JPEG") -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    turn = TURNED[orientation]
    image = picture(1)
    return encoded(image.transpose(turn) if turn is not None else image, kind, exif=exif, quality=95)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "AVIF"])
def test_every_format_is_told(renderer: Renderer, kind: str) -> None:
    found = renderer.examine(encoded(picture(2), kind)).result()
    assert (found.format, found.width, found.height) == (kind, *picture(2).size)
    assert (found.trouble, found.frames, found.alpha) == (None, 1, False)
    assert found.hash is not None


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"])
@pytest.mark.parametrize("kept", [0.95, 0.01])
def test_an_image_that_ends_early_is_in_trouble(renderer: Renderer, kind: str, kept: float) -> None:
    data = encoded(picture(3), kind)
    assert renderer.examine(data[: int(len(data) * kept)]).result().trouble


def test_what_is_no_image_is_in_trouble(renderer: Renderer) -> None:
    assert "not a PNG" in (renderer.examine(b"hello").result().trouble or "")
    assert "not a PNG" in (renderer.examine(b"").result().trouble or "")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_rotation_is_told_and_does_not_change_the_likeness(renderer: Renderer, orientation: int) -> None:
    found, upright = renderer.examine(turned(orientation)).result(), renderer.examine(turned(1)).result()
    assert found.orientation == orientation
    assert found.hash is not None
    assert upright.hash is not None
    assert (found.hash ^ upright.hash).bit_count() <= MAX_DISTANCE_BITS
    stored = picture(1).size if orientation < 5 else picture(1).size[::-1]
    assert (found.width, found.height) == stored


def test_only_pixels_that_are_not_opaque_make_alpha(renderer: Renderer) -> None:
    image = quarters().convert("RGBA")
    assert renderer.examine(encoded(image, "PNG")).result().alpha is False
    image.putpixel((0, 0), (0, 0, 0, 254))
    assert renderer.examine(encoded(image, "PNG")).result().alpha is True


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_frames_are_counted(renderer: Renderer, kind: str) -> None:
    data = encoded(quarters(), kind, save_all=True, append_images=[quarters().rotate(180)])
    assert renderer.examine(data).result().frames == 2


def test_the_same_picture_in_another_size_and_format_has_a_near_hash_and_another_one_has_not(
    renderer: Renderer,
) -> None:
    one = renderer.examine(encoded(picture(4), "PNG")).result().hash
    again = renderer.examine(encoded(picture(4).resize((200, 200)), "JPEG", quality=60)).result().hash
    other = renderer.examine(encoded(picture(5), "PNG")).result().hash
    assert one is not None
    assert again is not None
    assert other is not None
    assert (one ^ again).bit_count() <= MAX_DISTANCE_BITS < (one ^ other).bit_count()


def test_a_blank_sheet_has_no_likeness(renderer: Renderer) -> None:
    assert renderer.examine(encoded(Image.new("RGB", (300, 300), "white"), "PNG")).result().hash is None


def test_a_limit_that_is_met_is_not_the_fault_of_the_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_slow(*_args: object) -> None:
        raise Died("It took longer than 15 s.")

    with Renderer(tmp_path, 1) as slow:
        monkeypatch.setattr(WorkerProcesses, "run", too_slow)
        with pytest.raises(ImageRefused, match="within the limits"):
            slow.examine(b"").result()

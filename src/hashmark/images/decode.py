"""Pictures out of untrusted bytes: a thumbnail, or the facts of the header. Runs inside the worker processes.

Only here is Pillow imported, and only here are images parsed. Whatever a decoder does with hostile bytes comes out as
an `ImageRefused` that says why in words. The process around it (`images.processes`) limits time, memory and crashes;
it is not known here, nor are files.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module

import dhash
from PIL import AvifImagePlugin, Image, ImageFile, UnidentifiedImageError

from hashmark.core.errors import ImageRefused
from hashmark.core.lint.facts import ImageFacts
from hashmark.images import heads

MAX_PIXELS = 100_000_000
"""The largest image that is decoded: 400 MB as RGBA."""

_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What shows an image of each EXIF orientation upright."""

_HASHED = 8
"""Sides of the grid of a difference hash, which has twice as many bits as the grid has places."""

_HASHED_SIDE = 256
"""A JPEG need not be decoded larger to be hashed, and is read to its end all the same."""

_LEAST_BITS = 16
"""A hash with fewer bits set is that of a blank sheet with something small on it."""

_OPAQUE = 255


@dataclass(frozen=True, slots=True)
class Facts:
    """An image as stored. `width` and `height` are pixels before EXIF rotation; `orientation` is EXIF's 1 to 8.

    Only what the given bytes hold is known: `orientation` is None and `frames` a lower bound where the rest of the
    file would say more.
    """

    width: int
    height: int
    format: str
    mode: str
    orientation: int | None
    frames: int
    alpha: bool


def prepare() -> None:
    """Set Pillow up, once in each worker."""
    Image.preinit()
    for plugin in ("Avif", "Bmp", "Gif", "Jpeg", "Mpo", "Png", "Tiff", "WebP"):
        import_module(f"PIL.{plugin}ImagePlugin")  # Pillow would load those of all formats to find one
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # each thread's stack and heap would count against the memory limit
    warnings.simplefilter("ignore")  # odd metadata is nothing to tell anyone
    warnings.simplefilter("error", Image.DecompressionBombWarning)


def thumbnail(data: bytes, side: int) -> bytes:
    """A WebP of the image (its first frame) that fits in `side` x `side` pixels, upright, without metadata.

    Smaller images keep their size. Colours are taken as sRGB, as training tools take them: profiles are not applied.

    Raises:
        ImageRefused: the data is no image of `heads.FORMATS`, too large, or damaged.
    """
    with _in_words(), _opened(data) as image:
        image.draft(None, (2 * side, 2 * side))  # a JPEG can be decoded at a fraction of its size, which is quick
        image.load()
        upright = _TURNS.get(_orientation(image) or 1)  # a TIFF has turned itself by now, and says so
        shown = _eight_bits(image)
        shown.thumbnail((side, side))
        if upright is not None:
            shown = shown.transpose(upright)
        shown.info = {}  # a colour profile would be kept
        result = io.BytesIO()
        shown.save(result, "WEBP", quality=80, method=2)
        return result.getvalue()


def examine(data: bytes) -> ImageFacts:
    """What an image is once its first frame is decoded, or in `trouble` why it can't be; never raises for bad data."""
    seen = ImageFacts(format=heads.kind(data) or "")
    try:
        with _in_words(), _opened(data) as image:
            orientation, frames, (width, height) = _orientation(image), _frames(image), image.size
            if seen.format == "TIFF" and (orientation or 1) >= 5:
                width, height = height, width  # as in `_facts_by_pillow`
            seen = replace(seen, width=width, height=height, orientation=orientation, frames=frames)
            image.draft(None, (_HASHED_SIDE, _HASHED_SIDE))
            image.load()
            shown = _eight_bits(image)
            if (turn := _TURNS.get(_orientation(image) or 1)) is not None:
                shown = shown.transpose(turn)
            alpha = shown.mode == "RGBA" and shown.getchannel("A").getextrema()[0] != _OPAQUE
            return replace(seen, alpha=alpha, hash=_likeness(shown))
    except ImageRefused as error:
        return replace(seen, trouble=error.message)


def _likeness(image: Image.Image) -> int | None:
    """The difference hash of an image, as 128 bits, or None where it is so plain that many others would have it."""
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    grays = image.convert("L").resize((_HASHED + 1, _HASHED + 1), Image.Resampling.LANCZOS)
    found = int(dhash.dhash_int(list(grays.tobytes()), _HASHED))
    return found if found.bit_count() >= _LEAST_BITS else None


def facts(given: Sequence[bytes]) -> list[Facts | str]:
    """The facts of each image from its first bytes, or why they can't be told, in words. Nothing is decoded."""
    return [_facts(head) for head in given]


def _facts(head: bytes) -> Facts | str:
    name = heads.kind(head)
    if name is None:
        return heads.NOT_AN_IMAGE
    with contextlib.suppress(Exception):  # most often the head ends before Pillow has what it wants
        return _facts_by_pillow(name, head)
    found = heads.read(name, head)
    if found is None:
        return f"The beginning of this {name} file does not tell its size, or is damaged."
    return Facts(found.width, found.height, name, found.mode, None, found.frames, found.alpha)


def _facts_by_pillow(name: str, head: bytes) -> Facts:
    with _header(name, head) as image:
        orientation, (width, height) = _orientation(image), image.size
        if name == "TIFF" and (orientation or 1) >= 5:
            width, height = height, width  # Pillow gives the size that the image will have once it is loaded
        alpha = image.has_transparency_data
        return Facts(width, height, name, image.mode, orientation, _frames(image), alpha)


def _frames(image: ImageFile.ImageFile) -> int:
    with contextlib.suppress(Exception):  # frames are counted by walking through them, to where the head ends
        return max(int(getattr(image, "n_frames", 1)), 1)
    return 1


def _orientation(image: Image.Image) -> int | None:
    # Not PngImageFile's own getexif: that decodes the image to look for EXIF behind the pixels.
    with contextlib.suppress(Exception):  # broken EXIF is as good as none
        value = Image.Image.getexif(image).get(_ORIENTATION)
        if isinstance(value, int) and 1 <= value <= 8:
            return value
    return None


@contextlib.contextmanager
def _opened(data: bytes) -> Iterator[ImageFile.ImageFile]:
    name = heads.kind(data)
    if name is None:
        raise ImageRefused(heads.NOT_AN_IMAGE)
    if found := heads.read(name, data):
        _check_size(found.width, found.height)  # Pillow makes room for a whole WebP before it tells the size
    with _header(name, data) as image:
        _check_size(*image.size)
        yield image


def _header(name: str, data: bytes) -> ImageFile.ImageFile:
    """The image, not decoded yet, and however large it says it is: its size is wanted in words."""
    Image.MAX_IMAGE_PIXELS = None
    try:
        return Image.open(io.BytesIO(data), formats=(name,))
    finally:
        Image.MAX_IMAGE_PIXELS = MAX_PIXELS


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise ImageRefused(
            f"It is {width} x {height} pixels large, and more than {MAX_PIXELS // 1_000_000} megapixels aren't decoded."
        )


@contextlib.contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except ImageRefused:
        raise
    except MemoryError:
        raise ImageRefused("Decoding it takes more memory than one image may have.") from None
    except UnidentifiedImageError:
        raise ImageRefused("Its header is damaged or cut short.") from None
    except Exception as error:  # noqa: BLE001 - a decoder that is given nonsense may raise anything
        if "out of memory" in str(error).lower():
            raise ImageRefused("Decoding it takes more memory than one image may have.") from None
        raise ImageRefused(f"It is damaged or cut short ({str(error)[:120] or type(error).__name__}).") from None


def _eight_bits(image: Image.Image) -> Image.Image:
    """The image in a mode that a WebP can hold: L, RGB or RGBA."""
    if image.mode.startswith("I;16"):
        # Not stretched: a 16-bit picture shows what its 8-bit version would.
        return image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    if image.mode in {"I", "F"}:
        return _stretched(image)
    if image.has_transparency_data:
        return image if image.mode == "RGBA" else image.convert("RGBA")
    if image.mode in {"L", "RGB"}:
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _stretched(image: Image.Image) -> Image.Image:
    """From black to white, where nothing says which values those are (depth maps and the like)."""
    low, high = (float(value) for value in image.getextrema() if isinstance(value, int | float))
    scale = 255 / (high - low) if high > low else 0.0
    return image.convert("F").point(lambda value: value * scale + (-low * scale)).convert("L")

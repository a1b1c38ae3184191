"""Decodes untrusted images: thumbnails, and facts of the header. Runs in worker processes.

Only this module imports Pillow and parses images. Whatever a decoder does with hostile bytes becomes an `ImageRefused`
that says why. `images.processes` limits time and memory and contains crashes. Does not know files.
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
"""The transposition that turns an image of each EXIF orientation upright."""

_HASHED = 8
"""The side of the grid of a difference hash, which has two bits per cell."""

_HASHED_SIDE = 256
"""A JPEG is decoded at this size to be hashed, and still read to its end."""

_LEAST_BITS = 16
"""A hash with fewer bits set is that of an almost empty image."""

_OPAQUE = 255


@dataclass(frozen=True, slots=True)
class Facts:
    """An image as stored. `width` and `height` are pixels before EXIF rotation; `orientation` is EXIF's 1 to 8.

    Where the rest of the file is needed, `orientation` is None and `frames` is a lower bound.
    """

    width: int
    height: int
    format: str
    mode: str
    orientation: int | None
    frames: int
    alpha: bool


def prepare() -> None:
    """Set up Pillow, once in each worker."""
    Image.preinit()
    for plugin in ("Avif", "Bmp", "Gif", "Jpeg", "Mpo", "Png", "Tiff", "WebP"):
        import_module(f"PIL.{plugin}ImagePlugin")  # Pillow would load the plugins of all formats
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # the stack and heap of each thread count against the memory limit
    warnings.simplefilter("ignore")  # unusual metadata needs no warning
    warnings.simplefilter("error", Image.DecompressionBombWarning)


def thumbnail(data: bytes, side: int) -> bytes:
    """Return a WebP of the first frame that fits in `side` x `side` pixels, upright, without metadata.

    Smaller images keep their size. Colours are read as sRGB, ignoring profiles, as training tools do.

    Raises:
        ImageRefused: the data is not an image of `heads.FORMATS`, too large, or damaged.
    """
    with _as_refusals(), _opened(data) as image:
        image.draft(None, (2 * side, 2 * side))  # decodes a JPEG at a fraction of its size, which is faster
        image.load()
        upright = _TURNS.get(_orientation(image) or 1)  # Pillow has already turned a TIFF
        shown = _eight_bits(image)
        shown.thumbnail((side, side))
        if upright is not None:
            shown = shown.transpose(upright)
        shown.info = {}  # drop the colour profile
        result = io.BytesIO()
        shown.save(result, "WEBP", quality=80, method=2)
        return result.getvalue()


def examine(data: bytes) -> ImageFacts:
    """Return the facts of the decoded first frame; `trouble` says why it cannot be decoded. Bad data does not raise."""
    seen = ImageFacts(format=heads.kind(data) or "")
    try:
        with _as_refusals(), _opened(data) as image:
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
    """Return the 128-bit difference hash of an image, or None for one so plain that many others would share it."""
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    grays = image.convert("L").resize((_HASHED + 1, _HASHED + 1), Image.Resampling.LANCZOS)
    found = int(dhash.dhash_int(list(grays.tobytes()), _HASHED))
    return found if found.bit_count() >= _LEAST_BITS else None


def facts(given: Sequence[bytes]) -> list[Facts | str]:
    """Return the facts of each image from its first bytes, or why they cannot be read. Decodes nothing."""
    return [_facts(head) for head in given]


def _facts(head: bytes) -> Facts | str:
    name = heads.kind(head)
    if name is None:
        return heads.NOT_AN_IMAGE
    with contextlib.suppress(Exception):  # usually the head ends before Pillow has what it needs
        return _facts_by_pillow(name, head)
    found = heads.read(name, head)
    if found is None:
        return f"This {name} is damaged and can't be read."
    return Facts(found.width, found.height, name, found.mode, None, found.frames, found.alpha)


def _facts_by_pillow(name: str, head: bytes) -> Facts:
    with _header(name, head) as image:
        orientation, (width, height) = _orientation(image), image.size
        if name == "TIFF" and (orientation or 1) >= 5:
            width, height = height, width  # Pillow gives the size after rotation
        alpha = image.has_transparency_data
        return Facts(width, height, name, image.mode, orientation, _frames(image), alpha)


def _frames(image: ImageFile.ImageFile) -> int:
    with contextlib.suppress(Exception):  # Pillow counts frames up to the end of the head
        return max(int(getattr(image, "n_frames", 1)), 1)
    return 1


def _orientation(image: Image.Image) -> int | None:
    # Not PngImageFile.getexif, which decodes the image to find EXIF after the pixels.
    with contextlib.suppress(Exception):  # invalid EXIF counts as none
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
        _check_size(found.width, found.height)  # Pillow allocates a whole WebP before it reports the size
    with _header(name, data) as image:
        _check_size(*image.size)
        yield image


def _header(name: str, data: bytes) -> ImageFile.ImageFile:
    """Open the image without decoding it or limiting its size, so that errors can state the size."""
    Image.MAX_IMAGE_PIXELS = None
    try:
        return Image.open(io.BytesIO(data), formats=(name,))
    finally:
        Image.MAX_IMAGE_PIXELS = MAX_PIXELS


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise ImageRefused(f"It has {width} x {height} pixels; the limit is {MAX_PIXELS // 1_000_000} megapixels.")


@contextlib.contextmanager
def _as_refusals() -> Iterator[None]:
    try:
        yield
    except ImageRefused:
        raise
    except MemoryError:
        raise ImageRefused("Decoding it takes more memory than one image may use.") from None
    except UnidentifiedImageError:
        raise ImageRefused("Its header is damaged or incomplete.") from None
    except Exception as error:  # noqa: BLE001 - a decoder may raise anything for invalid data
        if "out of memory" in str(error).lower():
            raise ImageRefused("Decoding it takes more memory than one image may use.") from None
        raise ImageRefused(f"It is damaged or incomplete ({str(error)[:120] or type(error).__name__}).") from None


def _eight_bits(image: Image.Image) -> Image.Image:
    """Convert the image to a mode that WebP supports: L, RGB or RGBA."""
    if image.mode.startswith("I;16"):
        # Not stretched: a 16-bit image looks like its 8-bit version.
        return image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    if image.mode in {"I", "F"}:
        return _stretched(image)
    if image.has_transparency_data:
        return image if image.mode == "RGBA" else image.convert("RGBA")
    if image.mode in {"L", "RGB"}:
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _stretched(image: Image.Image) -> Image.Image:
    """Stretch values to the range from black to white, which such images (depth maps, for example) do not define."""
    low, high = (float(value) for value in image.getextrema() if isinstance(value, int | float))
    scale = 255 / (high - low) if high > low else 0.0
    return image.convert("F").point(lambda value: value * scale + (-low * scale)).convert("L")

"""Images for tests: valid ones in every format and mode, and hostile ones."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import zlib
from concurrent.futures import Future
from typing import Any

from PIL import Image

from hashmark.images.decode import Facts, facts
from hashmark.images.renderer import Renderer

RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 200, 30), (30, 30, 220), (255, 255, 255)
ORIENTATION = 0x0112
TURNED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""The transposition that stores an upright image under each EXIF orientation."""


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    result = io.BytesIO()
    image.save(result, kind, **options)
    return result.getvalue()


def quarters(width: int = 120, height: int = 80) -> Image.Image:
    """Return an image of four colours, one per corner: red, green / blue, white."""
    image = Image.new("RGB", (2, 2))
    for at, colour in zip(((0, 0), (1, 0), (0, 1), (1, 1)), (RED, GREEN, BLUE, WHITE), strict=True):
        image.putpixel(at, colour)
    return image.resize((width, height), Image.Resampling.NEAREST)


def corners(image: Image.Image) -> list[tuple[int, ...]]:
    """Return the colours at the centres of the four quarters, in the order of `quarters`."""
    width, height = image.size
    rgb = image.convert("RGB")
    places = [(width // 4, height // 4), (3 * width // 4, height // 4)]
    places += [(x, 3 * height // 4) for x, _ in places]
    found = [rgb.getpixel(place) for place in places]
    return [colour for colour in found if isinstance(colour, tuple)]


def near(found: Any, wanted: Any, slack: int = 14) -> bool:
    """Return whether two colours, or lists of colours, are equal up to the loss of a lossy format."""
    if isinstance(wanted, int | float):
        return bool(abs(found - wanted) <= slack)
    return len(found) == len(wanted) and all(near(*pair, slack) for pair in zip(found, wanted, strict=True))


def exif(orientation: int) -> Image.Exif:
    """Return EXIF data with a camera and a place, which no thumbnail may keep."""
    result = Image.Exif()
    result[ORIENTATION] = orientation
    result[0x010F] = "SecretCamera"
    result.get_ifd(0x8825)[1] = "N"
    result.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    return result


def png(width: int, height: int, *chunks: tuple[bytes, bytes], data: bytes = b"") -> bytes:
    """Return a PNG with these chunks after its header; `data` stands for its pixels, valid or not."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in parts
    )


def slow_jpeg(times: int = 1500) -> bytes:
    """Return about 100 kB that take many seconds to decode: a progressive JPEG that repeats its last scan."""
    data = encoded(Image.new("L", (4000, 4000), 200), "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + scan * times + data[-2:]


def render(renderer: Renderer, data: bytes, side: int = 64) -> Future[bytes]:
    return renderer.render(data, hashlib.md5(data).hexdigest(), side)


def shown(renderer: Renderer, data: bytes, side: int = 64) -> Image.Image:
    """Render and decode the thumbnail."""
    with Image.open(io.BytesIO(render(renderer, data, side).result(60))) as image:
        assert image.format == "WEBP"
        image.load()
        return image


def poisoned(heads: list[bytes]) -> list[Facts | str]:
    """Stand in for `decode.facts`: a poisoned head ends the worker process."""
    if b"poison" in heads:
        os._exit(7)
    return facts(heads)

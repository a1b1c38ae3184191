"""Reads an image's format, and its size where Pillow needs the whole file, from its first bytes.

The headers are parsed by hand because the rest of the file is not available. Any of it may be incomplete or forged.
Does not know pixels or how they are decoded (`images.decode`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "AVIF")
"""The formats that hashmark decodes, by Pillow's names; it tries no others."""

NOT_AN_IMAGE = f"This is not a {', '.join(FORMATS[:-1])} or {FORMATS[-1]} image."

_STARTS = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),  # BigTIFF
    (b"MM\0+", "TIFF"),
)


class Header(NamedTuple):
    """What the head of a file says about the image. `mode` is Pillow's; `frames` counts those in the head."""

    width: int
    height: int
    mode: str
    frames: int
    alpha: bool


def kind(data: bytes) -> str | None:
    """Return which of `FORMATS` the data begins like, or None."""
    for start, name in _STARTS:
        if data.startswith(start):
            return name
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    brands = data[8 : min(int.from_bytes(data[:4]), 256)]
    if data[4:8] == b"ftyp" and any(brands[at : at + 4] in {b"avif", b"avis"} for at in range(0, len(brands), 4)):
        return "AVIF"
    return None


def read(name: str, data: bytes) -> Header | None:
    """Return the header of a `name` image whose end may be missing; None if it is missing or not supported here."""
    reader = _READERS.get(name)
    found = reader(data) if reader else None
    return found if found and found.width and found.height else None


def _png(data: bytes) -> Header | None:
    """Read the first chunk; generators write whole workflows between it and the pixels."""
    if data[12:16] != b"IHDR" or len(data) < 29:
        return None
    depth, colours = data[24], data[25]
    mode = {0: {1: "1", 16: "I;16"}.get(depth, "L"), 2: "RGB", 3: "P", 4: "LA", 6: "RGBA"}.get(colours)
    return Header(int.from_bytes(data[16:20]), int.from_bytes(data[20:24]), mode, 1, colours >= 4) if mode else None


def _webp(data: bytes) -> Header | None:
    """Read RFC 9649: a canvas with flags, or a single lossy (VP8, RFC 6386) or lossless frame."""
    chunk, body = data[12:16], data[20:]
    if chunk == b"VP8X" and len(body) >= 10:
        width, height = int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
        return _coloured(width, height, bool(body[0] & 0x10), max(_webp_frames(data), 1))
    if chunk == b"VP8 " and body[3:6] == b"\x9d\x01\x2a" and len(body) >= 10:
        size = int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
        return _coloured(*size, alpha=False)
    if chunk == b"VP8L" and body[:1] == b"\x2f" and len(body) >= 5:
        bits = int.from_bytes(body[1:5], "little")
        return _coloured((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1))
    return None


def _coloured(width: int, height: int, alpha: bool, frames: int = 1) -> Header:
    return Header(width, height, "RGBA" if alpha else "RGB", frames, alpha)


def _webp_frames(data: bytes) -> int:
    count, at = 0, 12
    while at + 8 <= len(data):
        count += data[at : at + 4] == b"ANMF"
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
    return count


def _avif(data: bytes) -> Header | None:
    """Read ISO/IEC 23008-12: the largest `ispe` box is the image's size; an `auxC` box means alpha."""
    properties = _box(_box(_box(data, b"meta")[4:], b"iprp"), b"ipco")
    sizes = [
        (int.from_bytes(body[4:8]), int.from_bytes(body[8:12]))
        for name, body in _boxes(properties)
        if name == b"ispe" and len(body) >= 12
    ]
    if not sizes:
        return None
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    alpha = any(name == b"auxC" and b"auxiliary:alpha" in body for name, body in _boxes(properties))
    return _coloured(width, height, alpha)


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size, begins = int.from_bytes(data[at : at + 4]), at + 8
        if size == 1:
            size, begins = int.from_bytes(data[at + 8 : at + 16]), at + 16
        end = at + size if size else len(data)
        if end < begins:
            return
        yield data[at + 4 : at + 8], data[begins:end]
        at = end


def _box(data: bytes, wanted: bytes) -> bytes:
    return next((body for name, body in _boxes(data) if name == wanted), b"")


_READERS: dict[str, Callable[[bytes], Header | None]] = {"PNG": _png, "WEBP": _webp, "AVIF": _avif}

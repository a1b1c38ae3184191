"""Computes the checksums that S3 stores with objects for a local file, with implementations in C.

Encoding: base64 of the big-endian digest (Amazon S3 user guide, "Checking object integrity"). Which checksum
proves what is not known here.
"""

from __future__ import annotations

import base64
import hashlib
import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

CHUNK_BYTES = 1 << 20

STRONGEST = ("sha256", "sha1", "crc64nvme", "crc32c", "crc32")
"""The supported checksums, by S3's names, strongest first."""

_Compute = Callable[[bytes | memoryview, int], int]
"""Returns a CRC from data and the value so far (0 at first)."""

_CRC_BYTES = {"crc32": 4, "crc32c": 4, "crc64nvme": 8}


def _crc(name: str) -> _Compute:
    if name == "crc32c":
        import google_crc32c  # noqa: PLC0415 - hardly any check computes one

        return lambda data, value: int(google_crc32c.extend(value, bytes(data)))
    if name == "crc64nvme":
        import anycrc  # noqa: PLC0415 - as above

        compute: _Compute = anycrc.Model("CRC64-NVME").calc
        return compute
    return zlib.crc32


class _Sum:
    """One checksum, computed incrementally."""

    def __init__(self, name: str) -> None:
        self._sha = hashlib.new(name) if name not in _CRC_BYTES else None
        self._compute, self._width = _crc(name), _CRC_BYTES.get(name, 0)
        self._value = 0

    def update(self, data: bytes | memoryview) -> None:
        if self._sha:
            self._sha.update(data)
        else:
            self._value = self._compute(data, self._value)

    def digest(self) -> bytes:
        return self._sha.digest() if self._sha else self._value.to_bytes(self._width, "big")


def file_checksum(path: Path, name: str) -> tuple[str, str]:
    """Return checksum `name` (one of STRONGEST) of a whole file in base64, and the MD5 in hex of the same bytes.

    Raises:
        OSError: the file can't be read.
    """
    whole, md5 = _Sum(name), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while data := file.read(CHUNK_BYTES):
            md5.update(data)
            whole.update(data)
    return _base64(whole.digest()), md5.hexdigest()


def composite_checksum(path: Path, name: str, sizes: Sequence[int]) -> tuple[str, str]:
    """Return the checksum of the checksums of a file's parts, with their number (`…==-3`), and the MD5 of the whole.

    That is what S3 stores for a multipart object whose checksum type is COMPOSITE (same source). A file longer than the
    sizes counts as having one more part.

    Raises:
        OSError: the file can't be read.
    """
    outer, md5, count = _Sum(name), hashlib.md5(usedforsecurity=False), 0
    with path.open("rb") as file:
        for size in [*sizes, sys.maxsize]:
            part, left = _Sum(name), size
            while left and (data := file.read(min(CHUNK_BYTES, left))):
                md5.update(data)
                part.update(data)
                left -= len(data)
            if size < sys.maxsize or left < size:
                outer.update(part.digest())
                count += 1
    return f"{_base64(outer.digest())}-{count}", md5.hexdigest()


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()

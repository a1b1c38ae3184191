"""The checksums that S3 stores beside objects, computed over a local file with the runtime's implementations.

Encoding: base64 of the big-endian digest (Amazon S3 user guide, "Checking object integrity"). Which checksum
proves what is not known here.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path

from awscrt import checksums

CHUNK = 1 << 20

_CRCS: dict[str, tuple[Callable[..., int], int]] = {
    "crc32": (checksums.crc32, 4),
    "crc32c": (checksums.crc32c, 4),
    "crc64nvme": (checksums.crc64nvme, 8),
}


def file_checksum(path: Path, name: str) -> tuple[str, str]:
    """Checksum `name` (`crc32`, `crc32c`, `crc64nvme`, `sha1`, `sha256`) of a whole file, in base64 as S3 has it.

    Comes with the MD5 in hex of the very bytes it was computed from.

    Raises:
        OSError: the file can't be read.
    """
    md5 = hashlib.md5(usedforsecurity=False)
    sha = hashlib.new(name) if name in {"sha1", "sha256"} else None
    compute, width = _CRCS.get(name, (checksums.crc32, 4))
    value = 0
    with path.open("rb") as file:
        while data := file.read(CHUNK):
            md5.update(data)
            if sha:
                sha.update(data)
            else:
                value = compute(data, value)
    digest = sha.digest() if sha else value.to_bytes(width, "big")
    return base64.b64encode(digest).decode(), md5.hexdigest()

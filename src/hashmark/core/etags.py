"""S3 ETags: which ones can be an MD5, and what the ETag of a multipart object should be.

A multipart ETag is `hex(md5(md5(part 1) ‖ … ‖ md5(part N)))-N`, the part digests in binary (source: Cloudflare
R2, "Multipart objects"). The listing does not give part sizes, so candidates come from known uploaders. Knows
nothing of files or requests: it receives bytes and sizes.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import sys
from collections.abc import Iterable

MIB = 1 << 20
MAX_PARTS = 10_000
"""S3's limit on the parts of one upload (Amazon S3 user guide, "Multipart upload limits")."""

_UUID4 = re.compile(r"[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}", re.IGNORECASE)
_MD5 = re.compile(r"[0-9a-f]{32}", re.IGNORECASE)
_MULTIPART = re.compile(r"[0-9a-f]{32}-([1-9][0-9]{0,4})")

UPLOADER_PART_SIZES = (
    8 * MIB,  # aws cli, boto3, the AWS C runtime
    5 * MIB,  # rclone, obstore, Bun, the JavaScript and older .NET SDKs
    16 * MIB,  # minio-go and mc since 2021, Mountpoint's default write part
    50 * MIB,  # s5cmd, s3fs
    15 * MIB,  # s3cmd
    10 * MIB,  # object_store's writer, pyarrow, Cyberduck
    64 * MIB,  # hashmark, S3A, mc of 2016
    128 * MIB,  # mc of 2019
    17 * MIB,  # the AWS console, for some sizes
    100 * MIB,
    25 * MIB,
    32 * MIB,
)
"""Part sizes found in the source of uploaders, likeliest first."""


def normal_etag(etag: str) -> str:
    """Return an ETag without its quotes, which some stores omit."""
    return etag.strip().removeprefix("W/").strip('"')


def may_be_md5(etag: str) -> bool:
    """Return whether it is 32 hex digits. It may still be random: see `core.compare`."""
    return _MD5.fullmatch(etag) is not None


def is_md5(etag: str, md5: str) -> bool:
    """Return whether an ETag is this MD5, given in lower-case hex. Some stores write it in upper case."""
    return etag.lower() == md5


def may_be_random(etag: str) -> bool:
    """Return whether it looks like a version 4 UUID without dashes, as one MD5 in 64 does.

    MinIO uses these where it does not compute an MD5 (minio, cmd/etag), so a mismatch proves nothing.
    """
    return _UUID4.fullmatch(etag) is not None


def part_count(etag: str) -> int | None:
    """Return the N of a multipart ETag `…-N`, or None for any other ETag."""
    match = _MULTIPART.fullmatch(etag)
    return int(match.group(1)) if match else None


def fits(size: int, part_size: int, parts: int) -> bool:
    """Return whether `size` bytes make exactly `parts` parts of `part_size` bytes.

    An empty multipart object has one empty part.
    """
    if part_size <= 0:
        return False
    return max(1, -(-size // part_size)) == parts


def part_size_candidates(size: int, parts: int) -> list[int]:
    """Return the part sizes of known uploaders that cut `size` bytes into `parts` parts.

    Some uploaders increase the part size for large files: boto3 doubles 8 MiB; the C runtime divides the size by 10,000
    and rounds up to a byte, rclone to a MiB. One part means the whole size.
    """
    grown = [8 * MIB << n for n in range(1, 10)]
    spread = -(-size // MAX_PARTS)
    tried = [*UPLOADER_PART_SIZES, *grown, spread, -(-spread // MIB) * MIB]
    if parts == 1:
        tried.append(max(size, 1))
    return list(dict.fromkeys(p for p in tried if fits(size, p, parts)))


def upload_part_size(size: int, preferred: int) -> int:
    """Return the part size that hashmark uploads with: `preferred`, doubled until `MAX_PARTS` are enough."""
    while -(-size // preferred) > MAX_PARTS:
        preferred *= 2
    return preferred


Cut = int | tuple[int, ...]
"""How an object was divided into parts: one part size, or the size of every part."""


def describe_cut(cut: Cut, size: int | None = None) -> str:
    """Describe a cut as `3 parts of 8 MiB`, ignoring a shorter last part.

    >>> describe_cut(8 << 20, 20 << 20), describe_cut((8 << 20, 5)), describe_cut((3, 5, 4))
    ('3 parts of 8 MiB', '2 parts of 8 MiB', '3 parts of several sizes')
    """
    if isinstance(cut, int):
        return _parts(max(1, -(-(size or 0) // cut)), cut)
    alike = all(part == cut[0] for part in cut[:-1]) and cut[-1] <= cut[0]
    return _parts(len(cut), cut[0]) if alike else f"{len(cut)} parts of several sizes"


def _parts(count: int, size: int) -> str:
    unit = f"{size // MIB} MiB" if size % MIB == 0 and size else f"{size} bytes"
    return f"1 part of {unit}" if count == 1 else f"{count} parts of {unit}"


class MultipartHasher:
    """Compute the MD5 of some bytes and the multipart ETag for each of several cuts in one pass.

    A cut is one part size for all parts (the last may be shorter), or the sizes of all parts in order.
    """

    def __init__(self, cuts: Iterable[Cut] = ()) -> None:
        self._whole = hashlib.md5(usedforsecurity=False)
        self._lanes = [_Lane(cut) for cut in cuts]

    def update(self, data: bytes | memoryview) -> None:
        """Add the next bytes."""
        self._whole.update(data)
        for lane in self._lanes:
            lane.update(memoryview(data))

    def md5(self) -> str:
        """Return the MD5 of all bytes so far, as lower-case hex."""
        return self._whole.hexdigest()

    def digests(self, cut: Cut) -> list[bytes]:
        """Return the binary MD5 of each part of a cut."""
        whole = next(lane for lane in self._lanes if lane.cut == cut).digests()
        return [whole[at : at + 16] for at in range(0, len(whole), 16)]

    def etags(self) -> dict[Cut, str]:
        """Return the multipart ETag for each cut."""
        return {lane.cut: lane.etag() for lane in self._lanes}


class _Lane:
    def __init__(self, cut: Cut) -> None:
        self.cut = cut
        if isinstance(cut, int) and cut <= 0:
            raise ValueError(f"not a part size: {cut}")
        self._sizes = itertools.repeat(cut) if isinstance(cut, int) else iter(cut)
        self._room = next(self._sizes, 0)
        self._part = hashlib.md5(usedforsecurity=False)
        self._digests = b""

    def update(self, data: memoryview) -> None:
        while data:
            if self._room == 0:
                self._digests += self._part.digest()
                self._part = hashlib.md5(usedforsecurity=False)
                # Bytes beyond the last given size are one more part, so that the ETag matches no object with these.
                self._room = next(self._sizes, sys.maxsize)
            piece = data[: self._room]
            self._part.update(piece)
            self._room -= len(piece)
            data = data[len(piece) :]

    def etag(self) -> str:
        return multipart_etag(self.digests())

    def digests(self) -> bytes:
        digests = self._digests + self._part.digest()
        left = () if isinstance(self.cut, int) else self.cut[len(digests) // 16 :]
        if not any(left):
            # Some uploaders end with an empty part, for which no byte arrives.
            digests += hashlib.md5(usedforsecurity=False).digest() * len(left)
        return digests


def multipart_etag(digests: bytes) -> str:
    """Return the ETag of a multipart object from the binary MD5s of its parts, concatenated (16 bytes each).

    >>> multipart_etag(hashlib.md5(b"").digest())
    '59adb24ef3cdbe0297f05b395827453f-1'
    """
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(digests) // 16}"

"""The upload of one large file in parts: hashed whole, sent part by part, bound to the resulting ETag.

Its bytes are hashed twice over, once whole and once in parts, in as few reads as there can be: rclone looks for the
whole file's MD5 in metadata that must be given before the first part is sent. What is in the way, and retries, are not
known here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from hashmark.core import etags
from hashmark.core.errors import BadDigest, FileChanged, Interrupted, UnexpectedAnswer, Unreadable
from hashmark.core.model import Evidence, LocalFile, Stamp
from hashmark.disk.hashing import ChangedWhileReading, hash_file
from hashmark.s3 import multipart
from hashmark.s3.multipart import Part
from hashmark.s3.requests import Expect, content_md5
from hashmark.transfer.ends import Ends, Progress

PART_SIZE = 64 << 20
"""Bytes of a part (doubled until the parts are few enough)."""


def changed(local: LocalFile) -> FileChanged:
    """The error for a file that is not what was compared."""
    return FileChanged(f"'{local.key}' changed on disk after it was compared and was not uploaded.")


def unreadable(local: LocalFile, error: OSError) -> Unreadable:
    """The error for a file that the system does not let us read."""
    return Unreadable(f"'{local.key}' can't be read: {error.strerror}.")


def as_compared(local: LocalFile, md5: str, stamp: Stamp) -> LocalFile:
    """The file with the digest of the bytes that were read just now, which must be those that were compared.

    Where nothing was compared with, they were not read before: then the stamp must be the one that was seen.

    Raises:
        FileChanged: it is another file.
    """
    same = md5 == local.md5 if local.md5 else stamp == local.stamp
    if not same:
        raise changed(local)
    return LocalFile(local.key, stamp, md5)


@dataclass(frozen=True)
class Cut:
    """A file with its `md5`, cut into parts of `size` bytes. `digests` are theirs, where it was read just now."""

    file: LocalFile
    md5: str
    size: int
    digests: list[bytes] | None


def cut(ends: Ends, local: LocalFile, cancelled: Callable[[], bool]) -> Cut:
    """Cut a file into parts. One whose digest is known is not read for it.

    Raises:
        FileChanged, Unreadable: it is not the file that was seen.
        Interrupted: `cancelled` said so.
    """
    size = etags.upload_part_size(local.size, PART_SIZE)
    if local.md5:
        return Cut(local, local.md5, size, None)
    hasher = _Stoppable(local, size, cancelled)
    try:
        md5, stamp = hash_file(f"{ends.root}/{local.key}", hasher)
    except ChangedWhileReading:
        raise changed(local) from None
    except OSError as error:
        raise unreadable(local, error) from None
    return Cut(as_compared(local, md5, stamp), md5, size, hasher.digests(size))


class _Stoppable(etags.MultipartHasher):
    """Hashes until that is cancelled."""

    def __init__(self, local: LocalFile, size: int, cancelled: Callable[[], bool]) -> None:
        super().__init__([size])
        self._local = local
        self._cancelled = cancelled

    def update(self, data: bytes | memoryview) -> None:
        if self._cancelled():
            raise _interrupted(self._local)
        super().update(data)


def _interrupted(local: LocalFile) -> Interrupted:
    return Interrupted(f"'{local.key}' was not uploaded.")


def upload(
    ends: Ends, key: str, cut: Cut, *, expect: Expect | None, on_bytes: Progress, cancelled: Callable[[], bool]
) -> tuple[str, Evidence]:
    """Send the parts and make them one object, but only if they are what was hashed. Returns its ETag and the proof.

    Raises:
        FileChanged, Unreadable: the file changed meanwhile; nothing is visible in the bucket.
        BadDigest: the store got other bytes than were hashed.
        UnexpectedAnswer: what is in the bucket is not what was sent.
        StoreError: the store refuses.
    """
    sender = _Sender(ends, cut, cancelled)
    # rclone reads the whole file's MD5 from this name, in base64 (rclone, backend/s3), and can then check it.
    metadata = {"md5chksum": content_md5(cut.md5)}
    try:
        etag = multipart.upload(
            ends.bucket.client,
            key,
            sender.parts(),
            expect=expect,
            metadata=metadata,
            confirm=sender.confirm,
            made_of_md5s=ends.parts_of_md5s is not False,
            on_upload=lambda upload_id: ends.on_upload(key, upload_id),
            on_bytes=on_bytes,
        )
    except OSError as error:
        raise unreadable(cut.file, error) from None
    return etag, _prove(ends, key, etag, cut, sender.digests)


class _Sender:
    """Reads the parts, and sees to it that what is sent is what was hashed: `digests` are of the parts so far.

    Where the digests are of an earlier read, each part is hashed again; or, in a store whose ETags of parts were seen
    to be MD5s, the ETag that it answers with must be that digest. Where it is not, the next try hashes again.
    """

    def __init__(self, ends: Ends, cut: Cut, cancelled: Callable[[], bool]) -> None:
        self._path = ends.root / cut.file.key
        self._cut = cut
        self._cancelled = cancelled
        self._doubted = ends.doubted
        self._told_by_etags = ends.parts_of_md5s is True and cut.file.key not in ends.doubted
        self._whole = hashlib.md5(usedforsecurity=False)
        self.digests: list[bytes] = []

    def parts(self) -> Iterator[Part]:
        with self._path.open("rb") as file:
            # Nothing here keeps a part, so its bytes are let go when it has arrived.
            yield from iter(lambda: self._next(file), None)

    def _next(self, file: BinaryIO) -> Part | None:
        data = file.read(self._cut.size)
        if not data:
            return None
        if self._cancelled():
            raise _interrupted(self._cut.file)
        part = Part(data, self._digest(data))
        self.digests.append(part.md5)
        return part

    def _digest(self, data: bytes) -> bytes:
        known, number = self._cut.digests, len(self.digests)
        if known is None:
            self._whole.update(data)
            return _md5(data)
        if number == len(known) or not (self._told_by_etags or _md5(data) == known[number]):
            raise changed(self._cut.file)
        return known[number]

    def confirm(self, etags: list[str]) -> None:
        """Refuse to make an object of parts that are not the file, or not the whole of it."""
        known = self._cut.digests
        if self._whole.hexdigest() != self._cut.md5 if known is None else self.digests != known:
            raise changed(self._cut.file)
        if known is not None and self._told_by_etags and etags != [digest.hex() for digest in known]:
            self._doubted.add(self._cut.file.key)
            raise BadDigest(f"'{self._cut.file.key}': the store's ETags are not of the parts that were hashed.")


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _prove(ends: Ends, key: str, etag: str, cut: Cut, digests: list[bytes]) -> Evidence:
    """What proves an upload of parts with these digests."""
    if etag == cut.md5:
        return Evidence.ETAG_MD5
    if ends.parts_of_md5s is not False and etag == etags.multipart_etag(b"".join(digests)):
        return Evidence.ETAG_MULTIPART
    if ends.checks_md5:
        # The parts were hashed as they were sent, and the store compared them with that.
        return Evidence.RECORDED
    if ends.bucket.digest(key, cut.file.size, etag=etag) != cut.md5:
        raise UnexpectedAnswer(f"'{key}' was uploaded, but reading it back gave other bytes.", "Push it again.")
    return Evidence.BODY

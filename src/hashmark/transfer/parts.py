"""Runs the multipart upload of one large file: hashed whole, sent part by part, bound to the resulting ETag.

The file is hashed twice over, once whole and once in parts, in as few reads as possible: rclone expects the MD5 of the
whole file in metadata that must be sent before the first part. Conditions, the trash and retries are not known here.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from hashmark.core import etags
from hashmark.core.errors import BadDigest, FileChanged, Interrupted, StoreError, UnexpectedAnswer, Unreadable
from hashmark.core.model import Evidence, LocalFile, Stamp
from hashmark.disk.hashing import CHUNK_BYTES, ChangedWhileReading, hash_file
from hashmark.s3 import multipart
from hashmark.s3.bucket import Bucket
from hashmark.s3.file_body import FileBody
from hashmark.s3.multipart import Part
from hashmark.s3.requests import Expect, content_md5
from hashmark.s3.store_capabilities import SUPPORTED, UNSUPPORTED, StoreCapabilities
from hashmark.state.state import OpenUpload

PART_BYTES = 64 << 20
"""The size of a part, doubled until there are few enough parts."""

OnBytes = Callable[[int], None] | None
"""Called with the number of bytes that have moved, on any thread."""


def changed(local: LocalFile) -> FileChanged:
    """Return the error for a file that is not the one that was compared."""
    return FileChanged(f"'{local.key}' changed on disk after it was compared and was not uploaded.")


def read_back_differs(key: str) -> UnexpectedAnswer:
    """Return the error for an object that has other bytes than those that were sent."""
    what = f"'{key}' was uploaded, but reading it back gave other bytes."
    return UnexpectedAnswer(what, "Replace it: `hashmark push --take mine`.")


def unreadable(local: LocalFile, error: OSError) -> Unreadable:
    """Return the error for a file that the system does not let us read."""
    return Unreadable(f"Cannot read '{local.key}': {error.strerror}.")


def as_compared(local: LocalFile, md5: str, stamp: Stamp) -> LocalFile:
    """Return the file with the digest of the bytes read just now, which must be the bytes that were compared.

    A file without a digest was not read for the comparison: it must have the stamp that it was compared by.

    Raises:
        FileChanged: it is another file.
    """
    same = md5 == local.md5 if local.md5 else stamp == local.stamp
    if not same:
        raise changed(local)
    return LocalFile(local.key, stamp, md5)


class PartsUpload:
    """The upload of one file: call `hash`, then `send`.

    What is sent must be what was hashed: each part is hashed again as it is sent; or, if the store's ETags of parts are
    known to be MD5s, the ETag in the answer is compared with the digest. A file whose ETags do not fit is added to
    `doubted`, and hashed again by the next attempt.
    """

    def __init__(
        self,
        bucket: Bucket,
        path: Path,
        local: LocalFile,
        capabilities: StoreCapabilities,
        *,
        doubted: set[str],
        is_cancelled: Callable[[], bool],
    ) -> None:
        self._bucket = bucket
        self._path = path
        self._file = local
        self._size = etags.upload_part_size(local.size, PART_BYTES)
        self._known: list[bytes] | None = None
        """The digests of the parts, where the file was read for them."""
        self._digests: list[bytes] = []
        """The digests of the parts sent so far."""
        self._bodies: list[FileBody] = []
        self._whole = hashlib.md5(usedforsecurity=False)
        self._capabilities = capabilities
        self._doubted = doubted
        self._trusts_etags = capabilities.etag_multipart is SUPPORTED and local.key not in doubted
        self._is_cancelled = is_cancelled

    def hash(self) -> tuple[LocalFile, str]:
        """Return the file with its MD5, read only if its digest is not known.

        Raises:
            FileChanged, Unreadable: it is not the file that was compared.
            Interrupted: the run was cancelled.
        """
        local = self._file
        if local.md5:
            return local, local.md5
        hasher = CancellableHasher([self._size], self._stop_if_cancelled)
        try:
            md5, stamp = hash_file(str(self._path), hasher)
        except ChangedWhileReading:
            raise changed(local) from None
        except OSError as error:
            raise unreadable(local, error) from None
        self._file = as_compared(local, md5, stamp)
        self._known = hasher.digests(self._size)
        return self._file, md5

    def send(
        self,
        key: str,
        *,
        expect: Expect | None,
        inspect: Callable[[], None],
        on_bytes: OnBytes,
        on_upload: Callable[[OpenUpload | None], None],
        left: OpenUpload | None = None,
    ) -> tuple[str, Evidence]:
        """Send the parts, and complete them as one object if they are what was hashed. Return its ETag and the proof.

        `inspect` is called just before they are completed where the store takes no condition, or is not known to honour
        it; it raises where somebody else changed the object.

        `left` is an interrupted upload to this key. Its parts are used where it was of the same file, and where the
        store's ETags of parts are known to be MD5s; else it is aborted.

        Raises:
            Interrupted: the run was cancelled; where its ETags are known to be MD5s, what was sent stays in the bucket.
            FileChanged, Unreadable: the file changed meanwhile; nothing is visible in the bucket.
            BadDigest: the store received other bytes than were hashed.
            UnexpectedAnswer: the object is not what was sent.
            StoreError: the store refuses.
        """
        md5, ordinary = self._file.md5 or "", self._capabilities.etag_multipart is not UNSUPPORTED
        resume = left.upload_id if left and left.md5 == md5 and self._trusts_etags else None
        if left and not resume:
            with contextlib.suppress(StoreError):
                multipart.abort(self._bucket.client, key, left.upload_id)
        try:
            with self._path.open("rb") as file:
                etag = multipart.upload(
                    self._bucket.client,
                    key,
                    self._parts(file),
                    expect=expect,
                    inspect=inspect,
                    # rclone checks the whole file's MD5 by this name, in base64 (rclone, backend/s3).
                    metadata={"md5chksum": content_md5(md5)},
                    confirm=self._confirm,
                    made_of_md5s=ordinary,
                    resume=resume,
                    keep=lambda: self._trusts_etags and not self._has_changed(),
                    is_cancelled=self._is_cancelled,
                    on_upload=lambda upload_id: on_upload(OpenUpload(upload_id, md5) if upload_id else None),
                    on_bytes=on_bytes,
                )
        except OSError as error:
            raise unreadable(self._file, error) from None
        except StoreError:
            if self._has_changed():
                raise changed(self._file) from None
            raise
        if etag == md5:
            return etag, Evidence.ETAG_MD5
        if ordinary and etag == etags.multipart_etag(b"".join(self._digests)):
            return etag, Evidence.ETAG_MULTIPART
        if self._capabilities.content_md5 is SUPPORTED:
            return etag, Evidence.RECORDED  # the store compared each part with the digest taken as it was sent
        if self._bucket.digest(key, self._file.size, etag=etag) != md5:
            raise read_back_differs(key)
        return etag, Evidence.BODY

    def _parts(self, file: BinaryIO) -> Iterator[Part]:
        descriptor, left = file.fileno(), self._file.size
        while left > 0:
            self._stop_if_cancelled()
            offset, size = self._file.size - left, min(self._size, left)
            known = self._known
            digest = self._hash_part(file, offset, size) if known is None else known[len(self._digests)]
            # Without a digest to hash for, the ETag in the answer is compared with it.
            is_checked_by_etag = known is not None and self._trusts_etags
            body = FileBody(descriptor, offset, size, None if is_checked_by_etag else digest)
            self._digests.append(digest)
            self._bodies.append(body)
            yield Part(body, digest)
            left -= size
        if os.fstat(descriptor).st_size != self._file.size:
            raise changed(self._file)

    def _hash_part(self, file: BinaryIO, offset: int, size: int) -> bytes:
        """Return the MD5 of a part, and hash the whole file along with it."""
        md5 = hashlib.md5(usedforsecurity=False)
        file.seek(offset)
        while size > 0:
            self._stop_if_cancelled()
            data = file.read(min(CHUNK_BYTES, size))
            if not data:
                raise changed(self._file)
            size -= len(data)
            md5.update(data)
            self._whole.update(data)
        return md5.digest()

    def _confirm(self, etags: list[str]) -> None:
        """Refuse to complete an object of parts that are not the file, or not the whole of it."""
        known = self._known
        if self._whole.hexdigest() != self._file.md5 if known is None else self._digests != known:
            raise changed(self._file)
        if known is not None and self._trusts_etags and etags != [digest.hex() for digest in known]:
            self._doubted.add(self._file.key)
            raise BadDigest(f"'{self._file.key}': the store's ETags are not those of the parts that were hashed.")

    def _has_changed(self) -> bool:
        return any(body.is_changed for body in self._bodies)

    def _stop_if_cancelled(self) -> None:
        if self._is_cancelled():
            raise Interrupted(f"The upload of '{self._file.key}' was interrupted.")


class CancellableHasher(etags.MultipartHasher):
    """Hashes a file and its parts in one pass; `check`, called before each chunk, may raise."""

    def __init__(self, cuts: Iterable[etags.Cut], check: Callable[[], None]) -> None:
        super().__init__(cuts)
        self._check = check

    def update(self, data: bytes | memoryview) -> None:
        """Add the next bytes, unless `check` raises."""
        self._check()
        super().update(data)

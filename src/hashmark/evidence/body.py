"""Downloads an object and compares it with the file byte by byte: the most expensive proof, and the final one."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import BinaryIO

from hashmark.core.errors import FileChanged, UnexpectedAnswer
from hashmark.core.etags import is_md5
from hashmark.core.model import LocalFile, RemoteObject
from hashmark.disk.durable import as_local_error, temporary_name
from hashmark.disk.hashing import hash_file
from hashmark.disk.walk import stamp_of
from hashmark.evidence import inspection
from hashmark.evidence.inspection import BodyComparison
from hashmark.s3.bucket import Bucket

CHUNK_BYTES = 1 << 20


class WrongDigest(FileChanged):
    """The file's remembered digest is not that of its bytes: they changed on the disk, and the stamp did not."""


class ChangingObject(UnexpectedAnswer):
    """The object gave different bytes each time it was read, under the same ETag."""


def compare_body(
    bucket: Bucket, key: str, remote: RemoteObject, file: Path, local: LocalFile, scratch: Path | None = None
) -> BodyComparison:
    """Read the listed version of the object and compare it with the `local` file at `file`.

    Both are read and their bytes compared, not only digests, so that neither an outdated digest nor a deliberate
    collision passes. If the bytes are not those the ETag stands for, the object is read again, in case the transfer
    damaged them. `scratch` is a folder for the temporary download of one that is not small, which needs it.

    Raises:
        FileChanged: the file is not the one that was compared before.
        WrongDigest: its stamp is the same, but its bytes do not have the remembered digest.
        ChangingObject: the object gave different bytes each time.
        HashmarkError: the object can't be read.
    """
    _check(file, local)
    body = _read(bucket, key, remote, file, local, scratch)
    if body.same or is_md5(remote.etag or "", body.md5):
        return body
    again = _read(bucket, key, remote, file, local, scratch)
    if not again.same and again.md5 != body.md5:
        raise ChangingObject(f"'{key}' gave different bytes each time it was read.")
    return again


def _check(file: Path, local: LocalFile) -> None:
    """Check that the file still has the bytes it was compared by."""
    try:
        md5, stamp = hash_file(str(file))
    except OSError as error:
        raise FileChanged(f"'{local.key}' can no longer be read: {error.strerror}.") from None
    if stamp != local.stamp:
        raise FileChanged(f"'{local.key}' changed on disk after it was compared.")
    if md5 != local.md5:
        raise WrongDigest(
            f"'{local.key}' does not have the bytes of its remembered digest, though its times are unchanged."
        )


def _read(
    bucket: Bucket, key: str, remote: RemoteObject, file: Path, local: LocalFile, scratch: Path | None
) -> BodyComparison:
    if remote.size is not None and remote.size <= inspection.MAX_SMALL_BYTES:
        content = b"".join(bucket.chunks(key, remote.size, etag=remote.etag or ""))
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        return BodyComparison(md5, md5 == local.md5 and _same_bytes(io.BytesIO(content), file, local))
    assert scratch is not None  # noqa: S101 - as `compare_body` says
    path = scratch / temporary_name()
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("xb") as body:
                body.writelines(bucket.chunks(key, remote.size, etag=remote.etag or ""))
            md5, _ = hash_file(str(path), own=True)
            with path.open("rb") as there:
                return BodyComparison(md5, md5 == local.md5 and _same_bytes(there, file, local))
        finally:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise as_local_error(error, str(scratch)) from None


def _same_bytes(there: BinaryIO, file: Path, local: LocalFile) -> bool:
    try:
        with file.open("rb") as here:
            same = True
            while same and (chunk := here.read(CHUNK_BYTES)):
                same = chunk == there.read(CHUNK_BYTES)
            stamp = stamp_of(os.fstat(here.fileno()))
            same = same and not there.read(1)
    except OSError as error:
        raise FileChanged(f"'{local.key}' can no longer be read: {error.strerror}.") from None
    if stamp != local.stamp:
        raise FileChanged(f"'{local.key}' changed on disk after it was compared.")
    return same

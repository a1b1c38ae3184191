"""Downloads an object and compares it with the file byte by byte: the most expensive proof, and the final one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from hashmark.core.errors import FileChanged, UnexpectedAnswer
from hashmark.core.model import LocalFile, RemoteObject
from hashmark.disk.durable import as_local_error, temporary_name
from hashmark.disk.hashing import hash_file
from hashmark.disk.walk import stamp_of
from hashmark.s3.bucket import Bucket

CHUNK_BYTES = 1 << 20


class WrongDigest(FileChanged):
    """The file's remembered digest is not that of its bytes: they changed on the disk, and the stamp did not."""


@dataclass(frozen=True, slots=True)
class BodyComparison:
    """The MD5 of the object's bytes, and whether they are the same as the file's."""

    md5: str
    same: bool


def compare_body(
    bucket: Bucket, key: str, remote: RemoteObject, file: Path, local: LocalFile, scratch: Path
) -> BodyComparison:
    """Read the listed version of the object and compare it with the `local` file at `file`.

    Both are read and their bytes compared, not only digests, so that neither an outdated digest nor a deliberate
    collision passes. If the bytes are not those the ETag stands for, the object is read again, in case the transfer
    damaged them. `scratch` is a folder for the temporary download; memory is bounded whatever the object's size.

    Raises:
        FileChanged: the file is not the one that was compared before.
        WrongDigest: its stamp is the same, but its bytes do not have the remembered digest.
        UnexpectedAnswer: the object gave different bytes each time.
        HashmarkError: the object can't be read.
    """
    _check(file, local)
    body = _read(bucket, key, remote, file, local, scratch)
    if body.same or body.md5 == remote.etag:
        return body
    again = _read(bucket, key, remote, file, local, scratch)
    if not again.same and again.md5 != body.md5:
        raise UnexpectedAnswer(f"'{key}' gave different bytes each time it was read.")
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
    bucket: Bucket, key: str, remote: RemoteObject, file: Path, local: LocalFile, scratch: Path
) -> BodyComparison:
    path = scratch / temporary_name()
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("xb") as body:
                body.writelines(bucket.chunks(key, remote.size, etag=remote.etag or ""))
            md5, _ = hash_file(str(path), own=True)
            return BodyComparison(md5, md5 == local.md5 and _same_bytes(path, file, local))
        finally:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise as_local_error(error, str(scratch)) from None


def _same_bytes(path: Path, file: Path, local: LocalFile) -> bool:
    try:
        with path.open("rb") as there, file.open("rb") as here:
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

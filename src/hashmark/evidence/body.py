"""Downloads an object and compares it with the file byte by byte: the dearest proof, and the last word."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
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
    """The file's remembered digest is not that of its bytes: the disk has changed them, and no stamp."""


@dataclass(frozen=True, slots=True)
class BodyComparison:
    """What was read: the MD5 of the object's bytes, and whether they are the file's."""

    md5: str
    same: bool


def compare_body(
    bucket: Bucket, key: str, remote: RemoteObject, file: Path, local: LocalFile, scratch: Path
) -> BodyComparison:
    """Read the object, all of the version that was listed, and compare it with the `local` file at `file`.

    Both are read, and bytes compared, not digests alone: so neither a remembered digest nor a collision made on purpose
    passes. Other bytes than the ETag stands for are read a second time, lest a fault on the way is taken for the
    object's. `scratch` is a folder for the temporary download; memory is bounded whatever the object's size.

    Raises:
        FileChanged: the file is not the one that was compared before.
        WrongDigest: it has the same stamp, and other bytes than its digest was remembered of.
        UnexpectedAnswer: the object gave other bytes each time.
        HashmarkError: the object can't be read.
    """
    _check(file, local)
    body = _read(bucket, key, remote, file, local, scratch)
    if body.same or body.md5 == remote.etag:
        return body
    again = _read(bucket, key, remote, file, local, scratch)
    if not again.same and again.md5 != body.md5:
        raise UnexpectedAnswer(f"'{key}' gave other bytes each time it was read.")
    return again


def _check(file: Path, local: LocalFile) -> None:
    """That the file has the bytes that it was compared by."""
    try:
        md5, stamp = hash_file(str(file))
    except OSError as error:
        raise FileChanged(f"'{local.key}' can't be read any more: {error.strerror}.") from None
    if stamp != local.stamp:
        raise FileChanged(f"'{local.key}' changed on disk after it was compared.")
    if md5 != local.md5:
        raise WrongDigest(f"'{local.key}' does not hold the bytes that it was known by, though no time says so.")


def _read(
    bucket: Bucket, key: str, remote: RemoteObject, file: Path, local: LocalFile, scratch: Path
) -> BodyComparison:
    try:
        with _temporary(scratch) as path:
            with path.open("xb") as body:
                body.writelines(bucket.chunks(key, remote.size, etag=remote.etag or ""))
            md5, _ = hash_file(str(path), own=True)
            return BodyComparison(md5, md5 == local.md5 and _same_bytes(path, file, local))
    except OSError as error:
        raise as_local_error(error, str(scratch)) from None


@contextlib.contextmanager
def _temporary(scratch: Path) -> Iterator[Path]:
    """A path at which nothing is yet."""
    scratch.mkdir(parents=True, exist_ok=True)
    path = scratch / temporary_name()
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _same_bytes(path: Path, file: Path, local: LocalFile) -> bool:
    try:
        with path.open("rb") as there, file.open("rb") as here:
            same = True
            while same and (chunk := here.read(CHUNK_BYTES)):
                same = chunk == there.read(CHUNK_BYTES)
            stamp = stamp_of(os.fstat(here.fileno()))
            same = same and not there.read(1)
    except OSError as error:
        raise FileChanged(f"'{local.key}' can't be read any more: {error.strerror}.") from None
    if stamp != local.stamp:
        raise FileChanged(f"'{local.key}' changed on disk after it was compared.")
    return same

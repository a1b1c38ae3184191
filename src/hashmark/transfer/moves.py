"""One action of a plan, carried out so that nothing is lost and nothing is claimed without proof.

Each function ends with the new content in its place and its proof in the result, or raises with both sides as
they were. What is replaced or deleted is in the trash first. Retries and order are not known here.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hashmark.core import etags
from hashmark.core.errors import (
    BadDigest,
    FileChanged,
    Interrupted,
    NoSuchObject,
    PreconditionFailed,
    UnexpectedAnswer,
    Unreadable,
)
from hashmark.core.model import Base, Evidence, LocalFile, RemoteObject
from hashmark.core.plan import Action, Verb
from hashmark.disk.hashing import ChangedWhileReading, hash_file
from hashmark.disk.place import explain, open_slot
from hashmark.disk.walk import stamp_of
from hashmark.s3 import multipart
from hashmark.s3.bucket import Bucket, Expect, content_md5

SINGLE_PUT = 64 << 20
"""Up to here one PUT, whose ETag is then an MD5."""

PART_SIZE = 64 << 20
"""Above it, parts of this size (doubled until they are few enough)."""


@dataclass(frozen=True)
class Ends:
    """The two ends of a transfer: a folder, and a prefix of a bucket (ending in `/`), each with its trash.

    `guarded_writes` and `guarded_deletes` say that the store honours If-Match there; where it does not, each is
    preceded by a look. `checks_md5` says that a probe saw the store refuse a wrong Content-MD5; `odd_etags` that
    it saw ETags that look like MD5s and are none; `parts_of_md5s` False that it saw ETags of uploads in parts that are
    not made of MD5s, `takes_if_match` False that it ignores or refuses If-Match on writes.
    """

    bucket: Bucket
    root: Path
    prefix: str
    trash: Path
    remote_trash: str
    guarded_writes: bool
    guarded_deletes: bool
    checks_md5: bool
    odd_etags: bool
    parts_of_md5s: bool = True
    takes_if_match: bool = True
    on_upload: Callable[[str, str | None], None] = lambda _key, _upload_id: None
    """Told of every upload in parts: the whole key, with the upload's id when it begins and None when it has ended."""
    kept: set[str] = field(default_factory=set)
    """Keys whose old object is in the trash already: a second try must not put a newer one over it."""


@dataclass(frozen=True, slots=True)
class Done:
    """What one action proved: the new base, or that the key is gone."""

    action: Action
    evidence: Evidence | None
    base: Base | None
    etag_is_md5: bool = False


Progress = Callable[[int], None] | None


def carry_out(action: Action, ends: Ends, on_bytes: Progress, cancelled: Callable[[], bool]) -> Done:
    """Do what `action` says.

    Raises:
        HashmarkError: it was not done; both sides are as they were, or else the message says how they are.
    """
    if action.verb is Verb.UPLOAD:
        return upload(action, ends, on_bytes, cancelled)
    if action.verb is Verb.DOWNLOAD:
        return download(action, ends, on_bytes)
    if action.verb is Verb.DELETE_REMOTE:
        return delete_remote(action, ends)
    return delete_local(action, ends)


def upload(action: Action, ends: Ends, on_bytes: Progress, cancelled: Callable[[], bool]) -> Done:
    """Put a file in the bucket: the bytes that are sent are the bytes that were compared.

    Raises:
        FileChanged: the file is not the one that was compared.
        PreconditionFailed: the object is not the one that was compared.
        StoreError: the store refuses.
    """
    local, remote = action.status.local, action.status.remote
    assert local is not None and local.md5 is not None  # noqa: S101 - a plan uploads only what was hashed
    key = ends.prefix + action.key
    expect = _condition(ends, remote)
    if local.size > SINGLE_PUT:
        _clear_the_way(action, ends, guarded=ends.guarded_writes)
        etag = _upload_parts(ends, key, local, expect=expect, on_bytes=on_bytes, cancelled=cancelled)
        return Done(action, _prove_parts(ends, key, etag, local), Base(action.key, local.md5, etag, local.size))
    data = _read(ends.root, local)
    try:
        _clear_the_way(action, ends, guarded=ends.guarded_writes)
        etag = ends.bucket.put(key, data, md5=local.md5, expect=expect, on_bytes=on_bytes)
    except (PreconditionFailed, NoSuchObject):
        etag = _our_own_retry(ends, key, local)
    evidence = _prove_upload(ends, key, etag, local.md5)
    base = Base(action.key, local.md5, etag, local.size)
    return Done(action, evidence, base, etag_is_md5=etag == local.md5)


def _condition(ends: Ends, remote: RemoteObject | None) -> Expect | None:
    """The condition of a write; none on what replaces an object where the store is known not to take it.

    Such a store ignores it or, as Swift does, refuses the write; a look comes first instead.
    """
    if remote is None:
        return Expect(None)
    return Expect(remote.etag) if ends.takes_if_match else None


def _clear_the_way(action: Action, ends: Ends, *, guarded: bool) -> None:
    """Keep the old object in the trash; then, on a store that ignores conditions, see that it is still the one.

    The look comes last, so that what changes meanwhile is not written over without a copy.
    """
    key, remote = ends.prefix + action.key, action.status.remote
    if remote is not None and key not in ends.kept:
        ends.bucket.copy(key, ends.remote_trash + action.key, etag=remote.etag)
        ends.kept.add(key)
    if not guarded:
        _look_first(ends, key, remote)


def _look_first(ends: Ends, key: str, remote: RemoteObject | None) -> None:
    """For a store that ignores conditions: refuse if the object is not what was shown. A small gap remains."""
    try:
        there = ends.bucket.head(key).etag
    except NoSuchObject:
        there = None
    if there != (remote.etag if remote else None):
        raise PreconditionFailed(f"'{key}' changed in the bucket after it was compared.")


def _read(root: Path, local: LocalFile) -> bytes:
    """The file's bytes, which must be those that were compared."""
    try:
        with open(f"{root}/{local.key}", "rb") as file:  # noqa: PTH123 - a Path for each file costs a tenth of its upload
            data = file.read(local.size + 1)  # what is asked for is allocated: not the most that a PUT may have
            stamp = stamp_of(os.fstat(file.fileno()))
    except OSError as error:
        raise Unreadable(f"'{local.key}' can't be read: {error.strerror}.") from None
    if stamp.size != len(data) or hashlib.md5(data, usedforsecurity=False).hexdigest() != local.md5:
        raise FileChanged(f"'{local.key}' changed on disk after it was compared and was not uploaded.")
    return data


def _our_own_retry(ends: Ends, key: str, local: LocalFile) -> str:
    """A refused condition may be the echo of our own write, answered too late and sent again: look at the object."""
    try:
        head = ends.bucket.head(key)
    except NoSuchObject:
        head = None
    if head is not None and local.md5 is not None and head.size == local.size and head.etag == local.md5:
        return local.md5
    raise PreconditionFailed(f"'{key}' changed in the bucket after it was compared and was not overwritten.") from None


def _prove_upload(ends: Ends, key: str, etag: str, md5: str) -> Evidence:
    if etag == md5:
        return Evidence.ETAG_MD5
    if ends.checks_md5:
        # The store compared the bytes with Content-MD5 and answered with this ETag: the two are bound.
        return Evidence.RECORDED
    body = ends.bucket.read(key, etag=etag)
    if hashlib.md5(body, usedforsecurity=False).hexdigest() != md5:
        # Not a BadDigest: trying again would meet our own object.
        raise UnexpectedAnswer(f"'{key}' was uploaded, but reading it back gave other bytes.", "Push it again.")
    return Evidence.BODY


def _prove_parts(ends: Ends, key: str, etag: str, local: LocalFile) -> Evidence:
    """What proves an upload in parts, once its ETag has been checked as far as this store's can be."""
    if etag == local.md5:
        return Evidence.ETAG_MD5
    if ends.parts_of_md5s:
        return Evidence.ETAG_MULTIPART
    if ends.checks_md5:
        return Evidence.RECORDED
    if ends.bucket.digest(key, local.size, etag=etag) != local.md5:
        raise UnexpectedAnswer(f"'{key}' was uploaded, but reading it back gave other bytes.", "Push it again.")
    return Evidence.BODY


def _upload_parts(
    ends: Ends, key: str, local: LocalFile, *, expect: Expect | None, on_bytes: Progress, cancelled: Callable[[], bool]
) -> str:
    md5 = local.md5 or ""
    seen = hashlib.md5(usedforsecurity=False)

    def parts() -> Iterator[bytes]:
        size = etags.upload_part_size(local.size, PART_SIZE)
        with (ends.root / local.key).open("rb") as file:
            while data := file.read(size):
                if cancelled():
                    raise Interrupted(f"'{local.key}' was not uploaded.")
                seen.update(data)
                yield data

    def confirm() -> None:
        if seen.hexdigest() != md5:
            raise FileChanged(f"'{local.key}' changed on disk after it was compared and was not uploaded.")

    # rclone reads the whole file's MD5 from this name, in base64 (rclone, backend/s3), and can then check it.
    metadata = {"md5chksum": content_md5(md5)}
    try:
        return multipart.upload(
            ends.bucket.client,
            key,
            parts(),
            expect=expect,
            metadata=metadata,
            confirm=confirm,
            made_of_md5s=ends.parts_of_md5s,
            on_upload=lambda upload_id: ends.on_upload(key, upload_id),
            on_bytes=on_bytes,
        )
    except OSError as error:
        raise Unreadable(f"'{local.key}' can't be read: {error.strerror}.") from None


def download(action: Action, ends: Ends, on_bytes: Progress) -> Done:
    """Put an object's bytes in the file's place, checked, synced, and only over what was compared.

    Raises:
        BadDigest: what arrived is not what the ETag says.
        FileChanged: the place holds something that was not compared.
        ReadOnly: nothing can be written there; nothing was fetched.
        StoreError, LocalError: the store or the disk refuses.
    """
    remote, local = action.status.remote, action.status.local
    assert remote is not None  # noqa: S101 - a plan downloads only what was listed
    with open_slot(ends.root, action.key, create=True) as slot:
        slot.check_writable()
        temporary = slot.temporary()
        path = slot.path_of(temporary)
        try:
            md5, size, evidence = _fetch(action, ends, path, on_bytes)
            slot.put(temporary, local.stamp if local else None, ends.trash / action.key, local.md5 if local else None)
        except OSError as error:
            raise explain(error, action.key) from None
        finally:
            slot.drop(temporary)
    etag = remote.etag or ""
    return Done(action, evidence, Base(action.key, md5, etag, size), etag_is_md5=etag == md5)


def _fetch(action: Action, ends: Ends, path: str, on_bytes: Progress) -> tuple[str, int, Evidence]:
    """The object's bytes in the file at `path`: their MD5, their number, and what proves that they are right."""
    remote, base = action.status.remote, action.status.base
    assert remote is not None  # noqa: S101 - as above
    etag = remote.etag or ""
    parts = etags.part_count(etag)
    cuts = etags.part_size_candidates(remote.size or 0, parts) if parts else []
    key = ends.prefix + action.key
    md5, size, found = _get(ends.bucket, key, path, remote.size, etag=etag, cuts=cuts, on_bytes=on_bytes)
    if remote.size is not None and size != remote.size:
        raise BadDigest(f"'{key}' has {remote.size} bytes in the listing, but {size} arrived.")
    if md5 == etag:
        return md5, size, Evidence.ETAG_MD5
    if base is not None and base.common and base.etag == etag and base.md5 == md5:
        return md5, size, Evidence.RECORDED
    if etag in found:
        return md5, size, Evidence.ETAG_MULTIPART
    if etags.looks_like_md5(etag) and not ends.odd_etags and not ends.bucket.head(key).encryption:
        raise BadDigest(
            f"'{key}' arrived with other bytes than its ETag stands for.",
            "Try again. If the ETags of this store are no MD5s, `hashmark doctor` finds that out and remembers it.",
        )
    # The ETag says nothing about these bytes, so they are read twice: a fault on the way is not repeated.
    again, _, _ = _get(ends.bucket, key, path, remote.size, etag=etag, cuts=[])
    if again != md5:
        raise BadDigest(f"'{key}' gave different bytes when it was read twice.")
    return md5, size, Evidence.BODY


def _get(
    bucket: Bucket, key: str, path: str, size: int | None, *, etag: str, cuts: list[int], on_bytes: Progress = None
) -> tuple[str, int, set[str]]:
    Path(path).unlink(missing_ok=True)
    bucket.download(key, path, size, etag=etag, on_bytes=on_bytes)
    hasher = etags.MultipartHasher(cuts)
    try:
        md5, stamp = hash_file(path, hasher, own=True)
    except ChangedWhileReading as error:
        raise FileChanged(f"'{key}': its unfinished download was changed by another program.") from error
    return md5, stamp.size, set(hasher.etags().values())


def delete_remote(action: Action, ends: Ends) -> Done:
    """Delete an object that was shown, after it is in the bucket's trash.

    Raises:
        PreconditionFailed: the object is not the one that was compared.
        StoreError: the store refuses.
    """
    remote = action.status.remote
    assert remote is not None  # noqa: S101 - a plan deletes only what was listed
    key = ends.prefix + action.key
    try:
        _clear_the_way(action, ends, guarded=ends.guarded_deletes)
        ends.bucket.delete(key, etag=remote.etag)
    except (PreconditionFailed, NoSuchObject):
        # It may be the echo of our own delete, answered too late and sent again: then nothing is there.
        if key not in ends.kept or not _is_gone(ends.bucket, key):
            raise
    return Done(action, None, None)


def _is_gone(bucket: Bucket, key: str) -> bool:
    try:
        bucket.head(key)
    except NoSuchObject:
        return True
    return False


def delete_local(action: Action, ends: Ends) -> Done:
    """Move a file that was shown to the trash.

    Raises:
        FileChanged: the file is not the one that was compared.
        LocalError: the disk refuses.
    """
    local = action.status.local
    assert local is not None  # noqa: S101 - a plan deletes only what was walked
    with open_slot(ends.root, action.key) as slot:
        slot.remove(local.stamp, ends.trash / action.key, local.md5)
    return Done(action, None, None)

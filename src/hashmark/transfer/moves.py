"""One action of a plan, carried out so that nothing is lost and nothing is claimed without proof.

Each coroutine ends with the new content in its place and its proof in the result, or raises with both sides as
they were. What is replaced or deleted is in the trash first. It waits for small requests as `s3.waiting` says, so that
few threads do for many; what goes in parts blocks its thread. Retries and order are not known here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from hashmark.core import etags
from hashmark.core.errors import BadDigest, LocalError, NoSuchObject, PreconditionFailed, UnexpectedAnswer
from hashmark.core.model import Base, Evidence, LocalFile, RemoteObject, Stamp
from hashmark.core.plan import Action, Verb
from hashmark.disk.hashing import CHUNK, ChangedWhileReading, read_whole
from hashmark.disk.place import Slot, open_slot
from hashmark.s3.bucket import Bucket, in_ranges
from hashmark.s3.requests import Expect
from hashmark.transfer import parts
from hashmark.transfer.ends import Done, Ends, Progress
from hashmark.transfer.parts import as_compared, changed, unreadable

SINGLE_PUT = 64 << 20
"""Up to here one PUT, whose ETag is then an MD5."""


async def carry_out(action: Action, ends: Ends, on_bytes: Progress, cancelled: Callable[[], bool]) -> Done:
    """Do what `action` says.

    Raises:
        HashmarkError: it was not done; both sides are as they were, or else the message says how they are.
    """
    if action.verb is Verb.UPLOAD:
        return await upload(action, ends, on_bytes, cancelled)
    if action.verb is Verb.DOWNLOAD:
        return await download(action, ends, on_bytes)
    if action.verb is Verb.DELETE_REMOTE:
        return await delete_remote(action, ends)
    return delete_local(action, ends)


async def upload(action: Action, ends: Ends, on_bytes: Progress, cancelled: Callable[[], bool]) -> Done:
    """Put a file in the bucket: the bytes that are sent are the bytes that were compared.

    What nothing was compared with was not read yet: it must still have the stamp that was seen.

    Raises:
        FileChanged: the file is not the one that was compared.
        PreconditionFailed: the object is not the one that was compared.
        StoreError: the store refuses.
    """
    local, remote = action.status.local, action.status.remote
    assert local is not None  # noqa: S101 - a plan uploads only what was walked
    key = ends.prefix + action.key
    expect = _condition(ends, remote)
    if local.size > SINGLE_PUT:
        cut = parts.cut(ends, local, cancelled)
        file, md5 = cut.file, cut.md5
        await _clear_the_way(action, ends, guarded=ends.guarded_writes)
        etag, evidence = parts.upload(ends, key, cut, expect=expect, on_bytes=on_bytes, cancelled=cancelled)
        seen = None
    else:
        data, md5, file = _read(ends.root, local)
        seen = ends.look(action.key, data) if local.md5 is None and local.size <= CHUNK else None
        try:
            await _clear_the_way(action, ends, guarded=ends.guarded_writes)
            etag = await ends.bucket.requests.put(key, data, md5=md5, expect=expect, on_bytes=on_bytes)
        except (PreconditionFailed, NoSuchObject):
            etag = await _our_own_retry(ends, key, file)
        evidence = await _prove_upload(ends, key, etag, md5)
    return Done(action, evidence, Base(action.key, md5, etag, file.size), file, seen)


def _condition(ends: Ends, remote: RemoteObject | None) -> Expect | None:
    """The condition of a write; none on what replaces an object where the store is known not to take it.

    Such a store ignores it or, as Swift does, refuses the write; a look comes first instead.
    """
    if remote is None:
        return Expect(None)
    return Expect(remote.etag) if ends.takes_if_match else None


async def _clear_the_way(action: Action, ends: Ends, *, guarded: bool) -> None:
    """Keep the old object in the trash; then, on a store that ignores conditions, see that it is still the one.

    The look comes last, so that what changes meanwhile is not written over without a copy.
    """
    key, remote = ends.prefix + action.key, action.status.remote
    if remote is not None and key not in ends.kept:
        await ends.bucket.requests.copy(key, ends.remote_trash + action.key, etag=remote.etag)
        ends.kept.add(key)
    if not guarded:
        await _look_first(ends, key, remote)


async def _look_first(ends: Ends, key: str, remote: RemoteObject | None) -> None:
    """For a store that ignores conditions: refuse if the object is not what was shown. A small gap remains."""
    try:
        there = (await ends.bucket.requests.head(key)).etag
    except NoSuchObject:
        there = None
    if there != (remote.etag if remote else None):
        raise PreconditionFailed(f"'{key}' changed in the bucket after it was compared.")


def _read(root: Path, local: LocalFile) -> tuple[bytes, str, LocalFile]:
    """The file's bytes, which must be those that were compared, with their MD5, alone and in the file."""
    try:
        data, md5, stamp = read_whole(f"{root}/{local.key}", local.size)
    except ChangedWhileReading:
        raise changed(local) from None
    except OSError as error:
        raise unreadable(local, error) from None
    return data, md5, as_compared(local, md5, stamp)


async def _our_own_retry(ends: Ends, key: str, local: LocalFile) -> str:
    """A refused condition may be the echo of our own write, answered too late and sent again: look at the object."""
    try:
        head = await ends.bucket.requests.head(key)
    except NoSuchObject:
        head = None
    if head is not None and local.md5 is not None and head.size == local.size and head.etag == local.md5:
        return local.md5
    raise PreconditionFailed(f"'{key}' changed in the bucket after it was compared and was not overwritten.") from None


async def _prove_upload(ends: Ends, key: str, etag: str, md5: str) -> Evidence:
    if etag == md5:
        return Evidence.ETAG_MD5
    if ends.checks_md5:
        # The store compared the bytes with Content-MD5 and answered with this ETag: the two are bound.
        return Evidence.RECORDED
    body = await ends.bucket.requests.read(key, etag=etag)
    if hashlib.md5(body, usedforsecurity=False).hexdigest() != md5:
        # Not a BadDigest: trying again would meet our own object.
        raise UnexpectedAnswer(f"'{key}' was uploaded, but reading it back gave other bytes.", "Push it again.")
    return Evidence.BODY


async def download(action: Action, ends: Ends, on_bytes: Progress) -> Done:
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
        try:
            md5, size, evidence = await _fetch(action, ends, slot, temporary, on_bytes)
            compared = (local.stamp, ends.trash / action.key, local.md5) if local else (None, ends.trash, None)
            made = slot.stamp(temporary)
            slot.put(temporary, *compared, synced=True)
        except BaseException:
            slot.drop(temporary)
            raise
        placed = _as_put(slot, made)
    etag = remote.etag or ""
    return Done(action, evidence, Base(action.key, md5, etag, size), placed=placed)


def _as_put(slot: Slot, made: Stamp | None) -> Stamp | None:
    """The stamp of a file that was just put in its place; None if it is not what was made: its ctime alone moves."""
    try:
        there = slot.stamp()
    except (OSError, LocalError):
        return None
    return there if made and there and there._replace(ctime_ns=made.ctime_ns) == made else None


async def _fetch(
    action: Action, ends: Ends, slot: Slot, temporary: str, on_bytes: Progress
) -> tuple[str, int, Evidence]:
    """The object's bytes in the file `temporary`: their MD5, their number, and what proves that they are right."""
    remote, base = action.status.remote, action.status.base
    assert remote is not None  # noqa: S101 - as above
    etag = remote.etag or ""
    count = etags.part_count(etag)
    cuts = etags.part_size_candidates(remote.size or 0, count) if count else []
    key = ends.prefix + action.key
    hasher = etags.MultipartHasher(cuts)
    size = await _get(ends.bucket, key, slot, temporary, remote, hasher, on_bytes)
    md5 = hasher.md5()
    if remote.size is not None and size != remote.size:
        raise BadDigest(f"'{key}' has {remote.size} bytes in the listing, but {size} arrived.")
    if md5 == etag:
        return md5, size, Evidence.ETAG_MD5
    if base is not None and base.common and base.etag == etag and base.md5 == md5:
        return md5, size, Evidence.RECORDED
    if etag in hasher.etags().values():
        return md5, size, Evidence.ETAG_MULTIPART
    told = etags.looks_like_md5(etag) and not ends.odd_etags and (ends.md5_etags or not etags.may_be_random(etag))
    if told and not (await ends.bucket.requests.head(key)).encryption:
        raise BadDigest(
            f"'{key}' arrived with other bytes than its ETag stands for.",
            "Try again. If the ETags of this store are no MD5s, `hashmark doctor` finds that out and remembers it.",
        )
    # The ETag says nothing about these bytes, so they are read twice: a fault on the way is not repeated.
    slot.drop(temporary)
    again = etags.MultipartHasher()
    await _get(ends.bucket, key, slot, temporary, remote, again)
    if again.md5() != md5:
        raise BadDigest(f"'{key}' gave different bytes when it was read twice.")
    return md5, size, Evidence.BODY


async def _get(
    bucket: Bucket,
    key: str,
    slot: Slot,
    temporary: str,
    remote: RemoteObject,
    hasher: etags.MultipartHasher,
    on_bytes: Progress = None,
) -> int:
    """Write the object's bytes to `temporary`; the hasher is fed what was read back. Returns how many they are."""
    etag = remote.etag or ""
    if in_ranges(remote.size):
        chunks = bucket.chunks(key, remote.size, etag=etag, on_bytes=on_bytes)
    else:
        chunks = await bucket.requests.get(key, etag=etag or None, on_bytes=on_bytes)
    return slot.fill(temporary, chunks, hasher)


async def delete_remote(action: Action, ends: Ends) -> Done:
    """Delete an object that was shown, after it is in the bucket's trash.

    Raises:
        PreconditionFailed: the object is not the one that was compared.
        StoreError: the store refuses.
    """
    remote = action.status.remote
    assert remote is not None  # noqa: S101 - a plan deletes only what was listed
    key = ends.prefix + action.key
    try:
        await _clear_the_way(action, ends, guarded=ends.guarded_deletes)
        await ends.bucket.requests.delete(key, etag=remote.etag)
    except (PreconditionFailed, NoSuchObject):
        # It may be the echo of our own delete, answered too late and sent again: then nothing is there.
        if key not in ends.kept or not await _is_gone(ends.bucket, key):
            raise
    return Done(action, None, None)


async def _is_gone(bucket: Bucket, key: str) -> bool:
    try:
        await bucket.requests.head(key)
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

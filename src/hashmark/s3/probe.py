"""Finds out what a store supports by trying it on scratch objects, which are deleted again.

Stores differ silently: some ignore If-Match and overwrite, some ignore Content-MD5. So nothing is assumed from a name
or a version. What a result means for a plan is not known here.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import secrets
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hashmark.core.errors import (
    BadDigest,
    HashmarkError,
    PreconditionFailed,
    ServerError,
    SlowDown,
    StoreError,
    Unsupported,
)
from hashmark.core.etags import multipart_etag
from hashmark.s3 import multipart
from hashmark.s3.bucket import Bucket
from hashmark.s3.listing import keys_as_listed
from hashmark.s3.requests import Expect

_WRONG = "0" * 32
BODY = b"hashmark probe\n"
COPIED_BYTES = 8
"""How much of it is copied as a part: not all, since some stores then return the ETag of the whole source."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """Whether a store supports something. `ok` None: it could not be found out."""

    name: str
    ok: bool | None
    detail: str


def scratch_key(prefix: str) -> str:
    """Return a key under `prefix` that nobody else uses, for one probe."""
    return f"{prefix}probe-{secrets.token_hex(6)}.txt"


def probe(bucket: Bucket, key: str) -> Iterator[ProbeResult]:
    """Try each capability in turn, on `key` and keys that begin with it, which are deleted at the end.

    Raises:
        StoreError: the bucket can't be reached or written at all.
    """
    copy, parts, *listed = _scratch(key)
    try:
        etag = bucket.put(key, BODY)
        yield ProbeResult("write", True, "an object was written")
        # From a HEAD request: some stores answer a PUT with the MD5, and list another ETag.
        same = bucket.head(key).etag == hashlib.md5(BODY, usedforsecurity=False).hexdigest()
        yield ProbeResult("etag-md5", same, "the ETag is the MD5" if same else "the ETag is not the MD5")
        yield from _conditions(bucket, key, etag)
        yield _attempt(
            "content-md5", lambda: bucket.put(key, BODY, md5=_WRONG), BadDigest, "a wrong Content-MD5 is refused"
        )
        yield _copy(bucket, key, copy)
        yield _in_parts(bucket, parts)
        yield _part_copy(bucket, key, parts)
        yield _checksum(bucket, key)
        yield _start_after(bucket, f"{key}.list", listed)
        yield _attempt(
            "conditional-delete", lambda: bucket.delete(key, etag=_WRONG), PreconditionFailed, "If-Match on delete"
        )
    finally:
        _delete(bucket, key)


def sweep(bucket: Bucket, key: str) -> None:
    """Remove what a killed probe on `key` has left: its objects, and its incomplete multipart upload."""
    _delete(bucket, key)
    with contextlib.suppress(StoreError):  # not every store lists them
        for upload in bucket.uploads(key):
            multipart.abort(bucket.client, upload.key, upload.upload_id)


def _scratch(key: str) -> tuple[str, ...]:
    return f"{key}.copy", f"{key}.parts", f"{key}.list-a", f"{key}.list/a"


def _delete(bucket: Bucket, key: str) -> None:
    for scratch in (key, *_scratch(key)):
        with contextlib.suppress(StoreError):
            bucket.delete(scratch)


def _conditions(bucket: Bucket, key: str, etag: str) -> Iterator[ProbeResult]:
    create = _attempt(
        "create-only", lambda: bucket.put(key, BODY, expect=Expect(None)), PreconditionFailed, "If-None-Match on put"
    )
    replace = _attempt(
        "replace-only", lambda: bucket.put(key, BODY, expect=Expect(_WRONG)), PreconditionFailed, "If-Match on put"
    )
    if replace.ok:
        # Refusing everything would pass for honouring the condition.
        try:
            bucket.put(key, BODY, expect=Expect(etag))
        except StoreError as error:
            replace = ProbeResult("replace-only", False, f"even the right ETag is refused: {error.message}")
    yield create
    yield replace


def _attempt(name: str, request: Callable[[], object], refusal: type[StoreError], detail: str) -> ProbeResult:
    """Send a request that a store with this capability refuses with `refusal`."""
    try:
        request()
    except refusal:
        return ProbeResult(name, True, detail)
    except Unsupported:
        return ProbeResult(name, False, f"{detail}: not supported")
    except HashmarkError as error:
        return ProbeResult(name, None, f"{detail}: {error.message}")
    return ProbeResult(name, False, f"{detail}: ignored")


def _copy(bucket: Bucket, key: str, copy: str) -> ProbeResult:
    try:
        bucket.copy(key, copy)
        same = bucket.read(copy) == BODY
    except StoreError as error:
        return ProbeResult("copy", False, f"server-side copy: {error.message}")
    return ProbeResult("copy", same, "server-side copy" if same else "server-side copy gives other bytes")


def _in_parts(bucket: Bucket, key: str) -> ProbeResult:
    """Upload a single part: the last part of an upload may have any size."""
    wanted = multipart_etag(hashlib.md5(BODY, usedforsecurity=False).digest())
    try:
        multipart.upload(bucket.client, key, multipart.digested([BODY]), expect=Expect(None))
        # From a HEAD request: files are compared with the ETag that is listed.
        etag = bucket.head(key).etag
    except BadDigest:
        etag = None
    except StoreError as error:
        return ProbeResult("etag-multipart", None, f"a multipart upload: {error.message}")
    same = etag == wanted
    return ProbeResult(
        "etag-multipart", same, f"the ETag of a multipart object is {'' if same else 'not '}made of MD5s"
    )


def _part_copy(bucket: Bucket, key: str, target: str) -> ProbeResult:
    """Try whether a part copied from another object has its MD5 as ETag, as a part that is sent has."""
    wanted = hashlib.md5(BODY[:COPIED_BYTES], usedforsecurity=False).hexdigest()
    detail = "the ETag of a copied part is"
    try:
        upload_id = multipart.begin(bucket.client, target)
        try:
            etag = bucket.copy_part(key, target, upload_id, COPIED_BYTES)
        finally:
            multipart.abort(bucket.client, target, upload_id)
    except StoreError as error:
        return ProbeResult("etag-part-copy", None, f"{detail} its MD5: {error.message}")
    return ProbeResult("etag-part-copy", etag == wanted, f"{detail} {'' if etag == wanted else 'not '}its MD5")


def _checksum(bucket: Bucket, key: str) -> ProbeResult:
    """Try whether the store checks a checksum that is sent along, or only keeps it as the uploader's claim."""

    def put(data: bytes) -> None:
        value = base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()
        bucket.client.call("PutObject", "PUT", key, headers={"x-amz-checksum-crc32": value}, body=BODY)

    try:
        put(b"other bytes")
    except StoreError as refusal:
        if refusal.fatal or isinstance(refusal, SlowDown | ServerError):  # it says nothing about the checksum
            return ProbeResult("checksum", None, f"a wrong checksum is refused: {refusal.message}")
        try:
            put(BODY)  # refusing everything would pass for checking
        except StoreError as error:
            return ProbeResult("checksum", False, f"checksums are not accepted at all: {error.message}")
        return ProbeResult("checksum", True, "a wrong checksum is refused")
    return ProbeResult("checksum", False, "a wrong checksum is ignored")


def _start_after(bucket: Bucket, prefix: str, keys: list[str]) -> ProbeResult:
    """Try whether what the store lists after a key is the rest of its whole listing.

    The two keys come in one order by bytes, and in the other folder by folder.
    """
    detail = "what is listed after a key is the rest of the listing"
    try:
        for key in keys:
            bucket.put(key, BODY)
        whole = keys_as_listed(bucket.client, prefix)
        rests = [keys_as_listed(bucket.client, prefix, after=key) for key in whole]
    except StoreError as error:
        return ProbeResult("start-after", None, f"{detail}: {error.message}")
    same = sorted(whole) == sorted(keys) and rests == [whole[1:], []]
    return ProbeResult(
        "start-after", same, detail if same else "what is listed after a key is not the rest of the listing"
    )

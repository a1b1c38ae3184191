"""Finds out what a store supports by trying it on scratch objects, side by side; they are deleted again.

Stores differ silently: some ignore If-Match and overwrite, some ignore Content-MD5. So nothing is assumed from a name
or a version. What a result means for a plan is not known here.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import itertools
import secrets
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
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
from hashmark.core.etags import is_md5, multipart_etag
from hashmark.core.model import RemoteObject
from hashmark.s3 import multipart
from hashmark.s3.bucket import Bucket
from hashmark.s3.listing import keys_as_listed
from hashmark.s3.requests import Expect, Head

_WRONG = "0" * 32
BODY = b"hashmark probe\n"
_SCRATCH = (
    ".copy", ".parts", ".part-copy", ".list-a", ".list/a", ".md5", ".checksum", ".create", ".replace", ".delete",
    ".complete", ".exact", ".again",
)  # fmt: skip
"""What the keys of the other scratch objects end in."""

MAX_AT_ONCE = 15
"""All experiments together."""

MAX_LISTED = 1000
MAX_READ_BYTES = 16 << 20
"""How many objects are listed, and the largest that is read, where nothing may be written."""

COPIED_BYTES = 8
"""How much of it is copied as a part: not all, since some stores then return the ETag of the whole source."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """Whether a store supports something. `ok` None: it could not be found out."""

    name: str
    ok: bool | None
    detail: str
    is_unquoted: bool = False
    """Whether it works only with ETags that have no quotes around them."""


def scratch_key(prefix: str) -> str:
    """Return a key under `prefix` that nobody else uses, for one probe."""
    return f"{prefix}probe-{secrets.token_hex(6)}"


def probe(bucket: Bucket, key: str) -> Iterator[ProbeResult]:
    """Try all capabilities side by side, on `key` and keys that begin with it, which are deleted at the end.

    Raises:
        StoreError: the bucket can't be reached or written at all.
    """
    with ThreadPoolExecutor(MAX_AT_ONCE, thread_name_prefix="probe") as pool:
        try:
            written = pool.submit(bucket.put, key, BODY)
            content_md5 = pool.submit(_content_md5, bucket, f"{key}.md5")
            parts = pool.submit(_in_parts, bucket, f"{key}.parts")
            checksum = pool.submit(_checksum, bucket, f"{key}.checksum")
            start_after = pool.submit(_start_after, bucket, f"{key}.list", [f"{key}.list-a", f"{key}.list/a"])
            delete = pool.submit(_conditional_delete, bucket, f"{key}.delete")
            create = pool.submit(_create_only, bucket, f"{key}.create")
            replace = pool.submit(_replace_only, bucket, f"{key}.replace")
            complete = pool.submit(_conditional_complete, bucket, f"{key}.complete")
            changes = pool.submit(_etag_changes, bucket, f"{key}.again")
            listed = pool.submit(_exact_listing, bucket, f"{key}.exact")
            written.result()
            yield ProbeResult("write", True, "an object was written")
            etag_md5 = pool.submit(_etag_md5, bucket, key)
            copy = pool.submit(_copy, bucket, key, f"{key}.copy")
            part_copy = pool.submit(_part_copy, bucket, key, f"{key}.part-copy")
            conditions = (create, replace, complete, delete)
            tried = (etag_md5, changes, listed, *conditions, content_md5, copy, parts, part_copy, checksum, start_after)
            yield from (result.result() for result in tried)
        finally:
            pool.shutdown()  # an experiment under way would leave objects behind
            _delete(bucket, key)


def probe_reading(bucket: Bucket, prefix: str) -> Iterator[ProbeResult]:
    """Try what can be tried with the smallest of the objects that are listed first under `prefix`. Nothing is written.

    Raises:
        StoreError: the bucket can't be listed.
    """
    first = itertools.islice(bucket.objects(prefix), MAX_LISTED)
    listed = min((row for row in first if row.size), key=lambda row: row.size or 0, default=None)
    if listed is None or (listed.size or 0) > MAX_READ_BYTES:
        yield ProbeResult("read", None, "there is no small object to read")
        return
    key = prefix + listed.key
    try:
        head, data = bucket.head(key), bucket.get(key)
    except StoreError as error:
        yield ProbeResult("read", False, error.message)
        return
    yield ProbeResult("read", True, "an object was read")
    if is_md5(head.etag or "", hashlib.md5(data, usedforsecurity=False).hexdigest()):
        yield ProbeResult("etag-md5", True, "the ETag is the MD5")
    else:
        yield ProbeResult("etag-md5", None, "the ETag of the object that was read is not its MD5")
    yield _as_listed(listed, head)


def sweep(bucket: Bucket, key: str) -> None:
    """Remove what a killed probe on `key` has left: its objects, and its incomplete multipart upload."""
    _delete(bucket, key)
    with contextlib.suppress(StoreError):  # not every store lists them
        for upload in bucket.uploads(key):
            multipart.abort(bucket.client, upload.key, upload.upload_id)


def _delete(bucket: Bucket, key: str) -> None:
    scratch = (key, *(key + end for end in _SCRATCH))
    for sent in [bucket.client.send("DeleteObject", "DELETE", each) for each in scratch]:
        with contextlib.suppress(StoreError):
            sent.result()


def _etag_md5(bucket: Bucket, key: str) -> ProbeResult:
    # From a HEAD request: some stores answer a PUT with the MD5, and list another ETag.
    same = is_md5(bucket.head(key).etag or "", hashlib.md5(BODY, usedforsecurity=False).hexdigest())
    return ProbeResult("etag-md5", same, "the ETag is the MD5" if same else "the ETag is not the MD5")


def _etag_changes(bucket: Bucket, key: str) -> ProbeResult:
    """Try whether other bytes of the same size have another ETag, even if they are written in the same second."""
    name, detail = "etag-changes", "other bytes have another ETag"
    seen: list[str] = []
    try:
        for n in range(3):  # so that two of them are of one second
            data = BODY[:-1] + b"%d" % n
            seen.append(bucket.put(key, data) or bucket.head(key).etag or "")
    except HashmarkError as error:
        return ProbeResult(name, None, f"{detail}: {error.message}")
    same = len(set(seen)) == len(seen)
    return ProbeResult(name, same, detail if same else "bytes that are written in the same second have the same ETag")


def _exact_listing(bucket: Bucket, key: str) -> ProbeResult:
    """Try whether an object is listed with the size and the ETag that a HEAD request shows."""
    detail = "objects are listed with their size and ETag"
    try:
        bucket.put(key, BODY)
        head = bucket.head(key)
        (listed,) = (row for row in bucket.objects(key) if not row.key)
    except StoreError as error:
        return ProbeResult("exact-listing", None, f"{detail}: {error.message}")
    except ValueError:
        return ProbeResult("exact-listing", None, f"{detail}: what was just written is not listed yet")
    return _as_listed(listed, head)


def _as_listed(listed: RemoteObject, head: Head) -> ProbeResult:
    if listed.size != head.size:
        return ProbeResult("exact-listing", False, "objects are listed with another size than a HEAD request shows")
    if listed.etag is None:
        return ProbeResult("exact-listing", False, "objects are listed without their ETag")
    if listed.etag != head.etag:
        return ProbeResult("exact-listing", False, "objects are listed with another ETag than a HEAD request shows")
    return ProbeResult("exact-listing", True, "objects are listed with their size and ETag")


def _create_only(bucket: Bucket, key: str) -> ProbeResult:
    def create() -> None:
        bucket.put(key, BODY, expect=Expect(None))

    name, detail = "create-only", "If-None-Match on put"
    return _attempt(name, create, PreconditionFailed, detail, after=lambda: bucket.put(key, BODY))


def _replace_only(bucket: Bucket, key: str) -> ProbeResult:
    def replace(expect: Expect) -> None:
        bucket.put(key, BODY, expect=expect)

    return _condition("replace-only", replace, bucket, key, "If-Match on put")


def _content_md5(bucket: Bucket, key: str) -> ProbeResult:
    detail = "a wrong Content-MD5 is refused"
    return _attempt("content-md5", lambda: bucket.put(key, BODY, md5=_WRONG), BadDigest, detail)


def _conditional_delete(bucket: Bucket, key: str) -> ProbeResult:
    def delete(expect: Expect) -> None:
        bucket.delete(key, expect=expect)

    return _condition("conditional-delete", delete, bucket, key, "If-Match on delete")


def _conditional_complete(bucket: Bucket, key: str) -> ProbeResult:
    def complete() -> None:
        multipart.upload(bucket.client, key, multipart.digested([BODY]), expect=Expect(None))

    name, detail = "conditional-complete", "If-None-Match on the end of a multipart upload"
    return _attempt(name, complete, PreconditionFailed, detail, after=lambda: bucket.put(key, BODY))


def _condition(name: str, send: Callable[[Expect], None], bucket: Bucket, key: str, detail: str) -> ProbeResult:
    """Try whether a request is refused with a wrong ETag and not with the right one, with quotes or without."""
    try:
        etag = bucket.put(key, BODY) or bucket.head(key).etag or ""
    except HashmarkError as error:
        return ProbeResult(name, None, f"{detail}: {error.message}")
    for quoted in (True, False):
        wrong = _attempt(name, lambda: send(Expect(_WRONG, quoted)), PreconditionFailed, detail)  # noqa: B023 - called here
        if not wrong.ok:
            return wrong
        # Refusing everything would pass for honouring the condition.
        try:
            send(Expect(etag, quoted))
        except PreconditionFailed:
            continue
        except StoreError as error:
            return ProbeResult(name, False, f"{detail}: the right ETag is refused: {error.message}")
        return wrong if quoted else ProbeResult(name, True, f"{detail}, without quotes", is_unquoted=True)
    return ProbeResult(name, False, f"{detail}: even the right ETag is refused")


def _attempt(
    name: str,
    request: Callable[[], object],
    refusal: type[StoreError],
    detail: str,
    *,
    after: Callable[[], object] = lambda: None,
) -> ProbeResult:
    """Send a request that a store with this capability refuses with `refusal`; `after` one that must succeed."""
    try:
        after()
    except HashmarkError as error:
        return ProbeResult(name, None, f"{detail}: {error.message}")
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
        same = bucket.get(copy) == BODY
    except StoreError as error:
        return ProbeResult("copy", False, f"server-side copy: {error.message}")
    return ProbeResult("copy", same, "server-side copy" if same else "server-side copy gives other bytes")


def _in_parts(bucket: Bucket, key: str) -> ProbeResult:
    """Upload a single part: the last part of an upload may have any size."""
    wanted = multipart_etag(hashlib.md5(BODY, usedforsecurity=False).digest())
    try:
        multipart.upload(bucket.client, key, multipart.digested([BODY]), expect=None)
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
        for sent in [bucket.client.send("PutObject", "PUT", key, body=BODY) for key in keys]:
            sent.result()
        whole = keys_as_listed(bucket.client, prefix)
        rests = [keys_as_listed(bucket.client, prefix, after=key) for key in whole]
    except StoreError as error:
        return ProbeResult("start-after", None, f"{detail}: {error.message}")
    same = sorted(whole) == sorted(keys) and rests == [whole[1:], []]
    return ProbeResult(
        "start-after", same, detail if same else "what is listed after a key is not the rest of the listing"
    )

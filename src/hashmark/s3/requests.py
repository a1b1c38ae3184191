"""Requests for single objects of a bucket, as coroutines that await the answer and check it.

Writes are conditional and checked by the store. A coroutine yields the futures it awaits (`s3.waiting`), so that many
run on few threads. What is equal, and what to do about it, is not known here.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import mimetypes
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from hashmark.core.errors import NoSuchObject, PreconditionFailed, UnexpectedAnswer
from hashmark.core.etags import normal_etag, part_count
from hashmark.core.model import key_bytes
from hashmark.s3 import xml
from hashmark.s3.checksums import STRONGEST
from hashmark.s3.client import Client
from hashmark.s3.exchange import Answer

MAX_BODY_BYTES = 64 << 20
"""The largest object that one request reads."""

_TYPES = {".txt": "text/plain; charset=utf-8", ".caption": "text/plain; charset=utf-8", ".webp": "image/webp"}


@dataclass(frozen=True, slots=True)
class Head:
    """What a HEAD request returns. Checksums are in base64; `encryption` names KMS or a customer's key, else None."""

    status: int
    size: int
    etag: str | None
    last_modified: str | None = None
    encryption: str | None = None
    checksums: Mapping[str, str] = field(default_factory=dict)
    full_object: bool = True
    metadata: Mapping[str, str] = field(default_factory=dict)
    parts: int | None = None

    def last_modified_utc(self) -> str | None:
        """Return the time of the object as listings have it, without a fraction of a second."""
        from email.utils import parsedate_to_datetime  # noqa: PLC0415 - slow to import, and seldom needed

        try:
            return f"{parsedate_to_datetime(self.last_modified or ''):%Y-%m-%dT%H:%M:%SZ}"
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Expect:
    """The condition of a write: the ETag of the object to replace or delete, or None if there must be no object.

    An entity tag has quotes (RFC 9110, section 8.8.3). Ceph, and so Hetzner and DigitalOcean, refuses a write with them
    (slatedb/slatedb, issue 1818).
    """

    etag: str | None
    quoted: bool = True

    def headers(self) -> dict[str, str]:
        """Return the condition as request headers."""
        if self.etag is None:
            return {"If-None-Match": "*"}
        return {"If-Match": f'"{self.etag}"' if self.quoted else self.etag}


def content_md5(hex_digest: str) -> str:
    """Return an MD5 given in hex as the Content-MD5 header has it (RFC 1864: base64 of the 16 bytes)."""
    return base64.b64encode(bytes.fromhex(hex_digest)).decode()


def content_type(key: str) -> str:
    """Return the media type by the key's suffix; captions are UTF-8 text."""
    return _type_of("." + key.rsplit(".", 1)[-1].lower())


@functools.lru_cache(64)
def _type_of(suffix: str) -> str:
    return _TYPES.get(suffix) or mimetypes.guess_type(f"a{suffix}", strict=False)[0] or "application/octet-stream"


class Requests:
    """Requests for single objects of one bucket: whole keys in, values out.

    Raises (every method): StoreError, one of its subclasses, naming the key.
    """

    def __init__(self, client: Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    async def head(self, key: str, *, part: int | None = None) -> Head:
        """Send a HEAD request for an object, or for its part of this number, with stored checksums."""
        query = {"partNumber": str(part)} if part else {}
        headers = {"x-amz-checksum-mode": "ENABLED"}
        return _head(await self._client.send("HeadObject", "HEAD", key, query=query, headers=headers), key)

    async def put(
        self,
        key: str,
        data: bytes,
        *,
        md5: str | None = None,
        expect: Expect | None = None,
        metadata: Mapping[str, str] | None = None,
        on_bytes: Callable[[int], None] | None = None,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> str:
        """Write an object; the store checks the bytes against Content-MD5. Return the new ETag; empty if it sends none.

        `md5` is the digest of `data` in hex, computed here if it is not given.
        """
        digest = md5 or hashlib.md5(data, usedforsecurity=False).hexdigest()
        headers = {"Content-MD5": content_md5(digest), "Content-Type": content_type(key)}
        headers |= {f"x-amz-meta-{name}": value for name, value in (metadata or {}).items()}
        if expect:
            headers |= expect.headers()
        answer = await self._client.send(
            "PutObject", "PUT", key, headers=headers, body=data, on_bytes=on_bytes, is_cancelled=is_cancelled
        )
        return normal_etag(answer.headers.get("etag", ""))

    async def get(self, key: str, *, etag: str | None = None) -> bytes:
        """Return a whole (small) object in one piece; if `etag` is given, only that version."""
        return b"".join(await self.chunks(key, etag=etag))

    async def chunks(
        self,
        key: str,
        *,
        etag: str | None = None,
        size: int | None = None,
        on_bytes: Callable[[int], None] | None = None,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[bytes]:
        """Return the bytes of an object in order; if `etag` is given, only of that version.

        `size` is how many are expected. All are held in memory: use `Bucket.chunks` for objects of more than
        MAX_BODY_BYTES.
        """
        answer = await self._client.send(
            "GetObject",
            "GET",
            key,
            on_bytes=on_bytes,
            size=size or 0,
            max_bytes=MAX_BODY_BYTES,
            is_cancelled=is_cancelled,
        )
        return expected(answer, key, etag).pieces()

    async def copy(self, source: str, target: str, *, etag: str | None = None) -> None:
        """Copy inside the bucket, on the server; if `etag` is given, only that version.

        Stores refuse or ignore a condition on the source, or take it without quotes only. So none is sent: the copy is
        of that version if it has its ETag, or if the source still has it afterwards.

        Raises:
            PreconditionFailed: it is of another version; the copy was deleted again.
        """
        headers = {"x-amz-copy-source": copy_source(self._bucket, source)}
        answer = await self._client.send("CopyObject", "PUT", target, headers=headers)
        facts = xml.children(xml.parse(answer.body, "CopyObjectResult", f"Copying '{source}'"))
        copied = normal_etag(facts.get("ETag", ""))
        if not copied:
            raise UnexpectedAnswer(f"Copying '{source}': the answer has no ETag.")
        if etag and copied != etag:
            try:
                there = (await self.head(source)).etag
            except NoSuchObject:
                there = None
            if there != etag:
                await self.delete(target)
                raise PreconditionFailed(f"'{source}' is not the version in the bucket that was expected.")

    async def delete(self, key: str, *, expect: Expect | None = None) -> None:
        """Delete an object, if the condition holds and the store honours it."""
        await self._client.send("DeleteObject", "DELETE", key, headers=expect.headers() if expect else {})


def copy_source(bucket: str, key: str) -> str:
    """Return an object as the source of a copy, percent-encoded."""
    return f"/{quote(bucket)}/{quote(key_bytes(key), safe='-_.~/')}"


def expected(answer: Answer, key: str, etag: str | None) -> Answer:
    """Return the answer to a read if it is of the requested version.

    No If-Match is sent with reads: some stores ignore it, others take it without quotes only, and the answer tells.

    Raises:
        PreconditionFailed: it is of another.
    """
    if etag and normal_etag(answer.headers.get("etag", "")) != etag:
        raise PreconditionFailed(f"'{key}' is not the version in the bucket that was expected.")
    return answer


def _head(answer: Answer, key: str) -> Head:
    headers = answer.headers
    size = xml.number(headers.get("content-length", ""))
    if size is None:
        raise UnexpectedAnswer(f"HEAD of '{key}': the answer has no length.")
    return Head(
        status=answer.status,
        size=size,
        etag=normal_etag(headers.get("etag", "")) or None,
        last_modified=headers.get("last-modified"),
        encryption=_encryption(headers),
        checksums={c: headers[f"x-amz-checksum-{c}"] for c in STRONGEST if f"x-amz-checksum-{c}" in headers},
        full_object=_is_full_object(headers),
        metadata={k.removeprefix("x-amz-meta-"): v for k, v in headers.items() if k.startswith("x-amz-meta-")},
        parts=xml.number(headers.get("x-amz-mp-parts-count", "")),
    )


def _is_full_object(headers: Mapping[str, str]) -> bool:
    """Return whether the stored checksums are of the whole object. Some stores only mark composites, by `-N`."""
    if sort := headers.get("x-amz-checksum-type"):
        return sort == "FULL_OBJECT"
    composite = any("-" in headers.get(f"x-amz-checksum-{name}", "") for name in STRONGEST)
    return not composite and part_count(normal_etag(headers.get("etag", ""))) is None


def _encryption(headers: Mapping[str, str]) -> str | None:
    if "x-amz-server-side-encryption-customer-algorithm" in headers:
        return "SSE-C"
    sort = headers.get("x-amz-server-side-encryption", "")
    return sort if sort.startswith("aws:kms") else None

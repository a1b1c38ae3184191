"""The bucket as hashmark uses it: whole keys in, values out, every write conditional and checked.

Each method is one request and blocks until it is answered; callers bring their own threads. What is equal, what
to do about it and in which order is not known here.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import mimetypes
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from hashmark.core.errors import PreconditionFailed, UnexpectedAnswer
from hashmark.core.etags import normal_etag, part_count
from hashmark.core.model import RemoteObject, key_bytes
from hashmark.s3 import xml
from hashmark.s3.checksums import STRONGEST
from hashmark.s3.client import Answer, Client
from hashmark.s3.endpoint import Remote
from hashmark.s3.listing import Landmarks, list_folders, list_objects
from hashmark.s3.xml import Upload

DELETE_BATCH = 1000
"""S3's limit of keys in one DeleteObjects request."""

WHOLE = 64 << 20
"""Objects up to here are read in one request."""

MOST_ATTRIBUTES = 1 << 20
"""Bytes of an answer about a thousand parts, with room to spare."""

RANGE = 16 << 20
"""Bytes of a large object asked for at a time."""

RANGES = WHOLE // RANGE - 1
"""Ranges under way at once. With the one being written, a large object takes no more memory than WHOLE."""

_TYPES = {".txt": "text/plain; charset=utf-8", ".caption": "text/plain; charset=utf-8", ".webp": "image/webp"}


@dataclass(frozen=True, slots=True)
class Head:
    """What a HEAD says. Checksums as sent (base64); `encryption` names KMS or a customer's key, else None."""

    status: int
    size: int
    etag: str | None
    last_modified: str | None = None
    encryption: str | None = None
    checksums: Mapping[str, str] = field(default_factory=dict)
    full_object: bool = True
    metadata: Mapping[str, str] = field(default_factory=dict)
    parts: int | None = None


@dataclass(frozen=True, slots=True)
class Attributes:
    """What GetObjectAttributes says: the ETag, and the sizes of all parts; none where the store does not list them."""

    etag: str | None
    part_sizes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Expect:
    """The condition of a write: the ETag that must be there, or that nothing may be."""

    etag: str | None

    def headers(self) -> dict[str, str]:
        """As request headers."""
        return {"If-None-Match": "*"} if self.etag is None else {"If-Match": f'"{self.etag}"'}


def content_md5(hex_digest: str) -> str:
    """An MD5 in hex, as the Content-MD5 header wants it (RFC 1864: base64 of the 16 bytes)."""
    return base64.b64encode(bytes.fromhex(hex_digest)).decode()


def content_type(key: str) -> str:
    """The media type by the key's suffix; captions are UTF-8 text."""
    suffix = "." + key.rsplit(".", 1)[-1].lower()
    return _TYPES.get(suffix) or mimetypes.guess_type(key, strict=False)[0] or "application/octet-stream"


class Bucket:
    """One bucket at one endpoint. Safe to use from several threads.

    Raises (every method): StoreError, one of its subclasses, naming the key.
    """

    def __init__(self, remote: Remote) -> None:
        self.remote = remote
        self.client = Client(remote)

    @property
    def store(self) -> str:
        """A name for store and bucket, under which what is known about them is remembered."""
        return f"{self.remote.store_name or self.client.endpoint.url}/{self.remote.bucket}"

    def objects(self, prefix: str, landmarks: Landmarks | None = None) -> Iterator[RemoteObject]:
        """Every object under `prefix`, keys without it, in byte order; complete or an error.

        With `landmarks`, names the bucket is likely to have, a long listing is read in many places at once.
        """
        return list_objects(self.client, prefix, landmarks)

    def folders(self, prefix: str) -> list[str]:
        """The names of the folders directly under `prefix`."""
        return list_folders(self.client, prefix)

    def head(self, key: str, *, part: int | None = None) -> Head:
        """Facts about an object, stored checksums included; about its part where a number is given."""
        query = {"partNumber": str(part)} if part else {}
        answer = self.client.call("HeadObject", "HEAD", key, query=query, headers={"x-amz-checksum-mode": "ENABLED"})
        return _head(answer, key)

    def attributes(self, key: str) -> Attributes:
        """ETag and part sizes of an object, a thousand parts a request.

        AWS lists the parts only of objects with an additional checksum (API reference, "GetObjectAttributes").
        """
        sizes: dict[int, int] = {}
        etag: str | None = None
        marker: str | None = "0"
        while marker is not None:
            headers = {"x-amz-object-attributes": "ETag,ObjectParts", "x-amz-max-parts": "1000"}
            headers |= {"x-amz-part-number-marker": marker} if marker != "0" else {}
            # Stores that don't know the question (rclone, Swift) answer with the object itself, however large.
            asked = self.client.send(
                "GetObjectAttributes", "GET", key, query={"attributes": ""}, headers=headers, most=MOST_ATTRIBUTES
            )
            answer = asked.result()
            page = xml.parse_attributes(answer.body, f"Asking for the parts of '{key}'")
            seen = len(sizes)
            sizes |= page.parts
            etag = page.etag
            marker = page.next_marker if len(sizes) > seen else None
        whole = list(sizes) == list(range(1, len(sizes) + 1))
        return Attributes(etag, tuple(sizes.values()) if whole else ())

    def uploads(self, prefix: str) -> Iterator[Upload]:
        """Uploads in parts that were begun under `prefix` and have not ended: in no listing, and paid for."""
        key, upload_id = "", ""
        while True:
            # Without encoding-type=url: SeaweedFS says that it encodes these keys, and does not.
            query = {"uploads": "", "prefix": prefix}
            query |= {"key-marker": key, "upload-id-marker": upload_id} if key else {}
            answer = self.client.call("ListMultipartUploads", "GET", query=query)
            page = xml.parse_uploads(answer.body, f"Listing the unfinished uploads under '{prefix}'")
            # Some stores (`rclone serve s3`) leave the prefix out of account.
            yield from (upload for upload in page.uploads if upload.key.startswith(prefix))
            if page.next_key is None or (page.next_key, page.next_id) == (key, upload_id):
                return
            key, upload_id = page.next_key, page.next_id

    def put(
        self,
        key: str,
        data: bytes,
        *,
        md5: str | None = None,
        expect: Expect | None = None,
        metadata: Mapping[str, str] | None = None,
        on_bytes: Callable[[int], None] | None = None,
    ) -> str:
        """Write an object; the store checks the bytes against Content-MD5. Returns the new ETag.

        `md5` is that of `data` in hex, computed here where it is not given.
        """
        digest = md5 or hashlib.md5(data, usedforsecurity=False).hexdigest()
        headers = {"Content-MD5": content_md5(digest), "Content-Type": content_type(key), **_meta(metadata)}
        if expect:
            headers |= expect.headers()
        answer = self.client.call("PutObject", "PUT", key, headers=headers, body=data, on_bytes=on_bytes)
        return _etag(answer, f"Writing '{key}'")

    def get_to(
        self, key: str, path: str, *, etag: str | None = None, on_bytes: Callable[[int], None] | None = None
    ) -> Answer:
        """Read an object into the file at `path`; only the version with `etag`, where one is given.

        The runtime holds the whole body in memory on its way: large objects are for `download`.
        """
        headers = {"If-Match": f'"{etag}"'} if etag else {}
        answer = self.client.call("GetObject", "GET", key, headers=headers, into=path, on_bytes=on_bytes)
        Path(path).touch()  # the runtime makes no file for an empty body
        return _expected(answer, key, etag)

    def download(
        self, key: str, path: str, size: int | None, *, etag: str, on_bytes: Callable[[int], None] | None = None
    ) -> None:
        """Read an object of `size` bytes into the file at `path`, in bounded memory, all of the version `etag`."""
        if size is None or size <= WHOLE:
            self.get_to(key, path, etag=etag or None, on_bytes=on_bytes)
            return
        with Path(path).open("wb") as file:
            file.writelines(self._pieces(key, size, etag=etag, on_bytes=on_bytes))

    def digest(self, key: str, size: int, *, etag: str) -> str:
        """The MD5 in hex of an object's bytes, read in bounded memory, all of the version `etag`."""
        md5 = hashlib.md5(usedforsecurity=False)
        for piece in self._pieces(key, size, etag=etag):
            md5.update(piece)
        return md5.hexdigest()

    def _pieces(
        self, key: str, size: int, *, etag: str, on_bytes: Callable[[int], None] | None = None
    ) -> Iterator[bytes]:
        """The object's bytes in order, a range at a time, while the next ones travel."""
        waiting: deque[tuple[int, int, Future[Answer]]] = deque()
        starts = iter(range(0, size, RANGE))
        while True:
            for start in itertools.islice(starts, RANGES - len(waiting)):
                end = min(start + RANGE, size) - 1
                headers = {"If-Match": f'"{etag}"', "Range": f"bytes={start}-{end}"}
                sent = self.client.send("GetObject", "GET", key, headers=headers, on_bytes=on_bytes)
                waiting.append((start, end, sent))
            if not waiting:
                return
            start, end, sent = waiting.popleft()
            answer = _expected(sent.result(), key, etag)
            # By what the answer says it is: `rclone serve s3` gives ranges with status 200.
            wanted = f"bytes {start}-{end}/{size}"
            if answer.headers.get("content-range") != wanted or len(answer.body) != end + 1 - start:
                raise UnexpectedAnswer(f"Reading '{key}': asked for {wanted}, got something else.")
            yield answer.body

    def read(self, key: str, *, etag: str | None = None) -> bytes:
        """A whole (small) object."""
        headers = {"If-Match": f'"{etag}"'} if etag else {}
        return _expected(self.client.call("GetObject", "GET", key, headers=headers), key, etag).body

    def copy(self, source: str, target: str, *, etag: str | None = None) -> str:
        """Copy inside the bucket, on the server; only the version with `etag`. Returns the new ETag."""
        headers = {"x-amz-copy-source": f"/{quote(self.remote.bucket)}/{quote(key_bytes(source), safe='-_.~/')}"}
        if etag:
            headers["x-amz-copy-source-if-match"] = f'"{etag}"'
        answer = self.client.call("CopyObject", "PUT", target, headers=headers)
        facts = xml.children(xml.parse(answer.body, "CopyObjectResult", f"Copying '{source}'"))
        if not facts.get("ETag"):
            raise UnexpectedAnswer(f"Copying '{source}': the answer has no ETag.")
        return normal_etag(facts["ETag"])

    def delete(self, key: str, *, etag: str | None = None) -> None:
        """Delete an object; only the version with `etag`, where one is given and the store looks at it."""
        headers = {"If-Match": f'"{etag}"'} if etag else {}
        self.client.call("DeleteObject", "DELETE", key, headers=headers)

    def delete_many(self, keys: Iterable[str]) -> dict[str, str]:
        """Delete objects, a thousand a request. Returns the keys that were not deleted, each with the code why."""
        failed: dict[str, str] = {}
        batch: list[str] = []
        for key in keys:
            if not key.isprintable():
                # XML can't carry control characters.
                self.delete(key)
                continue
            batch.append(key)
            if len(batch) == DELETE_BATCH:
                failed |= self._delete_batch(batch)
                batch = []
        return failed | (self._delete_batch(batch) if batch else {})

    def _delete_batch(self, keys: list[str]) -> dict[str, str]:
        from html import escape  # noqa: PLC0415 - brings a list of every entity there is

        entries = "".join(f"<Object><Key>{escape(key, quote=False)}</Key></Object>" for key in keys)
        body = f'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{entries}</Delete>'.encode()
        digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
        headers = {"Content-MD5": content_md5(digest), "Content-Type": "application/xml"}
        answer = self.client.call("DeleteObjects", "POST", query={"delete": ""}, headers=headers, body=body)
        root = xml.parse(answer.body, "DeleteResult", f"Deleting {len(keys)} objects")
        # A key that the answer does not mention was not shown to be deleted.
        failed = dict.fromkeys(keys, "NotConfirmed")
        for element in root:
            facts = xml.children(element)
            if xml.local(element.tag) == "Deleted":
                failed.pop(facts.get("Key", ""), None)
            elif xml.local(element.tag) == "Error":
                failed[facts.get("Key", "")] = facts.get("Code") or "Error"
        return failed


def _expected(answer: Answer, key: str, etag: str | None) -> Answer:
    """The answer, if it is of the version that was asked for: some stores ignore If-Match on reads."""
    if etag and normal_etag(answer.headers.get("etag", "")) != etag:
        raise PreconditionFailed(f"'{key}' is not the version in the bucket that was expected.")
    return answer


def _meta(metadata: Mapping[str, str] | None) -> dict[str, str]:
    return {f"x-amz-meta-{name}": value for name, value in (metadata or {}).items()}


def _etag(answer: Answer, what: str) -> str:
    etag = answer.headers.get("etag")
    if not etag:
        raise UnexpectedAnswer(f"{what}: the answer has no ETag, so it can't be told what was stored.")
    return normal_etag(etag)


def _head(answer: Answer, key: str) -> Head:
    headers = answer.headers
    size = xml.number(headers.get("content-length", ""))
    if size is None:
        raise UnexpectedAnswer(f"HEAD of '{key}': the answer has no length.")
    return Head(
        status=answer.status,
        size=size,
        etag=normal_etag(headers["etag"]) if headers.get("etag") else None,
        last_modified=headers.get("last-modified"),
        encryption=_encryption(headers),
        checksums={c: headers[f"x-amz-checksum-{c}"] for c in STRONGEST if f"x-amz-checksum-{c}" in headers},
        full_object=_is_full_object(headers),
        metadata={k.removeprefix("x-amz-meta-"): v for k, v in headers.items() if k.startswith("x-amz-meta-")},
        parts=xml.number(headers.get("x-amz-mp-parts-count", "")),
    )


def _is_full_object(headers: Mapping[str, str]) -> bool:
    """Whether the stored checksums are of the whole object. Stores that do not say so mark composites by `-N`."""
    if sort := headers.get("x-amz-checksum-type"):
        return sort == "FULL_OBJECT"
    composite = any("-" in headers.get(f"x-amz-checksum-{name}", "") for name in STRONGEST)
    return not composite and part_count(normal_etag(headers.get("etag", ""))) is None


def _encryption(headers: Mapping[str, str]) -> str | None:
    if "x-amz-server-side-encryption-customer-algorithm" in headers:
        return "SSE-C"
    sort = headers.get("x-amz-server-side-encryption", "")
    return sort if sort.startswith("aws:kms") else None

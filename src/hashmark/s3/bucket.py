"""The bucket as hashmark uses it: whole keys in, values out. Every method blocks until the answer has come.

`requests` has the methods for single objects without blocking. What is equal, and what to do about it, is not known
here.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import wait
from dataclasses import dataclass
from typing import TypeGuard

from hashmark.core.errors import StoreError, UnexpectedAnswer, Unsupported
from hashmark.core.etags import normal_etag
from hashmark.core.model import RemoteObject
from hashmark.s3 import xml
from hashmark.s3.client import Client
from hashmark.s3.endpoint import Remote
from hashmark.s3.exchange import Answer
from hashmark.s3.listing import KeyHints, list_folders, list_objects
from hashmark.s3.requests import Requests, content_md5, copy_source, expected
from hashmark.s3.waiting import Pending, blocking
from hashmark.s3.xml import Upload

KEYS_PER_DELETE = 1000
"""S3's limit of keys in one DeleteObjects request."""

MAX_SINGLE_GET_BYTES = 16 << 20
"""Objects up to this size are read in one request, and held in memory whole."""

MAX_ATTRIBUTES_BYTES = 1 << 20
"""The largest answer about a thousand parts, with room to spare."""

RANGE_BYTES = 4 << 20
"""The part of a large object that one request reads."""

MAX_OPEN_RANGES = 4
"""Ranges of one object that are requested at once."""


def in_ranges(size: int | None) -> TypeGuard[int]:
    """Return whether an object of this size is read in ranges, not in one request."""
    return size is not None and size > MAX_SINGLE_GET_BYTES


@dataclass(frozen=True, slots=True)
class Attributes:
    """The ETag and the sizes of all parts by GetObjectAttributes; no sizes where the store does not list them."""

    etag: str | None
    part_sizes: tuple[int, ...]


class Bucket:
    """One bucket at one endpoint. Safe to use from several threads.

    Raises (every method): StoreError, one of its subclasses, naming the key.
    """

    def __init__(self, remote: Remote) -> None:
        self.remote = remote
        self.client = Client(remote)
        self.requests = Requests(self.client, remote.bucket)

    head = blocking(Requests.head)
    put = blocking(Requests.put)
    get = blocking(Requests.get)
    _chunks = blocking(Requests.chunks)
    copy = blocking(Requests.copy)
    delete = blocking(Requests.delete)

    @property
    def store(self) -> str:
        """Return a name for store and bucket, under which facts about them are recorded."""
        return f"{self.remote.store_name or self.client.endpoint.url}/{self.remote.bucket}"

    def objects(self, prefix: str, hints: KeyHints | None = None, *, eager: bool = False) -> Iterator[RemoteObject]:
        """Yield every object under `prefix`, keys without it, in byte order; complete, or an error.

        With `hints`, keys the bucket is likely to have, a long listing is read in parallel; if `eager`, before it is
        known to be a long one.
        """
        return list_objects(self.client, prefix, hints, eager=eager)

    def folders(self, prefix: str, on_files: Callable[[list[str]], None] = lambda _names: None) -> list[str]:
        """Return the names of the folders directly under `prefix`. `on_files` gets those of objects beside them."""
        return list_folders(self.client, prefix, on_files)

    def attributes(self, key: str) -> Attributes:
        """Return the ETag and the part sizes of an object, a thousand parts per request.

        AWS lists the parts only of objects with an additional checksum (API reference, "GetObjectAttributes").
        """
        sizes: dict[int, int] = {}
        etag: str | None = None
        marker: str | None = "0"
        while marker is not None:
            headers = {"x-amz-object-attributes": "ETag,ObjectParts", "x-amz-max-parts": "1000"}
            headers |= {"x-amz-part-number-marker": marker} if marker != "0" else {}
            # Stores that don't know this request (rclone, Swift) answer with the object itself, however large.
            answer = self.client.call(
                "GetObjectAttributes",
                "GET",
                key,
                query={"attributes": ""},
                headers=headers,
                max_bytes=MAX_ATTRIBUTES_BYTES,
            )
            page = xml.parse_attributes(answer.body, f"Listing the parts of '{key}'")
            count = len(sizes)
            sizes |= page.parts
            etag = page.etag
            marker = page.next_marker if len(sizes) > count else None
        whole = list(sizes) == list(range(1, len(sizes) + 1))
        return Attributes(etag, tuple(sizes.values()) if whole else ())

    def copy_part(self, source: str, target: str, upload_id: str, count: int) -> str:
        """Copy the first bytes of an object as the first part of an upload. Return the part's ETag."""
        headers = {"x-amz-copy-source": copy_source(self.client.endpoint.bucket, source)}
        headers["x-amz-copy-source-range"] = f"bytes=0-{count - 1}"
        query = {"partNumber": "1", "uploadId": upload_id}
        answer = self.client.call("UploadPartCopy", "PUT", target, query=query, headers=headers)
        facts = xml.children(xml.parse(answer.body, "CopyPartResult", f"Copying a part of '{source}'"))
        return normal_etag(facts.get("ETag", ""))

    def uploads(self, prefix: str) -> Iterator[Upload]:
        """Yield the incomplete multipart uploads under `prefix`. They are in no listing of objects, and are billed."""
        key, upload_id = "", ""
        while True:
            # Without encoding-type=url: SeaweedFS claims to encode these keys, and does not.
            query = {"uploads": "", "prefix": prefix}
            query |= {"key-marker": key, "upload-id-marker": upload_id} if key else {}
            answer = self.client.call("ListMultipartUploads", "GET", query=query)
            page = xml.parse_uploads(answer.body, f"Listing the incomplete uploads under '{prefix}'")
            # Some stores (`rclone serve s3`) ignore the prefix.
            yield from (upload for upload in page.uploads if upload.key.startswith(prefix))
            if page.next_key is None or (page.next_key, page.next_id) == (key, upload_id):
                return
            key, upload_id = page.next_key, page.next_id

    def chunks(self, key: str, size: int | None, *, etag: str) -> Iterable[bytes]:
        """Return the bytes of the version `etag` of an object, in order and in bounded memory."""
        return self.pieces(key, size, etag=etag) if in_ranges(size) else self._chunks(key, etag=etag or None, size=size)

    def digest(self, key: str, size: int, *, etag: str) -> str:
        """Return the MD5, in hex, of the version `etag` of an object, read in bounded memory."""
        md5 = hashlib.md5(usedforsecurity=False)
        for piece in self.pieces(key, size, etag=etag):
            md5.update(piece)
        return md5.hexdigest()

    def pieces(
        self,
        key: str,
        size: int,
        *,
        etag: str,
        begin: int = 0,
        on_bytes: Callable[[int], None] | None = None,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[bytes]:
        """Yield an object's bytes from the byte `begin` on, in order, a range at a time, the next ones on their way.

        All are of one version: `etag`, or where that is empty, the one that the first answer is of.

        Raises:
            Interrupted: `is_cancelled` returned True.
        """
        waiting: deque[tuple[int, int, Pending[Answer]]] = deque()
        starts = iter(range(begin, size, RANGE_BYTES))
        try:
            while True:
                for start in itertools.islice(starts, MAX_OPEN_RANGES - len(waiting)):
                    end = min(start + RANGE_BYTES, size) - 1
                    headers = {"Range": f"bytes={start}-{end}"}
                    sent = self.client.send(
                        "GetObject",
                        "GET",
                        key,
                        headers=headers,
                        on_bytes=on_bytes,
                        size=end + 1 - start,
                        max_bytes=RANGE_BYTES,
                        is_cancelled=is_cancelled,
                    )
                    waiting.append((start, end, sent))
                if not waiting:
                    return
                start, end, sent = waiting.popleft()
                answer = expected(sent.result(), key, etag)
                etag = etag or normal_etag(answer.headers.get("etag", ""))
                # The header decides, not the status: `rclone serve s3` returns ranges with status 200.
                wanted = f"bytes {start}-{end}/{size}"
                if answer.headers.get("content-range") != wanted or sum(map(len, answer.chunks)) != end + 1 - start:
                    raise UnexpectedAnswer(f"Reading '{key}': requested {wanted}, got something else.")
                yield from answer.pieces()
        finally:
            wait([sent for _, _, sent in waiting])  # a file that has failed reports no more progress

    def delete_many(self, keys: Iterable[str]) -> dict[str, str]:
        """Delete objects, a thousand per request, or one where the store has no such request (RunPod has not).

        Return the keys that were not deleted, each with the error code.
        """
        failed: dict[str, str] = {}
        batch: list[str] = []
        for key in keys:
            if not key.isprintable():
                # XML can't carry control characters.
                self.delete(key)
                continue
            batch.append(key)
            if len(batch) == KEYS_PER_DELETE:
                failed |= self._delete_batch(batch)
                batch = []
        return failed | (self._delete_batch(batch) if batch else {})

    def _delete_batch(self, keys: list[str]) -> dict[str, str]:
        from html import escape  # noqa: PLC0415 - imports a list of all HTML entities

        entries = "".join(f"<Object><Key>{escape(key, quote=False)}</Key></Object>" for key in keys)
        body = f'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{entries}</Delete>'.encode()
        digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
        headers = {"Content-MD5": content_md5(digest), "Content-Type": "application/xml"}
        try:
            answer = self.client.call("DeleteObjects", "POST", query={"delete": ""}, headers=headers, body=body)
        except Unsupported:
            return self._delete_one_by_one(keys)
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

    def _delete_one_by_one(self, keys: list[str]) -> dict[str, str]:
        failed: dict[str, str] = {}
        for key, sent in [(key, self.client.send("DeleteObject", "DELETE", key)) for key in keys]:
            try:
                sent.result()
            except StoreError as error:
                if error.fatal:
                    raise
                failed[key] = error.code
        return failed

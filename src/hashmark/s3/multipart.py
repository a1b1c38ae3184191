"""Uploads a large file in parts: each with Content-MD5, completed under a condition, aborted on any error.

Knows nothing of why a file is uploaded, nor whether its bytes are the ones that were compared: the caller
checks the digest before it lets the upload complete.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, wait
from html import escape
from types import MappingProxyType
from typing import NamedTuple

from hashmark.core.errors import BadDigest, NoSuchObject, PreconditionFailed, StoreError, UnexpectedAnswer
from hashmark.core.etags import multipart_etag, normal_etag
from hashmark.s3 import xml
from hashmark.s3.client import Answer, Client
from hashmark.s3.requests import Expect, content_md5, content_type

IN_FLIGHT = 6
"""Parts on their way at once, of all files together. Each is in memory twice: here, and in the runtime."""

_room = threading.BoundedSemaphore(IN_FLIGHT)


class Part(NamedTuple):
    """The bytes of a part, and the MD5 (16 bytes) that the store is to compare them with."""

    data: bytes
    md5: bytes


def digested(parts: Iterable[bytes]) -> Iterator[Part]:
    """Parts with their digests."""
    return map(_digested, parts)


def _digested(data: bytes) -> Part:
    return Part(data, hashlib.md5(data, usedforsecurity=False).digest())


def upload(
    client: Client,
    key: str,
    parts: Iterator[Part],
    *,
    expect: Expect | None,
    metadata: Mapping[str, str] = MappingProxyType({}),
    confirm: Callable[[list[str]], None] = lambda _etags: None,
    on_upload: Callable[[str | None], None] = lambda _upload_id: None,
    on_bytes: Callable[[int], None] | None = None,
    made_of_md5s: bool = True,
) -> str:
    """Upload `parts` as one object; nothing is visible before the end. Returns the ETag.

    Where the parts' own ETags are their MD5s it is checked by arithmetic, unless `made_of_md5s` is False: then the
    store is known to make that of something else.

    `confirm` is given the parts' ETags when all are up and before they become an object; it raises to abort.
    `on_upload` is told the upload's id when it begins, and None when it has ended either way: what a kill leaves can
    be aborted.

    Raises:
        StoreError: the store refuses; the upload has been aborted.
        BadDigest: the resulting ETag is not that of these parts.
    """
    upload_id = begin(client, key, metadata)
    on_upload(upload_id)
    try:
        etags, digests = _send(client, key, upload_id, parts, on_bytes)
        confirm(etags)
        wanted = multipart_etag(b"".join(digests))
        try:
            final = _complete(client, key, upload_id, etags, expect)
        except (PreconditionFailed, NoSuchObject):
            # It may be the echo of our own completion, answered too late and sent again.
            if _etag_now(client, key) != wanted:
                raise
            final = wanted
    except BaseException:
        with contextlib.suppress(StoreError):
            abort(client, key, upload_id)
            on_upload(None)
        raise
    on_upload(None)
    if made_of_md5s and final != wanted and etags == [digest.hex() for digest in digests]:
        raise BadDigest(f"'{key}' was uploaded in parts, but its ETag is {final} and not {wanted}.")
    return final


def begin(client: Client, key: str, metadata: Mapping[str, str] = MappingProxyType({})) -> str:
    """Begin an upload, with this metadata of the object to be; its id."""
    headers = {"Content-Type": content_type(key), **{f"x-amz-meta-{k}": v for k, v in metadata.items()}}
    answer = client.call("CreateMultipartUpload", "POST", key, query={"uploads": ""}, headers=headers)
    what = f"Beginning '{key}'"
    # `rclone serve s3` leaves out the "Result".
    root = xml.parse(answer.body, "InitiateMultipartUploadResult", what, also="InitiateMultipartUpload")
    upload_id = xml.children(root).get("UploadId")
    if not upload_id:
        raise UnexpectedAnswer(f"{what}: the answer has no upload id.")
    return upload_id


def _send(
    client: Client, key: str, upload_id: str, parts: Iterator[Part], on_bytes: Callable[[int], None] | None
) -> tuple[list[str], list[bytes]]:
    etags: list[str] = []
    digests: list[bytes] = []
    flying: deque[Future[Answer]] = deque()

    def land() -> None:
        answer = flying.popleft().result()
        etags.append(normal_etag(answer.headers.get("etag", "")))

    try:
        while (part := _next_with_room(parts)) is not None:
            digests.append(part.md5)
            query = {"partNumber": str(len(digests)), "uploadId": upload_id}
            flying.append(_send_part(client, key, query, part, on_bytes))
            del part  # its bytes are let go when it has arrived
            while flying and flying[0].done():
                land()
        while flying:
            land()
    finally:
        wait(flying)  # a part that lands after the upload was given up would stay, and cost
    return etags, digests


def _next_with_room(parts: Iterator[Part]) -> Part | None:
    """The next part, read once there is room for one more; None where there is none."""
    _room.acquire()
    part = None
    try:
        part = next(parts, None)
        return part
    finally:
        if part is None:
            _room.release()


def _send_part(
    client: Client, key: str, query: Mapping[str, str], part: Part, on_bytes: Callable[[int], None] | None
) -> Future[Answer]:
    """Begin to send a part; there is room for another when it has arrived, or failed to."""
    headers = {"Content-MD5": content_md5(part.md5.hex())}
    try:
        sent = client.send("UploadPart", "PUT", key, query=query, headers=headers, body=part.data, on_bytes=on_bytes)
    except BaseException:
        _room.release()
        raise
    sent.add_done_callback(lambda _: _room.release())
    return sent


def _complete(client: Client, key: str, upload_id: str, etags: list[str], expect: Expect | None) -> str:
    rows = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>&quot;{escape(etag, quote=False)}&quot;</ETag></Part>"
        for number, etag in enumerate(etags, 1)
    )
    body = (
        f'<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{rows}</CompleteMultipartUpload>'
    ).encode()
    headers = {"Content-Type": "application/xml", **(expect.headers() if expect else {})}
    query = {"uploadId": upload_id}
    answer = client.call("CompleteMultipartUpload", "POST", key, query=query, headers=headers, body=body)
    what = f"Completing '{key}'"
    etag = normal_etag(xml.children(xml.parse(answer.body, "CompleteMultipartUploadResult", what)).get("ETag", ""))
    if not etag:
        raise UnexpectedAnswer(f"{what}: the answer has no ETag.")
    return etag


def _etag_now(client: Client, key: str) -> str | None:
    try:
        return normal_etag(client.call("HeadObject", "HEAD", key).headers.get("etag", ""))
    except NoSuchObject:
        return None


def abort(client: Client, key: str, upload_id: str) -> None:
    """Give up an upload, so that its parts cost nothing."""
    client.call("AbortMultipartUpload", "DELETE", key, query={"uploadId": upload_id})

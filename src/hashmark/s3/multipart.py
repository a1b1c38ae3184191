"""Runs the multipart upload of a large file: each part with Content-MD5, completed under a condition, or aborted.

Why a file is uploaded, and whether its bytes are those that were compared, is not known here: the caller checks the
digest before the upload completes.
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
from hashmark.s3.client import Client
from hashmark.s3.exchange import Answer
from hashmark.s3.file_body import FileBody
from hashmark.s3.requests import Expect, content_md5, content_type

MAX_OPEN_PARTS = 6
"""Parts on their way at once, of all files together."""

_room = threading.BoundedSemaphore(MAX_OPEN_PARTS)


class Part(NamedTuple):
    """A part, and the MD5 (16 bytes) that the store compares its bytes with."""

    body: bytes | FileBody
    md5: bytes


def digested(parts: Iterable[bytes]) -> Iterator[Part]:
    """Return the parts with their digests."""
    return map(_digested, parts)  # a generator would keep the bytes of a part until the next one


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
    """Upload `parts` as one object; nothing is visible before it is complete. Return the ETag.

    If the ETags of the parts are their MD5s, the object's ETag must be made of them, unless `made_of_md5s` is False:
    then the store is known to make it of something else.

    `confirm` is called with the ETags of the parts before they are completed as one object; it raises to abort.
    `on_upload` is called with the upload's id when it begins, and with None when it has ended either way, so that what
    a kill leaves can be aborted.

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
            # It may be the echo of our own completion, which was answered too late and sent again.
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
        raise BadDigest(f"The multipart upload of '{key}' completed with the ETag {final}, not {wanted}.")
    return final


def begin(client: Client, key: str, metadata: Mapping[str, str] = MappingProxyType({})) -> str:
    """Begin an upload, with metadata for the object. Return its id."""
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
    on_the_way: deque[Future[Answer]] = deque()

    def arrive() -> None:
        answer = on_the_way.popleft().result()
        etags.append(normal_etag(answer.headers.get("etag", "")))

    try:
        while (part := _next_with_room(parts)) is not None:
            digests.append(part.md5)
            query = {"partNumber": str(len(digests)), "uploadId": upload_id}
            on_the_way.append(_send_part(client, key, query, part, on_bytes))
            del part  # its bytes are freed when it has arrived
            while on_the_way and on_the_way[0].done():
                arrive()
        while on_the_way:
            arrive()
    finally:
        wait(on_the_way)  # a part that arrives after the abort would stay, and be billed
    return etags, digests


def _next_with_room(parts: Iterator[Part]) -> Part | None:
    """Return the next part, read once there is room for it; None after the last one."""
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
    """Start sending a part. There is room for another once it has arrived or failed."""
    headers = {"Content-MD5": content_md5(part.md5.hex())}
    try:
        sent = client.send("UploadPart", "PUT", key, query=query, headers=headers, body=part.body, on_bytes=on_bytes)
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
    """Abort an upload, so that its parts are deleted and no longer billed."""
    client.call("AbortMultipartUpload", "DELETE", key, query={"uploadId": upload_id})

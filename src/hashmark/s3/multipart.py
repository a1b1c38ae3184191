"""Runs the multipart upload of a large file: each part with Content-MD5, completed under a condition, or aborted.

What an interruption leaves can be continued: a part that the store has under the wanted MD5 is not sent again.

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

from hashmark.core.errors import (
    BadDigest,
    ExpiredCredentials,
    Interrupted,
    NoSuchObject,
    PreconditionFailed,
    ServerError,
    SlowDown,
    StoreError,
    UnexpectedAnswer,
    Unreachable,
    Unsupported,
)
from hashmark.core.etags import multipart_etag, normal_etag
from hashmark.s3 import xml
from hashmark.s3.client import Client
from hashmark.s3.exchange import Answer
from hashmark.s3.file_body import FileBody
from hashmark.s3.requests import Expect, content_md5, content_type
from hashmark.s3.xml import SentPart

MAX_OPEN_PARTS = 6
"""Parts on their way at once, of all files together."""

INTERRUPTIONS = (Interrupted, Unreachable, ServerError, SlowDown, ExpiredCredentials)
"""After these, what has moved so far is of use to the next run."""

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
    inspect: Callable[[], None] = lambda: None,
    metadata: Mapping[str, str] = MappingProxyType({}),
    confirm: Callable[[list[str]], None] = lambda _etags: None,
    on_upload: Callable[[str | None], None] = lambda _upload_id: None,
    on_bytes: Callable[[int], None] | None = None,
    is_cancelled: Callable[[], bool] = lambda: False,
    made_of_md5s: bool = True,
    resume: str | None = None,
    keep: Callable[[], bool] = lambda: False,
) -> str:
    """Upload `parts` as one object; nothing is visible before it is complete. Return the ETag.

    If the ETags of the parts are their MD5s, the object's ETag must be made of them, unless `made_of_md5s` is False:
    then the store is known to make it of something else.

    Where there is no condition, or the store does not take it, `inspect` is called just before the upload is completed;
    it raises where the condition does not hold. `confirm` is called with the ETags of the parts before they are
    completed as one object; it raises to abort. `on_upload` is called with the upload's id when it begins, and with
    None when it has ended either way, so that what a kill leaves can be aborted. `resume` is the id of one that was
    left, begun with the same `metadata`; its parts are kept where their ETags are the MD5s of these, which the caller
    knows the store to compute. If `keep` returns True, parts stay after INTERRUPTIONS.

    Raises:
        StoreError: the store refuses; unless its parts are kept, the upload has been aborted.
        Interrupted: `is_cancelled` returned True.
        BadDigest: the resulting ETag is not that of these parts.
    """
    there = _sent_parts(client, key, resume) if resume else None
    upload_id = resume if resume and there is not None else begin(client, key, metadata)
    on_upload(upload_id)
    try:
        to = _Sending(client, key, upload_id, there or {}, on_bytes, is_cancelled)
        etags, digests = _send(to, parts)
        confirm(etags)
        wanted = multipart_etag(b"".join(digests))
        try:
            final = _complete_if(client, key, upload_id, etags, expect, inspect)
        except (PreconditionFailed, NoSuchObject):
            # It may be the echo of our own completion, which was answered too late and sent again.
            if _etag_now(client, key) != wanted:
                raise
            final = wanted
    except BaseException as error:
        if not (isinstance(error, INTERRUPTIONS) and keep()):
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


class _Sending(NamedTuple):
    """Where parts go: an upload, and the parts that it has."""

    client: Client
    key: str
    upload_id: str
    there: Mapping[int, SentPart]
    on_bytes: Callable[[int], None] | None
    is_cancelled: Callable[[], bool]


def _sent_parts(client: Client, key: str, upload_id: str) -> dict[int, SentPart] | None:
    """Return the parts that an upload has, by number; None if it cannot be continued."""
    found: dict[int, SentPart] = {}
    marker: str | None = "0"
    try:
        while marker is not None:
            query = {"uploadId": upload_id} | ({"part-number-marker": marker} if marker != "0" else {})
            answer = client.call("ListParts", "GET", key, query=query)
            page = xml.parse_sent_parts(answer.body, f"Listing the parts of '{key}'")
            count = len(found)
            found |= page.parts
            marker = page.next_marker if len(found) > count else None
    except INTERRUPTIONS:
        raise
    except StoreError:  # it has ended, or the store does not list parts
        with contextlib.suppress(StoreError):
            abort(client, key, upload_id)
        return None
    return found


def _send(to: _Sending, parts: Iterator[Part]) -> tuple[list[str], list[bytes]]:
    etags: list[str] = []
    digests: list[bytes] = []
    on_the_way: deque[tuple[int, Future[Answer]]] = deque()

    def arrive() -> None:
        number, answer = on_the_way.popleft()
        # A gateway that sends no ETag gets the one that S3 documents: the part's MD5.
        etags[number - 1] = normal_etag(answer.result().headers.get("etag", "")) or etags[number - 1]

    try:
        while (part := _next_with_room(parts)) is not None:
            digests.append(part.md5)
            etags.append(part.md5.hex())
            if to.there.get(len(digests)) == (len(part.body), part.md5.hex()):
                _room.release()
                if to.on_bytes:
                    to.on_bytes(len(part.body))
            else:
                on_the_way.append((len(digests), _send_part(to, len(digests), part)))
            del part  # its bytes are freed when it has arrived
            while on_the_way and on_the_way[0][1].done():
                arrive()
        while on_the_way:
            arrive()
    finally:
        wait([sent for _, sent in on_the_way])  # a part that arrives after the abort would stay, and be billed
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


def _send_part(to: _Sending, number: int, part: Part) -> Future[Answer]:
    """Start sending a part. There is room for another once it has arrived or failed."""
    try:
        sent = to.client.send(
            "UploadPart",
            "PUT",
            to.key,
            query={"partNumber": str(number), "uploadId": to.upload_id},
            headers={"Content-MD5": content_md5(part.md5.hex())},
            body=part.body,
            on_bytes=to.on_bytes,
            is_cancelled=to.is_cancelled,
        )
    except BaseException:
        _room.release()
        raise
    sent.add_done_callback(lambda _: _room.release())
    return sent


def _complete_if(
    client: Client, key: str, upload_id: str, etags: list[str], expect: Expect | None, inspect: Callable[[], None]
) -> str:
    if expect is not None:
        try:
            return _complete(client, key, upload_id, etags, expect)
        except Unsupported:
            pass  # this store takes no condition here
        except PreconditionFailed:
            if expect.etag is None:
                raise
            inspect()
            # It is the object that was expected: this store takes the ETag the other way here than with a PUT.
            return _complete(client, key, upload_id, etags, Expect(expect.etag, quoted=not expect.quoted))
    inspect()
    return _complete(client, key, upload_id, etags, None)


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
    etag = etag or _etag_now(client, key) or ""
    if not etag:
        raise UnexpectedAnswer(f"{what}: neither the answer nor a HEAD request has an ETag.")
    return etag


def _etag_now(client: Client, key: str) -> str | None:
    try:
        return normal_etag(client.call("HeadObject", "HEAD", key).headers.get("etag", ""))
    except NoSuchObject:
        return None


def abort(client: Client, key: str, upload_id: str) -> None:
    """Abort an upload, so that its parts are deleted and no longer billed."""
    client.call("AbortMultipartUpload", "DELETE", key, query={"uploadId": upload_id})

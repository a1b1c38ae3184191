"""However many large files go up together, a bounded number of parts is in memory."""

from __future__ import annotations

import hashlib
import itertools
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from hashmark.core.errors import HashmarkError
from hashmark.core.etags import multipart_etag
from hashmark.core.model import Key, LocalFile
from hashmark.disk.walk import stamp_of
from hashmark.s3 import multipart
from hashmark.s3.bucket import Bucket
from hashmark.s3.endpoint import Remote
from hashmark.s3.file_body import FileBody
from hashmark.s3.multipart import MAX_OPEN_PARTS, digested
from hashmark.s3.store_capabilities import NOTHING_KNOWN, SUPPORTED, StoreCapabilities
from hashmark.transfer import parts as parts_module
from hashmark.transfer.parts import PartsUpload
from support.faults import NS, Reply, Request, error, scripted
from support.waiting import wait_for

PARTS = [b"%d" % n for n in range(5)]
ETAG = multipart_etag(b"".join(hashlib.md5(part).digest() for part in PARTS))


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "TESTKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret-key")


def honest(request: Request) -> Reply:
    """What a store answers to an upload in parts."""
    if request.method == "PUT":
        digest = hashlib.md5(request.body).hexdigest()
        return Reply(200, headers={"ETag": f'"{digest}"'})
    if request.method == "DELETE":
        return Reply(204)
    name, inner = ("Initiate", "<UploadId>1</UploadId>")
    if "uploads" not in request.query:
        name, inner = ("Complete", f"<ETag>{ETAG}</ETag>")
    return Reply(body=f"<{name}MultipartUploadResult {NS}>{inner}</{name}MultipartUploadResult>".encode())


def test_no_more_parts_are_read_than_may_be_under_way_whatever_file_they_are_of() -> None:
    read, go = itertools.count(), threading.Event()

    def reading() -> Iterator[bytes]:
        for part in PARTS:
            next(read)
            yield part

    def answer(request: Request) -> Reply:
        if request.method == "PUT":
            go.wait(60)
        return honest(request)

    with scripted(answer) as server, ThreadPoolExecutor(3) as pool:
        client = Bucket(Remote("b", "", server.url)).client
        uploads = [
            pool.submit(multipart.upload, client, name, digested(reading()), expect=None) for name in ("a", "b", "c")
        ]
        wait_for(lambda: sum(request.method == "PUT" for request in server.seen) == MAX_OPEN_PARTS)
        assert next(read) == MAX_OPEN_PARTS
        go.set()
        assert [upload.result(60) for upload in uploads] == [ETAG] * 3


def test_parts_that_fail_leave_room_for_others() -> None:
    """As many uploads as would have taken all the room for good."""

    def answer(request: Request) -> Reply:
        return Reply(400, error("InvalidArgument")) if request.method == "PUT" else honest(request)

    def unreadable() -> Iterator[bytes]:
        yield PARTS[0]
        raise OSError("the disk is gone")

    with scripted(answer) as server:
        client = Bucket(Remote("b", "", server.url)).client
        for _ in range(MAX_OPEN_PARTS + 1):
            with pytest.raises(HashmarkError):
                multipart.upload(client, "a", digested(PARTS), expect=None)
    with scripted(honest) as server:
        client = Bucket(Remote("b", "", server.url)).client
        for _ in range(MAX_OPEN_PARTS + 1):
            with pytest.raises(OSError, match="the disk is gone"):
                multipart.upload(client, "a", digested(unreadable()), expect=None)
        assert multipart.upload(client, "a", digested(PARTS), expect=None) == ETAG


class Bytes(bytes):
    """A part's bytes, counted."""

    held = 0

    def __new__(cls, data: bytes) -> Bytes:
        cls.held += 1
        return super().__new__(cls, data)

    def __del__(self) -> None:
        type(self).held -= 1


class Room:
    """Has room for one part, and for more once `go` is set: what the first has left was taken by another upload."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self._taken = itertools.count()

    def acquire(self) -> None:
        assert next(self._taken) == 0 or self.go.wait(60)

    def release(self) -> None:
        pass


def test_a_part_that_has_arrived_is_in_memory_no_more_while_its_upload_waits_for_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    room = Room()
    monkeypatch.setattr(multipart, "_room", room)
    with scripted(honest) as server, ThreadPoolExecutor(1) as pool:
        client = Bucket(Remote("b", "", server.url)).client
        uploading = pool.submit(multipart.upload, client, "a", digested(map(Bytes, PARTS)), expect=None)
        try:
            wait_for(lambda: any(request.method == "PUT" for request in server.seen) and not Bytes.held)
        finally:
            room.go.set()
        assert uploading.result(60) == ETAG


@pytest.mark.parametrize("known", [NOTHING_KNOWN, StoreCapabilities(etag_multipart=SUPPORTED)])
def test_no_part_of_a_file_is_ever_in_memory_whole(
    known: StoreCapabilities, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = os.urandom(24 << 20)
    path = tmp_path / "big.png"
    path.write_bytes(content)
    local = LocalFile(Key("big.png"), stamp_of(path.stat()))
    monkeypatch.setattr(parts_module, "PART_BYTES", 8 << 20)
    got: list[bytes] = []

    def answer(request: Request) -> Reply:
        if request.method == "PUT":
            got.append(hashlib.md5(request.body).digest())
        reply = honest(request)
        return replace(reply, body=reply.body.replace(ETAG.encode(), multipart_etag(b"".join(digests)).encode()))

    digests = [hashlib.md5(content[at : at + (8 << 20)]).digest() for at in range(0, len(content), 8 << 20)]
    with scripted(answer) as server:
        bucket = Bucket(Remote("b", "", server.url))
        upload = PartsUpload(bucket, path, local, known, doubted=set(), is_cancelled=lambda: False)
        upload.hash()
        taken: list[int] = []
        read = FileBody.read

        def watched(self: FileBody, count: int) -> bytes | int:
            taken.append(count)
            return read(self, count)

        monkeypatch.setattr(FileBody, "read", watched)
        upload.send("k", expect=None, inspect=lambda: None, on_bytes=None, on_upload=lambda _upload_id: None)
    assert sorted(got) == sorted(digests)
    assert max(taken) <= 1 << 20

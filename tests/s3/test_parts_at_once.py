"""However many large files go up together, a bounded number of parts is in memory."""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from hashmark.core.errors import HashmarkError
from hashmark.core.etags import multipart_etag
from hashmark.s3 import multipart
from hashmark.s3.bucket import Bucket
from hashmark.s3.endpoint import Remote
from hashmark.s3.multipart import IN_FLIGHT, digested
from tests.e2e.command import wait_for
from tests.faults import NS, Reply, Request, error, scripted

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
        wait_for(lambda: sum(request.method == "PUT" for request in server.seen) == IN_FLIGHT)
        assert next(read) == IN_FLIGHT
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
        for _ in range(IN_FLIGHT + 1):
            with pytest.raises(HashmarkError):
                multipart.upload(client, "a", digested(PARTS), expect=None)
    with scripted(honest) as server:
        client = Bucket(Remote("b", "", server.url)).client
        for _ in range(IN_FLIGHT + 1):
            with pytest.raises(OSError, match="the disk is gone"):
                multipart.upload(client, "a", digested(unreadable()), expect=None)
        assert multipart.upload(client, "a", digested(PARTS), expect=None) == ETAG

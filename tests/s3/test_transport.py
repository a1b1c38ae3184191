"""Requests over libcurl: what is never sent, what is kept, and how the network thread ends."""

from __future__ import annotations

import gc
import random
import subprocess
import sys
import threading
import time
import weakref

import pytest

from hashmark.core.errors import (
    ClockSkew,
    HashmarkError,
    Interrupted,
    ServerError,
    SlowDown,
    UnexpectedAnswer,
    Unsupported,
)
from hashmark.s3 import exchange, transport
from hashmark.s3.client import Client
from hashmark.s3.endpoint import Remote
from support.faults import Reply, Request, error, scripted
from support.waiting import wait_for


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "TESTKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret-key")


def client_of(url: str) -> Client:
    return Client(Remote("bucket", "", url, "us-east-1"))


@pytest.mark.parametrize("key", ["..", "../k", "a/../k", "a/./k", "a/.."])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_key_that_libcurl_would_resolve_like_a_path_is_not_requested(key: str, method: str) -> None:
    """A DELETE of `..` would go to the bucket itself."""
    with scripted(lambda _request: Reply()) as server:
        with pytest.raises(Unsupported, match="between slashes"):
            client_of(server.url).call("GetObject", method, key)
        assert server.seen == []


@pytest.mark.parametrize("key", ["...", "a..b/.c/d.", "%2e%2e/k", "a//b", "/a"])
def test_other_keys_are_requested_as_they_are(key: str) -> None:
    with scripted(lambda _request: Reply()) as server:
        client_of(server.url).call("GetObject", "GET", key)
        assert [request.target for request in server.seen] == ["/bucket/" + key.replace("%", "%25")]


@pytest.mark.parametrize("etag", ["x\r\nx-amz-acl: public-read", "x\0", "x\x7f"])
def test_an_etag_that_no_header_can_carry_is_not_sent(etag: str) -> None:
    with scripted(lambda _request: Reply()) as server:
        with pytest.raises(UnexpectedAnswer, match="If-Match has characters"):
            client_of(server.url).call("GetObject", "GET", "k", headers={"If-Match": etag})
        assert server.seen == []


def test_what_is_sent_is_signed_and_nothing_more_is_told() -> None:
    with scripted(lambda _request: Reply()) as server:
        client_of(server.url).call("PutObject", "PUT", "k", headers={"Content-MD5": "eA=="}, body=b"x" * (2 << 20))
        (request,) = server.seen
    signed = request.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    assert signed == ["content-md5", "host", "x-amz-content-sha256", "x-amz-date"]
    unsigned = {"authorization", "content-length", "user-agent"}
    assert request.headers.keys() == {*signed, *unsigned}


def test_a_session_token_is_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a-token")
    with scripted(lambda _request: Reply()) as server:
        client_of(server.url).call("HeadBucket", "HEAD")
        (request,) = server.seen
    assert request.headers["x-amz-security-token"] == "a-token"
    assert ";x-amz-security-token," in request.headers["authorization"]


def test_a_busy_store_is_asked_again_when_it_says() -> None:
    times = []

    def answer(_request: Request) -> Reply:
        times.append(time.monotonic())
        return Reply(503, error("SlowDown"), {"Retry-After": "1"}) if len(times) == 1 else Reply()

    with scripted(answer) as server:
        client_of(server.url).call("HeadObject", "GET", "k")
    assert times[1] - times[0] >= 1


@pytest.mark.parametrize(
    ("reply", "expected", "count"),
    [
        pytest.param(Reply(500, error("InternalError")), ServerError, 3, id="a server error"),
        pytest.param(Reply(503, error("SlowDown")), SlowDown, 3, id="a busy store"),
        pytest.param(Reply(429), SlowDown, 3, id="too many requests"),
        pytest.param(Reply(400, error("RequestTimeout")), ServerError, 3, id="what came too slowly"),
        pytest.param(Reply(200, error("InternalError")), ServerError, 3, id="a late error"),
        pytest.param(Reply(400, error("InvalidArgument")), UnexpectedAnswer, 1, id="a refusal"),
        pytest.param(Reply(403, error("RequestTimeTooSkewed")), ClockSkew, 1, id="a clock nobody can correct"),
    ],
)
def test_what_may_pass_is_tried_again_and_nothing_else(
    reply: Reply, expected: type[Exception], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "MAX_TRIES", 3)
    with scripted(lambda _request: reply) as server:
        with pytest.raises(expected):
            client_of(server.url).call("CopyObject", "PUT", "k", headers={"x-amz-copy-source": "/b/k"})
        assert len(server.seen) == count


def test_trying_again_draws_none_of_the_programs_random_numbers() -> None:
    """A script that seeds them to train on the same order of pictures gets that order, whatever the store does."""
    replies = iter([Reply(503), Reply(503)])
    before = random.getstate()
    with scripted(lambda _request: next(replies, Reply())) as server:
        client_of(server.url).call("HeadObject", "GET", "k")
        assert len(server.seen) == 3
    assert random.getstate() == before


def test_the_body_of_a_request_is_let_go_with_its_answer() -> None:
    gone = threading.Event()

    class Watched(bytes):
        def __del__(self) -> None:
            gone.set()

    with scripted(lambda _request: Reply()) as server:
        client = client_of(server.url)
        client.call("PutObject", "PUT", "k", body=Watched(b"x"))
        assert gone.wait(10)


def networks() -> int:
    return sum(thread.name == "network" for thread in threading.enumerate())


def test_the_network_thread_ends_after_its_client_and_its_requests() -> None:
    go = threading.Event()

    def answer(_request: Request) -> Reply:
        go.wait(60)
        return Reply()

    gc.collect()
    wait_for(lambda: networks() == 0)
    with scripted(answer) as server:
        client = client_of(server.url)
        gone = weakref.ref(client)
        sent = client.send("HeadBucket", "HEAD")
        del client
        gc.collect()
        assert gone() is None
        assert networks() == 1
        go.set()
        assert sent.result(60).status == 200
        wait_for(lambda: networks() == 0)


def test_a_process_ends_although_a_request_is_under_way() -> None:
    code = """
import sys, threading
from hashmark.s3.client import Client
from hashmark.s3.endpoint import Remote
client = Client(Remote("bucket", "", sys.argv[1], "us-east-1"))
sent = client.send("HeadBucket", "HEAD")
try:
    sent.result(0.3)
except TimeoutError:
    print("waiting")
"""
    with scripted(lambda _request: Reply(wait=30)) as server:
        begun = time.monotonic()
        done = subprocess.run([sys.executable, "-c", code, server.url], capture_output=True, text=True, check=False)
        assert time.monotonic() - begun < 20
    assert (done.returncode, done.stdout, done.stderr) == (0, "waiting\n", "")


def test_an_internal_error_of_the_network_thread_leaves_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()

    def answer(_request: Request) -> Reply:
        go.wait(60)
        return Reply()

    def broken(self: transport._Loop) -> None:
        if self._active:
            raise ZeroDivisionError("broken")

    with scripted(answer) as server:
        client = client_of(server.url)
        with monkeypatch.context() as patch:
            patch.setattr(transport._Loop, "_collect", broken)
            for future in [client.send("HeadBucket", "GET") for _ in range(40)]:
                with pytest.raises(HashmarkError, match="Internal error: ZeroDivisionError: broken"):
                    future.result(30)
            wait_for(lambda: client._transport._loop._thread is None)
        go.set()
        assert client.call("HeadBucket", "GET").status == 200, "the next request has a new thread"


@pytest.mark.parametrize(
    ("operation", "method", "body"), [("GetObject", "GET", None), ("UploadPart", "PUT", b"x" * 99)]
)
def test_a_request_whose_effect_is_not_visible_yet_is_stopped_on_its_way(
    operation: str, method: str, body: bytes | None
) -> None:
    cancel = threading.Event()
    with scripted(lambda _request: Reply(body=b"x" * 99, stall=10)) as server:
        sent = client_of(server.url).send(
            operation, method, "k", body=body, on_bytes=lambda _count: None, is_cancelled=cancel.is_set
        )
        wait_for(lambda: bool(server.seen))
        began = time.monotonic()
        cancel.set()
        with pytest.raises(Interrupted, match=f"{operation} of 'k' was stopped"):
            sent.result(30)
        assert time.monotonic() - began < 10, "it did not wait until the silent connection is closed"


def test_a_write_that_has_begun_is_not_stopped() -> None:
    cancel = threading.Event()

    def answer(_request: Request) -> Reply:
        cancel.set()
        return Reply(headers={"ETag": '"x"'}, wait=2)

    with scripted(answer) as server:
        sent = client_of(server.url).send(
            "PutObject", "PUT", "k", body=b"x" * 99, on_bytes=lambda _count: None, is_cancelled=cancel.is_set
        )
        assert sent.result(30).status == 200


def test_a_cancelled_request_that_waits_to_be_tried_again_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "FIRST_DELAY_S", 60)
    monkeypatch.setattr(exchange, "MAX_DELAY_S", 60)
    cancel = threading.Event()
    with scripted(lambda _request: Reply(503, error("SlowDown"))) as server:
        client = client_of(server.url)
        sent = client.send("PutObject", "PUT", "k", body=b"x", is_cancelled=cancel.is_set)
        wait_for(lambda: bool(client._transport._loop._later))
        cancel.set()
        with pytest.raises(Interrupted, match="not sent"):
            sent.result(10)
        assert len(server.seen) == 1

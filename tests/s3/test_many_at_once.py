"""As many requests are on the wire as there is room for, and an answer is told whatever the others wait for."""

from __future__ import annotations

import threading

import pytest

from hashmark.core.errors import Interrupted
from hashmark.s3.client import Client
from hashmark.s3.concurrency import START_REQUESTS
from hashmark.s3.endpoint import Remote
from support.faults import Reply, Request, scripted
from support.waiting import wait_for


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "TESTKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret-key")


def test_every_request_has_a_connection_and_hears_of_its_own_answer() -> None:
    let = [threading.Event() for _ in range(START_REQUESTS)]

    def answer(request: Request) -> Reply:
        assert let[int(request.path.rsplit("/", 1)[1])].wait(120)
        return Reply()

    with scripted(answer) as server:
        client = Client(Remote("bucket", endpoint_url=server.url, region="us-east-1"))
        try:
            answers = [client.send("PutObject", "PUT", str(n), body=b"x") for n in range(START_REQUESTS)]
            wait_for(lambda: len(server.seen) == START_REQUESTS)
            for event, got in zip(let, answers, strict=True):
                assert not got.done()
                event.set()
                assert got.result(timeout=60).status == 200
        finally:
            for event in let:
                event.set()


def test_what_waits_for_room_when_a_run_is_stopped_is_not_sent() -> None:
    go, stopped = threading.Event(), threading.Event()

    def answer(_request: Request) -> Reply:
        assert go.wait(60)
        return Reply()

    with scripted(answer) as server:
        client = Client(Remote("bucket", endpoint_url=server.url, region="us-east-1"))
        answers = [
            client.send("PutObject", "PUT", str(n), body=b"x", is_cancelled=stopped.is_set)
            for n in range(2 * START_REQUESTS)
        ]
        wait_for(lambda: len(server.seen) == START_REQUESTS)
        stopped.set()
        go.set()
        for got in answers[:START_REQUESTS]:
            assert got.result(60).status == 200
        for got in answers[START_REQUESTS:]:
            with pytest.raises(Interrupted):
                got.result(60)
        assert len(server.seen) == START_REQUESTS

"""As many requests are on the wire as files are under way, and an answer is told whatever the others wait for."""

from __future__ import annotations

import threading

import pytest

from hashmark.s3.client import Client
from hashmark.s3.endpoint import Remote
from hashmark.s3.transport import MAX_REQUESTS
from hashmark.transfer.run import MAX_OPEN_FILES
from support.faults import Reply, Request, scripted
from support.waiting import wait_for


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "TESTKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret-key")


def test_every_file_under_way_has_a_connection_and_hears_of_its_own_answer() -> None:
    let = [threading.Event() for _ in range(MAX_OPEN_FILES)]

    def answer(request: Request) -> Reply:
        assert let[int(request.path.rsplit("/", 1)[1])].wait(120)
        return Reply()

    with scripted(answer) as server:
        client = Client(Remote("bucket", endpoint_url=server.url, region="us-east-1"))
        try:
            answers = [client.send("PutObject", "PUT", str(n), body=b"x") for n in range(MAX_OPEN_FILES)]
            wait_for(lambda: len(server.seen) == MAX_OPEN_FILES)
            for event, got in zip(let, answers, strict=True):
                assert not got.done()
                event.set()
                assert got.result(timeout=60).status == 200
        finally:
            for event in let:
                event.set()


def test_a_run_never_has_more_under_way_than_there_are_connections() -> None:
    assert MAX_OPEN_FILES <= MAX_REQUESTS

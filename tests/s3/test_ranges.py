"""A large object travels in ranges, several at once, and arrives in order or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hashmark.core.errors import HashmarkError, PreconditionFailed, UnexpectedAnswer
from hashmark.s3 import bucket as bucket_module
from hashmark.s3.bucket import Bucket
from hashmark.s3.endpoint import Remote
from hashmark.s3.exchange import PIECE_BYTES, Answer
from support.faults import Reply, Request, error, scripted

BODY = bytes(range(100))
ETAG = "0" * 32


@pytest.fixture(autouse=True)
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "TESTKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret-key")
    monkeypatch.setattr(bucket_module, "MAX_SINGLE_GET_BYTES", 40)
    monkeypatch.setattr(bucket_module, "RANGE_BYTES", 10)


def download(answer: Callable[[Request], Reply], path: Path) -> list[str]:
    """The ranges that were asked for, in the order in which they came."""
    with scripted(answer) as server:
        path.write_bytes(b"".join(Bucket(Remote("b", "", server.url)).chunks("k", len(BODY), etag=ETAG)))
        return [request.headers["range"] for request in server.seen]


def part(request: Request, body: bytes = BODY, etag: str = ETAG) -> Reply:
    start, end = map(int, request.headers["range"].removeprefix("bytes=").split("-"))
    headers = {"ETag": f'"{etag}"', "Content-Range": f"bytes {start}-{end}/{len(body)}"}
    return Reply(206, body[start : end + 1], headers)


def test_a_body_is_handed_on_in_pieces_of_a_bounded_size() -> None:
    chunks = [bytes([n]) * (16 << 10) for n in range(100)]
    pieces = list(Answer(200, {}, chunks).pieces())
    assert b"".join(pieces) == b"".join(chunks)
    assert set(map(len, pieces[:-1])) == {PIECE_BYTES}


def test_ranges_travel_at_once_and_arrive_in_order(tmp_path: Path) -> None:
    """The first is answered only when the third has been asked for."""
    third = threading.Event()

    def answer(request: Request) -> Reply:
        if request.headers["range"] == "bytes=20-29":
            third.set()
        if request.headers["range"] == "bytes=0-9" and not third.wait(30):
            return Reply(400, error("InvalidRequest"))
        return part(request)

    asked = download(answer, tmp_path / "k")
    assert (tmp_path / "k").read_bytes() == BODY
    assert sorted(asked) == sorted(f"bytes={at}-{at + 9}" for at in range(0, 100, 10))


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        pytest.param(lambda r: part(r, etag="1" * 32), PreconditionFailed, id="another version"),
        pytest.param(lambda r: part(r, BODY + b"x"), UnexpectedAnswer, id="of another size"),
        pytest.param(lambda _r: Reply(200, BODY, {"ETag": f'"{ETAG}"'}), UnexpectedAnswer, id="the whole"),
        pytest.param(lambda _r: Reply(403, error("AccessDenied")), HashmarkError, id="a refusal"),
    ],
)
def test_a_range_that_is_not_what_was_asked_for_ends_the_download(
    wrong: Callable[[Request], Reply], expected: type[HashmarkError], tmp_path: Path
) -> None:
    def answer(request: Request) -> Reply:
        return wrong(request) if request.headers["range"] == "bytes=50-59" else part(request)

    with pytest.raises(expected):
        download(answer, tmp_path / "k")


def test_a_download_that_failed_tells_of_no_more_bytes(tmp_path: Path) -> None:
    """The first range is refused once others are under way; they end before the failure is told."""
    others = threading.Semaphore(0)
    told: list[int] = []

    def answer(request: Request) -> Reply:
        if request.headers["range"] == "bytes=0-9":
            assert others.acquire(timeout=30)
            return Reply(403, error("AccessDenied"))
        others.release()
        return replace(part(request), wait=0.2)

    with scripted(answer) as server:
        pieces = Bucket(Remote("b", "", server.url)).pieces("k", len(BODY), etag=ETAG, on_bytes=told.append)
        with pytest.raises(HashmarkError):
            list(pieces)
        assert sum(told) == 10 * (len(server.seen) - 1) > 0

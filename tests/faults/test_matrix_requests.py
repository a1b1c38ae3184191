"""The fault matrix, rows 45 to 51: connections, names and proxies that fail below S3, and answers without end."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hashmark.core.errors import ServerError, UnexpectedAnswer, Unreachable
from hashmark.s3 import exchange
from hashmark.s3.client import MAX_ANSWER_BYTES, Client
from hashmark.s3.endpoint import Remote
from hashmark.s3.timeouts import TIMEOUTS
from support.faults import NS, Reply, Request, error, listing, scripted
from support.faults.raw_server import raw_server, read_head, reset

BODY = bytes(range(256)) * 4096


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "TESTKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret-key")


def client_of(url: str) -> Client:
    return Client(Remote("bucket", "", url, "us-east-1"))


def test_row_45_a_request_that_is_cut_amid_its_body_is_sent_again_whole() -> None:
    """Guard: without a second try, the reset fails the request."""
    got = []

    def handle(connection: socket.socket, number: int) -> None:
        head, _, body = read_head(connection).partition(b"\r\n\r\n")
        while len(body) < (len(BODY) if number else len(BODY) // 2):
            body += connection.recv(65536)
        if number == 0:
            return reset(connection)
        got.append(body)
        connection.sendall(b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 0\r\n\r\n')
        assert b"Expect" not in head, "no 100-continue is asked for, so none can be refused"
        return None

    with raw_server(handle) as port:
        answer = client_of(f"http://127.0.0.1:{port}").call("PutObject", "PUT", "k", body=BODY)
    assert (answer.headers["etag"], got) == ('"x"', [BODY])


def test_row_45_an_answer_that_is_cut_amid_its_body_is_fetched_again_whole() -> None:
    """Guard: without a second try, the reset fails the request."""
    replies = [Reply(body=BODY, cut=len(BODY) // 2), Reply(body=BODY)]
    with scripted(lambda _request: replies.pop(0)) as server:
        assert client_of(server.url).call("GetObject", "GET", "k").body == BODY
    assert replies == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_row_46_a_store_that_accepts_and_never_answers_fails_the_request(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default after 30 s, twice; in a TLS handshake after 10 s, twice.

    Guard: without a limit, the request waits for ever.
    """
    reported: list[float] = []
    monkeypatch.setattr(TIMEOUTS, "request_s", 2)
    monkeypatch.setattr(TIMEOUTS, "report_after_s", 0.5)
    monkeypatch.setattr(TIMEOUTS, "on_silence", lambda: reported.append(time.monotonic()))
    numbers = []

    def handle(connection: socket.socket, number: int) -> None:
        numbers.append(number)
        while connection.recv(65536):
            pass

    with raw_server(handle) as port:
        begun = time.monotonic()
        sent = client_of(f"{scheme}://127.0.0.1:{port}").send("ListObjectsV2", "GET")
        with pytest.raises(Unreachable, match="did not answer in time"):
            sent.result(timeout=15)
    assert time.monotonic() - begun > 2
    assert numbers == [0, 1]
    assert len(reported) == 1
    assert 0.5 <= reported[0] - begun < 1


def test_a_silent_store_is_asked_once_for_what_it_may_be_working_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would begin again; and all tries together end in time."""
    monkeypatch.setattr(TIMEOUTS, "request_s", 2)
    numbers = []

    def handle(connection: socket.socket, number: int) -> None:
        numbers.append(number)
        while connection.recv(65536):
            pass

    with raw_server(handle) as port, pytest.raises(Unreachable, match="--timeout"):
        client_of(f"http://127.0.0.1:{port}").send("CopyObject", "PUT", "k").result(timeout=15)
    assert numbers == [0]


def test_row_47_an_answer_longer_than_any_ends_the_request() -> None:
    """Guard: without the limit, all of it is held in memory."""
    page = listing("a").replace(b"<IsTruncated>", b" " * (MAX_ANSWER_BYTES + 1) + b"<IsTruncated>")
    with (
        scripted(lambda _request: Reply(body=page)) as server,
        pytest.raises(UnexpectedAnswer, match="longer than any"),
    ):
        client_of(server.url).call("ListObjectsV2", "GET")


def test_row_47_of_an_error_without_end_the_beginning_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guard: without the limit, all of it is held in memory."""
    monkeypatch.setattr(exchange, "MAX_TRIES", 1)
    received = []

    def watched(self: exchange.Exchange, chunk: bytes) -> int | None:
        received.append(len(chunk))
        return on_body(self, chunk)

    on_body = exchange.Exchange.on_body
    monkeypatch.setattr(exchange.Exchange, "on_body", watched)
    with (
        scripted(lambda _request: Reply(500, error("InternalError") + b" " * (8 << 20))) as server,
        pytest.raises(ServerError, match="HTTP 500 InternalError"),
    ):
        client_of(server.url).call("ListObjectsV2", "GET")
    assert sum(received) < 4 * exchange.ERROR_BYTES


NAMED = """
import sys, threading
from hashmark.s3 import exchange, transport
from hashmark.s3.client import Client
from hashmark.s3.endpoint import Remote
client = Client(Remote("bucket", "", sys.argv[1], "us-east-1"))
sent = client.send("HeadBucket", "HEAD")
try:
    sent.result(0.2)
except TimeoutError:
    open("/etc/hosts", "a").write("127.0.0.1 store.example\\n")
print(sent.result(60).status)
"""


def test_row_48_a_name_that_cannot_be_looked_up_for_a_moment_is_looked_up_again(tmp_path: Path) -> None:
    """The name is missing at first, in a mount namespace of the child's own.

    Guard: without a second look, the run fails.
    """
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n")
    with scripted(lambda _request: Reply()) as server:
        url = server.url.replace("127.0.0.1", "store.example")
        script = f"mount --bind {hosts} /etc/hosts && exec {sys.executable} -c '{NAMED}' {url}"
        command = ["unshare", "--map-root-user", "--mount", "sh", "-c", script]
        if subprocess.run([*command[:3], "true"], check=False, capture_output=True).returncode:
            pytest.skip("this machine gives no mount namespaces")
        done = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.stdout == "200\n", done.stderr


def test_row_49_a_proxy_that_demands_a_login_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guard: without looking at the proxy's answer, the message speaks of a closed connection."""

    def handle(connection: socket.socket, _number: int) -> None:
        head = read_head(connection)
        assert head.startswith(b"CONNECT s3.us-east-1.amazonaws.com:443 ")
        assert not re.search(rb"authorization|amz-", head.partition(b"\r\n")[2], re.IGNORECASE), "for the store alone"
        connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    with raw_server(handle) as port:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        with pytest.raises(Unreachable, match=r"the proxy refuses .*HTTP 407.*login"):
            Client(Remote("training.data", region="us-east-1")).call("HeadBucket", "HEAD")


def test_row_50_an_upload_whose_beginning_is_not_confirmed_is_not_begun_again() -> None:
    """Guard: sent again, it would leave an upload that nobody knows, and that is billed."""
    with scripted(lambda _request: Reply(cut=-1)) as server:
        with pytest.raises(Unreachable):
            client_of(server.url).call("CreateMultipartUpload", "POST", "k", query={"uploads": ""})
        assert len(server.seen) == 1


def test_row_51_a_clock_that_is_off_is_corrected_once_by_the_stores() -> None:
    """Guard: without the correction, every request is refused."""

    def answer(request: Request) -> Reply:
        date = re.sub(r"\D", "", request.headers["x-amz-date"])
        if not date.startswith("20400229"):
            return Reply(403, error("RequestTimeTooSkewed"), {"Date": "Wed, 29 Feb 2040 12:00:00 GMT"})
        return Reply(body=f"<ListBucketResult {NS}></ListBucketResult>".encode())

    with scripted(answer) as server:
        client = client_of(server.url)
        assert client.call("ListObjectsV2", "GET").status == 200
        assert client.call("ListObjectsV2", "GET").status == 200
        assert len(server.seen) == 3, "what was learned stays"

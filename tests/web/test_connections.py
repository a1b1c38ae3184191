"""Connections that are slow or many keep nobody out, and last only as long as something is under way."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

import httpx
import pytest

from hashmark.web.server import connection, guard, listener
from hashmark.web.server.http_server import _bind
from hashmark.web.server.listener import MAX_CONNECTIONS_PER_ADDRESS, _origin
from support.certificates import make_certificate
from support.command import end
from support.command import library as init
from support.datasets import STYLE, write_pairs
from support.stores import SCRIPTS, Store, free_port
from support.waiting import wait_for
from support.web.event_stream import Stream
from support.web.serving import TOKEN, Served

HALF = b"GET /api/datasets HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@contextmanager
def connections(port: int, count: int, start: bytes = HALF) -> Iterator[list[socket.socket]]:
    """Open connections that each send the start of a request."""
    with ExitStack() as stack:
        opened = []
        for _ in range(count):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
            one.sendall(start)
            opened.append(one)
        yield opened


def is_closed(one: socket.socket, seconds: float = 20) -> bool:
    """Whether the server closes the connection in time; reads what it has sent before."""
    one.settimeout(seconds)
    try:
        while one.recv(1000):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


def head_of(served: Served, more: str = "") -> bytes:
    """Return the head of a request that changes something, with valid headers."""
    return (
        f"POST /api/check HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"X-Hashmark: 1\r\nContent-Type: application/json\r\n{more}\r\n"
    ).encode()


@pytest.fixture
def short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_LIMIT_S", 1.0)
    monkeypatch.setattr(connection, "BODY_GAP_LIMIT_S", 1.5)
    monkeypatch.setattr(connection, "BODY_LIMIT_S", 4.0)
    monkeypatch.setattr(listener, "HANDSHAKE_LIMIT_S", 1.0)


def test_row_44_more_than_a_thousand_half_open_requests_do_not_stop_the_page(served: Served) -> None:
    """Guard: without the limit for each address, all stay open until their heads are too late."""
    with connections(served.port, 1100) as opened:
        since = time.monotonic()
        for _ in range(3):
            assert served.ask("GET", "/api/datasets").status_code == 200
        assert time.monotonic() - since < 8, "without waiting for the limit of ten seconds"
        assert all(is_closed(one, 0.5) for one in opened[:500]), "the oldest ones make room"


def login_begun(served: Served) -> bytes:
    """Return the start of a login, which needs no key, and whose form does not arrive."""
    head = f"POST /login HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nContent-Length: 9\r\n"
    return f"{head}Content-Type: application/x-www-form-urlencoded\r\n\r\ntoken".encode()


def test_bodies_that_strangers_begin_do_not_stop_the_page(served: Served) -> None:
    with connections(served.port, MAX_CONNECTIONS_PER_ADDRESS + 50, login_begun(served)):
        assert served.ask("GET", "/api/datasets").status_code == 200


def test_a_form_that_does_not_arrive_is_refused(served_once: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "FORM_LIMIT_S", 0.3)
    with connections(served_once.port, 1, login_begun(served_once)) as (one,):
        assert one.recv(1000).startswith(b"HTTP/1.1 408 ")


def test_connections_that_are_in_use_keep_their_place(served: Served) -> None:
    streams = [Stream(served, "/events") for _ in range(4)]
    for stream in streams:
        stream.wait(lambda events: events)
    with connections(served.port, MAX_CONNECTIONS_PER_ADDRESS + 50):
        served.get("/api/datasets")
        assert not any(stream.ended.is_set() for stream in streams)


def test_an_address_whose_connections_are_all_in_use_gets_no_more(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams = [Stream(served, "/events") for _ in range(4)]
    for stream in streams:
        stream.wait(lambda events: events)
    monkeypatch.setattr(listener, "MAX_CONNECTIONS_PER_ADDRESS", 4)
    with pytest.raises(httpx.HTTPError):
        served.ask("GET", "/api/datasets")
    assert not any(stream.ended.is_set() for stream in streams)
    monkeypatch.undo()
    served.get("/api/datasets")


def test_a_head_that_does_not_arrive_in_ten_seconds_ends_the_connection() -> None:
    assert connection.HEAD_LIMIT_S == 10


@pytest.mark.usefixtures("short_limits")
@pytest.mark.parametrize("start", [b"", b"G", HALF, b"POST / HTTP/1.1\r\nX: " + b"x" * 8000])
def test_a_request_that_does_not_arrive_ends_its_connection(served_once: Served, start: bytes) -> None:
    with connections(served_once.port, 1, start) as (one,):
        assert is_closed(one, 5)


@pytest.mark.usefixtures("short_limits")
def test_a_head_that_trickles_ends_its_connection(served_once: Served) -> None:
    with connections(served_once.port, 1) as (one,):
        since = time.monotonic()
        with pytest.raises(ConnectionError):
            while time.monotonic() - since < 10:
                one.sendall(b"x: y\r\n")
                time.sleep(0.1)
        assert time.monotonic() - since < 5


@pytest.mark.usefixtures("short_limits")
def test_a_second_request_has_the_same_limit(served_once: Served) -> None:
    request = f"GET /static/icon.svg HTTP/1.1\r\nHost: 127.0.0.1:{served_once.port}\r\n\r\n".encode()
    with connections(served_once.port, 1, request) as (one,):
        assert one.recv(100_000).startswith(b"HTTP/1.1 403")
        one.sendall(HALF)
        assert is_closed(one, 4), "uvicorn's limit for an idle connection is five seconds, and does not apply here"


@pytest.mark.usefixtures("short_limits")
def test_a_slow_body_arrives_and_one_that_pauses_or_never_ends_does_not(served_once: Served) -> None:
    slow = head_of(served_once, "Connection: close\r\nContent-Length: 20\r\n")
    with connections(served_once.port, 1, slow) as (one,):
        for piece in (b'{"reh', b'ash":', b" fals", b"e   }"):
            time.sleep(0.6)  # longer than a head may take, in all
            one.sendall(piece)
        assert one.recv(1000).startswith(b"HTTP/1.1 202")
    with connections(served_once.port, 1, slow) as (one,):
        one.sendall(b"{")
        assert is_closed(one, 10)
    endless = head_of(served_once, "Transfer-Encoding: chunked\r\n")
    with connections(served_once.port, 1, endless) as (one,), pytest.raises(ConnectionError):
        since = time.monotonic()
        while time.monotonic() - since < 20:
            one.sendall(b"1\r\n \r\n")
            time.sleep(0.2)


@pytest.mark.usefixtures("short_limits")
def test_a_stranger_who_was_refused_can_not_go_on_sending(served_once: Served) -> None:
    head = f"POST /api/check HTTP/1.1\r\nHost: 127.0.0.1:{served_once.port}\r\nContent-Length: 1000000\r\n\r\n"
    with connections(served_once.port, 1, head.encode()) as (one,):
        assert one.recv(100_000).startswith(b"HTTP/1.1 403")
        since = time.monotonic()
        with pytest.raises(ConnectionError):
            while time.monotonic() - since < 10:
                one.sendall(b"x")
                time.sleep(0.1)
        assert time.monotonic() - since < 5


@pytest.mark.usefixtures("short_limits")
def test_an_open_page_has_no_limit(served_once: Served) -> None:
    stream = Stream(served_once, "/events")
    stream.wait(lambda events: events)
    assert not stream.ended.wait(5)


def test_all_addresses_of_this_machine_and_of_an_ipv6_network_are_one_client() -> None:
    def origin(host: str) -> str:
        return _origin((host, 1))

    assert origin("127.0.0.1") == origin("127.8.9.10") == origin("::1") == origin("::ffff:127.0.0.1")
    assert origin("192.0.2.1") == origin("::ffff:192.0.2.1") != origin("192.0.2.2")
    assert origin("2001:db8::1") == origin("2001:db8::ffff:1") != origin("2001:db8:0:1::1")
    assert origin("fe80::1%eth0") == origin("fe80::2")


def test_a_handshake_that_stalls_ends_its_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "HANDSHAKE_LIMIT_S", 0.3)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*make_certificate(tmp_path))

    async def run() -> None:
        with closing(_bind("127.0.0.1", 0)) as sock:
            loop = asyncio.get_running_loop()
            async with await loop.create_server(asyncio.Protocol, sock=sock, ssl=context):
                port = sock.getsockname()[1]
                await loop.run_in_executor(None, lambda: stalled(port))

    def stalled(port: int) -> None:
        with connections(port, 1, b"\x16\x03\x01") as (one,):
            assert is_closed(one, 10)

    asyncio.run(run())


# ---- the command, with limits of its own


@pytest.fixture
def limited(seaweedfs: Store, tmp_path: Path, prefix: str) -> Iterator[Callable[[str], tuple[Popen[str], int]]]:
    """Starts `hashmark serve` under limits, given to `ulimit`; returns the process and its port."""
    shell = init(seaweedfs, tmp_path / "library", prefix)
    write_pairs(tmp_path / "library", STYLE, 1)
    environment = os.environ | shell.environment | {"HASHMARK_TOKEN": TOKEN}
    with ExitStack() as stack:

        def start(limits: str) -> tuple[Popen[str], int]:
            port = free_port()
            command = [str(SCRIPTS / "hashmark"), "serve", "--port", str(port)]
            process = Popen(
                ["sh", "-c", f'{limits} && exec "$@"', "sh", *command],
                cwd=shell.cwd, env=environment, stdout=PIPE, stderr=PIPE, text=True,
            )  # fmt: skip
            stack.callback(process.communicate)
            stack.callback(process.kill)
            assert process.stdout
            assert process.stdout.readline().startswith("Open ")
            return process, port

        yield start


def ask(port: int) -> int:
    headers = {"authorization": f"Bearer {TOKEN}"}
    return httpx.get(f"http://127.0.0.1:{port}/api/datasets", headers=headers, timeout=60).status_code


def test_without_descriptors_connections_are_closed_and_one_line_says_so(
    limited: Callable[[str], tuple[Popen[str], int]],
) -> None:
    process, port = limited("ulimit -n 90")
    wait_for(lambda: ask(port) == 200)
    with connections(port, 200) as opened:
        assert is_closed(opened[-1], 5), "the last ones found no descriptor"
    wait_for(lambda: ask(port) == 200)
    ended = end(process, signal.SIGINT)
    assert "Traceback" not in ended.err
    assert len(re.findall("Too many open files", ended.err)) == 1, ended.err
    assert len(ended.err.splitlines()) < 4


def test_the_limit_of_open_files_is_raised(limited: Callable[[str], tuple[Popen[str], int]]) -> None:
    process, _ = limited("ulimit -Sn 200 && ulimit -Hn 4000")
    limits = Path(f"/proc/{process.pid}/limits").read_text()
    assert re.search(r"Max open files +4000 +4000 ", limits)

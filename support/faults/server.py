"""A scripted HTTP server on loopback: a function gives each answer, and the answer says how to deliver it.

It runs on asyncio in its own thread. The function runs on other threads, so it may block. The server knows nothing of
a store behind it (see `proxy`).
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

NS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
MAX_HEAD_BYTES = 1 << 18
MAX_PENDING_ANSWERS = 256
"""How many answers may be pending: more than two hashmark processes have requests in flight."""
SLICES_PER_S = 20
"""How many slices of a slow body are sent per second."""


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    target: str = ""
    """Path and query as sent."""
    body: bytes = b""


@dataclass(frozen=True)
class Reply:
    """An answer and how to deliver it: by default, at once and completely."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    announced: int | None = None
    """A Content-Length to send instead of the body's."""
    wait: float = 0
    """Seconds before the first byte."""
    cut: int | None = None
    """Reset the connection after this many bytes of the body; if negative, before any answer."""
    stall: int | None = None
    """Send nothing after this many bytes of the body, and keep the connection open."""
    rate: int | None = None
    """Bytes of the body per second."""


@dataclass
class Scripted:
    """A running server. `seen` holds the requests it received."""

    url: str
    seen: list[Request]


def listing(*keys: str, token: str | None = None, truncated: str | None = None, count: int | None = None) -> bytes:
    """Return a ListObjectsV2 answer, valid or not, from its arguments."""
    rows = "".join(
        f"<Contents><Key>{key}</Key><Size>1</Size><ETag>&quot;{'0' * 32}&quot;</ETag></Contents>" for key in keys
    )
    more = truncated if truncated is not None else ("true" if token else "false")
    return (
        f"<?xml version='1.0'?><ListBucketResult {NS}><IsTruncated>{more}</IsTruncated>"
        f"<KeyCount>{len(keys) if count is None else count}</KeyCount>{rows}"
        f"{f'<NextContinuationToken>{token}</NextContinuationToken>' if token else ''}</ListBucketResult>"
    ).encode()


def error(code: str) -> bytes:
    """Return an S3 error document."""
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>injected</Message></Error>".encode()


@contextmanager
def scripted(answer: Callable[[Request], Reply]) -> Iterator[Scripted]:
    """Serve `answer` on loopback for the body of the block, then raise the first error of `answer` itself.

    A network error between this server and the store behind it ends the connection, as a network would.
    """
    server = _Server(answer)
    server.start()
    try:
        yield Scripted(f"http://127.0.0.1:{server.port}", server.seen)
    finally:
        server.stop()
    if server.errors:
        raise server.errors[0]


class _Server:
    def __init__(self, answer: Callable[[Request], Reply]) -> None:
        self.seen: list[Request] = []
        self.errors: list[Exception] = []
        self.port = 0
        self._answer = answer
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ready = threading.Event()
        self._pool = ThreadPoolExecutor(MAX_PENDING_ANSWERS, thread_name_prefix="answer")
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(30), "the server did not start"

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _main(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._begin, "127.0.0.1", 0, limit=MAX_HEAD_BYTES)
        listening = server.sockets[0]
        self.port = listening.getsockname()[1]
        self._ready.set()
        await self._stopping.wait()
        # A connection accepted just now needs some turns of the loop to appear; a server closed before that would leave
        # it open.
        self._loop.remove_reader(listening.fileno())
        for _ in range(5):
            await asyncio.sleep(0)
        server.close()
        for writer in self._open:
            writer.transport.abort()

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection. Register it first: a task that is cancelled before it starts would not close it."""
        self._open.add(writer)
        task = self._loop.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: self._open.discard(writer))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The server cancels its tasks when it stops; that is no error.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            try:
                while (request := await _read(reader, writer)) is not None:
                    self.seen.append(request)
                    if not await self._respond(request, writer):
                        break
            finally:
                writer.close()

    async def _respond(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Answer a request; return whether the connection stays open."""
        try:
            reply = await self._loop.run_in_executor(self._pool, self._answer, request)
        except (OSError, http.client.HTTPException):
            return False
        except Exception as error:  # noqa: BLE001 - `scripted` raises it in the test
            self.errors.append(error)
            return False
        await asyncio.sleep(reply.wait)
        return await _deliver(request, reply, writer) and request.headers.get("connection", "").lower() != "close"


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head[:-4].split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await reader.readexactly(int(headers.get("content-length") or 0))
    parts = urlsplit(target)
    query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    return Request(method, parts.path, query, headers, target, body)


async def _deliver(request: Request, reply: Reply, writer: asyncio.StreamWriter) -> bool:
    """Deliver an answer as it says; return whether the connection stays open."""
    if reply.cut is not None and reply.cut < 0:
        _reset(writer)
        return False
    length = len(reply.body) if reply.announced is None else reply.announced
    reason = HTTPStatus(reply.status).phrase
    headers = "".join(f"{name}: {value}\r\n" for name, value in (*reply.headers.items(), ("Content-Length", length)))
    writer.write(f"HTTP/1.1 {reply.status} {reason}\r\n{headers}\r\n".encode("latin-1"))
    if request.method == "HEAD":
        await writer.drain()
        return True
    ends = [end for end in (reply.cut, reply.stall) if end is not None]
    await _send(reply.body[: min(ends, default=None)], reply.rate, writer)
    if reply.stall is not None:
        await asyncio.sleep(3600)  # a timer keeps the task alive: a task that waits for nothing is garbage-collected
    if reply.cut is not None:
        await asyncio.sleep(0.05)  # a reset overtakes what was sent just before
        _reset(writer)
    return reply.cut is None and length <= len(reply.body)


async def _send(body: bytes, rate: int | None, writer: asyncio.StreamWriter) -> None:
    step = max(1, rate // SLICES_PER_S) if rate else len(body) or 1
    for start in range(0, len(body), step):
        writer.write(body[start : start + step])
        await writer.drain()
        if rate:
            await asyncio.sleep(1 / SLICES_PER_S)


def _reset(writer: asyncio.StreamWriter) -> None:
    """End the connection with a reset instead of a FIN."""
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()

"""A proxy in front of a store that counts requests, and that can be a line: of some latency and of some throughput.

It forwards bytes unchanged, the Host header included, so signatures stay valid. It runs on its own thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

CHUNK_BYTES = 1 << 16

LINE_CHUNK_BYTES = 1 << 14
"""Bytes that a line carries at a time, so that its connections share it evenly."""

LINE_BUFFER_BYTES = 1 << 18
"""What the kernel takes of a connection before the line has carried it; by default, it takes megabytes."""


@dataclass(frozen=True)
class Line:
    """What a store is reached over: seconds that each request takes longer, and bytes per second in each direction."""

    name: str
    latency: float
    rate: float | None = None


NEAR = Line("", 0.0)


class Proxy:
    """A running proxy. `counts` holds the number of requests since `forget`, by method."""

    def __init__(self, target: str, line: Line) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "", parts.port or 80)
        self._latency = line.latency
        self._up, self._down = _Direction(line.rate), _Direction(line.rate)
        self.counts: Counter[str] = Counter()
        self.url = ""

    def forget(self) -> None:
        """Reset the counts."""
        self.counts = Counter()

    async def serve(self, ready: threading.Event) -> None:
        """Serve until the loop is stopped."""
        listening = socket.create_server(("127.0.0.1", 0))
        if self._up.rate:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LINE_BUFFER_BYTES)
        server = await asyncio.start_server(self._connection, sock=listening, limit=1 << 18)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        async with server:
            await server.serve_forever()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(*self._target)
        back = asyncio.create_task(_relay(there_reader, writer, self._down))
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await self._request(reader, there_writer)
        # The client has all its answers; the store would keep its connection open for another request.
        back.cancel()
        there_writer.close()
        writer.close()

    async def _request(self, reader: asyncio.StreamReader, there: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.counts[head.split(b" ", 1)[0].decode()] += 1
        await asyncio.sleep(self._latency)
        there.write(head)
        await there.drain()
        fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:-2])
        if b"chunked" in fields.get(b"transfer-encoding", b""):
            await _chunks(reader, there, self._up)
        else:
            await _bytes(reader, there, int(fields.get(b"content-length", b"0")), self._up)


class _Direction:
    """One direction of a line, which all connections share; without a rate, it takes no time."""

    def __init__(self, rate: float | None) -> None:
        self.rate = rate
        self.chunk = LINE_CHUNK_BYTES if rate else CHUNK_BYTES
        self._free_at = 0.0

    async def carry(self, count: int) -> None:
        """Wait until `count` bytes have passed, after those that came before."""
        if self.rate:
            now = time.monotonic()
            self._free_at = max(now, self._free_at) + count / self.rate
            await asyncio.sleep(self._free_at - now)


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, down: _Direction) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(down.chunk):
            await down.carry(len(data))
            writer.write(data)
            await writer.drain()
        writer.close()


async def _bytes(reader: asyncio.StreamReader, there: asyncio.StreamWriter, left: int, up: _Direction) -> None:
    while left:
        data = await reader.read(min(left, up.chunk))
        if not data:
            raise asyncio.IncompleteReadError(b"", left)
        left -= len(data)
        await up.carry(len(data))
        there.write(data)
        await there.drain()


async def _chunks(reader: asyncio.StreamReader, there: asyncio.StreamWriter, up: _Direction) -> None:
    while True:
        line = await reader.readuntil(b"\r\n")
        there.write(line)
        size = int(line.split(b";")[0], 16)
        await _bytes(reader, there, size + 2, up)
        if size == 0:
            return


@contextlib.contextmanager
def in_front_of(target: str, line: Line = NEAR) -> Iterator[Proxy]:
    """Run a proxy in front of the store at `target`, which is then reached over `line`."""
    proxy, ready, loop = Proxy(target, line), threading.Event(), asyncio.new_event_loop()

    def work() -> None:
        with contextlib.suppress(RuntimeError):  # stopping the loop interrupts `serve`
            loop.run_until_complete(proxy.serve(ready))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)

"""A proxy in front of a store that counts requests and adds latency to each.

It forwards bytes unchanged, the Host header included, so signatures stay valid. It runs on its own thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

CHUNK_BYTES = 1 << 16


class Proxy:
    """A running proxy. `counts` holds the number of requests since `forget`, by method."""

    def __init__(self, target: str, latency: float) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "", parts.port or 80)
        self._latency = latency
        self.counts: Counter[str] = Counter()
        self.url = ""

    def forget(self) -> None:
        """Reset the counts."""
        self.counts = Counter()

    async def serve(self, ready: threading.Event) -> None:
        """Serve until the loop is stopped."""
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, limit=1 << 20)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        async with server:
            await server.serve_forever()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(*self._target)
        back = asyncio.create_task(_relay(there_reader, writer))
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
            await _chunks(reader, there)
        else:
            await _bytes(reader, there, int(fields.get(b"content-length", b"0")))


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
        writer.close()


async def _bytes(reader: asyncio.StreamReader, there: asyncio.StreamWriter, left: int) -> None:
    while left:
        data = await reader.read(min(left, CHUNK_BYTES))
        if not data:
            raise asyncio.IncompleteReadError(b"", left)
        left -= len(data)
        there.write(data)
        await there.drain()


async def _chunks(reader: asyncio.StreamReader, there: asyncio.StreamWriter) -> None:
    while True:
        line = await reader.readuntil(b"\r\n")
        there.write(line)
        size = int(line.split(b";")[0], 16)
        await _bytes(reader, there, size + 2)
        if size == 0:
            return


@contextlib.contextmanager
def in_front_of(target: str, latency: float = 0.0) -> Iterator[Proxy]:
    """Run a proxy in front of the store at `target`; each request waits `latency` seconds."""
    proxy, ready, loop = Proxy(target, latency), threading.Event(), asyncio.new_event_loop()

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

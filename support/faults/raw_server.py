"""A TCP server on loopback whose connections are handled by a function: for what no HTTP server would do."""

from __future__ import annotations

import contextlib
import itertools
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def raw_server(handle: Callable[[socket.socket, int], None]) -> Iterator[int]:
    """Call `handle` with each connection and its number, from 0, on a thread of its own. Yield the port."""
    listening = socket.create_server(("127.0.0.1", 0))
    connections: list[socket.socket] = []

    def serve() -> None:
        for number in itertools.count():
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            connections.append(connection)
            threading.Thread(target=_quietly, args=(handle, connection, number), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)  # wakes up the accepting thread
        listening.close()
        thread.join()
        for connection in connections:
            connection.close()


def _quietly(handle: Callable[[socket.socket, int], None], connection: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):
        handle(connection, number)


def reset(connection: socket.socket) -> None:
    """End a connection with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def read_head(connection: socket.socket) -> bytes:
    """Return what has come of a request once its head is complete."""
    head = b""
    while b"\r\n\r\n" not in head and (data := connection.recv(65536)):
        head += data
    return head

"""The socket that accepts connections: at most so many from one address, and none is left waiting for a descriptor.

At the limit, the oldest connection without a whole request makes room for a new one, so that whoever opens connections
and sends nothing cannot keep others out, not even those behind the same address. Does not know HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import resource
import socket
import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

MAX_CONNECTIONS_PER_ADDRESS = 256
"""A browser opens six; a script with many threads or a proxy may need more."""

HANDSHAKE_LIMIT_S = 10.0
"""A connection that has not become one of HTTP after this long, such as one whose TLS handshake stalls, is closed."""

MAX_DESCRIPTORS = 65_536
"""What the limit of open files is raised to, where the system allows it."""

_REPORT_INTERVAL_S = 10.0
_NO_DESCRIPTOR = {errno.EMFILE, errno.ENFILE}

_log = logging.getLogger("uvicorn.error")

Peer = tuple[str, int]
"""The address and port of a client."""


def raise_descriptor_limit() -> None:
    """Raise the soft limit of open files to the hard one, or to `MAX_DESCRIPTORS`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # macOS has a lower limit that it does not name
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class ClientSocket(socket.socket):
    """An accepted connection. `waiting` while no whole request has arrived; `began` once it speaks HTTP."""

    def __init__(self, accepted: socket.socket, on_close: Callable[[], None]) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
        self.waiting = True
        self.began = False
        self._on_close = on_close

    def close(self) -> None:
        """Close it, and make room for another."""
        super().close()
        self._on_close()

    def end(self) -> None:
        """Make its reader see the end; the event loop then closes it."""
        with contextlib.suppress(OSError):
            self.shutdown(socket.SHUT_RDWR)

    def end_if_stalled(self) -> None:
        """End it if it does not speak HTTP yet."""
        if not self.began:
            self.end()


class Listener(socket.socket):
    """A listening socket whose `accept` keeps the limits. It is used on the event loop's thread."""

    def __init__(self, family: socket.AddressFamily) -> None:
        super().__init__(family, socket.SOCK_STREAM)
        self._open: dict[str, dict[Peer, ClientSocket]] = {}
        self._spare: int | None = _spare_descriptor()
        self._reported = -_REPORT_INTERVAL_S

    def client(self, peer: Peer) -> ClientSocket | None:
        """Return the open connection of a client."""
        return self._open.get(_origin(peer), {}).get(peer)

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection.

        Raises:
            BlockingIOError: there is none, or the one that there was is closed again.
        """
        try:
            accepted, address = super().accept()
        except OSError as error:
            if error.errno in _NO_DESCRIPTOR:
                self._close_next(error)
                raise BlockingIOError from None
            raise
        peer = (address[0], address[1])
        if not self._make_room(_origin(peer)):
            accepted.close()
            self._report(f"A connection from {peer[0]} was closed: it has {MAX_CONNECTIONS_PER_ADDRESS} others.")
            raise BlockingIOError
        client = ClientSocket(accepted, lambda: self._forget(peer, client))
        self._open.setdefault(_origin(peer), {})[peer] = client
        asyncio.get_running_loop().call_later(HANDSHAKE_LIMIT_S, client.end_if_stalled)
        return client, address

    def close(self) -> None:
        """Close it and the descriptor that it holds in reserve."""
        super().close()
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None

    def _make_room(self, origin: str) -> bool:
        clients = self._open.get(origin, {})
        if len(clients) < MAX_CONNECTIONS_PER_ADDRESS:
            return True
        oldest = next((peer for peer, client in clients.items() if client.waiting), None)
        if oldest is None:
            return False
        clients.pop(oldest).end()
        return True

    def _forget(self, peer: Peer, client: ClientSocket) -> None:
        clients = self._open.get(_origin(peer), {})
        if clients.get(peer) is client:
            del clients[peer]
        if not clients:
            self._open.pop(_origin(peer), None)

    def _close_next(self, error: OSError) -> None:
        """Close the next connection, with the descriptor held in reserve: left alone, it would keep the loop busy."""
        self._report(f"A connection was closed: {error.strerror}. Raise the limit of open files (ulimit -n).")
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None
        with contextlib.suppress(OSError):
            super().accept()[0].close()
        self._spare = _spare_descriptor()

    def _report(self, message: str) -> None:
        now = time.monotonic()
        if now - self._reported >= _REPORT_INTERVAL_S:
            self._reported = now
            _log.warning(message)


def _spare_descriptor() -> int | None:
    try:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


def _origin(peer: Peer) -> str:
    """Return what counts as one client: all of this machine, one IPv4 address, or one IPv6 network."""
    address = ip_address(peer[0].partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_loopback:
        return "loopback"
    return str(address) if address.version == 4 else address.exploded[:19]  # the first 64 bits

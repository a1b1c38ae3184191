"""A gate in front of a real store that holds uploads back, so that a job stays at a known point."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from support.datasets import STYLE
from support.faults import Reply, Request, error, forward, scripted
from support.stores import Store


class Gate:
    """Starts open. After `shut`, it lets only `let` uploads of the dataset through."""

    def __init__(self, store: Store) -> None:
        self.url = ""
        self._store = store
        self._changed = threading.Condition()
        self._open = True
        self._broken = False
        self._let = 0

    def shut(self, let: int = 0) -> None:
        with self._changed:
            self._open, self._let = False, let

    def open(self) -> None:
        with self._changed:
            self._open, self._broken = True, False
            self._changed.notify_all()

    def break_down(self) -> None:
        """Answer every upload with an error."""
        with self._changed:
            self._open, self._broken = True, True
            self._changed.notify_all()

    def answer(self, request: Request) -> Reply:
        ours = f"/{STYLE}/" in request.path and "/.hashmark/" not in request.path
        if request.method == "PUT" and ours and "x-amz-copy-source" not in request.headers:
            with self._changed:
                self._changed.wait_for(lambda: self._open or self._let > 0, timeout=60)
                self._let -= 1
                if self._broken:
                    return Reply(403, error("AccessDenied"), {"Content-Type": "application/xml"})
        return forward(self._store.endpoint_url, request)


@contextmanager
def gated(store: Store) -> Iterator[Gate]:
    gate = Gate(store)
    with scripted(gate.answer) as server:
        gate.url = server.url
        try:
            yield gate
        finally:
            gate.open()


class Line:
    """A connection from the browser to the port `to` that can be cut and restored."""

    def __init__(self) -> None:
        self.to = 0
        self._whole = True
        self._open: set[socket.socket] = set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]

    def __enter__(self) -> Line:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.cut()
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def cut(self) -> None:
        self._whole = False
        for end in list(self._open):
            _hang_up(end)

    def restore(self) -> None:
        self._whole = True

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._listening.accept()
                if not self._whole:
                    here.close()
                    continue
                there = socket.create_connection(("127.0.0.1", self.to))
                self._open |= {here, there}
                for one, other in ((here, there), (there, here)):
                    threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for end in (source, target):
            _hang_up(end)
        self._open.discard(source)
        source.close()


def _hang_up(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)

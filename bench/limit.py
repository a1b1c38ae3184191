"""The limit of a store: sends prepared requests over open connections, and hashes, checks and writes nothing.

Run as a script, with `requests.json` as `prepare` writes it: a store can't be pushed to or pulled from faster than this
by one process. It knows nothing of hashmark.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

CONNECTIONS = 64
RECEIVED_BYTES = 1 << 20

VALID_S = 3600
"""How long the signatures of prepared requests are valid."""


def prepare(
    target: Path, url: str, requests: Iterable[tuple[str, Path | None]], keys: tuple[str, str], region: str
) -> None:
    """Write signed requests to `target`: paths in the bucket, each with the file to PUT or None to GET it."""
    from botocore.auth import S3SigV4QueryAuth  # noqa: PLC0415 - the script must not load it
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415
    from botocore.credentials import Credentials  # noqa: PLC0415

    auth = S3SigV4QueryAuth(Credentials(*keys), "s3", region, expires=VALID_S)
    prepared = []
    for path, file in requests:
        request = AWSRequest("PUT" if file else "GET", f"{url}{path}")
        auth.add_auth(request)
        prepared.append((request.url.removeprefix(url), str(file) if file else None))
    target.write_text(json.dumps({"host": url.removeprefix("http://"), "requests": prepared}))


def main(path: Path) -> None:
    """Send the requests, each connection one after the other.

    Raises:
        SystemExit: an answer is not 200.
    """
    plan = json.loads(path.read_text())
    host, waiting = plan["host"], plan["requests"]
    waiting.reverse()
    selector = selectors.DefaultSelector()
    name, _, port = host.partition(":")
    for _ in range(min(CONNECTIONS, len(waiting))):
        connection = socket.create_connection((name, int(port)))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _send(connection, host, waiting.pop())
        selector.register(connection, selectors.EVENT_READ, (connection, _Answer()))
    while selector.get_map():
        for key, _ in selector.select():
            connection, answer = key.data
            if answer.take(connection.recv(RECEIVED_BYTES)):
                if waiting:
                    _send(connection, host, waiting.pop())
                else:
                    selector.unregister(connection)
                    connection.close()


def _send(connection: socket.socket, host: str, request: Sequence[str | None]) -> None:
    target, file = request
    if file is None:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        return
    body = Path(file).read_bytes()
    head = f"PUT {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)


class _Answer:
    """Counts the bytes of one answer after the other on a connection."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0

    def take(self, data: bytes) -> bool:
        """Take what has come. Return whether the answer is complete."""
        if not data:
            raise SystemExit("the store closed a connection")
        if self._left:
            self._left -= len(data)
        else:
            self._head += data
            head, end, body = self._head.partition(b"\r\n\r\n")
            if not end:
                return False
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(self._head.decode(errors="replace"))
            fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:])
            self._left = int(fields.get(b"content-length", b"0")) - len(body)
            self._head = b""
        return self._left == 0


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""A scripted HTTP server, alone or before a real store, for the faults that no real store produces on demand."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

NS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


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
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    announced: int | None = None
    """A Content-Length that is not the body's."""


@dataclass
class Scripted:
    """A running server; `seen` are the requests it got."""

    url: str
    seen: list[Request]


def forward(url: str, request: Request) -> Reply:
    """Pass a request on to a real store, as it was signed, and bring its answer."""
    there = urlsplit(url)
    connection = http.client.HTTPConnection(there.hostname or "", there.port, timeout=30)
    try:
        connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers.items():
            connection.putheader(name, value)
        connection.endheaders(request.body)
        answer = connection.getresponse()
        hop = {"content-length", "connection", "transfer-encoding"}
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in hop}
        length = int(answer.headers.get("Content-Length") or 0) if request.method == "HEAD" else None
        return Reply(answer.status, answer.read(), headers, length)
    finally:
        connection.close()


def listing(*keys: str, token: str | None = None, truncated: str | None = None, count: int | None = None) -> bytes:
    """A ListObjectsV2 answer, as right or wrong as its arguments."""
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
    """An S3 error document."""
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>as asked</Message></Error>".encode()


@contextmanager
def scripted(answer: Callable[[Request], Reply]) -> Iterator[Scripted]:
    """Serve `answer` on loopback during the body."""
    seen: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
            lower = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, parts.path, query, lower, self.path, body)
            seen.append(request)
            reply = answer(request)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body) if reply.announced is None else reply.announced))
            if reply.announced is not None and self.command != "HEAD":
                self.close_connection = True
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815 - the base class's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield Scripted(f"http://127.0.0.1:{server.server_address[1]}", seen)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""A proxy in front of a real store that injects faults by script: by S3 operation, key and nth request.

It forwards requests as they were signed, the Host header included. A fault is a function of the request and of the way
to the store; it returns the answer. The proxy knows nothing of hashmark.
"""

from __future__ import annotations

import http.client
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import unquote, urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from support.faults.server import Reply, Request, error, scripted

Upstream = Callable[[Request], Reply]
Fault = Callable[[Request, Upstream], Reply]
_HOP = {"content-length", "connection", "transfer-encoding", "keep-alive"}


def forward(url: str, request: Request) -> Reply:
    """Forward a request unchanged to a real store; return its answer."""
    there = urlsplit(url)
    connection = http.client.HTTPConnection(there.hostname or "", there.port, timeout=30)
    try:
        connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers.items():
            connection.putheader(name, value)
        connection.endheaders(request.body)
        answer = connection.getresponse()
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP}
        length = int(answer.headers.get("Content-Length") or 0) if request.method == "HEAD" else None
        return Reply(answer.status, answer.read(), headers, length)
    finally:
        connection.close()


def operation(request: Request) -> str:
    """Return S3's name of the operation that a path-style request asks for."""
    query, copies = request.query, "x-amz-copy-source" in request.headers
    in_parts = "uploadId" in query
    single = "DeleteObjects" if "delete" in query else "CreateMultipartUpload"
    posts = "CompleteMultipartUpload" if in_parts else single
    names = {
        "GET": "ListObjectsV2" if "list-type" in query else "ListParts" if in_parts else "GetObject",
        "HEAD": "HeadObject",
        "PUT": "UploadPart" if in_parts else "CopyObject" if copies else "PutObject",
        "POST": posts,
        "DELETE": "AbortMultipartUpload" if in_parts else "DeleteObject",
    }
    return names.get(request.method, request.method)


def key_of(request: Request) -> str:
    """Return the key of a path-style request, or the prefix of a listing."""
    return request.query.get("prefix") or unquote(request.path.lstrip("/")).partition("/")[2]


@dataclass
class Rule:
    """A fault and the requests it applies to: those of an operation and a key, `times` times from hit `nth` on.

    Hits are counted per key and part, or in total with `overall`. Keys in `.hashmark` match only if the pattern names
    that folder.
    """

    operation: str
    key: str
    fault: Fault
    nth: int = 1
    times: int = 1
    overall: bool = False
    hits: Counter[str] = field(default_factory=Counter)

    def matches(self, request: Request) -> bool:
        key = key_of(request)
        ours = ".hashmark/" in key and ".hashmark" not in self.key
        if ours or operation(request) != self.operation or not re.search(self.key, key):
            return False
        which = "" if self.overall else f"{key} {request.query.get('partNumber', '')}"
        self.hits[which] += 1
        return self.nth <= self.hits[which] < self.nth + self.times


class Proxy:
    """A store behind faults. Without rules it behaves like the store."""

    def __init__(self, upstream: str) -> None:
        self.url = ""
        self.seen: list[Request] = []
        self._upstream = upstream
        self._rules: list[Rule] = []
        self._lock = threading.Lock()

    def on(
        self, operation: str, key: str, fault: Fault, *, nth: int = 1, times: int = 1, overall: bool = False
    ) -> Rule:
        """Add a fault to the script. The first rule that matches a request applies."""
        rule = Rule(operation, key, fault, nth, times, overall)
        with self._lock:
            self._rules.append(rule)
        return rule

    def heal(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._rules.clear()

    def count(self, name: str, key: str = "") -> int:
        """Count the requests of an operation whose key matches a pattern."""
        return sum(operation(r) == name and re.search(key, key_of(r)) is not None for r in list(self.seen))

    def answer(self, request: Request) -> Reply:
        with self._lock:
            faults = [rule.fault for rule in self._rules if rule.matches(request)]
        return faults[0](request, self._forward) if faults else self._forward(request)

    def _forward(self, request: Request) -> Reply:
        return forward(self._upstream, request)


@contextmanager
def proxied(upstream: str) -> Iterator[Proxy]:
    """Run a proxy in front of the store at `upstream`."""
    proxy = Proxy(upstream)
    with scripted(proxy.answer) as server:
        proxy.url, proxy.seen = server.url, server.seen
        yield proxy


# --- the faults --------------------------------------------------------------------------------------------------


def status(code: int, name: str = "InternalError", headers: Mapping[str, str] | None = None) -> Fault:
    """Answer with an error; the store gets no request."""
    return lambda _request, _store: Reply(code, error(name), headers or {})


def lost(code: int | None = 500) -> Fault:
    """Let the store carry out the request, but answer with an error, or with a reset if `code` is None."""

    def fault(request: Request, store: Upstream) -> Reply:
        store(request)
        return Reply(code, error("InternalError")) if code else Reply(cut=-1)

    return fault


def reset() -> Fault:
    """Reset the connection; the store gets no request."""
    return lambda _request, _store: Reply(cut=-1)


def cut(at: int) -> Fault:
    """Reset the connection after `at` bytes of the body."""
    return lambda request, store: replace(store(request), cut=at)


def short(at: int) -> Fault:
    """End the body cleanly after `at` bytes, although Content-Length announces more."""

    def fault(request: Request, store: Upstream) -> Reply:
        answer = store(request)
        return replace(answer, body=answer.body[:at], announced=len(answer.body))

    return fault


def stall(at: int) -> Fault:
    """Send nothing more after `at` bytes of the body."""
    return lambda request, store: replace(store(request), stall=at)


def slow(rate: int) -> Fault:
    """Send the body at `rate` bytes per second."""
    return lambda request, store: replace(store(request), rate=rate)


def delay(seconds: float) -> Fault:
    """Delay the answer."""
    return lambda request, store: replace(store(request), wait=seconds)


def flipped(data: bytes, at: int = 0) -> bytes:
    """Return the bytes with one bit flipped."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def flip(at: int = 0) -> Fault:
    """Flip a bit of the answer's body."""
    return edit(lambda body: flipped(body, at))


def flip_sent(at: int = 0) -> Fault:
    """Flip a bit of the request's body."""
    return lambda request, store: store(replace(request, body=flipped(request.body, at)))


def swap(body: bytes, headers: Mapping[str, str] | None = None) -> Fault:
    """Answer with another body and status 200; the store gets no request."""
    return lambda _request, _store: Reply(200, body, headers or {"Content-Type": "application/xml"})


def edit(change: Callable[[bytes], bytes]) -> Fault:
    """Change the answer's body; Content-Length matches the new one."""

    def fault(request: Request, store: Upstream) -> Reply:
        answer = store(request)
        return replace(answer, body=change(answer.body))

    return fault


def relabel(**headers: str | None) -> Fault:
    """Change headers of the answer (`_` stands for `-`); None removes one."""
    changes = {name.replace("_", "-").lower(): value for name, value in headers.items()}

    def fault(request: Request, store: Upstream) -> Reply:
        answer = store(request)
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in changes}
        return replace(answer, headers=kept | {name: value for name, value in changes.items() if value is not None})

    return fault


def redirect(to: str, code: int = 302) -> Fault:
    """Redirect the client to another server."""
    return lambda request, _store: Reply(code, b"", {"Location": to + request.target})


def meanwhile(act: Callable[[], object]) -> Fault:
    """Run `act` just before the request reaches the store."""

    def fault(request: Request, store: Upstream) -> Reply:
        act()
        return store(request)

    return fault


class Once:
    """Runs a function at the first call. Concurrent calls wait until it has returned."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act: Callable[[], None] | None = act
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            if self._act:
                self._act()
            self._act = None


def strip_sent(access: str, secret: str, *names: str, region: str = "us-east-1") -> Fault:
    """Remove headers from the request, as if the store ignored them, and sign it again."""

    def fault(request: Request, store: Upstream) -> Reply:
        dropped = {*names, "authorization", "x-amz-date"}
        kept = {name: value for name, value in request.headers.items() if name not in dropped}
        url = f"http://{kept['host']}{request.target}"
        signed = AWSRequest(method=request.method, url=url, data=request.body, headers=kept)
        S3SigV4Auth(Credentials(access, secret), "s3", region).add_auth(signed)
        return store(replace(request, headers={name.lower(): value for name, value in signed.headers.items()}))

    return fault

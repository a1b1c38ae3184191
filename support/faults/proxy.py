"""A proxy before a real store that plays faults by a script: by S3 operation, key and nth hit.

Requests are passed on as they were signed, the Host header included. A fault is given the request and the way to the
store, and gives the answer. It knows nothing of hashmark.
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
    """Pass a request on to a real store, as it was signed, and bring its answer."""
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
    """S3's name for what a path-style request asks."""
    query, copies = request.query, "x-amz-copy-source" in request.headers
    in_parts = "uploadId" in query
    single = "DeleteObjects" if "delete" in query else "CreateMultipartUpload"
    posts = "CompleteMultipartUpload" if in_parts else single
    names = {
        "GET": "ListObjectsV2" if "list-type" in query else "GetObject",
        "HEAD": "HeadObject",
        "PUT": "UploadPart" if in_parts else "CopyObject" if copies else "PutObject",
        "POST": posts,
        "DELETE": "AbortMultipartUpload" if in_parts else "DeleteObject",
    }
    return names.get(request.method, request.method)


def key_of(request: Request) -> str:
    """The key of a path-style request; of a listing, its prefix."""
    return request.query.get("prefix") or unquote(request.path.lstrip("/")).partition("/")[2]


@dataclass
class Rule:
    """A fault, and which requests it befalls: of this operation and key, from hit `nth` on, `times` times.

    Hits are counted for each key (and part) by itself, or over all with `overall`. Keys of hashmark's own folder are
    left out, unless the pattern names it.
    """

    operation: str
    key: str
    fault: Fault
    nth: int = 1
    times: int = 1
    overall: bool = False
    hits: Counter[str] = field(default_factory=Counter)

    def befalls(self, request: Request) -> bool:
        key = key_of(request)
        ours = ".hashmark/" in key and ".hashmark" not in self.key
        if ours or operation(request) != self.operation or not re.search(self.key, key):
            return False
        which = "" if self.overall else f"{key} {request.query.get('partNumber', '')}"
        self.hits[which] += 1
        return self.nth <= self.hits[which] < self.nth + self.times


class Proxy:
    """A store behind faults. With no rule it is the store."""

    def __init__(self, upstream: str) -> None:
        self.url = ""
        self.seen: list[Request] = []
        self._upstream = upstream
        self._rules: list[Rule] = []
        self._lock = threading.Lock()

    def on(
        self, operation: str, key: str, fault: Fault, *, nth: int = 1, times: int = 1, overall: bool = False
    ) -> Rule:
        """Add a fault to the script; the first rule that fits a request plays."""
        rule = Rule(operation, key, fault, nth, times, overall)
        with self._lock:
            self._rules.append(rule)
        return rule

    def heal(self) -> None:
        """Forget the script."""
        with self._lock:
            self._rules.clear()

    def count(self, name: str, key: str = "") -> int:
        """How many requests of this operation came for keys that match."""
        return sum(operation(r) == name and re.search(key, key_of(r)) is not None for r in list(self.seen))

    def answer(self, request: Request) -> Reply:
        with self._lock:
            faults = [rule.fault for rule in self._rules if rule.befalls(request)]
        return faults[0](request, self._forward) if faults else self._forward(request)

    def _forward(self, request: Request) -> Reply:
        return forward(self._upstream, request)


@contextmanager
def proxied(upstream: str) -> Iterator[Proxy]:
    """A proxy before the store at `upstream`, during the body."""
    proxy = Proxy(upstream)
    with scripted(proxy.answer) as server:
        proxy.url, proxy.seen = server.url, server.seen
        yield proxy


# --- the faults --------------------------------------------------------------------------------------------------


def status(code: int, name: str = "InternalError", headers: Mapping[str, str] | None = None) -> Fault:
    """The store answers with this error and does nothing."""
    return lambda _request, _store: Reply(code, error(name), headers or {})


def lost(code: int | None = 500) -> Fault:
    """The store does it; what arrives is an error, or with None a reset."""

    def fault(request: Request, store: Upstream) -> Reply:
        store(request)
        return Reply(code, error("InternalError")) if code else Reply(cut=-1)

    return fault


def reset() -> Fault:
    """The connection is reset before anything is said or done."""
    return lambda _request, _store: Reply(cut=-1)


def cut(at: int) -> Fault:
    """The body ends after `at` bytes, with a reset."""
    return lambda request, store: replace(store(request), cut=at)


def short(at: int) -> Fault:
    """The body ends after `at` bytes, in good order, though more was announced."""

    def fault(request: Request, store: Upstream) -> Reply:
        answer = store(request)
        return replace(answer, body=answer.body[:at], announced=len(answer.body))

    return fault


def stall(at: int) -> Fault:
    """After `at` bytes of the body nothing more comes."""
    return lambda request, store: replace(store(request), stall=at)


def slow(rate: int) -> Fault:
    """The body comes at `rate` bytes a second."""
    return lambda request, store: replace(store(request), rate=rate)


def delay(seconds: float) -> Fault:
    """The answer comes later."""
    return lambda request, store: replace(store(request), wait=seconds)


def flipped(data: bytes, at: int = 0) -> bytes:
    """The same bytes, one bit apart."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def flip(at: int = 0) -> Fault:
    """One bit of the answer's body is another."""
    return edit(lambda body: flipped(body, at))


def flip_sent(at: int = 0) -> Fault:
    """One bit of what was sent arrives as another."""
    return lambda request, store: store(replace(request, body=flipped(request.body, at)))


def swap(body: bytes, headers: Mapping[str, str] | None = None) -> Fault:
    """Another body comes instead of the store's, with status 200."""
    return lambda _request, _store: Reply(200, body, headers or {"Content-Type": "application/xml"})


def edit(change: Callable[[bytes], bytes]) -> Fault:
    """The answer's body, changed; its length is told right."""

    def fault(request: Request, store: Upstream) -> Reply:
        answer = store(request)
        return replace(answer, body=change(answer.body))

    return fault


def relabel(**headers: str | None) -> Fault:
    """The answer's headers, changed (`_` for `-`), or gone with None."""
    changes = {name.replace("_", "-").lower(): value for name, value in headers.items()}

    def fault(request: Request, store: Upstream) -> Reply:
        answer = store(request)
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in changes}
        return replace(answer, headers=kept | {name: value for name, value in changes.items() if value is not None})

    return fault


def redirect(to: str, code: int = 302) -> Fault:
    """The store sends the client elsewhere."""
    return lambda request, _store: Reply(code, b"", {"Location": to + request.target})


def meanwhile(act: Callable[[], object]) -> Fault:
    """Something else happens in the instant before the request reaches the store."""

    def fault(request: Request, store: Upstream) -> Reply:
        act()
        return store(request)

    return fault


class Once:
    """Does something at the first call; the others wait until it is done."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act: Callable[[], None] | None = act
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            if self._act:
                self._act()
            self._act = None


def strip_sent(access: str, secret: str, *names: str, region: str = "us-east-1") -> Fault:
    """The request reaches the store without these headers, as if it ignored them. It is signed anew."""

    def fault(request: Request, store: Upstream) -> Reply:
        dropped = {*names, "authorization", "x-amz-date"}
        kept = {name: value for name, value in request.headers.items() if name not in dropped}
        url = f"http://{kept['host']}{request.target}"
        anew = AWSRequest(method=request.method, url=url, data=request.body, headers=kept)
        S3SigV4Auth(Credentials(access, secret), "s3", region).add_auth(anew)
        return store(replace(request, headers={name.lower(): value for name, value in anew.headers.items()}))

    return fault

"""Access control: who may send a request, from where, and which headers every response carries.

It wraps every route, static files and event streams included, and decides from the request alone. A server on
loopback is still reachable by every page that the user's browser opens: hence the checks of Host (against DNS
rebinding), of Origin and Sec-Fetch-Site (against other sites and ports), and the header on unsafe methods that no
form can send. What a route does is not known here.
"""

from __future__ import annotations

import hashlib
import html
import json
import secrets
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY_BYTES = 8 << 20
"""The largest request body: the ids of about 400,000 items."""

REQUIRED_HEADER = "x-hashmark"
"""The header that every unsafe request must have, with any value: forms can't send it."""

_SAFE = {"GET", "HEAD", "OPTIONS"}

_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)

_PAGE = "<!doctype html><html lang=en><meta charset=utf-8><title>hashmark</title><h1>hashmark</h1><p>{}</p></html>"

HEADERS = {
    "content-security-policy": _CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Keys:
    """What grants access: links that work once, the sessions they started, and a fixed token if one was set.

    Only digests are kept. `on_used` is called after a link was used, so that the next one can be printed.
    """

    def __init__(self, fixed: str | None = None, on_used: Callable[[], None] = lambda: None) -> None:
        self._fixed = _digest(fixed) if fixed else None
        self._links: set[bytes] = set()
        self._sessions: set[bytes] = set()
        self._on_used = on_used

    def new_link(self) -> str:
        """Return a token that can be exchanged once for a session. Earlier unused ones stay valid."""
        token = secrets.token_urlsafe(32)
        self._links.add(_digest(token))
        return token

    def exchange(self, token: str) -> str | None:
        """Exchange a token for a new session; None if it is wrong. The fixed token can be exchanged many times."""
        digest = _digest(token)
        if digest not in self._links and not self.is_fixed(token):
            return None
        used = digest in self._links
        self._links.discard(digest)
        session = secrets.token_urlsafe(32)
        self._sessions.add(_digest(session))
        if used:
            self._on_used()
        return session

    def is_session(self, session: str) -> bool:
        """Whether this is the secret of a session."""
        return _digest(session) in self._sessions

    def is_fixed(self, token: str) -> bool:
        """Whether this is the fixed token."""
        return self._fixed is not None and secrets.compare_digest(_digest(token), self._fixed)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


class RequestRefused(Exception):
    """The request is not passed on."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Guard:
    """Wraps an ASGI application. `hosts` are the accepted values of Host, with their port.

    Only HTTP and the server's own lifespan are passed on.
    """

    def __init__(self, app: App, keys: Keys, hosts: Iterable[str], *, cookie: str, tls: bool = False) -> None:
        self._app = app
        self._keys = keys
        self._hosts = frozenset(host.lower() for host in hosts)
        self._cookie = cookie
        self._scheme = "https" if tls else "http"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request or pass it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError("only HTTP is served here")
        headers = _Headers(scope["headers"])
        send = _with_headers(send)
        try:
            self._check_origin(headers)
            if (token := _token(scope)) is not None:
                await self._exchange(token, send)
                return
            self._check_access(headers)
            if scope["method"] not in _SAFE:
                _check_unsafe(headers)
            await self._app(scope, _limited(receive, headers), send)
        except RequestRefused as refused:
            await _refuse(refused, headers, send)

    def _check_origin(self, headers: _Headers) -> None:
        host = headers.one("host").lower()
        if host not in self._hosts:
            raise RequestRefused(403, "This server does not answer to this host name. Use the address that it printed.")
        origin = headers.get("origin")
        if origin is not None and origin.lower() != f"{self._scheme}://{host}":
            raise RequestRefused(403, "Requests from other sites are refused.")
        if headers.get("sec-fetch-site") not in {None, "same-origin", "none"}:
            raise RequestRefused(403, "Requests from other sites are refused. Open the address directly.")

    def _check_access(self, headers: _Headers) -> None:
        bearer = headers.get("authorization") or ""
        if bearer.lower().startswith("bearer ") and self._keys.is_fixed(bearer[7:].strip()):
            return
        if not any(self._keys.is_session(value) for name, value in _cookies(headers) if name == self._cookie):
            raise RequestRefused(403, "Open the link that hashmark printed. It works once and signs this browser in.")

    async def _exchange(self, token: str, send: Send) -> None:
        session = self._keys.exchange(token)
        if session is None:
            raise RequestRefused(
                403, "This link was already used or is from an earlier run. Open the newest link that hashmark printed."
            )
        secure = "; Secure" if self._scheme == "https" else ""
        cookie = f"{self._cookie}={session}; Path=/; HttpOnly; SameSite=Strict{secure}"
        await _answer(send, 303, b"", {"location": "/", "set-cookie": cookie, "cache-control": "no-store"})


class _Headers:
    """A request's headers. A header that was sent twice is refused when it is read."""

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._all: dict[str, list[str]] = {}
        for name, value in raw:
            self._all.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))

    def get(self, name: str) -> str | None:
        values = self._all.get(name)
        if values is None:
            return None
        if len(values) > 1 and name != "cookie":
            raise RequestRefused(403, f"The header {name} was sent twice.")
        return "; ".join(values)

    def one(self, name: str) -> str:
        return self.get(name) or ""

    def every(self, name: str) -> str:
        """Return all values of a header that may be sent more than once."""
        return ", ".join(self._all.get(name, ()))


def _check_unsafe(headers: _Headers) -> None:
    if headers.get(REQUIRED_HEADER) is None:
        raise RequestRefused(403, f"A request that changes something needs the header {REQUIRED_HEADER}.")
    if headers.one("content-type").split(";")[0].strip().lower() != "application/json":
        raise RequestRefused(415, "A request that changes something must be JSON (content-type: application/json).")


def _token(scope: Scope) -> str | None:
    """Return the token of a link. Only the first page takes one, so that it is never part of another address."""
    if scope["path"] != "/" or scope["method"] != "GET":
        return None
    values = parse_qs(scope["query_string"].decode("latin-1")).get("token")
    return values[0] if values else None


def _cookies(headers: _Headers) -> Iterator[tuple[str, str]]:
    """Yield every cookie unparsed: those of other programs on this machine arrive too, with any content."""
    for cookie in headers.one("cookie").split(";"):
        name, _, value = cookie.partition("=")
        yield name.strip(), value.strip()


def _limited(receive: Receive, headers: _Headers) -> Receive:
    """Limit the size of the request's body."""
    length = headers.one("content-length")
    if length.isdecimal() and int(length[:12]) > MAX_BODY_BYTES:
        raise RequestRefused(413, f"The request is too large: the limit is {MAX_BODY_BYTES} bytes.")
    seen = 0

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MAX_BODY_BYTES:  # the application would treat any other error as a malformed body
            raise HTTPException(413, f"The request is too large: the limit is {MAX_BODY_BYTES} bytes.")
        return message

    return limited


def _with_headers(send: Send) -> Send:
    """Add our headers to responses. Nothing may be cached unless the response itself says so."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = {name.lower() for name, _ in message.get("headers", [])}
            extra = dict(HEADERS)
            if b"cache-control" not in own:
                extra["cache-control"] = "no-store"
            added = [(k.encode(), v.encode()) for k, v in extra.items()]
            message = {**message, "headers": [*message.get("headers", []), *added]}
        await send(message)

    return send_with_headers


async def _refuse(refused: RequestRefused, headers: _Headers, send: Send) -> None:
    if "text/html" in headers.every("accept"):
        page = _PAGE.format(html.escape(refused.message))
        await _answer(send, refused.status, page.encode(), {"content-type": "text/html; charset=utf-8"})
        return
    body = json.dumps({"error": {"code": "refused", "message": refused.message}}).encode()
    await _answer(send, refused.status, body, {"content-type": "application/json"})


async def _answer(send: Send, status: int, body: bytes, headers: dict[str, str]) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    raw.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})

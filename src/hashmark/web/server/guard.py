"""Access control: who may send a request, from where, and which headers every response carries.

It wraps every route, static files and event streams included, and decides from the request alone. A server on
loopback is still reachable by every page that the user's browser opens: hence the checks of Host (against DNS
rebinding), of Origin and Sec-Fetch-Site (against other sites and ports), and the header on unsafe methods that no
form can send. What a route does is not known here.
"""

from __future__ import annotations

import asyncio
import html
import json
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException

from hashmark.web.server.asgi import App, Message, Receive, Scope, Send
from hashmark.web.server.json_limits import wrong_with
from hashmark.web.server.login import (
    FORM_LIMIT_S,
    FORM_TYPE,
    LOGIN_CSP,
    LOGIN_PATH,
    MAX_FORM_BYTES,
    login_page,
    token_of,
)
from hashmark.web.server.session_end import until_ended
from hashmark.web.server.sessions import Keys, Session

MAX_BODY_BYTES = 8 << 20
"""The largest request body: the ids of about 400,000 items."""

REQUIRED_HEADER = "x-hashmark"
"""The header that every unsafe request must have, with any value: forms can't send it."""

LOGOUT_PATH = "/logout"
"""Where the page sends a POST to end its session."""

_SAFE = {"GET", "HEAD", "OPTIONS"}

_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)

_PAGE = "<!doctype html><html lang=en><meta charset=utf-8><title>hashmark</title><h1>hashmark</h1><p>{}</p></html>"

_LINK_REFUSED = "This link was already used or is from an earlier run. Open the newest link that hashmark printed."

HEADERS = {
    "content-security-policy": _CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


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
            _check_framing(headers)
            _check_prefetch(headers)
            self._check_host(headers)
            if (token := _token(scope)) is not None:
                await self._show_login(token, headers, send)
            elif scope["path"] == LOGIN_PATH and scope["method"] == "POST":
                await self._log_in(headers, receive, send)
            else:
                await self._pass_on(scope, headers, receive, send)
        except RequestRefused as refused:
            await _refuse(refused, headers, send)

    async def _pass_on(self, scope: Scope, headers: _Headers, receive: Receive, send: Send) -> None:
        self._check_origin(headers)
        session = self._check_access(headers)
        if scope["method"] not in _SAFE:
            _check_unsafe(headers)
        if scope["path"] == LOGOUT_PATH and scope["method"] == "POST":
            await self._log_out(session, send)
            return
        app = self._app
        if session is not None and scope["method"] == "GET":  # a change that has begun is not broken off
            app = until_ended(app, session.ended)
        await app(scope, _whole_body(_limited(receive, headers)), send)

    def _check_host(self, headers: _Headers) -> None:
        if headers.one("host").lower() not in self._hosts:
            raise RequestRefused(403, "This server does not answer to this host name. Use the address that it printed.")

    def _check_origin(self, headers: _Headers, *, null_allowed: bool = False) -> None:
        origin = headers.get("origin")
        own = f"{self._scheme}://{headers.one('host')}".lower()
        if origin is not None and origin.lower() != own and not (null_allowed and origin == "null"):
            raise RequestRefused(403, "Requests from other sites are refused.")
        if headers.get("sec-fetch-site") not in {None, "same-origin", "none"}:
            raise RequestRefused(403, "Requests from other sites are refused. Open the address directly.")

    def _check_access(self, headers: _Headers) -> Session | None:
        """Return the request's session; None if it has the fixed token instead."""
        bearer = headers.get("authorization") or ""
        if bearer.lower().startswith("bearer ") and self._keys.is_fixed(bearer[7:].strip()):
            return None
        for name, value in _cookies(headers):
            if name == self._cookie and (session := self._keys.session(value)) is not None:
                return session
        raise RequestRefused(403, "Open the link that hashmark printed. It works once and logs this browser in.")

    async def _log_out(self, session: Session | None, send: Send) -> None:
        """End the session and drop its cookie. A script that sent the fixed token has no session."""
        if session is not None:
            self._keys.end(session)
        headers = {"content-type": "application/json", "set-cookie": self._set_cookie("", "; Max-Age=0")}
        await _answer(send, 200, b"{}", headers)

    def _set_cookie(self, value: str, more: str = "") -> str:
        secure = "; Secure" if self._scheme == "https" else ""
        return f"{self._cookie}={value}; Path=/; HttpOnly; SameSite=Strict{more}{secure}"

    async def _show_login(self, token: str, headers: _Headers, send: Send) -> None:
        """Answer a link with the login page, which changes nothing."""
        if not _is_navigation(headers):
            self._check_origin(headers)
        if not self._keys.is_token(token):
            raise RequestRefused(403, _LINK_REFUSED)
        html_headers = {"content-type": "text/html; charset=utf-8", "content-security-policy": LOGIN_CSP}
        await _answer(send, 200, login_page(token), html_headers)

    async def _log_in(self, headers: _Headers, receive: Receive, send: Send) -> None:
        """Exchange the token of the login page's form for a session."""
        # Browsers send the null origin with a form of a page whose referrer policy is no-referrer, as ours is.
        self._check_origin(headers, null_allowed=True)
        if headers.one("content-type").split(";")[0].strip().lower() != FORM_TYPE:
            raise RequestRefused(415, f"A login must be a form (content-type: {FORM_TYPE}).")
        try:
            async with asyncio.timeout(FORM_LIMIT_S):
                form = await _read_form(receive)
        except TimeoutError:
            raise RequestRefused(408, "The form did not arrive in time.") from None
        session = self._keys.exchange(token_of(form))
        if session is None:
            raise RequestRefused(403, _LINK_REFUSED)
        cookie = self._set_cookie(session)
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


def _check_framing(headers: _Headers) -> None:
    """Refuse a request whose end a proxy could see elsewhere."""
    if headers.get("content-length") is not None and headers.get("transfer-encoding") is not None:
        raise RequestRefused(400, "A request has either Content-Length or Transfer-Encoding, not both.")


def _check_prefetch(headers: _Headers) -> None:
    """Refuse what nobody has asked to see yet."""
    if any("prefetch" in headers.every(name).lower() for name in ("sec-purpose", "purpose", "x-moz")):
        raise RequestRefused(403, "This page is not fetched in advance. Open it.")


def _is_navigation(headers: _Headers) -> bool:
    """Whether the user follows a link, perhaps one in another program's page. Such a request can't be read there."""
    return headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"


def _token(scope: Scope) -> str | None:
    """Return the token of a link. Only the first page takes one, so that it is never part of another address."""
    if scope["path"] != "/" or scope["method"] not in {"GET", "HEAD"}:
        return None
    values = parse_qs(scope["query_string"].decode("latin-1")).get("token")
    return values[0] if values else None


async def _read_form(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b""
        body += message.get("body", b"")
        if len(body) > MAX_FORM_BYTES:
            raise RequestRefused(413, f"The form is too large: the limit is {MAX_FORM_BYTES} bytes.")
        if not message.get("more_body", False):
            return bytes(body)


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


def _whole_body(receive: Receive) -> Receive:
    """Read the body as a whole when the application asks for it, and refuse JSON that would be dear to parse."""
    passed_on = False

    async def whole() -> Message:
        nonlocal passed_on
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request" or passed_on:
                return message
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        if (wrong := wrong_with(body)) is not None:
            raise HTTPException(400, wrong)
        passed_on = True
        return {"type": "http.request", "body": bytes(body), "more_body": False}

    return whole


def all_headers(own: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a response that has these headers of its own."""
    return {**HEADERS, "cache-control": "no-store", **own}


def _with_headers(send: Send) -> Send:
    """Add our headers to responses that lack them. Nothing may be cached unless the response itself says so."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = {name.lower() for name, _ in message.get("headers", [])}
            added = [(k.encode(), v.encode()) for k, v in all_headers({}).items() if k.encode() not in own]
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
    if status == 400:  # where the next request begins is uncertain
        raw.append((b"connection", b"close"))
    raw.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})

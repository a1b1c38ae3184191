"""Hostile requests to every route that the application has: each is refused, tells nothing, and changes nothing.

The requests are sent as they are written here, since an HTTP client would put most of them right. `test_door` sends
what a client can send: wrong tokens, hosts, origins and cookies.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable

import pytest

from hashmark.search.items import item_id
from support.web.serving import TOKEN, Served, routes, truth

BODY = b'{"items": null}'

Build = Callable[[str, str, dict[str, str]], bytes]
"""Makes a hostile request of a method, an address, and the headers of a good request."""


def request(method: str, address: str, headers: dict[str, str], *more: str, version: str = "HTTP/1.1") -> bytes:
    """Return a request; `more` are further lines of its head."""
    lines = [f"{method} {address} {version}", *(f"{name}: {value}" for name, value in headers.items()), *more]
    length = [f"Content-Length: {len(BODY)}"] if method not in {"GET", "TRACE", "CONNECT"} else []
    head = "\r\n".join([*lines, *length, "", ""]).encode("latin-1")
    return head + (BODY if length else b"")


def stranger(headers: dict[str, str]) -> dict[str, str]:
    """Return the headers without the key."""
    return {name: value for name, value in headers.items() if name != "Authorization"}


def without_key(*more: str) -> Build:
    """Return a request without the key, and with these lines in its head."""
    return lambda method, address, headers: request(method, address, stranger(headers), *more)


def with_key(*more: str) -> Build:
    """Return a request with the key, and with these lines in its head."""
    return lambda method, address, headers: request(method, address, headers, *more)


def at(change: Callable[[str], str]) -> Build:
    """Return a request with the key for an address that leads elsewhere."""
    return lambda method, address, headers: request(method, change(address), headers)


def in_id(text: str) -> Build:
    """Return a request with the key and with this text in the address, where an id stands or behind it."""
    return at(lambda address: address.replace("82", f"82{text}") if "82" in address else address.rstrip("/") + text)


HOSTILE: dict[str, Build] = {
    # Without the key, and with something that other servers take for one.
    "nothing": without_key(),
    "the key of a proxy": without_key("X-Forwarded-User: root", "X-Real-IP: 127.0.0.1", "X-Forwarded-For: 127.0.0.1"),
    "a forwarded host": without_key("X-Forwarded-Host: 127.0.0.1", "Forwarded: for=127.0.0.1;host=localhost"),
    "an API key": without_key(f"X-Api-Key: {TOKEN}", f"X-Token: {TOKEN}"),
    "the token as a cookie": without_key(f"Cookie: hashmark={TOKEN}; session={TOKEN}; token={TOKEN}"),
    "the token as the cookie's name": without_key(f"Cookie: {TOKEN}; hashmark-{{port}}={TOKEN}"),
    "an empty token": without_key("Authorization: Bearer "),
    "the token in two parts": without_key(f"Authorization: Bearer {TOKEN[:9]}", f"Authorization: Bearer {TOKEN[9:]}"),
    "the token in a list": without_key(f"Authorization: Bearer x, Bearer {TOKEN}"),
    "the token in the address": lambda m, path, headers: request(m, f"{path}?access_token={TOKEN}", stranger(headers)),
    "the token in a link": lambda m, path, headers: request(m, f"{path}?x&token={TOKEN}x", stranger(headers)),
    "the token for a user": lambda m, path, headers: request(m, f"http://u:{TOKEN}@127.0.0.1{path}", stranger(headers)),
    # Without the key, and in another form.
    "another method, by a header": without_key("X-HTTP-Method-Override: DELETE", "X-Method-Override: PUT"),
    "another address, by a header": without_key("X-Original-URL: /api/check", "X-Rewrite-URL: /static/page.css"),
    "a web socket": without_key("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: AAAA"),
    "HTTP/2": without_key("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"),
    "the preface of HTTP/2": lambda _m, _path, _headers: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a method in lower case": lambda m, path, headers: request(m.lower(), path, stranger(headers)),
    "a method of nobody's": lambda _m, path, headers: request("BREW", path, stranger(headers)),
    "TRACE": lambda _m, path, headers: request("TRACE", path, stranger(headers)),
    "a CORS preflight": lambda _m, path, headers: request(
        "OPTIONS", path, stranger(headers), "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: *"
    ),
    # With the key, but from elsewhere or in a form that has two readings.
    "a second host": with_key("Host: evil.example"),
    "a second origin": with_key("Origin: http://evil.example", "Origin: null"),
    "a navigation from another site": with_key(
        "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"
    ),
    "a prefetch": with_key("Sec-Purpose: prefetch;prerender"),
    "another site's absolute address": lambda m, path, headers: request(
        m, f"http://evil.example{path}", headers | {"Host": "evil.example"}
    ),
    "two lengths": with_key("Content-Length: 1000", "Content-Length: 3"),
    "a length and chunks": with_key("Content-Length: 15", "Transfer-Encoding: chunked"),
    "a header that is too large": with_key("X: " + "x" * 100_000),
    "a folded header": with_key("X: y", " Host: evil.example"),
    "NUL in a header": with_key("X: \0"),
    "HTTP/0.9": lambda m, path, _headers: f"{m} {path}\r\n\r\n".encode(),
    "a bare line feed": lambda m, path, headers: request(m, path, headers).replace(b"\r\nHost", b"\nHost", 1),
    # With the key, for addresses that do not exist.
    "a way out of the folder": in_id("/../../../../etc/passwd"),
    "an encoded way out": in_id("%2f..%2f..%2fhashmark.toml"),
    "a way out, encoded twice": in_id("%252f..%252f..%252fhashmark.toml"),
    "a way out with backslashes": in_id("%5c..%5c..%5chashmark.toml"),
    "an overlong slash": in_id("%c0%af..%c0%afhashmark.toml"),
    "NUL in the address": in_id("%00"),
    "a line feed in the address": in_id("%0d%0aX:%20y"),
    "a long address": in_id("x" * 8000),
    "a parameter in the path": in_id(";jsessionid=1"),
}


def answered(served: Served, data: bytes) -> tuple[int, str]:
    """Send a request as it is; return the status and the text of the answer."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as raw:
        raw.sendall(data)
        answer = http.client.HTTPResponse(raw)
        answer.begin()
        try:
            return answer.status, answer.read().decode("utf-8", "replace")
        finally:
            answer.close()


@pytest.mark.parametrize("who", HOSTILE)
def test_row_39_a_hostile_request_to_any_route_is_refused_and_changes_nothing(served_once: Served, who: str) -> None:
    """Guard: without the checks of Host, Origin and the token, every route answers."""
    served, build = served_once, HOSTILE[who]
    port = str(served.port)
    headers = {
        "Host": f"127.0.0.1:{port}",
        "Authorization": f"Bearer {TOKEN}",
        "X-Hashmark": "1",
        "Content-Type": "application/json",
    }
    before = truth(served)
    for method, address in [*routes(served.app, item_id("0001.png")), ("POST", "/logout")]:
        data = build(method, address, headers).replace(b"{port}", port.encode())
        status, text = answered(served, data)
        assert 400 <= status < 500, (method, address, status, text)
        assert "stellar" not in text, (method, address)
        assert "s3://" not in text, (method, address)
    assert truth(served) == before


def test_the_same_requests_without_what_is_hostile_are_not_refused_by_the_door(served_once: Served) -> None:
    """Otherwise the test above would prove nothing."""
    good = with_key()
    headers = {"Host": f"127.0.0.1:{served_once.port}", "Authorization": f"Bearer {TOKEN}", "X-Hashmark": "1"}
    for method, address in routes(served_once.app, item_id("0001.png")):
        if address.endswith("events") or "undo" in address:
            continue
        data = good(method, address, headers | {"Content-Type": "application/json"}).replace(BODY, b'{"items": 1234}')
        status, text = answered(served_once, data)
        assert status not in {400, 403}, (method, address, text)

"""The door, on every route the application has: who is not let in changes nothing and learns nothing."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hashmark import push
from hashmark.core.errors import UsageError
from hashmark.library.library import Library
from hashmark.library.settings import create
from hashmark.web.server.guard import MAX_BODY_BYTES
from hashmark.web.server.http_server import ListenAddress
from support.certificates import make_certificate
from support.datasets import write_pairs
from support.stores import BUCKET, Store
from support.web.serving import TOKEN, Served, log_in, routes, serving


@pytest.fixture(scope="module")
def served(seaweedfs: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("door")
    create(root, {"url": f"s3://{BUCKET}/door", "endpoint_url": seaweedfs.endpoint_url, "region": "us-east-1"})
    write_pairs(root, "82_stellar_sketch", 2)
    found = Library.open(root)
    remote = seaweedfs.remote("door")
    library = Library(root, type(found.settings)(remote, False, found.settings.pairing, found.settings.prefixes))
    push(library.dataset("82"))
    (root / "82_stellar_sketch" / "0000.txt").write_text("an edited caption")
    with serving(library) as running:
        running.compared("82")
        yield running
    library.close()
    found.close()


def item_of(served: Served) -> str:
    found: str = served.get("/api/datasets/82/search?q=sync:red")["ids"][0]
    return found


def truth(served: Served) -> Any:
    """What must not have changed: the jobs, the files on disk, and what the bucket lists."""
    library = served.app.state.services.library.library
    disk = {
        path: path.read_bytes()
        for path in Path(library.root).rglob("*")
        if path.is_file() and ".hashmark" not in str(path)
    }
    return served.get("/api/jobs"), disk, served.get("/api/datasets/82/s3")


BODY = b'{"items": null}'

STRANGERS: dict[str, dict[str, str | None]] = {
    "no key at all": {"authorization": None},
    "a wrong token": {"authorization": f"Bearer {TOKEN[:-1]}"},
    "the token as a basic password": {"authorization": f"Basic {TOKEN}"},
    "a wrong cookie": {"authorization": None, "cookie": "hashmark-{port}=AAAA"},
    "another server's cookie": {"authorization": None, "cookie": "hashmark-1={session}"},
    "a foreign host": {"host": "evil.example:{port}"},
    "a host that only begins like ours": {"host": "127.0.0.1.evil.example:{port}"},
    "our host with another port": {"host": "127.0.0.1:1"},
    "our host without its port": {"host": "127.0.0.1"},
    "an empty host": {"host": ""},
    "a foreign origin": {"origin": "http://evil.example"},
    "the null origin": {"origin": "null"},
    "our origin with another port": {"origin": "http://127.0.0.1:1"},
    "our origin with another scheme": {"origin": "https://127.0.0.1:{port}"},
    "an origin of another name of ours": {"origin": "http://localhost:{port}"},
    "a fetch across sites": {"sec-fetch-site": "cross-site"},
    "a fetch from another port": {"sec-fetch-site": "same-site"},
}


@pytest.mark.parametrize("who", STRANGERS)
def test_row_39_a_stranger_gets_403_on_every_route_and_changes_nothing(served: Served, who: str) -> None:
    """Guard: without the checks of Host, Origin and the token, every route answers."""
    session = served.keys.exchange(served.keys.new_link())
    headers: dict[str, str] = dict(served.headers)
    for name, value in STRANGERS[who].items():
        if value is None:
            del headers[name]
        else:
            headers[name] = value.replace("{port}", str(served.port)).replace("{session}", session or "")
    before = truth(served)
    with httpx.Client(base_url=served.base, timeout=30) as client:
        for method, address in routes(served.app, item_of(served)):
            answer = client.request(method, address, headers=headers, content=BODY)
            assert answer.status_code == 403, (method, address, answer.text)
            assert "stellar" not in answer.text
    assert truth(served) == before


def test_the_same_requests_are_answered_for_who_has_the_key(served: Served) -> None:
    """Else the test above would prove nothing."""
    item = item_of(served)
    for method, address in routes(served.app, item):
        if address.endswith("events"):
            continue
        answer = served.ask(method, address, content=b'{"nonsense": 1}')
        assert answer.status_code != 403, (method, address, answer.text)


@pytest.mark.parametrize(
    ("missing", "status"),
    [({"x-hashmark": None}, 403), ({"content-type": None}, 415), ({"content-type": "text/plain"}, 415)],
)
def test_what_a_form_can_send_changes_nothing(served: Served, missing: dict[str, str | None], status: int) -> None:
    headers = {name: value for name, value in (served.headers | missing).items() if value is not None}
    before = truth(served)
    for method, address in routes(served.app, item_of(served)):
        if method != "GET":
            answer = served.ask(method, address, headers=headers, content=BODY)
            assert answer.status_code == status, (method, address, answer.text)
    assert truth(served) == before


def test_a_link_lets_one_browser_in_once(served: Served) -> None:
    link = f"/?token={served.keys.new_link()}"
    used = len(served.used)
    with httpx.Client(base_url=served.base, timeout=60) as browser:
        first = log_in(browser, served.base + link)
        assert (first.status_code, first.headers["location"]) == (303, "/")
        cookie = first.headers["set-cookie"]
        assert cookie.startswith(f"hashmark-{served.port}=")
        assert cookie.endswith("; Path=/; HttpOnly; SameSite=Strict")
        assert len(served.used) == used + 1, "the next link is shown"
        assert browser.get("/").status_code == 200, "the cookie opens"
    again = httpx.get(served.base + link, headers={"accept": "text/html"}, timeout=60)
    assert again.status_code == 403
    assert "set-cookie" not in again.headers


@pytest.mark.parametrize("address", ["/", "/api/datasets", "/static/page.css", "/datasets/82", "/api/nothing"])
@pytest.mark.parametrize("allowed", [True, False])
def test_every_answer_carries_the_headers(served: Served, address: str, allowed: bool) -> None:
    answer = served.ask("GET", address, headers=served.headers if allowed else {})
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["cache-control"]


def test_a_request_that_is_too_large_is_refused_also_in_pieces(served: Served) -> None:
    body = b'{"rehash": false, "x": "' + b"a" * MAX_BODY_BYTES + b'"}'
    assert served.ask("POST", "/api/check", content=body).status_code == 413
    pieces = (body[at : at + (1 << 20)] for at in range(0, len(body), 1 << 20))
    assert served.ask("POST", "/api/check", content=pieces).status_code == 413


def test_a_request_that_says_it_is_too_large_is_refused_before_it_is_sent(served: Served) -> None:
    head = (
        f"POST /api/check HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nAuthorization: Bearer {TOKEN}\r\n"
        "X-Hashmark: 1\r\nContent-Type: application/json\r\nContent-Length: 9999999999\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as raw:
        raw.sendall(head.encode())
        assert raw.recv(65536).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "head",
    [
        "GET /api/datasets HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\nAuthorization: Bearer {token}\r\n",
        "GET /api/datasets HTTP/1.1\r\nHost: evil.example\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n",
        "GET /api/datasets HTTP/1.1\r\nAuthorization: Bearer {token}\r\n",
        "GET http://evil.example/api/datasets HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer {token}\r\n",
        "GET /api/datasets HTTP/1.0\r\nAuthorization: Bearer {token}\r\n",
        "GET /api/datasets HTTP/1.1\r\nHost: {host}\r\nOrigin: x\r\nOrigin: x\r\nAuthorization: Bearer {token}\r\n",
        "GET /api/datasets HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nAuthorization: Bearer x\r\n",
        "GET / HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\nAccept: */*\r\n",
        "GET /api/datasets HTTP/1.1\r\nHost: {host}\r\n X: folded\r\nAuthorization: Bearer {token}\r\n",
        "POST /api/check HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\nContent-Length: 3\r\nX-Hashmark: 1\r\n",
        "POST /api/check HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nX-Hashmark: 1\r\n{twice}",
    ],
)
def test_requests_that_no_browser_sends_are_not_answered(served: Served, head: str) -> None:
    twice = "Content-Length: 0\r\nContent-Type: application/json\r\nContent-Type: text/plain\r\n"
    filled = head.format(host=f"127.0.0.1:{served.port}", token=TOKEN, twice=twice)
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as raw:
        raw.sendall(f"{filled}Connection: close\r\n\r\n".encode())
        answer = b""
        while piece := raw.recv(65536):
            answer += piece
    assert re.match(rb"HTTP/1\.[01] (400|403) ", answer), answer
    assert b"stellar" not in answer


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["host", "origin", "sec-fetch-site"]),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40),
)
def test_no_other_value_opens_the_door(served: Served, name: str, value: str) -> None:
    ours = {f"127.0.0.1:{served.port}", f"localhost:{served.port}", f"[::1]:{served.port}", "same-origin", "none"}
    if value.lower() in ours:
        return
    answer = served.ask("GET", "/api/datasets", headers=served.headers | {name: value})
    assert answer.status_code in {400, 403}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "gpu-box", "127.0.0.1.evil.example"])
def test_beyond_this_machine_a_token_and_encryption_are_needed(host: str) -> None:
    with pytest.raises(UsageError, match="no token is set"):
        ListenAddress(host=host).check()
    with pytest.raises(UsageError, match="not be encrypted"):
        ListenAddress(host=host, token=TOKEN).check()
    ListenAddress(host=host, token=TOKEN, insecure_http=True).check()


def test_a_certificate_that_can_not_be_used_is_named_before_any_link(tmp_path: Path) -> None:
    text, missing = tmp_path / "passwd", tmp_path / "none.pem"
    text.write_text("root:x:0:0\n")
    cert, key = make_certificate(tmp_path)
    (tmp_path / "other").mkdir()
    _, stranger = make_certificate(tmp_path / "other")
    for pair, said in [
        ((missing, key), f"Cannot read {missing}: No such file"),
        ((cert, missing), f"Cannot read {missing}: No such file"),
        ((text, text), f"{text} contains no certificate"),
        ((cert, text), f"{text} contains no private key that matches {cert}"),
        ((cert, stranger), f"{stranger} contains no private key that matches {cert}"),
    ]:
        with pytest.raises(UsageError, match=re.escape(said)):
            ListenAddress(cert=pair[0], key=pair[1]).check()
    ListenAddress(host="0.0.0.0", token=TOKEN, cert=cert, key=key).check()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_on_this_machine_no_token_is_needed_but_a_short_one_is_refused(host: str) -> None:
    ListenAddress(host=host).check()
    with pytest.raises(UsageError, match="too short"):
        ListenAddress(host=host, token="short").check()
    assert TOKEN not in repr(ListenAddress(host=host, token=TOKEN))

"""Logging in: only the login page's form uses a link up, never a program that fetches the link."""

from __future__ import annotations

import re

import httpx
import pytest

from hashmark.web.server.login import MAX_FORM_BYTES
from support.web.serving import TOKEN, Served, log_in

NAVIGATION = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


def link_of(served: Served) -> str:
    return f"{served.base}/?token={served.keys.new_link()}"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_fetching_a_link_does_not_use_it_up(served_once: Served, method: str) -> None:
    """Chat programs and mail filters fetch every link that they are shown."""
    link = link_of(served_once)
    with httpx.Client(timeout=60) as browser:
        for _ in range(3):
            answer = browser.request(method, link)
            assert (answer.status_code, "set-cookie" in answer.headers) == (200, False)
            assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")
        assert log_in(browser, link).status_code == 303
        assert browser.get(served_once.base).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        {"sec-purpose": "prefetch"},
        {"sec-purpose": "prefetch;prerender"},
        {"purpose": "prefetch"},
        {"x-moz": "prefetch"},
        {"X-Moz": "Prefetch"},
    ],
)
def test_a_fetch_in_advance_is_refused_everywhere(served_once: Served, header: dict[str, str]) -> None:
    link = link_of(served_once)
    assert httpx.get(link, headers=header, timeout=60).status_code == 403
    assert served_once.ask("GET", "/", headers=served_once.headers | header).status_code == 403
    assert httpx.get(link, timeout=60).status_code == 200


def test_a_link_that_was_used_shows_no_form(served_once: Served) -> None:
    link = link_of(served_once)
    with httpx.Client(timeout=60) as browser:
        token = httpx.URL(link).params["token"]
        assert log_in(browser, link).status_code == 303
        for answer in (browser.get(link), browser.post(f"{served_once.base}/login", data={"token": token})):
            assert answer.status_code == 403
            assert "already used" in answer.text
            assert token not in answer.text
            assert "set-cookie" not in answer.headers


def test_the_login_page_may_run_its_own_script_and_send_its_form_and_nothing_else(served_once: Served) -> None:
    answer = httpx.get(link_of(served_once), timeout=60)
    policy = answer.headers["content-security-policy"]
    assert re.fullmatch(
        r"default-src 'none'; script-src 'sha256-\S{44}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        policy,
    )
    assert answer.headers["x-frame-options"] == "DENY"
    assert "src=" not in answer.text
    assert "<button>" in answer.text, "for browsers without scripts"


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_a_link_in_another_page_opens_the_login_page_but_can_not_be_embedded(served_once: Served, site: str) -> None:
    """A link in a chat program's page, and the file that `serve --open` gives the browser."""
    link, source = link_of(served_once), {"sec-fetch-site": site}
    assert httpx.get(link, headers=source | NAVIGATION, timeout=60).status_code == 200
    embedded = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}
    fetched = {"sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}
    expected = 200 if site == "none" else 403
    assert httpx.get(link, headers=source | embedded, timeout=60).status_code == expected
    assert httpx.get(link, headers=source | fetched, timeout=60).status_code == expected


HOSTILE: dict[str, tuple[int, dict[str, str]]] = {
    "another site": (403, {"origin": "https://evil.example"}),
    "a frame without an origin": (403, {"origin": "null", "sec-fetch-site": "cross-site"}),
    "a page of another port": (403, {"origin": "http://127.0.0.1:1"}),
    "another host name": (403, {"host": "evil.example"}),
    "a fetch in advance": (403, {"sec-purpose": "prefetch"}),
    "JSON": (415, {"content-type": "application/json"}),
    "a form with a file": (415, {"content-type": "multipart/form-data; boundary=x"}),
}


@pytest.mark.parametrize("who", HOSTILE)
def test_a_hostile_login_is_refused_and_uses_nothing_up(served_once: Served, who: str) -> None:
    status, headers = HOSTILE[who]
    token = served_once.keys.new_link()
    answer = httpx.post(f"{served_once.base}/login", data={"token": token}, headers=headers, timeout=60)
    assert (answer.status_code, "set-cookie" in answer.headers) == (status, False)
    assert served_once.keys.is_token(token)


@pytest.mark.parametrize(
    ("form", "status"),
    [
        (b"", 403),
        (b"token=", 403),
        (b"token=\xff\xfe", 403),
        (b"token=" + b"x" * MAX_FORM_BYTES, 413),
        (b"token=a&" * 20, 403),
        (f"other={TOKEN}".encode(), 403),
    ],
)
def test_a_form_without_a_valid_token_is_refused(served_once: Served, form: bytes, status: int) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = httpx.post(f"{served_once.base}/login", content=form, headers=headers, timeout=60)
    assert (answer.status_code, "set-cookie" in answer.headers) == (status, False)


def test_markup_in_a_token_is_not_shown(served_once: Served) -> None:
    answer = httpx.get(served_once.base, params={"token": '"><script>alert(1)</script>'}, timeout=60)
    assert (answer.status_code, "<script>" in answer.text) == (403, False)

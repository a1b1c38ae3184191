"""Requests that would do something, told by the wrong one: nothing is done. The same from the right one is.

Each names what is there and says it well, so that nothing but the door can be what stops it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from hashmark.library.library import Library
from hashmark.search.items import item_id
from support.datasets import STYLE
from support.web.serving import Served, flat, truth

API = "/api/datasets/{dataset}"


@dataclass(frozen=True)
class Deed:
    """One request that changes something: what it is sent, and the status of its success."""

    method: str
    route: str
    address: str
    body: Any
    status: int = 202


def deeds(served: Served, library: Library) -> list[Deed]:
    """One for each route that changes something, with plans, a preview, a job, a batch and a digest that are good."""
    folder = library.root / STYLE
    previews = []
    for word in ("fine", "finer"):
        cleaning = {"items": [item_id("0002.png")], "table": {"rules": [], "append": word}}
        previews.append(served.post("/api/datasets/82/clean/preview", cleaning, 200)["preview"])
        if word == "fine":
            served.job(served.post("/api/datasets/82/clean", {"preview": previews[0]}, 202)["job"])
    old = served.post("/api/datasets/82/verify", {"items": [item_id("0000.png")]}, 202)["job"]
    served.job(old)
    plans = {}
    for action in ("push", "pull", "delete"):
        more: dict[str, Any] = {"push": {}, "pull": {"take": "theirs"}, "delete": {"where": "both"}}[action]
        more |= {"items": [item_id("0002.png")]} if action == "delete" else {}
        plans[action] = served.post("/api/datasets/82/plan", {"action": action, **more}, 200)
        assert plans[action]["actions"], action
    read = served.get(f"/api/datasets/82/captions/{item_id('0000.png')}")
    assert (folder / "0000.txt").read_text() == read["text"]
    at = "/api/datasets/82"
    caption = {"text": "what the stranger wants", "replaces": read["md5"]}
    confirmed = {"plan": plans["delete"]["plan"], "confirm": len(plans["delete"]["actions"])}
    return [
        Deed("POST", "/api/check", "/api/check", {"rehash": True}),
        Deed("POST", f"{API}/check", f"{at}/check", {"rehash": True}),
        Deed("POST", f"{API}/plan", f"{at}/plan", {"action": "push"}, 200),
        Deed("POST", f"{API}/lint", f"{at}/lint", {}),
        Deed("POST", f"{API}/clean/preview", f"{at}/clean/preview", {"table": {"rules": ["nfc"]}}, 200),
        Deed("POST", f"{API}/clean", f"{at}/clean", {"preview": previews[1]}),
        Deed("POST", "/api/batches/{batch}/undo", "/api/batches/last/undo", {}),
        Deed("PUT", API + "/captions/{item}", f"{at}/captions/{item_id('0000.png')}", caption, 200),
        Deed("POST", f"{API}/push", f"{at}/push", {"plan": plans["push"]["plan"]}),
        Deed("POST", f"{API}/pull", f"{at}/pull", {"plan": plans["pull"]["plan"]}),
        Deed("POST", f"{API}/verify", f"{at}/verify", {}),
        Deed("POST", f"{API}/delete", f"{at}/delete", confirmed),
        Deed("POST", "/api/jobs/{job}/cancel", f"/api/jobs/{old}/cancel", {}),
        Deed("POST", "/api/jobs/{job}/retry", f"/api/jobs/{old}/retry", {}),
        Deed("DELETE", "/api/jobs/{job}", f"/api/jobs/{old}", {}, 200),
    ]


def test_every_route_that_changes_something_is_tried_here(served: Served, library: Library) -> None:
    changing = {
        (method, re.sub(r":\w+}", "}", route.path))
        for route in flat(served.app.routes)
        for method in (getattr(route, "methods", None) or set()) - {"GET", "HEAD", "OPTIONS"}
    }
    assert len(changing) > 8
    assert {(deed.method, deed.route) for deed in deeds(served, library)} == changing


Change = Callable[[dict[str, str], int], None]


def without(name: str) -> Change:
    return lambda headers, _port: headers.__delitem__(name)


def having(name: str, value: str) -> Change:
    return lambda headers, port: headers.__setitem__(name, value.format(port=port))


STRANGERS: dict[str, Change] = {
    "no key": without("authorization"),
    "a wrong token": having("authorization", "Bearer " + "x" * 44),
    "another name that leads here": having("host", "rebound.example:{port}"),
    "another site": having("origin", "https://evil.example"),
    "a sandboxed frame": having("origin", "null"),
    "another program of this machine": having("origin", "http://127.0.0.1:1"),
    "a link on another site": having("sec-fetch-site", "cross-site"),
    "a page of another port": having("sec-fetch-site", "same-site"),
    "a script without the mark": without("x-hashmark"),
    "a form": having("content-type", "application/x-www-form-urlencoded"),
    "a form of plain text": having("content-type", "text/plain"),
    "a form with a file": having("content-type", "multipart/form-data; boundary=x"),
    "no type at all": without("content-type"),
}


def test_what_would_do_something_does_nothing_for_strangers_and_everything_for_its_owner(
    served: Served, library: Library
) -> None:
    asked = deeds(served, library)
    before = truth(served)
    with httpx.Client(base_url=served.base, timeout=60) as client:
        for who, change in STRANGERS.items():
            headers = dict(served.headers)
            change(headers, served.port)
            for deed in asked:
                answer = client.request(deed.method, deed.address, headers=headers, content=json.dumps(deed.body))
                assert answer.status_code in {403, 415}, (who, deed, answer.text)
            assert truth(served) == before, who
    for deed in asked:
        now = truth(served)
        answer = served.ask(deed.method, deed.address, json=deed.body)
        assert answer.status_code == deed.status, (deed, answer.text)
        if job := answer.json().get("job"):
            served.job(job)
        if deed.route.rpartition("/")[2] in {
            "{item}",
            "push",
            "pull",
            "delete",
            "verify",
            "retry",
            "{job}",
            "clean",
            "undo",
        }:
            assert truth(served) != now, deed


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("address", ["/", "/d/82", "/events", "/static/page.css", "/api/datasets"])
def test_pages_and_files_take_nothing_but_reading(served_once: Served, method: str, address: str) -> None:
    bare = {name: value for name, value in served_once.headers.items() if name != "x-hashmark"}
    assert served_once.ask(method, address, headers=bare).status_code == 403
    assert served_once.ask(method, address).status_code == 405


@pytest.mark.parametrize("other", ['prefs={"dark":true}', "a[b]=1", "bare", "q=a b", 'half="', "é=1"])
@pytest.mark.parametrize("first", [True, False])
def test_cookies_of_other_programs_do_not_shut_the_browser_out(served_once: Served, other: str, first: bool) -> None:
    """A cookie is sent to every port of a machine, whatever another program has put in it."""
    session = served_once.keys.exchange(served_once.keys.new_link())
    own = f"hashmark-{served_once.port}={session}"
    cookie = f"{other}; {own}" if first else f"{own}; {other}"
    answer = served_once.ask("GET", "/api/datasets", headers={"cookie": cookie.encode()})
    assert answer.status_code == 200
    planted = f"hashmark-{served_once.port}=planted; {own}"
    assert served_once.ask("GET", "/api/datasets", headers={"cookie": planted}).status_code == 200


@pytest.mark.parametrize("wrong", ["", "x", "hashmark", '"{session}"', "{session}x", "x{session}", "{SESSION}"])
def test_only_the_very_session_opens(served_once: Served, wrong: str) -> None:
    session = served_once.keys.exchange(served_once.keys.new_link()) or ""
    value = wrong.replace("{session}", session).replace("{SESSION}", session.swapcase())
    cookie = {"cookie": f"hashmark-{served_once.port}={value}"}
    assert served_once.ask("GET", "/api/datasets", headers=cookie).status_code == 403

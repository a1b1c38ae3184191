"""Every kind of answer: its shape, its headers, and names and texts that try to be more than text."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from hashmark import push
from hashmark.library.library import Library
from hashmark.library.settings import create
from hashmark.search.items import item_id
from hashmark.web.server.guard import HEADERS
from hashmark.web.server.login import LOGIN_CSP
from support.command import Shell
from support.datasets import STYLE
from support.sample_images import encoded, quarters
from support.stores import BUCKET, Store
from support.waiting import wait_for
from support.web.serving import Served, as_it_is, serving, verdicts

NAMES = (
    "<img src=x onerror=alert(1)>",
    "\"'><script>alert(2)<",
    "quotes ' \" ` and &amp; &lt;b&gt;",
    "emoji 🎨👩‍🎨",
    "%2e%2e%2fhashmark.toml",
    "{{1337*1337}} ${1337*1337} {% raw %}",
    "javascript:alert(1)",
    "two  spaces and a # and a ? and a %",
    "-rf",
    "a\u202egnp.exe",
    "data: x",
)
TEXT = "</textarea></script><script>alert(3)</script>{{1337*1337}}\n\nevent: forged\n"
HTML = {"accept": "text/html"}


@pytest.fixture(scope="module")
def hostile(seaweedfs: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Pairs with names that are lawful and mean harm, in a dataset of such a name; half of them in the bucket."""
    root = tmp_path_factory.mktemp("hostile")
    prefix = f"hostile{abs(hash(str(root))):x}"
    create(root, {"url": f"s3://{BUCKET}/{prefix}", "endpoint_url": seaweedfs.endpoint_url, "region": "us-east-1"})
    folder = root / f"82_{NAMES[0]}"
    folder.mkdir()
    with Library.open(root) as found:
        own = found.settings
        with Library(root, type(own)(seaweedfs.remote(prefix), False, own.pairing, own.prefixes)) as made:
            for n, name in enumerate(NAMES):
                (folder / f"{name}.png".replace("/", "_")).write_bytes(encoded(quarters(), "PNG"))
                (folder / f"{name}.txt").write_text(TEXT)
                if n == 5:
                    push(made.dataset("82"))
            with serving(made) as running:
                running.compared("82")
                yield running


class Tags(HTMLParser):
    """What a browser would make of a page: elements, attributes that run scripts, and addresses."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.running: list[str] = []
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.running += [name for name, _ in attrs if name.startswith("on") or name == "style"]
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "action", "hx-sse:connect"}]


def pages(served: Served) -> dict[str, httpx.Response]:
    """Every page and fragment, drawn for each of its items."""
    ids = served.get("/api/datasets/82/search")["ids"]
    plan = served.post("/api/datasets/82/plan", {"action": "push"}, 200)["plan"]
    delete = served.post("/api/datasets/82/plan", {"action": "delete", "where": "both"}, 200)["plan"]
    wrong = ["/d/%3Cimg%20src=x%20onerror=alert(1)%3E", f"/d/82/items/{'0' * 16}", "/%3Cscript%3Ealert(4)%3C/script%3E"]
    addresses = ["/", "/d/82", "/d/82/clean", f"/d/82/plans/{plan}", f"/d/82/plans/{delete}", *wrong]
    addresses += [f"/d/82/items/{name}?back=%22%3E%3Cscript%3Ealert(5)%3C/script%3E" for name in ids]
    return {address: served.ask("GET", address, headers=served.headers | HTML) for address in addresses}


def test_no_name_or_text_becomes_more_than_text_on_any_page(hostile: Served) -> None:
    seen = pages(hostile)
    assert len(seen) == 8 + len(NAMES)
    for address, answer in seen.items():
        assert answer.status_code == (404 if "%3C" in address.split("?")[0] or "0" * 16 in address else 200), address
        assert answer.headers["content-type"].startswith("text/html")
        found = Tags(answer.text)
        assert found.running == [], address
        scripts = len(re.findall(r'<script type="module" src="/static/page\.js[^"]*"></script>', answer.text))
        assert found.elements.count("script") == scripts, address
        assert [there for there in found.addresses if not re.fullmatch(r"#[\w-]+|/(?!/).*", there)] == [], address
        assert str(1337 * 1337) not in answer.text, "a template in a name was worked out"
    details = [answer.text for address, answer in seen.items() if "back=" in address]
    for name in NAMES:
        assert any(f"<h2>{html.escape(name, quote=False)}.png</h2>" in html_of(text) for text in details), name


def html_of(text: str) -> str:
    """With quotes as they are: within an element both ways of writing them are one."""
    return text.replace("&#34;", '"').replace("&#39;", "'")


def test_json_gives_names_and_texts_as_they_are_and_is_never_taken_for_a_page(hostile: Served) -> None:
    images = hostile.ask("GET", "/api/datasets/82/images")
    assert {row["filename"] for row in images.json()["images"]} == {f"{name}.png" for name in NAMES}
    for name in NAMES:
        answer = hostile.ask("GET", f"/api/datasets/82/items/{item_id(f'{name}.png')}", headers=hostile.headers | HTML)
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["name"] == f"{name}.png"
        assert answer.json()["text"] == TEXT[:240]
        caption = hostile.get(f"/api/datasets/82/captions/{item_id(f'{name}.png')}")
        assert (caption["key"], caption["text"]) == (f"{name}.txt", TEXT)
        drawn = hostile.ask("GET", f"/api/datasets/82/items/{item_id(f'{name}.png')}/picture")
        assert (drawn.status_code, drawn.headers["content-type"]) == (200, "image/webp")


def test_a_push_of_hostile_names_is_told_by_name_and_all_arrive(hostile: Served) -> None:
    job = hostile.job(hostile.post("/api/datasets/82/push", {}, 202)["job"])
    assert (job["failures"], set(verdicts(hostile).values())) == ([], {"synced"})
    assert {f"{name}.txt" for name in NAMES} <= set(hostile.get("/api/datasets/82/s3")["files"])


def test_status_is_what_the_command_line_prints_also_of_an_awkward_dataset(
    library: Library, seaweedfs: Store, serve: Callable[..., Served]
) -> None:
    folder = library.root / STYLE
    for name in NAMES[:5]:
        (folder / f"{name}.png").write_bytes(b"image")
    (folder / "orphan.txt").write_text("no image")
    (folder / "0000.caption").write_text("a second caption")
    (folder / "masks").mkdir()
    (folder / "masks" / "0000.png").write_bytes(b"mask")
    (folder / "metadata.jsonl").write_text("{}")
    (folder / "0002.png").unlink()
    (folder / "Thumbs.db").write_bytes(b"litter")
    library.bucket.put(f"{library.dataset('82').prefix}only there.png", b"x")
    served = serve(library)
    found = served.compared("82")
    told = Shell(library.root, seaweedfs.environment())("status", "82", "--json").json
    assert told["remote"] == served.get("/api/datasets")["remote"]
    assert isinstance(found.pop("checkedAt"), float)
    assert found == told["datasets"][0]
    assert len({row["verdict"] for row in found["files"]}) >= 4
    assert found["problems"]


def kinds(served: Served) -> dict[str, httpx.Response]:
    """One answer of every kind that there is, errors of every making included."""
    item = item_id("0000.png")
    at = "/api/datasets/82"
    plan = served.post(f"{at}/plan", {"action": "delete", "where": "disk"}, 200)["plan"]
    job = served.post(f"{at}/verify", {"items": [item]}, 202)["job"]
    served.job(job)

    def ask(method: str, path: str, **more: Any) -> httpx.Response:
        return served.ask(method, path, **more)

    with (
        httpx.Client(base_url=served.base, timeout=30) as client,
        client.stream("GET", "/events", headers=served.headers) as stream,
    ):
        next(stream.iter_lines())
    return {
        "a page": ask("GET", "/"),
        "a page's head": ask("HEAD", "/"),
        "a fragment": ask("GET", f"/d/82/items/{item}"),
        "JSON": ask("GET", at),
        "a file": ask("GET", "/static/page.css"),
        "a file not changed": ask(
            "GET", "/static/icon.svg", headers=served.headers | {"if-modified-since": "Fri, 01 Jan 2100 00:00:00 GMT"}
        ),
        "no picture": ask("GET", f"{at}/items/{item}/picture"),
        "a stream of a page": stream,
        "a stream of a job": ask("GET", f"/api/jobs/{job}/events"),
        "the schema": ask("GET", "/api/openapi.json"),
        "started": ask("POST", f"{at}/check", json={}),
        "the login page": httpx.get(f"{served.base}/?token={served.keys.new_link()}", timeout=60),
        "a login": httpx.post(f"{served.base}/login", data={"token": served.keys.new_link()}, timeout=60),
        "400": ask("GET", f"{at}/search", params={"q": "text:("}),
        "403": ask("GET", "/", headers={}),
        "404": ask("GET", "/api/datasets/83"),
        "404 of a page": ask("GET", "/d/83", headers=served.headers | HTML),
        "404 of no route": ask("GET", "/nothing/here"),
        "404 of a file": ask("GET", "/static/nothing.js"),
        "405": ask("DELETE", at),
        "409": ask("POST", f"{at}/delete", json={"plan": plan, "confirm": 10**6}),
        "413": ask("POST", f"{at}/check", content=b" " * (9 << 20)),
        "415": ask("POST", f"{at}/check", headers={n: v for n, v in served.headers.items() if n != "content-type"}),
        "422": ask("GET", f"{at}/items/xyz"),
        "422 of a body": ask("POST", f"{at}/check", content=b"{"),
        "422 of a long number": ask("POST", f"{at}/delete", content=b'{"plan": "x", "confirm": ' + b"9" * 5000 + b"}"),
        "422 of a deep body": ask("POST", f"{at}/check", content=b"[" * 100_000),
        "422 of no text": ask("POST", f"{at}/check", content=b"\xff\xfe\x00"),
    }


def test_every_kind_of_answer_carries_the_headers_and_errors_have_one_shape(served_once: Served) -> None:
    policy = HEADERS["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert {
        name: rules[name] for name in ("default-src", "base-uri", "frame-ancestors", "form-action")
    } == dict.fromkeys(("default-src", "base-uri", "frame-ancestors", "form-action"), "'none'")
    assert set(rules.values()) <= {"'none'", "'self'"}
    for kind, answer in kinds(served_once).items():
        if kind[:3].isdecimal():
            assert answer.status_code in {int(kind[:3]), 400}, (kind, answer.status_code, answer.text)
        own = {"content-security-policy": LOGIN_CSP} if kind == "the login page" else {}
        for name, value in (HEADERS | own).items():
            assert answer.headers.get_list(name) == [value], (kind, name)
        assert len(answer.headers.get_list("cache-control")) == 1, kind
        assert not [name for name in answer.headers if name.startswith("access-control")]
        if answer.request.method == "HEAD":
            assert answer.content == b""
        elif answer.headers.get("content-type") == "application/json" and answer.status_code >= 400:
            assert set(answer.json()["error"]) >= {"code", "message"}, kind
            assert answer.json()["error"]["message"], kind
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            assert "Traceback" not in answer.text, kind


@pytest.mark.parametrize(
    "dataset",
    ["..", "%2e%2e", "..%2f..%2fetc", "%2fetc%2fpasswd", ".hashmark", STYLE + "%00", "82%0d%0aX-A:%20b", "82/", ""],
)
def test_datasets_are_ids_and_never_paths(served_once: Served, dataset: str) -> None:
    for address in (f"/api/datasets/{dataset}/s3", f"/d/{dataset}"):
        status, headers, text = as_it_is(served_once, address)
        assert status in {307, 404}, (address, status, text)
        assert "x-a" not in headers
        assert headers.get("location", served_once.base).startswith(served_once.base)
        assert "[remote]" not in text


def test_the_static_files_are_those_of_the_page_and_no_others(served_once: Served) -> None:
    assert as_it_is(served_once, "/static/page.css")[0] == 200
    up = ("../app.py", "..%2fapp.py", "%2e%2e/guard.py", "..%5capp.py", "x/../../app.py", "/etc/passwd", "%2fetc%2fx")
    for path in (*up, "", "."):
        status, _, text = as_it_is(served_once, f"/static/{path}")
        assert status in {403, 404}, (path, status)
        assert "import" not in text
        assert "root:" not in text


def test_pages_of_one_search_say_what_another_does_not(served_once: Served) -> None:
    for query, count in (("", 3), ("sync:red", 1), ("sync:green", 2), ('text:"number !"', 1), ("name:0002", 1)):
        found = served_once.ask("GET", "/api/datasets/82/search", params={"q": query}).json()
        assert (query, len(found["ids"]), found["total"]) == (query, count, 3)
    rows = served_once.get(f"/api/datasets/82/items?ids={item_id('0001.png')},nonsense,{'0' * 16},")["items"]
    assert [row["name"] for row in rows] == ["0001.png"]
    answer = served_once.ask("GET", "/api/datasets/82/search", params={"q": 'text:"'})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "filter"


def test_the_schema_is_served_and_has_no_browser_of_its_own(served_once: Served) -> None:
    assert json.loads(served_once.ask("GET", "/api/openapi.json").text)["info"]["title"] == "hashmark"
    for path in ("/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect"):
        assert served_once.ask("GET", path).status_code == 404
    wait_for(lambda: served_once.get("/api/datasets/82")["checking"] is None)

"""Cleaning over HTTP: what was previewed is done, once, and nothing else; and it is taken back."""

from __future__ import annotations

import json
import socket
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from hashmark.actions import clean
from hashmark.core.cleaning import RULES
from hashmark.library.library import Library
from hashmark.search.items import item_id
from hashmark.web.session import jobs
from hashmark.web.session.expiring_store import ExpiringStore
from support.datasets import STYLE, write_pairs
from support.waiting import wait_for
from support.web.serving import Served, truth, verdicts

AT = "/api/datasets/82"
LOUD = {"rules": [], "replace": [{"find": "sketch", "with": "SKETCH"}]}


def preview(served: Served, table: dict[str, Any] = LOUD, **more: Any) -> Any:
    return served.post(f"{AT}/clean/preview", {"table": table, **more}, 200)


def apply(served: Served, shown: Any) -> Any:
    return served.job(served.post(f"{AT}/clean", {"preview": shown["preview"]}, 202)["job"])


def texts(library: Library) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted((library.root / STYLE).glob("*.txt"))}


def test_a_preview_says_what_would_change_and_changes_nothing(served: Served, library: Library) -> None:
    served.compared("82")
    before = truth(served)
    shown = preview(served)
    assert (shown["looked"], shown["changed"], shown["counts"]) == (3, 3, {"replace": 3, "empty": 0})
    first = shown["changes"][0]
    assert (first["key"], first["rules"], first["item"]) == ("0000.txt", ["replace"], item_id("0000.png"))
    assert {"change": "added", "text": "SKETCH"} in first["pieces"]
    assert truth(served) == before


def test_what_was_previewed_is_done_once_turns_red_and_is_undone_to_green(served: Served, library: Library) -> None:
    (library.root / STYLE / "0001.txt").write_text("a stellar sketch, number 1\n")
    assert set(verdicts(served).values()) == {"synced"}
    before = texts(library)
    shown = preview(served)
    job = apply(served, shown)
    assert (job["kind"], job["filesDone"], job["failures"]) == ("clean", 3, [])
    assert {text.count("SKETCH") for text in texts(library).values()} == {1}
    assert {verdicts(served)[name] for name in before} == {"local-changed"}
    again = served.ask("POST", f"{AT}/clean", json={"preview": shown["preview"]})
    assert again.status_code == 404, "it runs once"

    assert [batch["batch"] for batch in served.get("/api/batches")["batches"]] == [job["batch"]]
    undone = served.job(served.post(f"/api/batches/{job['batch']}/undo", {}, 202)["job"])
    assert (undone["kind"], undone["filesDone"], undone["refused"]) == ("undo", 3, [])
    assert texts(library) == before
    assert set(verdicts(served).values()) == {"synced"}
    assert served.get(f"/api/jobs/{job['job']}")["batch"] is None, "there is nothing left to undo"
    redone = served.job(served.post(f"/api/batches/{undone['batch']}/undo", {}, 202)["job"])
    assert redone["filesDone"] == 3
    assert "SKETCH" in texts(library)["0000.txt"]


def test_only_the_captions_of_the_named_items_are_looked_at_and_changed(served: Served, library: Library) -> None:
    served.compared("82")
    before = texts(library)
    shown = preview(served, items=[item_id("0002.png")])
    assert (shown["looked"], [change["key"] for change in shown["changes"]]) == (1, ["0002.txt"])
    apply(served, shown)
    assert {name for name, text in texts(library).items() if text != before[name]} == {"0002.txt"}
    assert preview(served, items=[])["looked"] == 0
    gone = served.ask("POST", f"{AT}/clean/preview", json={"table": LOUD, "items": ["0" * 16]})
    assert gone.status_code == 404


def test_a_caption_edited_between_preview_and_apply_is_left_alone_and_named(served: Served, library: Library) -> None:
    shown = preview(served)
    (library.root / STYLE / "0000.txt").write_text("my own sketch, written meanwhile\n")
    job = apply(served, shown)
    assert [(failure["key"], failure["code"]) for failure in job["failures"]] == [("0000.txt", "file-changed")]
    assert job["filesDone"] == 2
    assert texts(library)["0000.txt"] == "my own sketch, written meanwhile\n"


def test_an_undo_leaves_what_was_edited_since_and_shows_how_it_differs(served: Served, library: Library) -> None:
    served.compared("82")
    job = apply(served, preview(served))
    (library.root / STYLE / "0000.txt").write_text("a stellar SKETCH, and my edit\n")
    undone = served.job(served.post("/api/batches/last/undo", {}, 202)["job"])
    assert [refused["key"] for refused in undone["refused"]] == ["0000.txt"]
    assert any(piece["text"].strip() == "SKETCH" for piece in undone["refused"][0]["pieces"])
    assert undone["filesDone"] == 2
    assert texts(library)["0000.txt"] == "a stellar SKETCH, and my edit\n"
    assert served.get(f"/api/jobs/{job['job']}")["batch"] == job["batch"], "it can be tried again"
    page = served.ask("GET", "/d/82").text
    assert "edited since, left alone" in page
    assert "<ins>" in page


def test_more_of_a_preview_is_given_page_by_page(served: Served, library: Library) -> None:
    write_pairs(library.root, STYLE, 30)
    shown = preview(served)
    at = f"{AT}/clean/preview/{shown['preview']}"
    pages = [served.get(f"{at}?start={start}&count=7")["changes"] for start in range(0, 35, 7)]
    assert [len(page) for page in pages] == [7, 7, 7, 7, 2]
    assert [change["key"] for page in pages for change in page] == [f"{n:04d}.txt" for n in range(30)]
    assert shown["totals"] == {"changes": 30, "flags": 0, "skipped": 0, "orphans": 0}
    assert served.ask("GET", f"{at}?start=-1").status_code == 422
    assert served.ask("GET", f"{AT}/clean/preview/{'0' * 24}").status_code == 404


def test_what_cannot_be_cleaned_is_named_with_its_reason_and_flags_are_apart(served: Served, library: Library) -> None:
    folder = library.root / STYLE
    (folder / "0000.txt").write_bytes(b"a sketch \x81 broken")
    (folder / "0001.txt").write_text("I'm sorry, but I can't assist with that request about this image.")
    (folder / "lone.txt").write_text("a sketch without an image")
    shown = preview(served, LOUD | {"rules": ["replace", "refusal"]})
    assert [(entry["key"], entry["code"]) for entry in shown["skipped"]] == [("0000.txt", "undecodable")]
    assert [(entry["key"], entry["rule"]) for entry in shown["flags"]] == [("0001.txt", "refusal")]
    assert [change["key"] for change in shown["changes"]] == ["0002.txt"]
    assert shown["orphans"] == ["lone.txt"]
    job = apply(served, shown)
    assert [entry["key"] for entry in job["skipped"]] == ["0000.txt"]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"rules": ["nonsense"]}, "nonsense"),
        ({"nonsense": 1}, "nonsense"),
        ({"replace": [{"find": "(", "with": "", "regex": True}]}, "replace"),
        ({"rules": ["trigger"]}, "trigger"),
    ],
)
def test_rules_that_cannot_be_understood_are_told(served_once: Served, table: dict[str, Any], said: str) -> None:
    answer = served_once.ask("POST", f"{AT}/clean/preview", json={"table": table})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "settings"
    assert said in answer.json()["error"]["message"]


def test_there_is_one_job_at_a_time_and_a_refused_preview_can_be_applied_later(
    served: Served, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()

    def held(*args: Any) -> Any:
        assert go.wait(60)
        return actual(*args)

    actual = clean.apply
    monkeypatch.setattr(jobs, "apply", held)
    first, second = preview(served, items=[item_id("0000.png")]), preview(served, items=[item_id("0001.png")])
    job = served.post(f"{AT}/clean", {"preview": first["preview"]}, 202)["job"]
    refused = served.ask("POST", f"{AT}/clean", json={"preview": second["preview"]})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "busy")
    assert served.ask("POST", f"{AT}/push", json={}).status_code == 409
    caption = {"text": "mine", "replaces": served.get(f"{AT}/captions/{item_id('0001.png')}")["md5"]}
    saved = served.ask("PUT", f"{AT}/captions/{item_id('0001.png')}", json=caption)
    assert (saved.status_code, saved.json()["error"]["code"]) == (409, "file-changed")
    go.set()
    assert served.job(job)["filesDone"] == 1
    assert apply(served, second)["failures"] == []


def test_a_preview_that_nobody_waits_for_is_given_up(served: Served, library: Library, monkeypatch: Any) -> None:
    begun, seen = [], []

    def slow(_dataset: Any, _pipeline: Any, *, keys: Any, cancel: Any) -> Any:
        begun.append(keys)
        seen.append(cancel.wait(60))
        raise RuntimeError

    monkeypatch.setattr("hashmark.web.views.api.cleaning_routes.preview", slow)
    body = json.dumps({"table": LOUD}).encode()
    head = "".join(f"{name}: {value}\r\n" for name, value in served.headers.items())
    with socket.create_connection(("127.0.0.1", served.port)) as raw:
        host = f"Host: 127.0.0.1:{served.port}\r\nContent-Length: {len(body)}\r\n"
        raw.sendall(f"POST {AT}/clean/preview HTTP/1.1\r\n{host}{head}\r\n".encode() + body)
        wait_for(lambda: begun)
    wait_for(lambda: seen)
    assert seen == [True]


def test_the_form_has_every_rule_as_the_dataset_has_it_on(served_once: Served) -> None:
    page = served_once.ask("GET", "/d/82/clean").text
    for name, rule in RULES.items():
        assert f'data-rule="{name}"' in page
        assert name == "empty" or not rule.parameter or f'data-parameter="{rule.parameter}"' in page


def test_a_store_drops_the_oldest_values_beyond_its_limits_but_never_the_newest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = ExpiringStore[bytes](len, max_entries=3, max_size=10)
    keys = [store.put(bytes(size)) for size in (4, 4, 4)]
    assert [store.get(key) is not None for key in keys] == [False, True, True]
    large = store.put(bytes(50))
    assert store.get(large) == bytes(50)
    assert store.get(keys[2]) is None
    store.discard(large)
    assert store.get(large) is None
    old = store.put(b"x")
    later = time.monotonic() + 901
    # Only this module's clock: a server that other tests share runs by the real one.
    monkeypatch.setattr("hashmark.web.session.expiring_store.time", SimpleNamespace(monotonic=lambda: later))
    assert store.get(old) is None

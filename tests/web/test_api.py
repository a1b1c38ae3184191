"""The HTTP API as a script uses it, against a real bucket: its shapes, its guards, and what it does to both sides."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from hashmark.actions.ls_remote import ls_remote
from hashmark.core.model import Key, RemoteObject
from hashmark.library.library import Library
from support.command import Shell
from support.datasets import STYLE, write_pairs
from support.hostile_keys import MARKUP_NAME
from support.stores import Store
from support.waiting import wait_for
from support.web.serving import Served


def ids(served: Served, search: str = "") -> list[str]:
    found: list[str] = served.ask(
        "GET", "/api/datasets/82/search", params={"q": search}, headers=served.headers
    ).json()["ids"]
    return found


def in_bucket(served: Served) -> dict[str, RemoteObject]:
    return {found.key: found for found in ls_remote(served.app.state.services.library.library.dataset("82"))}


def test_images_and_s3_have_the_shapes_that_older_pages_read(served: Served) -> None:
    served.compared("82")
    images = served.get("/api/datasets/82/images")["images"]
    first = images[0]
    assert set(first) == {
        "filename", "md5", "size", "hasCaption", "captionFile", "captionMd5",
        "isInS3", "captionInS3", "verdict", "captionVerdict",
    }  # fmt: skip
    assert [(i["filename"], i["isInS3"], i["captionInS3"], i["captionVerdict"]) for i in images] == [
        ("0000.png", True, True, "synced"),
        ("0001.png", True, False, "local-changed"),
        ("0002.png", True, True, "synced"),
    ]
    listed = served.get("/api/datasets/82/s3")
    assert listed["files"] == sorted(listed["fileMap"])
    assert listed["count"] == 6
    for image in images:
        assert listed["fileMap"][image["filename"]]["etag"] == image["md5"], "the bucket's own word for it"
        assert (listed["fileMap"][image["captionFile"]]["etag"] == image["captionMd5"]) == image["captionInS3"]


def test_status_and_s3_say_what_the_command_line_says(served: Served, library: Library, seaweedfs: Store) -> None:
    shell = Shell(library.root, seaweedfs.environment())
    told = shell("status", "82", "--json").json["datasets"][0]
    found = served.compared("82")
    assert found.pop("checkedAt") is not None
    assert found == told
    assert served.get("/api/datasets/82/s3") == shell("ls-remote", "82", "--json").json


def test_a_push_uploads_what_differs_and_says_how_it_went(served: Served) -> None:
    before = in_bucket(served)
    job = served.job(served.post("/api/datasets/82/push", {}, 202)["job"])
    assert (job["kind"], job["filesDone"], job["byVerb"], job["failures"]) == ("push", 1, {"upload": 1}, [])
    after = in_bucket(served)
    assert {key for key in after if after[key] != before.get(key)} == {"0001.txt"}
    assert served.compared("82")["counts"] == {"synced": 6}
    assert served.post("/api/datasets/82/plan", {"action": "push"}, 200)["actions"] == []


def test_a_selection_is_all_that_moves(served: Served, library: Library) -> None:
    (library.root / STYLE / "0002.txt").write_text("another edit")
    served.compared("82")
    one = ids(served, "name:0002.png")
    served.job(served.post("/api/datasets/82/push", {"items": one}, 202)["job"])
    counts = {f["key"]: f["verdict"] for f in served.compared("82")["files"]}
    assert (counts["0002.txt"], counts["0001.txt"]) == ("synced", "local-changed")
    assert served.post("/api/datasets/82/push", {"items": ["0" * 16]}, 404)["error"]["code"] == "not-found"


def test_the_plan_that_was_shown_is_the_plan_that_runs_and_runs_once(served: Served, library: Library) -> None:
    shown = served.post("/api/datasets/82/plan", {"action": "push"}, 200)
    assert [(a["action"], a["key"], a["replaces"]) for a in shown["actions"]] == [("upload", "0001.txt", True)]
    (library.root / STYLE / "0002.txt").write_text("edited after the plan was shown")
    job = served.job(served.post("/api/datasets/82/push", {"plan": shown["plan"]}, 202)["job"])
    assert job["filesDone"] == 1
    verdicts = {f["key"]: f["verdict"] for f in served.compared("82")["files"]}
    assert (verdicts["0001.txt"], verdicts["0002.txt"]) == ("synced", "local-changed")
    assert served.post("/api/datasets/82/push", {"plan": shown["plan"]}, 404)["error"]["hint"]
    pulled = served.post("/api/datasets/82/plan", {"action": "push"}, 200)["plan"]
    served.post("/api/datasets/82/pull", {"plan": pulled}, 404)


def test_what_changed_in_the_bucket_after_the_plan_is_not_overwritten(served: Served, library: Library) -> None:
    shown = served.post("/api/datasets/82/plan", {"action": "push"}, 200)["plan"]
    other = b"the text of another machine"
    library.bucket.put(f"{library.dataset('82').prefix}0001.txt", other)
    job = served.job(served.post("/api/datasets/82/push", {"plan": shown}, 202)["job"])
    assert job["filesDone"] == 0
    assert [f["key"] for f in job["failures"]] == ["0001.txt"]
    assert in_bucket(served)["0001.txt"].size == len(other)
    assert {f["key"]: f["verdict"] for f in served.compared("82")["files"]}["0001.txt"] == "conflict"


def test_a_second_push_while_one_runs_is_refused_and_nothing_is_sent_twice(served: Served, library: Library) -> None:
    write_pairs(library.root, STYLE, 400, size=60_000)
    served.compared("82")
    plans = [served.post("/api/datasets/82/plan", {"action": "push"}, 200)["plan"] for _ in range(6)]
    answers: list[httpx.Response] = []
    gate = threading.Barrier(6)

    def press(plan: str) -> None:
        gate.wait()
        answers.append(served.ask("POST", "/api/datasets/82/push", json={"plan": plan}))

    pressed = [threading.Thread(target=press, args=(plan,)) for plan in plans]
    for thread in pressed:
        thread.start()
    for thread in pressed:
        thread.join()
    assert sorted(a.status_code for a in answers) == [202, 409, 409, 409, 409, 409]
    begun = next(a.json()["job"] for a in answers if a.status_code == 202)
    assert {a.json()["job"] for a in answers if a.status_code == 409} == {begun}, "and they say which one runs"
    job = served.job(begun)
    assert (job["failures"], job["filesDone"]) == ([], job["files"])
    assert [j["job"] for j in served.get("/api/jobs")["jobs"]] == [begun]
    assert served.compared("82")["counts"] == {"synced": 800}


def test_the_server_answers_while_it_uploads_and_a_job_can_be_cancelled(served: Served, library: Library) -> None:
    write_pairs(library.root, STYLE, 1500, size=100_000)
    job_id = served.post("/api/datasets/82/push", {}, 202)["job"]
    assert served.get("/api/datasets")["datasets"]
    assert not served.get(f"/api/jobs/{job_id}")["ended"], "the list was not kept until all was uploaded"
    served.post(f"/api/jobs/{job_id}/cancel", {}, 202)
    job = served.job(job_id)
    assert job["cancelled"]
    assert 0 < job["notTried"] + job["filesDone"] <= job["files"]
    again = served.job(served.post(f"/api/jobs/{job_id}/retry", {}, 202)["job"])
    assert again["failures"] == []
    assert served.compared("82")["counts"] == {"synced": 3000}


def test_a_delete_needs_its_number_and_goes_to_the_trash(served: Served, library: Library, seaweedfs: Store) -> None:
    one = ids(served, "name:0002.png")
    shown = served.post("/api/datasets/82/plan", {"action": "delete", "where": "both", "items": one}, 200)
    assert len(shown["actions"]) == 4
    for wrong in (0, 3, 5):
        assert served.post("/api/datasets/82/delete", {"plan": shown["plan"], "confirm": wrong}, 409)["error"]
    assert (library.root / STYLE / "0002.png").exists()
    job = served.job(served.post("/api/datasets/82/delete", {"plan": shown["plan"], "confirm": 4}, 202)["job"])
    assert not (library.root / STYLE / "0002.png").exists()
    assert not {"0002.png", "0002.txt"} & set(in_bucket(served))
    shell = Shell(library.root, seaweedfs.environment())
    assert shell("trash", "restore", job["trash"]).status == 0
    assert (library.root / STYLE / "0002.png").exists()
    assert {"0002.png", "0002.txt"} <= set(in_bucket(served))


def test_a_caption_is_saved_only_over_the_one_that_was_read(served: Served, library: Library) -> None:
    (item,) = ids(served, "name:0001.png")
    path = library.root / STYLE / "0001.txt"
    address = f"/api/datasets/82/captions/{item}"
    read = served.get(address)
    path.write_text("somebody else's text\n")
    refused = served.ask("PUT", address, json={"text": "mine\n", "replaces": read["md5"]})
    assert refused.status_code == 409
    assert refused.json()["current"]["text"] == "somebody else's text\n"
    assert {"change": "added", "text": "mine"} in [
        {**piece, "text": piece["text"].strip()} for piece in refused.json()["pieces"]
    ]
    assert path.read_text() == "somebody else's text\n"
    saved = served.ask("PUT", address, json={"text": "mine\n", "replaces": refused.json()["current"]["md5"]})
    assert (saved.status_code, path.read_text()) == (200, "mine\n")
    kept = [p.read_text() for p in (library.root / ".hashmark" / "trash").rglob("0001.txt")]
    assert "somebody else's text\n" in kept


def test_encoding_and_line_ends_stay_as_they_were(served: Served, library: Library) -> None:
    path = library.root / STYLE / "0001.txt"
    path.write_bytes(b"\xef\xbb\xbfone line\r\nanother line\r\n")
    (item,) = ids(served, "name:0001.png")
    address = f"/api/datasets/82/captions/{item}"
    read = served.get(address)
    answer = served.ask("PUT", address, json={"text": "one word\nanother line\n", "replaces": read["md5"]})
    assert answer.status_code == 200, answer.text
    assert path.read_bytes() == b"\xef\xbb\xbfone word\r\nanother line\r\n"


@pytest.mark.parametrize(
    "item", ["../../etc/passwd", "..%2f..%2fhashmark.toml", "%2e%2e", "0001.txt", "0" * 16, "0" * 17, "%00"]
)
def test_items_are_ids_and_never_paths(served: Served, item: str) -> None:
    for route in ("items/{}", "items/{}/picture", "captions/{}", "captions/{}/diff"):
        answer = served.ask("GET", f"/api/datasets/82/{route.format(item)}")
        assert answer.status_code in {404, 422}, answer.text
        assert "[remote]" not in answer.text
        assert "root:" not in answer.text


def test_hostile_names_and_captions_are_text_on_every_page(served: Served, library: Library) -> None:
    folder = library.root / STYLE
    (folder / MARKUP_NAME).write_bytes(b"no image")
    (folder / MARKUP_NAME).with_suffix(".txt").write_text("</textarea><script>alert(2)</script>")
    served.compared("82")
    (item,) = ids(served, "onerror")
    plan = served.post("/api/datasets/82/plan", {"action": "push"}, 200)["plan"]
    pages = ["/", "/d/82", "/d/82?q=onerror", f"/d/82/items/{item}", f"/d/82/plans/{plan}"]
    seen = [served.ask("GET", page, headers=served.headers | {"accept": "text/html"}) for page in pages]
    seen.append(served.ask("GET", f"/api/datasets/82/items/{item}"))
    assert [answer.status_code for answer in seen] == [200] * 6
    assert "&lt;img src=x" in seen[3].text + seen[4].text
    for answer in seen:
        if answer.headers["content-type"].startswith("text/html"):
            assert "<img src=x" not in answer.text
            assert "<script>alert" not in answer.text
    row = seen[-1].json()
    assert row["name"] == MARKUP_NAME
    assert row["text"] == "</textarea><script>alert(2)</script>"
    assert isinstance(row["facts"], str), "in words, why there are none"
    picture = served.ask("GET", f"/api/datasets/82/items/{item}/picture")
    assert (picture.status_code, picture.headers["content-type"]) == (422, "application/json")


def test_a_listing_of_names_gives_presence_and_grey(library: Library, serve: Callable[..., Served]) -> None:
    names = tuple(RemoteObject(Key(key)) for key in ("0000.png", "0000.txt"))
    served = serve(library, against={STYLE: names})
    served.compared("82")
    images = {i["filename"]: i for i in served.get("/api/datasets/82/images")["images"]}
    assert (images["0000.png"]["isInS3"], images["0000.png"]["verdict"]) == (True, "unverified")
    assert (images["0002.png"]["isInS3"], images["0002.png"]["verdict"]) == (False, "local-only")
    assert served.get("/api/datasets/82/search?q=sync:green")["ids"] == []
    assert served.post("/api/datasets/82/push", {}, 400)["error"]["message"]


def test_a_store_that_is_gone_is_502_with_words_and_nothing_turns_green(
    library: Library, seaweedfs: Store, serve: Callable[..., Served], tmp_path: Path
) -> None:
    from hashmark.s3.endpoint import Remote  # noqa: PLC0415

    gone = Remote(
        "training-data", "x", "http://127.0.0.1:9", "us-east-1", credentials_file=str(seaweedfs.credentials_file)
    )
    settings = type(library.settings)(gone, False, library.settings.pairing, library.settings.prefixes)
    broken = Library(library.root, settings)
    served = serve(broken)
    answer = served.ask("GET", "/api/datasets/82/status?fresh=true", timeout=120)
    assert answer.status_code == 502, answer.text
    assert "127.0.0.1:9" in answer.json()["error"]["message"]
    found = served.get("/api/datasets/82")
    assert "synced" not in found["counts"]
    assert found["error"]["message"]
    broken.close()


def test_an_edit_on_disk_reaches_every_open_page(served: Served, library: Library) -> None:
    served.compared("82")
    told: list[list[Any]] = [[], []]

    def listen(into: list[Any]) -> None:
        with (
            httpx.Client(base_url=served.base, timeout=60) as client,
            client.stream("GET", "/events?dataset=82", headers=served.headers) as stream,
        ):
            name = ""
            for line in stream.iter_lines():
                if not line:
                    name = ""
                elif line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: ") and name == "rows":
                    into += json.loads(line.removeprefix("data: "))["items"]
                    return
                elif line.startswith("data: ") and name == "hello":
                    into.append("hello")

    listeners = [threading.Thread(target=listen, args=(into,), daemon=True) for into in told]
    for thread in listeners:
        thread.start()
    wait_for(lambda: all(told))
    path = library.root / STYLE / "0002.txt"
    path.write_text(path.read_text().replace("stellar", "stallar"))
    for thread in listeners:
        thread.join(60)
    for into in told:
        assert [(row["name"], row["colour"], row["caption"]["verdict"]) for row in into[1:]] == [
            ("0002.png", "red", "local-changed")
        ]
        assert [(row["lead"]["colour"], row["caption"]["colour"]) for row in into[1:]] == [("green", "red")]

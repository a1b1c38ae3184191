"""Looks at both sides: what is told as compared now was compared now, and the server answers meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from hashmark import push
from hashmark.core.model import Key, LocalFile, RemoteObject
from hashmark.disk.walk import stamp_of
from hashmark.evidence import inspection
from hashmark.library.library import Library
from hashmark.library.settings import create
from hashmark.search.items import item_id
from hashmark.web.session.services import Services
from support.datasets import STYLE, LibraryMaker, write_pairs
from support.file_trees import write_files
from support.stores import Store
from support.waiting import wait_for
from support.web.held_store import Between, behind, lists
from support.web.serving import Served, serving, verdicts, with_services

Serve = Callable[..., Served]


def change_in_bucket(library: Library, key: str, data: bytes = b"from another machine") -> None:
    library.bucket.put(f"{library.dataset('82').prefix}{key}", data)


def test_a_fresh_status_does_not_take_the_word_of_a_look_that_began_before(library: Library, seaweedfs: Store) -> None:
    between = Between(seaweedfs, after=True)
    with behind(between, library) as held, serving(held) as served:
        assert verdicts(served)["0002.txt"] == "synced"
        between.holds = lambda request: lists(request) and not between.held.is_set()
        served.post("/api/datasets/82/check", {}, 202)
        assert between.held.wait(30), "a look has listed what is old by the next line"
        change_in_bucket(library, "0002.txt")
        threading.Timer(0.5, between.go.set).start()
        assert verdicts(served)["0002.txt"] == "remote-changed"


def test_a_job_that_ends_within_a_look_is_followed_by_another_look(library: Library, seaweedfs: Store) -> None:
    between = Between(seaweedfs, after=True)
    with behind(between, library) as held, serving(held) as served:
        plan = served.post("/api/datasets/82/plan", {"action": "push"}, 200)["plan"]
        verdicts(served)
        between.holds = lambda request: lists(request) and not between.held.is_set()
        served.post("/api/datasets/82/check", {}, 202)
        assert between.held.wait(30)
        accepted = {"plan": plan, "accept": ["differs"]}
        assert served.job(served.post("/api/datasets/82/push", accepted, 202)["job"])["filesDone"] == 1
        old = served.get("/api/datasets/82")["checking"]["since"]
        between.go.set()
        wait_for(lambda: served.get("/api/datasets/82")["checkedAt"] > old)
        assert verdicts(served, fresh=False)["0001.txt"] == "synced"


def test_a_look_that_is_asked_for_while_an_edit_is_looked_at_sees_the_bucket_too(library: Library) -> None:
    async def story(services: Services) -> None:
        live = services.library.datasets["82"]
        change_in_bucket(library, "0002.txt")
        (library.root / STYLE / "0000.txt").write_text("edited")
        services.checker.edited_on_disk(live, {Key("0000.txt")})
        await services.checker.check(live)
        assert live.files[Key("0002.txt")].verdict == "remote-changed"
        assert live.files[Key("0000.txt")].verdict == "local-changed"

    with_services(library, story)


def test_looks_that_are_asked_for_together_are_one(library: Library) -> None:
    async def story(services: Services) -> None:
        live = services.library.datasets["82"]
        first = services.checker.check(live)
        assert services.checker.check(live) is first
        assert services.checker.check(live, restart=True) is first, "it has not begun"
        await asyncio.sleep(0.001)
        while live.check_progress is None:
            await asyncio.sleep(0)
        second = services.checker.check(live, restart=True)
        await asyncio.gather(first, second)
        assert len({id(services.checker.check(live, restart=True)) for _ in range(5)}) == 1

    with_services(library, story)


def test_a_look_that_reads_every_file_again_is_not_lost_in_one_that_does_not(
    library: Library, seaweedfs: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The remembered digest is wrong, as after a disk that lied about times: only reading the file finds out."""
    monkeypatch.setattr(inspection, "MAX_SMALL_BYTES", -1)  # reading the object would find out, too
    path = library.root / STYLE / "0000.txt"
    wrong = LocalFile(Key("0000.txt"), stamp_of(path.stat()), "0" * 32)
    library.state.remember_digests(STYLE, [wrong])
    between = Between(seaweedfs, after=True)
    with behind(between, library) as held, serving(held) as served:
        assert verdicts(served)["0000.txt"] != "synced"
        between.holds = lambda request: lists(request) and not between.held.is_set()
        served.post("/api/datasets/82/check", {}, 202)
        assert between.held.wait(30)
        served.post("/api/datasets/82/check", {"rehash": True}, 202)
        between.go.set()
        wait_for(lambda: verdicts(served, fresh=False)["0000.txt"] == "synced")


def test_slow_pictures_of_the_bucket_keep_nothing_else_waiting(library: Library, seaweedfs: Store) -> None:
    for n in range(3, 9):
        (library.root / STYLE / f"{n:04d}.png").write_bytes(b"no image " * 9)
    push(library.dataset("82"))
    between = Between(seaweedfs, lambda request: request.method == "GET" and request.path.endswith(".png"))
    with behind(between, library) as held, serving(held) as served:
        verdicts(served)
        address = "/api/datasets/82/items/{}/picture?of=bucket"
        asking = [
            threading.Thread(target=served.ask, args=("GET", address.format(item_id(f"{n:04d}.png")))) for n in range(9)
        ]
        for thread in asking:
            thread.start()
        assert between.held.wait(30)
        for path in ("/api/datasets", f"/api/datasets/82/captions/{item_id('0000.png')}", "/api/datasets/82/search"):
            assert served.ask("GET", path).status_code == 200
        between.go.set()
        for thread in asking:
            thread.join()


def test_the_list_of_datasets_is_answered_while_files_are_hashed_and_the_bucket_is_slow(
    library: Library, seaweedfs: Store
) -> None:
    write_pairs(library.root, STYLE, 1500, size=200_000)
    between = Between(seaweedfs, lists)
    with behind(between, library) as held, serving(held) as served:
        seen = served.get("/api/datasets")["datasets"][0]
        assert seen["checking"] is not None
        assert seen["checkedAt"] is None
        for _ in range(20):
            assert served.ask("GET", "/api/datasets").status_code == 200
        between.go.set()


def test_a_store_that_refuses_for_a_while_is_told_and_then_seen_again(library: Library, seaweedfs: Store) -> None:
    between = Between(seaweedfs)
    with behind(between, library) as held, serving(held) as served:
        verdicts(served)
        at = served.get("/api/datasets/82")["checkedAt"]
        between.down = True
        answer = served.ask("GET", "/api/datasets/82/status?fresh=true")
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "access-denied")
        assert "s3:ListBucket" in answer.json()["error"]["hint"]
        told = served.get("/api/datasets/82")
        assert (told["error"]["code"], told["checkedAt"]) == ("access-denied", at), "what is shown has its old time"
        between.down = False
        change_in_bucket(library, "0002.txt")
        assert verdicts(served)["0002.txt"] == "remote-changed"
        assert served.get("/api/datasets/82")["error"] is None


# ---- states that a library can be in


def test_an_empty_library_says_where_a_dataset_is_to_be_put(
    seaweedfs: Store, library_on: LibraryMaker, serve: Serve
) -> None:
    library = library_on(seaweedfs)
    served = serve(library)
    assert served.get("/api/datasets")["datasets"] == []
    page = served.ask("GET", "/", headers=served.headers | {"accept": "text/html"})
    assert page.status_code == 200
    assert str(library.root) in page.text
    write_pairs(library.root, STYLE, 1)
    assert [d["id"] for d in served.get("/api/datasets")["datasets"]] == ["82"]
    assert verdicts(served) == {"0000.png": "local-only", "0000.txt": "local-only"}


def test_what_is_ignored_is_named_beside_the_datasets_and_in_each(library: Library, serve: Serve) -> None:
    write_files(library.root, {"a.png": b"x", ".git/config": b"x", f"{STYLE}/a.npz": b"x"})
    (library.root / "9_empty").mkdir()
    served = serve(library)
    verdicts(served)
    verdicts(served, "9")
    found = served.get("/api/datasets")
    assert [row["reason"] for row in found["ignored"]] == ["file", "hidden-folder"]
    assert found["datasets"][0]["ignored"]["disk"] == {"count": 1, "names": ["a.npz"]}
    status = served.get("/api/datasets/9/status")
    assert (status["complete"], status["inSync"], status["ignored"]["disk"]["count"]) == (True, False, 0)
    html = served.headers | {"accept": "text/html"}
    page = served.ask("GET", "/", headers=html).text
    assert "Ignored: 1 file beside the datasets (a.png) · 1 hidden folder (.git/)" in page
    assert "empty: no files on disk or in the bucket" in page
    assert "1 ignored on disk: a.npz" in served.ask("GET", "/d/82", headers=html).text


def test_a_dataset_that_only_the_bucket_has_is_shown_and_can_be_pulled(
    library: Library, seaweedfs: Store, library_on: LibraryMaker, serve: Serve
) -> None:
    served = serve(library_on(seaweedfs, "another machine"))
    assert [d["name"] for d in served.get("/api/datasets")["datasets"]] == [STYLE]
    assert set(verdicts(served).values()) == {"remote-only"}
    caption = served.get(f"/api/datasets/82/captions/{item_id('0000.png')}")
    assert (caption["text"], caption["md5"]) == ("", None), "it is on the other side"
    job = served.job(served.post("/api/datasets/82/pull", {}, 202)["job"])
    assert (job["filesDone"], job["failures"]) == (6, [])
    assert set(verdicts(served).values()) == {"synced"}


def test_two_datasets_of_one_number_are_told_apart_by_name(library: Library, serve: Serve) -> None:
    write_pairs(library.root, "82_another style", 1)
    served = serve(library)
    assert {d["id"] for d in served.get("/api/datasets")["datasets"]} == {STYLE, "82_another style"}
    assert served.ask("GET", "/api/datasets/82").status_code == 404
    assert set(verdicts(served, "82_another%20style").values()) == {"local-only"}
    assert verdicts(served, STYLE)["0000.txt"] == "synced"


def test_a_file_that_cant_be_read_is_told_and_the_rest_is_compared(library: Library, serve: Serve) -> None:
    (library.root / STYLE / "0002.txt").unlink()
    (library.root / STYLE / "0002.txt").symlink_to("nowhere")
    served = serve(library)
    found = served.compared("82")
    assert found["complete"] is False
    assert "0002.txt" in {problem["key"] for problem in found["problems"]}
    assert {row["key"]: row["verdict"] for row in found["files"]}["0000.txt"] == "synced"


def test_a_saved_listing_with_etags_proves_and_one_with_names_does_not(library: Library, serve: Serve) -> None:
    there = list(library.bucket.objects(library.dataset("82").prefix))
    listed = tuple(RemoteObject(row.key, row.size, row.etag if row.key.startswith("0000") else None) for row in there)
    served = serve(library, against={STYLE: listed})
    found = {row["key"]: row["verdict"] for row in served.compared("82")["files"]}
    assert (found["0000.txt"], found["0002.txt"], found["0001.txt"]) == ("synced", "unverified", "unverified")
    assert served.get("/api/datasets/82")["checkKind"] == "saved listing"
    for action in ("push", "pull", "verify"):
        assert served.post(f"/api/datasets/82/{action}", {}, 400)["error"]["message"]


def test_a_bucket_that_refuses_is_502_with_what_to_do(tmp_path: Path, seaweedfs: Store) -> None:
    create(tmp_path / "x", {"url": "s3://no-such-bucket/p", "endpoint_url": seaweedfs.endpoint_url, "region": "x"})
    write_pairs(tmp_path / "x", STYLE, 1)
    with Library.open(tmp_path / "x") as found:
        own = found.settings
        remote = seaweedfs.remote("p").__class__(
            "no-such-bucket", "p", seaweedfs.endpoint_url, "us-east-1", credentials_file=str(seaweedfs.credentials_file)
        )
        with Library(found.root, type(own)(remote, False, own.pairing, own.prefixes)) as made, serving(made) as served:
            for route in ("status?fresh=true", "images", "s3"):
                answer = served.ask("GET", f"/api/datasets/82/{route}")
                assert answer.status_code == 502, answer.text
                error = answer.json()["error"]
                assert (error["code"], "no-such-bucket" in error["message"]) == ("no-such-bucket", True)
                assert "`url`" in error["hint"]
            assert served.get("/api/datasets")["error"]["code"] == "no-such-bucket"
            assert "synced" not in served.get("/api/datasets/82")["counts"]
            for page in ("/", "/d/82"):
                shown = served.ask("GET", page, headers=served.headers | {"accept": "text/html"})
                assert (shown.status_code, "no-such-bucket" in shown.text) == (200, True)

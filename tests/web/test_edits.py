"""Edits on disk are never forgotten: not by a look that fails, nor by what was seen before a job."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from hashmark import push
from hashmark.actions.status import status
from hashmark.core.errors import Unreachable
from hashmark.core.model import Key
from hashmark.library.library import Library
from hashmark.search.items import item_id
from hashmark.web.session.checker import compare_files
from hashmark.web.session.edit_tracker import CHANGED
from hashmark.web.session.live_dataset import LiveDataset
from hashmark.web.session.services import Services
from support.datasets import STYLE, LibraryMaker, write_pairs
from support.faults import Reply, Request
from support.stores import Store
from support.waiting import wait_for
from support.web.event_stream import Event, Stream, rows
from support.web.held_store import Between, behind, lists, writes
from support.web.serving import Served, serving, verdicts, with_services


def edit(library: Library, key: str = "0000.txt") -> None:
    (library.root / STYLE / key).write_text("edited, and longer than it was before\n")


def live_dataset(served: Served) -> LiveDataset:
    live: LiveDataset = served.app.state.services.library.datasets["82"]
    return live


async def idle(services: Services) -> None:
    """Wait until no task is running."""
    async with asyncio.timeout(60):
        while not services.background.idle:
            await asyncio.sleep(0.01)


def test_an_edit_during_a_job_is_shown_though_the_look_after_it_fails(library: Library, seaweedfs: Store) -> None:
    between = Between(seaweedfs, writes)
    with behind(between, library) as held, serving(held) as served:
        assert verdicts(served)["0000.txt"] == "synced"
        served.post("/api/datasets/82/push", {"take": "mine"}, 202)
        assert between.held.wait(60)
        edit(library)
        wait_for(lambda: "0000.txt" in live_dataset(served).dirty)
        between.down = True
        between.go.set()
        wait_for(lambda: served.get("/api/datasets/82")["error"])
        wait_for(lambda: verdicts(served, fresh=False)["0000.txt"] == "local-changed")


def test_an_edit_that_could_not_be_looked_at_is_looked_at_with_the_next(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(services: Services) -> None:
        live = services.library.datasets["82"]

        def unreachable(*_: Any) -> Any:
            raise Unreachable("There is no answer to HEAD.")

        edit(library)
        with monkeypatch.context() as patch:
            patch.setattr("hashmark.web.session.checker.compare_files", unreachable)
            services.checker.edited_on_disk(live, {Key("0000.txt")})
            await idle(services)
        assert live.error is not None
        row = live.files[Key("0000.txt")]
        assert (row.verdict, row.reason, row.remedy) == ("unverified", CHANGED, "a check")
        edit(library, "0002.txt")
        services.checker.edited_on_disk(live, {Key("0002.txt")})
        await idle(services)
        assert {live.files[Key(key)].verdict for key in ("0000.txt", "0002.txt")} == {"local-changed"}

    with_services(library, story)


def test_many_edits_at_once_are_not_forgotten_by_a_look_that_fails_nor_is_it_repeated_without_end(
    library: Library, seaweedfs: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashmark.web.session.checker.MAX_SINGLE_FILES", 0)
    between = Between(seaweedfs)

    async def story(services: Services) -> None:
        live = services.library.datasets["82"]
        edit(library)
        between.down = True
        services.checker.edited_on_disk(live, {Key("0000.txt")})
        await idle(services)
        assert live.error is not None
        await services.checker.check(live)
        await idle(services)
        assert set(live.dirty) == {"0000.txt"}
        between.down = False
        edit(library, "0002.txt")
        services.checker.edited_on_disk(live, {Key("0002.txt")})
        await idle(services)
        assert {live.files[Key(key)].verdict for key in ("0000.txt", "0002.txt")} == {"local-changed"}
        assert not live.dirty

    with behind(between, library) as held:
        with_services(held, story)


def test_what_was_seen_before_a_job_that_has_ended_by_now_is_not_shown_over_what_it_did(
    library: Library, seaweedfs: Store
) -> None:
    """Nor where the look that follows fails."""
    between = Between(seaweedfs, after=True)
    with behind(between, library) as held, serving(held) as served:
        plan = served.post("/api/datasets/82/plan", {"action": "push"}, 200)["plan"]
        verdicts(served)
        between.holds = lambda request: lists(request) and not between.held.is_set()
        served.post("/api/datasets/82/check", {}, 202)
        assert between.held.wait(60)
        accepted = {"plan": plan, "accept": ["differs"]}
        assert served.job(served.post("/api/datasets/82/push", accepted, 202)["job"])["filesDone"] == 1
        assert verdicts(served, fresh=False)["0001.txt"] == "synced"
        between.down = True
        between.go.set()
        wait_for(lambda: served.get("/api/datasets/82")["error"])
        assert verdicts(served, fresh=False)["0001.txt"] == "synced"


def test_an_edit_that_was_looked_at_before_a_job_is_not_shown_over_what_that_does(
    library: Library, seaweedfs: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is seen to be what the bucket had; before that is told, a delete takes it out of the bucket, and goes on."""
    seen, go = threading.Event(), threading.Event()

    def slow(*args: Any) -> Any:
        found = compare_files(*args)
        seen.set()
        assert go.wait(60)
        return found

    between = Between(seaweedfs, lambda request: request.method == "DELETE" and request.path.endswith("0002.png"))
    with behind(between, library) as held, serving(held) as served:
        verdicts(served)
        body = {"action": "delete", "where": "bucket", "items": [item_id("0002.png")]}
        plan = served.post("/api/datasets/82/plan", body, 200)["plan"]
        monkeypatch.setattr("hashmark.web.session.checker.compare_files", slow)
        path = library.root / STYLE / "0002.txt"
        path.write_bytes(path.read_bytes())
        assert seen.wait(60)
        looking: Callable[[], bool] = served.app.state.services.checker._running[STYLE].done
        job = served.post("/api/datasets/82/delete", {"plan": plan, "confirm": 2}, 202)["job"]
        wait_for(lambda: verdicts(served, fresh=False)["0002.txt"] == "deleted-remotely")
        go.set()
        wait_for(looking)
        assert verdicts(served, fresh=False)["0002.txt"] == "deleted-remotely"
        between.go.set()
        served.job(job)
        wait_for(lambda: verdicts(served, fresh=False)["0002.png"] == "deleted-remotely")
        assert verdicts(served, fresh=False)["0002.txt"] == "deleted-remotely"


# ---- what can't be looked at now


def told(page: Stream, name: str, verdict: str) -> Any:
    """The caption's badge in the row of that image, once it was told to be of that verdict."""

    def badge(events: list[Event]) -> Any:
        return rows(events).get(name, {}).get("caption") or {}

    page.wait(lambda events: badge(events).get("verdict") == verdict)
    return badge(page.all)


def names(served: Served, query: str) -> set[str]:
    ids = served.get(f"/api/datasets/82/search?q={query}")["ids"]
    return {name for name in ("0000.png", "0001.png", "0002.png") if item_id(name) in ids}


def test_an_edit_while_a_job_runs_is_grey_until_it_ends(library: Library, seaweedfs: Store) -> None:
    """Of a file that was green, and of one that was red and is what the bucket has again."""
    edit(library)
    before = b"a stellar sketch, number 0\n"
    between = Between(seaweedfs, writes)
    with behind(between, library) as held, serving(held) as served:
        assert verdicts(served)["0000.txt"] == "differs"
        page = Stream(served)
        page.has_begun()
        job = served.post("/api/datasets/82/push", {"items": [item_id("0001.png")], "take": "mine"}, 202)["job"]
        assert between.held.wait(60)
        edit(library, "0002.txt")
        (library.root / STYLE / "0000.txt").write_bytes(before)
        for name in ("0000.png", "0002.png"):
            badge = told(page, name, "unverified")
            assert f"{CHANGED}; it is compared when the running job has ended" in badge["why"]
            assert (badge["evidence"], badge["grade"]) == (None, None)
        found = {row["key"]: row for row in served.get("/api/datasets/82/status")["files"]}
        assert {found[key]["verdict"] for key in ("0000.txt", "0002.txt")} == {"unverified"}
        assert served.get("/api/datasets/82")["counts"] == {"synced": 3, "unverified": 2, "differs": 1}
        assert names(served, "sync:grey") == {"0000.png", "0002.png"}
        assert names(served, "sync:red") == {"0001.png"}
        assert names(served, "sync:green") == set()
        isin = {row["filename"]: row["captionInS3"] for row in served.get("/api/datasets/82/images")["images"]}
        assert not isin["0002.png"]
        planned = served.post("/api/datasets/82/plan", {"action": "push", "items": [item_id("0002.png")]}, 200)
        assert [(a["key"], a["verdict"]) for a in planned["actions"]] == [("0002.txt", "local-changed")], (
            "compared anew"
        )
        between.go.set()
        served.job(job)
        wait_for(lambda: verdicts(served, fresh=False)["0002.txt"] == "local-changed")
        wait_for(lambda: verdicts(served, fresh=False)["0000.txt"] == "synced")
        assert served.get("/api/datasets/82")["counts"] == {"synced": 5, "local-changed": 1}


def test_an_edit_while_everything_is_looked_at_is_grey_until_that_ends(library: Library, seaweedfs: Store) -> None:
    between = Between(seaweedfs, after=True)
    with behind(between, library) as held, serving(held) as served:
        verdicts(served)
        page = Stream(served)
        page.has_begun()
        between.holds = lambda request: lists(request) and not between.held.is_set()
        served.post("/api/datasets/82/check", {}, 202)
        assert between.held.wait(60)
        edit(library)
        assert "changed on disk since it was compared; the running check" in told(page, "0000.png", "unverified")["why"]
        between.go.set()
        wait_for(lambda: verdicts(served, fresh=False)["0000.txt"] == "local-changed")


def test_a_folder_that_goes_while_a_job_runs_is_grey_with_all_that_was_in_it(
    library: Library, seaweedfs: Store
) -> None:
    folder = library.root / STYLE / "more"
    write_pairs(library.root / STYLE, "more", 2)
    push(library.dataset("82"))
    (library.root / STYLE / "0001.txt").write_text("edited anew\n")
    between = Between(seaweedfs, writes)
    with behind(between, library) as held, serving(held) as served:
        assert verdicts(served)["more/0001.txt"] == "synced"
        job = served.post("/api/datasets/82/push", {"take": "mine"}, 202)["job"]
        assert between.held.wait(60)
        folder.rename(library.root / STYLE / "other")
        within = {f"more/000{n}.{suffix}" for n in range(2) for suffix in ("png", "txt")}
        wait_for(lambda: {verdicts(served, fresh=False)[key] for key in within} == {"unverified"})
        between.go.set()
        served.job(job)
        wait_for(lambda: {verdicts(served, fresh=False)[key] for key in within} == {"deleted-locally"})


def test_what_a_pull_puts_on_the_disk_is_green_while_it_runs_and_what_is_edited_then_is_not(
    library: Library, seaweedfs: Store, library_on: LibraryMaker
) -> None:
    push(library.dataset("82"))
    elsewhere = library_on(seaweedfs, "another machine")
    (elsewhere.root / STYLE).mkdir()
    between = Between(seaweedfs, lambda request: request.method == "GET" and request.path.endswith("0001.txt"))
    with behind(between, elsewhere) as held, serving(held) as served:
        assert set(verdicts(served).values()) == {"remote-only"}
        job = served.post("/api/datasets/82/pull", {}, 202)["job"]
        assert between.held.wait(60)
        done = {"0000.png", "0000.txt", "0001.png", "0002.png", "0002.txt"}
        wait_for(lambda: done <= set(live_dataset(served).dirty))
        wait_for(lambda: {verdicts(served, fresh=False)[key] for key in done} == {"synced"})
        edit(elsewhere)
        wait_for(lambda: verdicts(served, fresh=False)["0000.txt"] == "unverified")
        assert {verdicts(served, fresh=False)[key] for key in done - {"0000.txt"}} == {"synced"}
        between.go.set()
        served.job(job)
        wait_for(lambda: verdicts(served, fresh=False)["0000.txt"] == "local-changed")


def test_an_edit_while_a_look_was_under_way_is_grey_after_it_until_it_can_be_looked_at(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared, go, key = threading.Event(), threading.Event(), Key("0000.txt")

    def slow(*args: Any) -> Any:
        found = status(*args)
        compared.set()
        assert go.wait(60)
        return found

    def unreachable(*_: Any) -> Any:
        raise Unreachable("There is no answer to HEAD.")

    async def story(services: Services) -> None:
        live, shown, read = services.library.datasets["82"], list[str](), services.captions.read

        async def watched(of: LiveDataset) -> None:
            shown.append(of.files[key].verdict)
            await read(of)

        monkeypatch.setattr("hashmark.web.session.checker.status", slow)
        monkeypatch.setattr("hashmark.web.session.checker.compare_files", unreachable)
        monkeypatch.setattr(services.captions, "read", watched)
        services.checker.check(live, restart=True)
        assert await asyncio.to_thread(compared.wait, 60)
        edit(library)
        services.checker.edited_on_disk(live, {key})
        async with asyncio.timeout(60):
            while live.files[key].verdict != "unverified":
                await asyncio.sleep(0.01)
        go.set()
        await idle(services)
        assert shown == ["unverified"]
        row = live.files[key]
        assert (row.verdict, row.reason, row.remedy) == ("unverified", CHANGED, "a check")

    with_services(library, story)


def test_an_edit_of_what_was_just_sent_is_not_green_by_the_proof_of_that(library: Library, seaweedfs: Store) -> None:
    """The answer to the upload comes after the edit, and the job goes on with another file."""
    edit(library)
    other = threading.Event()

    class Two(Between):
        def answer(self, request: Request) -> Reply:
            if writes(request) and request.path.endswith("0000.txt"):
                assert other.wait(60)
            return super().answer(request)

    between = Two(seaweedfs, lambda request: writes(request) and request.path.endswith("0001.txt"), after=True)
    with behind(between, library) as held, serving(held) as served:
        verdicts(served)
        job = served.post("/api/datasets/82/push", {"take": "mine"}, 202)["job"]
        assert between.held.wait(60)
        edit(library, "0001.txt")
        wait_for(lambda: verdicts(served, fresh=False)["0001.txt"] == "unverified")
        between.go.set()
        wait_for(lambda: served.get(f"/api/jobs/{job}")["filesDone"] == 1)
        wait_for(lambda: verdicts(served, fresh=False)["0001.txt"] == "unverified")
        other.set()
        assert served.job(job)["failures"] == []
        wait_for(lambda: verdicts(served, fresh=False)["0001.txt"] == "local-changed")

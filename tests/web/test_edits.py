"""Edits on disk are never forgotten: not by a look that fails, nor by what was seen before a job."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from hashmark.core.errors import Unreachable
from hashmark.core.items import item_id
from hashmark.core.model import Key
from hashmark.library import Library
from hashmark.web.board import Board
from hashmark.web.desk import Desk
from hashmark.web.edits import look_again
from tests.conftest import Store
from tests.e2e.command import wait_for
from tests.web.conftest import STYLE
from tests.web.serving import Served, serving
from tests.web.test_looks import on_a_desk
from tests.web.tools import Between, behind, lists, verdicts, writes


def edit(library: Library, key: str = "0000.txt") -> None:
    (library.root / STYLE / key).write_text("edited, and longer than it was before\n")


def board_of(served: Served) -> Board:
    board: Board = served.app.state.desk.boards["82"]
    return board


async def quiet(desk: Desk) -> None:
    """Wait until the desk does nothing more."""
    async with asyncio.timeout(60):
        while desk._live:
            await asyncio.wait(set(desk._live))


def test_an_edit_during_a_job_is_shown_though_the_look_after_it_fails(library: Library, seaweedfs: Store) -> None:
    between = Between(seaweedfs, writes)
    with behind(between, library) as held, serving(held) as served:
        assert verdicts(served)["0000.txt"] == "synced"
        served.post("/api/datasets/82/push", {}, 202)
        assert between.held.wait(60)
        edit(library)
        wait_for(lambda: "0000.txt" in board_of(served).dirty)
        between.down = True
        between.go.set()
        wait_for(lambda: served.get("/api/datasets/82")["error"])
        wait_for(lambda: verdicts(served, fresh=False)["0000.txt"] == "local-changed")


def test_an_edit_that_could_not_be_looked_at_is_looked_at_with_the_next(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(desk: Desk) -> None:
        board = desk.boards["82"]

        def unreachable(*_: Any) -> Any:
            raise Unreachable("There is no answer to HEAD.")

        edit(library)
        with monkeypatch.context() as patch:
            patch.setattr("hashmark.web.desk.look_again", unreachable)
            desk.changed_on_disk(board, {Key("0000.txt")})
            await quiet(desk)
        assert board.error is not None
        edit(library, "0002.txt")
        desk.changed_on_disk(board, {Key("0002.txt")})
        await quiet(desk)
        assert {board.files[Key(key)].verdict for key in ("0000.txt", "0002.txt")} == {"local-changed"}

    on_a_desk(library, story)


def test_many_edits_at_once_are_not_forgotten_by_a_look_that_fails_nor_is_it_repeated_without_end(
    library: Library, seaweedfs: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashmark.web.desk.MANY", 0)
    between = Between(seaweedfs)

    async def story(desk: Desk) -> None:
        board = desk.boards["82"]
        edit(library)
        between.down = True
        desk.changed_on_disk(board, {Key("0000.txt")})
        await quiet(desk)
        assert board.error is not None
        await desk.check(board)
        await quiet(desk)
        assert set(board.dirty) == {"0000.txt"}
        between.down = False
        edit(library, "0002.txt")
        desk.changed_on_disk(board, {Key("0002.txt")})
        await quiet(desk)
        assert {board.files[Key(key)].verdict for key in ("0000.txt", "0002.txt")} == {"local-changed"}
        assert not board.dirty

    with behind(between, library) as held:
        on_a_desk(held, story)


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
        assert served.job(served.post("/api/datasets/82/push", {"plan": plan}, 202)["job"])["filesDone"] == 1
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
        found = look_again(*args)
        seen.set()
        assert go.wait(60)
        return found

    between = Between(seaweedfs, lambda request: request.method == "DELETE" and request.path.endswith("0002.png"))
    with behind(between, library) as held, serving(held) as served:
        verdicts(served)
        body = {"action": "delete", "where": "bucket", "items": [item_id("0002.png")]}
        plan = served.post("/api/datasets/82/plan", body, 200)["plan"]
        monkeypatch.setattr("hashmark.web.desk.look_again", slow)
        path = library.root / STYLE / "0002.txt"
        path.write_bytes(path.read_bytes())
        assert seen.wait(60)
        looking: Callable[[], bool] = served.app.state.desk._tasks[STYLE].done
        job = served.post("/api/datasets/82/delete", {"plan": plan, "confirm": 2}, 202)["job"]
        wait_for(lambda: verdicts(served, fresh=False)["0002.txt"] == "local-only")
        go.set()
        wait_for(looking)
        assert verdicts(served, fresh=False)["0002.txt"] == "local-only"
        between.go.set()
        served.job(job)
        wait_for(lambda: verdicts(served, fresh=False)["0002.png"] == "local-only")
        assert verdicts(served, fresh=False)["0002.txt"] == "local-only"

"""What is watched and what can't be: folders that are made anew, and a system that has no watch left."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from watchfiles import Change, awatch

from hashmark.library.library import Library
from support.datasets import STYLE, write_pairs
from support.stores import Store
from support.waiting import wait_for
from support.web.event_stream import Stream, fragments
from support.web.held_store import Between, behind, lists
from support.web.serving import Served, serving, verdicts


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hashmark.web.session.watcher.POLL_INTERVAL_S", 0.1)
    monkeypatch.setattr("hashmark.web.session.watcher.MAX_RETRY_PAUSE_S", 0.2)


def removed(folder: Path, copy: Path) -> None:
    """The new folder may have the old one's inode."""
    shutil.rmtree(folder)
    shutil.copytree(copy, folder)


def moved_away(folder: Path, copy: Path) -> None:
    folder.rename(copy.with_name("away"))
    shutil.copytree(copy, folder)


def pointed_elsewhere(folder: Path, copy: Path) -> None:
    """Nothing happens in the folder that is watched."""
    new = folder.with_name(".new")
    new.symlink_to(copy)
    new.replace(folder)


@pytest.mark.parametrize("replace", [removed, moved_away, pointed_elsewhere])
def test_an_edit_in_a_folder_that_was_made_anew_is_seen(
    library: Library, serve: Callable[..., Served], tmp_path: Path, replace: Callable[[Path, Path], None]
) -> None:
    folder = library.root / STYLE
    copy, first = tmp_path / "copy", tmp_path / "first"
    shutil.copytree(folder, copy)
    if replace is pointed_elsewhere:
        folder.rename(first)
        folder.symlink_to(first)
    served = serve(library)
    assert verdicts(served)["0002.txt"] == "synced"
    (copy / "0000.txt").write_text("of the new folder\n")
    replace(folder, copy)
    wait_for(lambda: verdicts(served, fresh=False).get("0000.txt") == "local-changed")
    wait_for(lambda: served.get("/api/datasets/82")["checking"] is None)
    (folder / "0002.txt").write_text("edited in the new folder\n")
    wait_for(lambda: verdicts(served, fresh=False)["0002.txt"] == "local-changed")


def test_where_nothing_can_be_watched_it_is_said_and_nothing_is_compared_again_and_again(
    library: Library, seaweedfs: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries, full = 0, True

    async def watch(*folders: Path, **options: Any) -> AsyncIterator[set[tuple[Change, str]]]:
        nonlocal tries
        tries += 1
        if full:
            raise OSError("OS file watch limit reached.")
        async for changes in awatch(*folders, **options):
            yield changes

    monkeypatch.setattr("hashmark.web.session.watcher.awatch", watch)
    between = Between(seaweedfs)
    said = "Cannot watch the disk for edits: OS file watch limit reached."
    with behind(between, library) as held, serving(held) as served:
        verdicts(served)
        pages = [Stream(served), Stream(served, "/events")]
        for page in pages:
            page.wait(lambda events: said in fragments(events))
        wait_for(lambda: served.get("/api/datasets/82")["checking"] is None)
        listed, tried = len([1 for request, _ in between.done if lists(request)]), tries
        wait_for(lambda: tries >= tried + 4)
        write_pairs(library.root, "7_new", 1)
        pages[1].wait(lambda events: "7_new" in fragments(events))
        assert len([1 for request, _ in between.done if lists(request)]) == listed
        told = served.get("/api/datasets")["unwatched"]
        assert (told["code"], told["message"]) == ("local", said)
        (library.root / STYLE / "0002.txt").write_text("edited while nothing was watched\n")
        full = False
        wait_for(lambda: verdicts(served, fresh=False)["0002.txt"] == "local-changed")
        assert served.get("/api/datasets")["unwatched"] is None


def test_a_look_for_new_datasets_that_fails_is_told_and_not_the_last(
    library: Library, serve: Callable[..., Served], tmp_path: Path
) -> None:
    served = serve(library)
    served.compared("82")
    page = Stream(served, "/events")
    library.root.rename(tmp_path / "away")
    wait_for(lambda: served.app.state.services.library.error)
    page.wait(lambda events: str(library.root) in fragments(events))
    found = served.get("/api/datasets")
    assert (found["error"]["code"], [dataset["id"] for dataset in found["datasets"]]) == ("local", ["82"])
    (tmp_path / "away").rename(library.root)
    write_pairs(library.root, "7_new", 1)
    page.wait(lambda events: "7_new" in fragments(events))
    assert served.get("/api/datasets")["error"] is None

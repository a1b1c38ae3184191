"""What an open page is told as it happens, and how it finds out after a gap."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from watchfiles import Change, awatch

from hashmark.library.library import Library
from support.datasets import STYLE, edit_keeping_size_and_time, write_pairs
from support.hostile_keys import MARKUP_NAME
from support.waiting import wait_for
from support.web.event_stream import Event, Stream, fragments, rows
from support.web.serving import Served, verdicts


def in_place(path: Path) -> None:
    path.write_text("a longer caption than it was before\n")


def by_renaming(path: Path) -> None:
    """As most editors save: a new file in the old one's place, written outside, so that nobody sees it come and go."""
    new = path.parents[1] / f".{path.name}.swp"
    new.write_text("a stellar sketch, number ?\n")
    new.replace(path)


def by_appending(path: Path) -> None:
    with path.open("a") as file:
        file.write("!")


def verdict_told(events: list[Event], name: str) -> str | None:
    """The verdict of this image's caption, as it was told last."""
    row = rows(events).get(name)
    return row["caption"]["verdict"] if row else None


@pytest.fixture
def stream(served: Served) -> Stream:
    """A page of the dataset, compared, and told everything so far."""
    served.compared("82")
    opened = Stream(served)
    opened.has_begun()
    return opened


@pytest.mark.parametrize("edit", [in_place, edit_keeping_size_and_time, by_renaming, by_appending])
def test_a_saved_caption_turns_red_on_the_open_page(
    stream: Stream, library: Library, edit: Callable[[Path], None]
) -> None:
    edit(library.root / STYLE / "0002.txt")
    stream.wait(lambda events: rows(events).get("0002.png", {}).get("colour") == "red")
    row = rows(stream.all)["0002.png"]
    assert (row["colour"], row["caption"]["verdict"], row["lead"]["verdict"]) == ("red", "local-changed", "synced")
    assert row["caption"]["why"]
    assert set(rows(stream.all)) == {"0002.png"}, "nothing else changed"


def test_an_edit_that_is_taken_back_is_green_again_and_a_push_is_told_too(
    served: Served, stream: Stream, library: Library
) -> None:
    path = library.root / STYLE / "0002.txt"
    before = path.read_bytes()
    in_place(path)
    stream.wait(lambda events: rows(events).get("0002.png", {}).get("colour") == "red")
    path.write_bytes(before)
    stream.wait(lambda events: rows(events)["0002.png"]["colour"] == "green")
    seen = len(stream.all)
    served.job(served.post("/api/datasets/82/push", {}, 202)["job"])
    # Either the row itself, or that everything is to be asked anew: the end of a job is followed by a look.
    stream.wait(lambda events: {"rows", "structure"} & {event.name for event in events[seen:]})
    wait_for(lambda: set(verdicts(served, fresh=False).values()) == {"synced"})
    stream.wait(lambda events: 'hx-target="#jobs"' in fragments(events[seen:]))


def test_files_that_come_and_go_make_the_page_ask_anew(served: Served, stream: Stream, library: Library) -> None:
    def structures(events: list[Event]) -> int:
        return len([event for event in events if event.name == "structure"])

    (library.root / STYLE / "0000.txt").unlink()
    stream.wait(lambda events: verdict_told(events, "0000.png") == "deleted-locally")  # the bucket still has it
    begun = structures(stream.all)
    (library.root / STYLE / "new.txt").write_text("a new one")
    stream.wait(lambda events: structures(events) > begun)
    wait_for(lambda: verdicts(served, fresh=False).get("new.txt") == "local-only")
    sub = library.root / STYLE / "more"
    sub.mkdir()
    (sub / "1.txt").write_text("in a new folder")
    wait_for(lambda: verdicts(served, fresh=False).get("more/1.txt") == "local-only")
    sub.rename(library.root / STYLE / "renamed")
    wait_for(lambda: verdicts(served, fresh=False).get("renamed/1.txt") == "local-only")
    wait_for(lambda: "more/1.txt" not in verdicts(served, fresh=False))


def last_revision(events: list[Event]) -> object:
    """The revision that a page was told last."""
    return [event for event in events if event.name == "structure"][-1].json["revision"]


def test_a_page_that_reconnects_is_sent_everything_anew(served: Served, stream: Stream, library: Library) -> None:
    in_place(library.root / STYLE / "0002.txt")
    stream.wait(lambda events: verdict_told(events, "0002.png") == "local-changed")
    again = Stream(served)
    again.has_begun()
    names = [event.name for event in again.all]
    assert names[0] == "hello"
    assert again.all[0].json == stream.all[0].json, "the same run of the server"
    assert 'hx-target="#summary"' in fragments(again.all)
    again.wait(lambda events: last_revision(events) == served.get("/api/datasets/82")["revision"])


def test_two_pages_are_told_the_same(served: Served, stream: Stream, library: Library) -> None:
    other = Stream(served)
    other.has_begun()
    for name in ("0000.txt", "0002.txt"):
        in_place(library.root / STYLE / name)
    for page in (stream, other):
        page.wait(lambda events: {verdict_told(events, f"000{n}.png") for n in (0, 2)} == {"local-changed"})
    assert rows(stream.all) == rows(other.all)


def test_a_new_dataset_appears_in_the_list_by_itself(served: Served, library: Library) -> None:
    page = Stream(served, "/events")
    page.wait(lambda events: "82_stellar_sketch" in fragments(events))
    write_pairs(library.root, "7_new & <b>", 1)
    page.wait(lambda events: "7_new &amp; &lt;b&gt;" in fragments(events))
    assert "7_new & <b>" not in fragments(page.all)


def test_a_dataset_that_went_and_came_back_is_told_as_it_is_now(
    served: Served, library: Library, tmp_path: Path
) -> None:
    """Its folder alone went: the bucket's side is another dataset's until then."""
    folder = write_pairs(library.root, "9_only_here", 1)
    served.get("/api/datasets")
    assert set(verdicts(served, "9").values()) == {"local-only"}
    page = Stream(served, "/events?dataset=9")
    page.has_begun()
    folder.rename(tmp_path / "away")
    assert "9" not in [d["id"] for d in served.get("/api/datasets")["datasets"]]
    (tmp_path / "away").rename(folder)
    (folder / "second.png").write_bytes(b"one more")
    served.get("/api/datasets")
    seen = len(page.all)
    assert verdicts(served, "9")["second.png"] == "local-only"
    page.wait(lambda events: any(event.name == "structure" for event in events[seen:]))
    page.wait(lambda events: last_revision(events) == served.get("/api/datasets/9")["revision"])


def test_hostile_names_reach_the_page_as_text(served: Served, stream: Stream, library: Library) -> None:
    (library.root / STYLE / MARKUP_NAME).write_bytes(b"no image")
    (library.root / STYLE / MARKUP_NAME).with_suffix(".txt").write_text(
        "</script><script>alert(1)</script>\n\ndata: forged\n"
    )
    wait_for(lambda: MARKUP_NAME in verdicts(served, fresh=False))
    seen = len(stream.all)
    with (library.root / STYLE / MARKUP_NAME).with_suffix(".txt").open("a") as file:
        file.write("event: forged\n\n")
    stream.wait(lambda events: MARKUP_NAME in rows(events[seen:]))
    assert rows(stream.all)[MARKUP_NAME]["text"].startswith("</script>")
    assert {event.name for event in stream.all} <= {"hello", "structure", "rows", "message"}
    assert "<img src=x" not in fragments(stream.all)
    assert "<script" not in fragments(stream.all)


def test_a_job_is_told_from_its_state_to_its_end(served: Served, library: Library) -> None:
    write_pairs(library.root, STYLE, 20)
    served.compared("82")
    job = served.post("/api/datasets/82/push", {"take": "mine"}, 202)["job"]
    told = Stream(served, f"/api/jobs/{job}/events")
    assert told.ended.wait(30)
    assert (told.all[0].name, told.all[-1].name) == ("state", "state")
    first, last = told.all[0].json, told.all[-1].json
    done = [event.json["key"] for event in told.all if event.name == "file-done"]
    assert len(done) + first["filesDone"] == last["filesDone"] == 34
    assert (last["ended"], last["failures"]) == (True, [])
    late = Stream(served, f"/api/jobs/{job}/events")
    assert late.ended.wait(30)
    assert late.all[-1].json == last
    assert os.fspath(library.root) not in "".join(event.data for event in told.all)


def test_an_edit_while_nothing_is_watched_is_found_when_the_next_watch_begins(
    serve: Callable[..., Served], library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folders to be watched are others now, so the watch is begun anew: between the two a caption is saved."""
    begun = 0

    async def watch_late(*folders: Path, **options: Any) -> AsyncIterator[set[tuple[Change, str]]]:
        nonlocal begun
        begun += 1
        if begun == 2:
            in_place(library.root / STYLE / "0002.txt")
        async for changes in awatch(*folders, **options):
            yield changes

    monkeypatch.setattr("hashmark.web.session.watcher.awatch", watch_late)
    monkeypatch.setattr("hashmark.web.session.watcher.POLL_INTERVAL_S", 0.2)
    served = serve(library)
    served.compared("82")
    write_pairs(library.root, "7_new", 1)
    wait_for(lambda: begun == 2)
    wait_for(lambda: verdicts(served, fresh=False)["0002.txt"] == "local-changed")

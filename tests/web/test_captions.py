"""Captions read and saved over HTTP: no edit is lost, neither this one nor anybody else's."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import httpx
import pytest

from hashmark.library.library import Library
from hashmark.search.items import item_id
from support.datasets import STYLE
from support.stores import Store
from support.web.held_store import Between, behind
from support.web.serving import Served, serving, truth

ADDRESS = f"/api/datasets/82/captions/{item_id('0001.png')}"


@pytest.fixture
def path(library: Library) -> Path:
    return library.root / STYLE / "0001.txt"


def save(served: Served, text: object, replaces: object) -> httpx.Response:
    return served.ask("PUT", ADDRESS, json={"text": text, "replaces": replaces})


@pytest.mark.parametrize(
    ("before", "encoding", "text", "after"),
    [
        (b"one\ntwo\n", "utf-8", "one\n2\n", b"one\n2\n"),
        (b"one\r\ntwo\r\n", "utf-8", "one\n2\n3\n", b"one\r\n2\r\n3\r\n"),
        (b"one\rtwo\r", "utf-8", "one\n2\n", b"one\r2\r"),
        (b"one\r\ntwo\nthree\r\n", "utf-8", "one\ntwo\n3\n", b"one\r\ntwo\n3\r\n"),
        (b"no end", "utf-8", "no end, still", b"no end, still"),
        (b"\xef\xbb\xbfmarked\r\n", "utf-8-sig", "\ufeffkept\n", b"\xef\xbb\xbfkept\r\n"),
        (b"caf\xe9 \x96 au lait", "cp1252", "caf\u00e9 \u2013 noir", b"caf\xe9 \x96 noir"),
        ("\ufeffwide\r\n".encode("utf-16-le"), "utf-16", "wider\n", "\ufeffwider\r\n".encode("utf-16-le")),
        (b"", "utf-8", "from nothing", b"from nothing"),
        (b"something", "utf-8", "", b""),
        (b"plain", "utf-8", "emoji 🎨👩‍🎨 <b>&amp;", "emoji 🎨👩‍🎨 <b>&amp;".encode()),
    ],
)
def test_an_edit_changes_what_it_changes_and_keeps_the_rest(
    served: Served, path: Path, before: bytes, encoding: str, text: str, after: bytes
) -> None:
    path.write_bytes(before)
    read = served.get(ADDRESS)
    assert (read["key"], read["encoding"], read["md5"]) == ("0001.txt", encoding, hashlib.md5(before).hexdigest())
    answer = save(served, text, read["md5"])
    assert answer.status_code == 200, answer.text
    assert path.read_bytes() == after
    assert answer.json()["md5"] == hashlib.md5(after).hexdigest()
    kept = [found.read_bytes() for found in (path.parents[1] / ".hashmark" / "trash").rglob("0001.txt")]
    assert kept == [before]


def test_a_caption_that_is_not_there_is_made_and_only_if_it_still_is_not(served: Served, path: Path) -> None:
    path.unlink()
    read = served.get(ADDRESS)
    assert (read["text"], read["md5"]) == ("", None)
    path.write_text("made by somebody else meanwhile\n")
    clash = save(served, "mine\n", None)
    assert (clash.status_code, clash.json()["current"]["text"]) == (409, "made by somebody else meanwhile\n")
    path.unlink()
    assert save(served, "mine\n", None).status_code == 200
    assert path.read_text() == "mine\n"


def test_a_caption_that_vanished_is_told_and_not_brought_back(served: Served, path: Path) -> None:
    md5 = served.get(ADDRESS)["md5"]
    path.unlink()
    clash = save(served, "mine\n", md5)
    assert (clash.status_code, clash.json()["current"]["md5"], path.exists()) == (409, None, False)
    assert clash.json()["error"]["code"] == "file-changed"


def test_a_clash_tells_the_way_from_what_is_there_to_what_was_written(served: Served, path: Path) -> None:
    md5 = served.get(ADDRESS)["md5"]
    path.write_text("a red cat, sitting\n")
    clash = save(served, "a blue cat, sitting\n", md5).json()
    assert "".join(p["text"] for p in clash["pieces"] if p["change"] != "added") == "a red cat, sitting\n"
    assert "".join(p["text"] for p in clash["pieces"] if p["change"] != "removed") == "a blue cat, sitting\n"
    assert {p["change"] for p in clash["pieces"]} == {"both", "added", "removed"}
    assert path.read_text() == "a red cat, sitting\n"


def test_of_two_that_save_at_once_one_wins_and_the_other_is_told(served: Served, path: Path) -> None:
    md5 = served.get(ADDRESS)["md5"]
    gate = threading.Barrier(6)
    answers: dict[str, httpx.Response] = {}

    def press(text: str) -> None:
        gate.wait()
        answers[text] = save(served, text, md5)

    threads = [threading.Thread(target=press, args=(f"writer {n}\n",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers.values()) == [200, 409, 409, 409, 409, 409]
    (winner,) = [text for text, answer in answers.items() if answer.status_code == 200]
    assert path.read_text() == winner


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"text": "x"}, 422),
        ({"text": "x", "replaces": "not a digest"}, 422),
        ({"text": "x", "replaces": "0" * 32}, 409),
        ({"text": "x", "replaces": "0" * 31 + "A"}, 422),
        ({"text": None, "replaces": None}, 422),
        ({"text": "x", "replaces": None}, 409),
        ({"text": "x", "replaces": None, "key": "../../x.txt"}, 422),
        ({"text": "x" * ((1 << 20) + 1), "replaces": "0" * 32}, 422),
        (["text"], 422),
    ],
)
def test_a_save_that_does_not_name_what_it_replaces_changes_nothing(
    served_once: Served, body: object, status: int
) -> None:
    before = truth(served_once)
    assert served_once.ask("PUT", ADDRESS, json=body).status_code == status
    assert truth(served_once) == before


def test_half_a_character_is_refused_in_words(served_once: Served) -> None:
    md5 = served_once.get(ADDRESS)["md5"]
    before = truth(served_once)
    body = f'{{"text": "\\ud83c", "replaces": "{md5}"}}'.encode()
    answer = served_once.ask("PUT", ADDRESS, content=body)
    assert answer.status_code in {400, 422}, answer.text
    assert truth(served_once) == before


def test_a_character_that_the_encoding_lacks_is_refused_in_words(served: Served, path: Path) -> None:
    path.write_bytes(b"caf\xe9")
    answer = save(served, "caf\u00e9 \U0001f3a8", served.get(ADDRESS)["md5"])
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "usage")
    assert "cp1252" in answer.json()["error"]["message"]
    assert path.read_bytes() == b"caf\xe9"


def test_saving_what_is_there_already_writes_nothing(served: Served, path: Path) -> None:
    read = served.get(ADDRESS)
    stamp = path.stat()
    assert save(served, read["text"], read["md5"]).status_code == 200
    assert path.stat().st_mtime_ns == stamp.st_mtime_ns
    assert list((path.parents[1] / ".hashmark").glob("trash/*")) == []


def test_nothing_is_saved_through_a_link_that_leads_out(served: Served, path: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("not a caption of ours\n")
    md5 = served.get(ADDRESS)["md5"]
    path.unlink()
    path.symlink_to(outside)
    for replaces in (md5, served.ask("GET", ADDRESS).json().get("md5"), hashlib.md5(outside.read_bytes()).hexdigest()):
        save(served, "written through the link\n", replaces)
    assert outside.read_text() == "not a caption of ours\n"


def test_while_a_pull_runs_no_caption_is_saved(library: Library, seaweedfs: Store, path: Path) -> None:
    (path.parent / "0002.txt").unlink()
    between = Between(seaweedfs, lambda request: request.method == "GET" and request.path.endswith("0002.txt"))
    with behind(between, library) as held, serving(held) as served:
        read = served.get(ADDRESS)
        served.compared("82")
        job = served.post("/api/datasets/82/pull", {"items": [item_id("0002.png")]}, 202)["job"]
        assert between.held.wait(30)
        answer = save(served, "mine\n", read["md5"])
        assert (answer.status_code, path.read_text()) == (409, read["text"])
        between.go.set()
        served.job(job)
        again = save(served, "mine\n", read["md5"])
        assert again.status_code == 200, again.text


def test_the_difference_to_the_bucket_is_told_in_pieces(served_once: Served) -> None:
    found = served_once.get(f"{ADDRESS}/diff")
    assert (found["key"], found["verdict"]) == ("0001.txt", "local-changed")
    old = "".join(piece["text"] for piece in found["pieces"] if piece["change"] != "added")
    new = "".join(piece["text"] for piece in found["pieces"] if piece["change"] != "removed")
    assert (old, new) == ("a stellar sketch, number 1\n", "a stellar sketch, number !\n")

"""A long listing is read in many places at once, and comes out whole from every store, however it takes start-after."""

from __future__ import annotations

import bisect
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from hashmark import push
from hashmark.actions.ls_remote import ls_remote
from hashmark.actions.status import status
from hashmark.core.errors import BrokenListing
from hashmark.core.model import Key, LocalFile, Stamp
from hashmark.library.remote_objects import KnownKeys
from hashmark.s3 import listing
from hashmark.s3.bucket import Bucket
from hashmark.s3.endpoint import Remote
from hashmark.s3.probe import _start_after
from support.core_values import in_bytes
from support.datasets import LibraryMaker
from support.faults import Reply, Request, error, scripted
from support.faults import listing as answer_of
from support.stores import Store

NAMES = [f"{n:03d}.png" for n in range(100)]


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few keys a page, so that few keys make a long listing."""
    monkeypatch.setattr(listing, "PAGE_KEYS", 10)
    monkeypatch.setattr(listing, "STRIDE_KEYS", 9)


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "TESTKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret-key")


def marks(names: list[str]) -> listing.KeyHints:
    """Key hints among these names, in byte order."""
    ordered = in_bytes(names)

    def after(key: str, count: int) -> str | None:
        at = bisect.bisect_right(ordered, key) + count - 1
        return ordered[at] if at < len(ordered) else None

    return after


def pages_of(names: list[str], request: Request, start: int | None = None) -> Reply:
    """What an honest store answers, from `start` on where given; its tokens are places."""
    if start is None:
        token = request.query.get("continuation-token")
        start = int(token) if token else bisect.bisect_right(names, request.query.get("start-after", ""))
    end = start + int(request.query["max-keys"])
    return Reply(body=answer_of(*names[start:end], token=str(end) if end < len(names) else None))


def keys_and_requests(
    answer: Callable[[Request], Reply], hints: listing.KeyHints | None, *, eager: bool = False
) -> tuple[list[str], list[Request]]:
    with scripted(answer) as server:
        listed = Bucket(Remote("b", "", server.url)).objects("", hints, eager=eager)
        return [row.key for row in listed], server.seen


@pytest.mark.usefixtures("credentials")
def test_nobody_waits_for_a_token_where_the_names_are_known() -> None:
    """But the trunk, which asks for one page more than it needs."""
    keys, seen = keys_and_requests(lambda request: pages_of(NAMES, request), marks(NAMES))
    assert keys == NAMES
    assert sorted(r.query["start-after"] for r in seen if "start-after" in r.query) == NAMES[18::9]
    # The last one that is asked for is not waited for, and may not have come by then.
    assert sum("continuation-token" in r.query for r in seen) in {1, 2}


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(
    "known", [NAMES[::3], NAMES[:40], [*NAMES, *(f"{n:03d}.jpg" for n in range(100))], ["050.png"]]
)
def test_names_that_are_not_the_buckets_cost_requests_and_no_key(known: list[str]) -> None:
    """A third of them, less than half of them in one place, twice as many, almost none."""
    keys, seen = keys_and_requests(lambda request: pages_of(NAMES, request), marks(known))
    assert keys == NAMES
    assert len(seen) <= 30


@pytest.mark.usefixtures("credentials")
def test_where_it_is_likely_to_be_long_its_pages_are_asked_for_with_the_first() -> None:
    """The first is answered only once others were asked for, so who waited for it would wait for ever."""
    asked = threading.Semaphore(0)

    def answer(request: Request) -> Reply:
        if "start-after" in request.query:
            asked.release()
        elif "continuation-token" not in request.query:
            assert all(asked.acquire(timeout=30) for _ in range(10))
        return pages_of(NAMES, request)

    keys, seen = keys_and_requests(answer, marks(NAMES), eager=True)
    assert keys == NAMES
    assert sorted(r.query["start-after"] for r in seen if "start-after" in r.query) == NAMES[8::9]


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize("there", [0, 5, 10, 11, 40, 95])
def test_a_listing_that_is_shorter_than_was_likely_is_whole(there: int) -> None:
    keys, _ = keys_and_requests(lambda request: pages_of(NAMES[:there], request), marks(NAMES), eager=True)
    assert keys == NAMES[:there]


LONG = [f"{n:04d}.png" for n in range(3000)]


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(
    ("known", "most"),
    [
        pytest.param(LONG, 6, id="the bucket's"),
        pytest.param(LONG[::2], 40, id="half of them"),
        pytest.param([name for n in LONG for name in (n, f"{n}.x")], 20, id="twice as many"),
        pytest.param([*LONG[:1500:2], *LONG[1500:]], 40, id="half of them, then all"),
    ],
)
@pytest.mark.parametrize("eager", [False, True])
def test_the_places_stay_as_far_apart_as_pages_are_long_to_the_end(known: list[str], most: int, eager: bool) -> None:
    """Each page is asked for before those before it have come: few wait for a token, however long it goes on."""
    keys, seen = keys_and_requests(lambda request: pages_of(LONG, request), marks(known), eager=eager)
    assert keys == LONG
    assert sum("continuation-token" in request.query for request in seen) <= most
    assert len(seen) <= len(LONG) / 9 * 1.2


@pytest.mark.usefixtures("credentials")
def test_a_short_listing_is_one_request() -> None:
    keys, seen = keys_and_requests(lambda request: pages_of(NAMES[:10], request), marks(NAMES))
    assert keys == NAMES[:10]
    assert len(seen) == 1


def misplaced(places: int) -> Callable[[Request], Reply]:
    """Begins so many places too early or too late where it is asked to begin after a name."""

    def answer(request: Request) -> Reply:
        name = request.query.get("start-after")
        return pages_of(NAMES, request, max(0, bisect.bisect_right(NAMES, name) + places) if name else None)

    return answer


def refusing(reply: Reply) -> Callable[[Request], Reply]:
    """Answers so where it is asked to begin after a name."""
    return lambda request: reply if "start-after" in request.query else pages_of(NAMES, request)


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(misplaced(-200), id="ignored"),
        pytest.param(misplaced(-1), id="the name itself included"),
        pytest.param(misplaced(5), id="some keys skipped"),
        pytest.param(misplaced(30), id="pages skipped"),
        pytest.param(misplaced(200), id="nothing found"),
        pytest.param(refusing(Reply(400, error("InvalidArgument"))), id="refused"),
        pytest.param(refusing(Reply(501, error("NotImplemented"))), id="not implemented"),
        pytest.param(refusing(Reply(body=b"<html>sign in</html>")), id="a web page"),
    ],
)
@pytest.mark.parametrize("eager", [False, True])
def test_a_store_that_does_not_begin_where_it_is_asked_to_is_listed_whole_all_the_same(
    answer: Callable[[Request], Reply], eager: bool
) -> None:
    keys, _ = keys_and_requests(answer, marks(NAMES), eager=eager)
    assert keys == NAMES


@pytest.mark.usefixtures("credentials")
def test_a_listing_that_says_it_is_complete_and_is_not_is_broken() -> None:
    """From end to end nobody could tell; here the other places know better."""

    def answer(request: Request) -> Reply:
        if "start-after" in request.query or "continuation-token" not in request.query:
            return pages_of(NAMES, request)
        return pages_of(NAMES[:15], request)

    assert keys_and_requests(answer, None)[0] == NAMES[:15]
    with pytest.raises(BrokenListing, match=r"end at '014\.png', but there is '019\.png' after it"):
        keys_and_requests(answer, marks(NAMES))


@pytest.mark.usefixtures("credentials")
def test_a_page_in_the_middle_with_a_key_lost_is_an_error_as_ever() -> None:
    def answer(request: Request) -> Reply:
        reply = pages_of(NAMES, request)
        return Reply(body=reply.body.replace(b"<Key>050.png</Key>", b""))

    with pytest.raises(BrokenListing, match="no key"):
        keys_and_requests(answer, marks(NAMES))


FOLDERS = [
    *(f"a{n:02d}.png" for n in range(12)),
    *(f"img-{n:02d}.png" for n in range(12)),
    *(f"img/{n:02d}.png" for n in range(25)),
    *(f"img/deep/{n:02d}.png" for n in range(3)),
    *("img.png", "z z.txt", "z+z.txt", "z%7Az.txt", "é.png", "日本.png"),
]


def test_real_stores_are_listed_alike_from_end_to_end_and_in_many_places(
    store: Store, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folder by folder or by bytes, with names on both sides of `/`; a name that is a folder's is a mark as well."""
    bucket = store.bucket()
    for key in FOLDERS:
        bucket.put(f"{prefix}/{key}", b"x")
    alone = list(bucket.objects(f"{prefix}/"))
    assert [row.key for row in alone] == in_bytes(FOLDERS)
    asked: list[dict[str, str]] = []
    send = bucket.client.send

    def spy(*arguments: str, query: dict[str, str]) -> object:
        asked.append(query)
        return send(*arguments, query=query)

    monkeypatch.setattr(bucket.client, "send", spy)
    assert list(bucket.objects(f"{prefix}/", marks(FOLDERS))) == alone
    assert list(bucket.objects(f"{prefix}/", marks(FOLDERS), eager=True)) == alone
    assert list(bucket.objects(f"{prefix}/", marks([*FOLDERS, "img", "img/deep", "a", "zz"]))) == alone
    assert sum("start-after" in query for query in asked) >= 8


def test_names_come_from_what_is_remembered_else_from_the_disk(library_on: LibraryMaker, seaweedfs: Store) -> None:
    library = library_on(seaweedfs)
    folder = library.root / "82_x"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.png", "b.png", "c.npz", "d.png", "sub/e.png"):
        (folder / name).touch()
    dataset = library.dataset("82")
    on_disk = KnownKeys(dataset)
    assert [on_disk("", 1), on_disk("a.png", 2), on_disk("d.png", 1), on_disk("sub/e.png", 1)] == [
        *("a.png", "d.png", "sub/e.png"),
        None,
    ]
    library.state.remember_digests(dataset.name, [LocalFile(Key(k), Stamp(1, 2, 3, 4, 5), "0" * 32) for k in "xyz"])
    remembered = KnownKeys(dataset)
    assert [remembered("", 2), remembered("y", 1), remembered("z", 1)] == ["y", "z", None]


def test_what_is_listed_in_many_places_is_what_was_pushed(
    library_on: LibraryMaker, seaweedfs: Store, prefix: str, tmp_path: Path
) -> None:
    library = library_on(seaweedfs)
    (library.root / "82_x").mkdir()
    bucket = seaweedfs.bucket()
    for key in NAMES[:40]:
        (library.root / "82_x" / key).write_bytes(b"x")
        bucket.put(f"{prefix}/82_x/{key}", b"x")
    dataset = library.dataset("82")
    assert [row.key for row in ls_remote(dataset)] == NAMES[:40]
    assert not library.state.has_bases(dataset.remote)
    assert status(dataset).counts == {"synced": 40}
    assert library.state.has_bases(dataset.remote), "from now on, its pages are asked for at once"
    assert [row.key for row in ls_remote(dataset)] == NAMES[:40]


@pytest.mark.parametrize(("known", "at_once"), [("yes", True), ("no", False), (None, False)])
def test_many_places_are_asked_for_only_where_the_store_was_seen_to_list_the_rest_after_a_key(
    known: str | None, at_once: bool, library_on: LibraryMaker, seaweedfs: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = library_on(seaweedfs)
    folder = library.root / "82_x"
    folder.mkdir(parents=True)
    for name in NAMES[:30]:
        (folder / name).write_text(name)
    dataset = library.dataset("82")
    assert push(dataset).done
    state, store = library.state, library.bucket.store
    assert state.facts(store)["start-after"] == "yes", "found out before the first upload"
    with closing(sqlite3.connect(library.own_folder() / "state.sqlite")) as connection, connection:
        connection.execute("DELETE FROM fact WHERE name = 'start-after'")
    assert "start-after" not in state.facts(store)
    if known:
        state.record_facts(store, {"start-after": known})
    client, send = library.bucket.client, library.bucket.client.send
    asked: list[dict[str, str]] = []

    def spy(*arguments: str, query: dict[str, str]) -> object:
        asked.append(query)
        return send(*arguments, query=query)

    monkeypatch.setattr(client, "send", spy)
    assert status(dataset).in_sync
    assert any("start-after" in query for query in asked) is at_once


def by_folders(name: str) -> list[str]:
    return name.split("/")


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(
    ("lists", "begins", "honest"),
    [(str, str, True), (by_folders, by_folders, True), (by_folders, str, False), (str, by_folders, False)],
)
def test_a_store_that_lists_in_one_order_and_begins_in_another_is_found_out(
    lists: Callable[[str], Any], begins: Callable[[str], Any], honest: bool
) -> None:
    names: list[str] = []

    def answer(request: Request) -> Reply:
        key = unquote(request.path.removeprefix("/b/"))
        if request.method == "PUT":
            names.append(key)
            return Reply(headers={"ETag": '"1"'})
        if request.method == "DELETE":
            names.remove(key)
            return Reply(204)
        after, prefix = request.query.get("start-after", ""), request.query["prefix"]
        there = sorted((name for name in names if name.startswith(prefix)), key=lists)
        return Reply(body=answer_of(*(name for name in there if not after or begins(name) > begins(after))))

    with scripted(answer) as server:
        found = _start_after(Bucket(Remote("b", "", server.url)), "p.list", ["p.list-a", "p.list/a"])
    assert (found.name, found.ok) == ("start-after", honest)

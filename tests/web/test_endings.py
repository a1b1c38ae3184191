"""How the server ends: at once, whatever is open or under way; and what it prints until then."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import httpx
import pytest

from hashmark.library.library import Library
from support.command import Shell, end
from support.command import library as init
from support.datasets import STYLE, write_pairs
from support.faults import Reply, Request
from support.stores import Store, free_port
from support.web.event_stream import Stream
from support.web.held_store import Between, behind
from support.web.serving import TOKEN, Served, log_in, serving


def test_open_pages_do_not_keep_it(library: Library) -> None:
    with serving(library) as served:
        streams = [Stream(served), Stream(served, "/events")]
        streams[0].has_begun()
        since = time.monotonic()
    assert time.monotonic() - since < 15
    assert all(stream.ended.wait(30) for stream in streams)


def test_a_job_that_is_followed_does_not_keep_it_and_what_it_did_is_whole(library: Library, seaweedfs: Store) -> None:
    write_pairs(library.root, STYLE, 400)

    class Slow(Between):
        def answer(self, request: Request) -> Reply:
            if request.method == "PUT":
                time.sleep(0.2)
            return super().answer(request)

    between = Slow(seaweedfs)
    with behind(between, library) as held, serving(held) as served:
        served.compared("82")
        job = served.post("/api/datasets/82/push", {"take": "mine"}, 202)["job"]
        told = Stream(served, f"/api/jobs/{job}/events")
        told.wait(lambda events: any(event.name == "file-done" for event in events))
        since = time.monotonic()
    assert time.monotonic() - since < 20, "the stream of a job that goes on for a minute"
    assert told.ended.wait(30)
    there = {row.key for row in library.bucket.objects(library.dataset("82").prefix)}
    assert set(between.puts()) <= there
    assert len(there) < 802


def test_a_look_at_many_files_does_not_keep_it(library: Library) -> None:
    folder = library.root / STYLE
    for n in range(4000):
        with (folder / f"large{n}.png").open("wb") as file:
            file.truncate(8 << 20)
    with serving(library) as served:
        assert served.get("/api/datasets/82")["checkedAt"] is None
        since = time.monotonic()
    assert time.monotonic() - since < 20, "32 GB to hash: half a minute on the fastest machine, with two cores"


SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@contextmanager
def process(shell: Shell, *options: object) -> Iterator[tuple[Popen[str], str, int]]:
    """`hashmark serve` as a process: itself, the link that it printed, its port."""
    port = free_port()
    started = shell.start("serve", "--port", port, *options)
    assert started.stdout is not None
    try:
        link = started.stdout.readline().removeprefix("Open ").strip()
        assert link.startswith(f"http://127.0.0.1:{port}/?token="), link
        yield started, link, port
    finally:
        if started.poll() is None:
            started.kill()
            started.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_lets_one_browser_in_and_ends_at_a_signal(
    seaweedfs: Store, tmp_path: Path, prefix: str, number: signal.Signals
) -> None:
    shell = init(seaweedfs, tmp_path / "library", prefix)
    write_pairs(tmp_path / "library", STYLE, 2)
    with process(shell) as (started, link, port), httpx.Client(timeout=60) as browser:
        assert log_in(browser, link).status_code == 303
        page = browser.get(f"http://127.0.0.1:{port}/")
        assert (page.status_code, page.headers.get("server"), page.headers.get("date")) == (200, None, None)
        assert httpx.get(link, timeout=60).status_code == 403
        with browser.stream("GET", f"http://127.0.0.1:{port}/events") as stream:
            lines = stream.iter_lines()
            assert next(lines) == "event: hello"
            since = time.monotonic()
            ended = end(started, number)
            assert time.monotonic() - since < 9, "a stream would keep it for 10"
        assert "Traceback" not in ended.err
        assert ended.status == (0 if number == signal.SIGINT else -signal.SIGTERM)
        assert "For another browser: http://127.0.0.1:" in ended.out


def test_no_secret_is_printed_or_served_whatever_goes_wrong(seaweedfs: Store, tmp_path: Path, prefix: str) -> None:
    """The token, the session and the AWS secret: with a store that refuses that secret, and requests of every kind."""
    shell = init(seaweedfs, tmp_path / "library", prefix)
    write_pairs(tmp_path / "library", STYLE, 2)
    shell = Shell(shell.cwd, shell.environment | {"AWS_SECRET_ACCESS_KEY": SECRET, "HASHMARK_TOKEN": TOKEN})
    seen: list[str] = []
    with (
        process(shell) as (started, link, port),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
    ):
        session = log_in(client, link).cookies[f"hashmark-{port}"]
        client.cookies.clear()
        own = {"authorization": f"Bearer {TOKEN}", "x-hashmark": "1"}
        bad = client.get("/api/datasets/82/status?fresh=true", headers=own, timeout=60)
        assert (bad.status_code, bad.json()["error"]["code"]) == (502, "wrong-credentials")
        seen.append(bad.text)
        for headers in (own, {"cookie": f"hashmark-{port}={session}"}, {"authorization": f"Bearer {TOKEN}x"}):
            for path in ("/", "/d/82", "/api/datasets", "/api/datasets/82", "/api/jobs", "/api/openapi.json", "/nope"):
                seen += [
                    client.get(path, headers=headers | {"accept": accept}, timeout=60).text
                    for accept in ("text/html", "application/json")
                ]
        seen.append(client.get(f"/?token={TOKEN}x").text)
        seen.append(client.get(f"/nope?token={TOKEN}").text)
        seen.append(client.post("/api/check", headers=own, content=f'{{"{TOKEN[:5]}": 1').text)
        ended = end(started, signal.SIGINT)
    printed = ended.out + ended.err
    once = re.findall(r"token=([\w-]+)", link + printed)
    assert len(once) == 2, "the first link, and the one for the next browser"
    for secret in (TOKEN, SECRET, session):
        assert secret not in printed
        assert not [text for text in seen if secret in text]
    assert not [text for text in seen if once[0] in text or once[1] in text]


def test_a_token_that_is_fixed_opens_by_link_too_and_is_not_used_up(served: Served) -> None:
    for _ in range(2):
        with httpx.Client(timeout=60) as browser:
            answer = log_in(browser, f"{served.base}/?token={TOKEN}")
        assert (answer.status_code, "set-cookie" in answer.headers) == (303, True)
    assert served.used == [], "no link was used"
    assert httpx.get(f"{served.base}/api/datasets", params={"token": TOKEN}, timeout=60).status_code == 403, (
        "only on the first page"
    )

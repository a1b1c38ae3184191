"""Sessions end: when they are idle, when they are old, by a log-out, and all at once; their event streams with them."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx
import pytest

from hashmark.library.library import Library
from hashmark.web.server.logout_file import request_logout
from hashmark.web.server.sessions import IDLE_LIMIT_S, SESSION_LIMIT_S, Keys
from support.command import Shell
from support.waiting import wait_for
from support.web.event_stream import Stream
from support.web.serving import Served

UNSAFE = {"x-hashmark": "1", "content-type": "application/json"}


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


def logged_in(served: Served) -> dict[str, str]:
    """Return the headers of a browser with a session of its own."""
    return {"cookie": f"hashmark-{served.port}={served.keys.exchange(served.keys.new_link())}"}


def status(served: Served, headers: dict[str, str]) -> int:
    return served.ask("GET", "/api/datasets", headers=headers).status_code


def secret(keys: Keys) -> str:
    found = keys.exchange(keys.new_link())
    assert found
    return found


def test_a_session_ends_when_it_was_idle_for_too_long() -> None:
    clock = Clock()
    keys = Keys(clock=clock)
    idle, used = secret(keys), secret(keys)
    clock.now += IDLE_LIMIT_S - 1
    assert keys.session(used)
    clock.now += 1
    assert keys.session(used)
    assert keys.session(idle) is None
    clock.now -= IDLE_LIMIT_S
    assert keys.session(idle) is None, "it has ended"


def test_a_session_ends_however_much_it_is_used() -> None:
    clock = Clock()
    keys = Keys(clock=clock)
    used = secret(keys)
    for _ in range(SESSION_LIMIT_S // 3600 - 1):
        clock.now += 3600
        assert keys.session(used)
    clock.now += 3600
    assert keys.session(used) is None


@pytest.mark.parametrize("path", ["/events", "/events?dataset=82"])
def test_an_open_stream_ends_with_its_session(library: Library, serve: Callable[..., Served], path: str) -> None:
    clock = Clock()
    served = serve(library, clock=clock)
    stream = Stream(served, path, headers=logged_in(served))
    stream.wait(lambda events: events)
    clock.now += IDLE_LIMIT_S
    assert stream.ended.wait(30)
    assert stream.error is None, "it ends as a whole answer"


def test_a_log_out_ends_the_session_and_its_streams_and_no_other(served: Served) -> None:
    one, other = logged_in(served), logged_in(served)
    streams = [Stream(served, headers=headers) for headers in (one, other)]
    for stream in streams:
        stream.wait(lambda events: events)
    answer = served.ask("POST", "/logout", headers=one | UNSAFE, json={})
    assert (answer.status_code, answer.json()) == (200, {})
    assert answer.headers["set-cookie"].startswith(
        f"hashmark-{served.port}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"
    )
    assert streams[0].ended.wait(30)
    assert (status(served, one), status(served, other)) == (403, 200)
    assert not streams[1].ended.is_set()
    assert status(served, served.headers) == 200, "scripts have the token"


HOSTILE: dict[str, dict[str, str]] = {
    "a form": {"content-type": "application/x-www-form-urlencoded", "x-hashmark": "1"},
    "a script without the header": {"content-type": "application/json"},
    "another site": UNSAFE | {"origin": "https://evil.example"},
    "a frame without an origin": UNSAFE | {"origin": "null"},
    "a page of another port": UNSAFE | {"sec-fetch-site": "same-site"},
}


@pytest.mark.parametrize("who", HOSTILE)
def test_other_sites_can_not_log_a_browser_out(served_once: Served, who: str) -> None:
    session = logged_in(served_once)
    answer = served_once.ask("POST", "/logout", headers=session | HOSTILE[who], content=b"{}")
    assert answer.status_code in {403, 415}
    assert status(served_once, session) == 200


def test_logging_out_everybody_ends_every_session_of_a_running_server(served: Served, library: Library) -> None:
    sessions = [logged_in(served) for _ in range(3)]
    stream = Stream(served, headers=sessions[0])
    stream.wait(lambda events: events)
    link = served.keys.new_link()
    request_logout(library)
    assert stream.ended.wait(30)
    assert [status(served, session) for session in sessions] == [403] * 3
    assert served.keys.is_token(link), "a link that was not used yet is the way back in"
    again = logged_in(served)
    time.sleep(2.5)
    assert status(served, again) == 200, "one request ends what was there, once"
    request_logout(library)
    wait_for(lambda: status(served, again) == 403)


def test_the_command_that_logs_everybody_out_reaches_the_server(served: Served, library: Library) -> None:
    session = logged_in(served)
    assert status(served, session) == 200
    ran = Shell(library.root, {})("serve", "--logout-all")
    assert (ran.status, ran.err) == (0, "")
    assert "ends its sessions" in ran.out
    wait_for(lambda: status(served, session) == 403)


def test_a_server_that_starts_later_is_not_asked_to_log_anybody_out(
    library: Library, serve: Callable[..., Served]
) -> None:
    request_logout(library)
    served = serve(library)
    session = logged_in(served)
    time.sleep(2.5)
    assert status(served, session) == 200


def test_a_request_that_is_under_way_is_not_broken_off(served: Served) -> None:
    """Only what is read ends with the session; a change is made as a whole."""
    session = logged_in(served)

    def pieces() -> object:
        yield b'{"rehash"'
        served.ask("POST", "/logout", headers=session | UNSAFE, json={})
        yield b": false}"

    assert served.ask("POST", "/api/check", headers=session | UNSAFE, content=pieces()).status_code == 202


def test_a_browser_that_was_logged_out_is_told_how_to_log_in(served_once: Served) -> None:
    answer = httpx.get(served_once.base, headers={"accept": "text/html"}, timeout=60)
    assert (answer.status_code, "Open the link that hashmark printed" in answer.text) == (403, True)

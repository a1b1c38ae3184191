"""Requests with two readings, and bodies that are dear to parse, are refused before anything is done with them."""

from __future__ import annotations

import json
import re
import socket
import time
from typing import Any

import pytest

from hashmark.web.server.guard import HEADERS, MAX_BODY_BYTES
from hashmark.web.server.json_limits import MAX_JSON_CONTAINERS, MAX_JSON_DEPTH, wrong_with
from support.web.serving import TOKEN, Served

PREVIEW = "/api/datasets/82/clean/preview"


def send(served: Served, request: str) -> bytes:
    """Send a request as it is, and return everything that is answered until the server closes the connection."""
    filled = request.replace("{host}", f"127.0.0.1:{served.port}").replace("{token}", TOKEN)
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as raw:
        raw.sendall(filled.encode("latin-1"))
        answer = b""
        while piece := raw.recv(65536):
            answer += piece
    return answer


HEAD = "Host: {host}\r\nAuthorization: Bearer {token}\r\nX-Hashmark: 1\r\nContent-Type: application/json\r\n"

GET = "GET /api/datasets HTTP/1.1\r\n"
POST = "POST /api/check HTTP/1.1\r\n"
LENGTH = "Content-Length: 2\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"

AMBIGUOUS = {
    "both lengths": f"{POST}{HEAD}{LENGTH}{CHUNKED}\r\n2\r\n{{}}\r\n0\r\n\r\n",
    "both lengths, the other way": f"{POST}{HEAD}{CHUNKED}{LENGTH}\r\n0\r\n\r\n",
    "both lengths without a key": f"{POST}Host: {{host}}\r\n{LENGTH}{CHUNKED}\r\n0\r\n\r\n",
    "bare line feeds": f"{GET}{HEAD}\r\n".replace("\r", ""),
    "one bare line feed": f"{GET}X: y\n{HEAD}\r\n",
    "a bare line feed at the end": f"{GET}{HEAD}\n",
    "a bare line feed before it": f"\n{GET}{HEAD}\r\n",
}


@pytest.mark.parametrize("what", AMBIGUOUS)
def test_a_request_with_two_readings_is_refused_and_its_connection_closed(served_once: Served, what: str) -> None:
    answer = send(served_once, AMBIGUOUS[what])
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"connection: close\r\n" in answer.lower()


def test_what_follows_an_ambiguous_request_is_not_read_as_another(served_once: Served) -> None:
    hidden = f"GET /api/datasets HTTP/1.1\r\n{HEAD}\r\n"
    assert b"stellar" not in send(served_once, AMBIGUOUS["both lengths"] + hidden)
    assert b"stellar" not in send(served_once, AMBIGUOUS["one bare line feed"] + hidden)


def test_line_feeds_in_a_body_and_between_requests_that_are_well_formed_do_no_harm(served_once: Served) -> None:
    body = '{\n"rehash":\n\nfalse\n}\n'
    post = f"POST /api/check HTTP/1.1\r\n{HEAD}Content-Length: {len(body)}\r\n\r\n{body}"
    answer = send(served_once, post + f"GET /api/datasets HTTP/1.1\r\n{HEAD}Connection: close\r\n\r\n")
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"202", b"200"]


MALFORMED = {
    "no HTTP": "\x16\x03\x01\x02\x00\x01\r\n\r\n",
    "a method with a space": "G ET / HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "a header that is none": "GET / HTTP/1.1\r\nHost: {host}\r\nnothing\r\n\r\n",
    "a space before the colon": "GET / HTTP/1.1\r\nHost : {host}\r\n\r\n",
    "NUL in a header": "GET / HTTP/1.1\r\nHost: {host}\r\nX: \0\r\n\r\n",
    "a head without end": "GET / HTTP/1.1\r\nHost: {host}\r\nX: " + "x" * 100_000,
    "no length that is one": "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: -1\r\n\r\n",
    "an unknown encoding": "POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: gzip\r\n\r\n",
    "bare line feeds": "GET / HTTP/1.1\nHost: {host}\n\n",
}


@pytest.mark.parametrize("what", MALFORMED)
def test_what_the_parser_refuses_is_answered_like_everything_else(served_once: Served, what: str) -> None:
    head, _, body = send(served_once, MALFORMED[what]).partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0].startswith(("HTTP/1.1 400", "HTTP/1.1 501")), lines
    headers = dict(line.split(": ", 1) for line in lines[1:])
    assert {name: headers.get(name) for name in HEADERS} == HEADERS
    assert headers["cache-control"] == "no-store"
    assert set(json.loads(body)["error"]) == {"code", "message", "hint"}


def test_a_malformed_body_does_not_end_the_server_or_print_a_traceback(
    served_once: Served, capfd: pytest.CaptureFixture[str]
) -> None:
    chunked = f"POST /api/check HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\n"
    for rest in ("zz\r\n{}\r\n0\r\n\r\n", "2\r\n{}zz\r\n0\r\n\r\n", "f" * 40 + "\r\n"):
        assert send(served_once, chunked + rest).startswith(b"HTTP/1.1 400 ")
    served_once.get("/api/datasets")
    assert "Traceback" not in capfd.readouterr().err


# ---- JSON


def nested(depth: int, opening: str = "[", closing: str = "]", core: str = "1") -> str:
    return opening * depth + core + closing * depth


def bombs() -> dict[str, str]:
    """Small bodies whose parsing takes much memory or a deep stack."""
    found = {}
    for shape, (opening, closing) in {
        "arrays": ("[", "]"),
        "objects": ('{"a":', "}"),
        "both": ('[{"a":', "}]"),
        "arrays with neighbours": ("[0,", "]"),
        "arrays after a string": ('["[",', "]"),
        "arrays after a quote": (r'["\"",', "]"),
        "spaced arrays": (" [\n", "\n] "),
    }.items():
        for depth in (40, 140, 500, 1000, 3000, 100_000):
            found[f"{depth} {shape}"] = nested(depth, opening, closing)
            found[f"{depth} {shape}, not closed"] = opening * depth
            found[f"{depth} {shape}, in an array"] = f"[{','.join([nested(depth, opening, closing)] * 3)}]"
    for core in ("[]", "{}", '{"a":[]}', "[[]]"):
        found[f"many {core}"] = f"[{','.join([core] * 100_000)}]"
        found[f"many {core} in a table"] = f'{{"table": {{"rules": [{",".join([core] * 100_000)}]}}}}'
    found["1 MB, 140 deep"] = f"[{','.join([nested(140)] * 3700)}]"
    return found


BOMBS = bombs()


def test_there_are_many_bombs() -> None:
    assert len(BOMBS) > 130


def test_every_bomb_is_refused_before_it_is_parsed(served_once: Served) -> None:
    """By the limits alone, and by the server; nothing but the refusal takes time or memory."""
    since = time.process_time()
    for name, bomb in BOMBS.items():
        assert wrong_with(bomb.encode()), name
    assert time.process_time() - since < 10
    for name, bomb in list(BOMBS.items())[::7]:
        answer = served_once.ask("POST", PREVIEW, content=bomb)
        assert answer.status_code == 400, (name, answer.text)
        assert re.search("nested too deeply|too many arrays", answer.json()["error"]["message"]), name


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "utf-32-le", "utf-32-be"])
def test_json_in_another_encoding_is_refused(served_once: Served, encoding: str) -> None:
    """There, a character may look like a quote, and hide what follows."""
    body = ('["\u2200",' + nested(100) + "]").encode(encoding)
    answer = served_once.ask("POST", PREVIEW, content=body)
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "The JSON must be UTF-8.")


@pytest.mark.parametrize(
    "value",
    [
        {"items": ["x" * 20] * 200_000},
        {"text": "[" * 100_000 + "{" * 100_000},
        {"text": '"[' * 10_000},
        {"text": "\\" * 9_999 + "[" * 50},
        [{"find": "[a]", "replace": ["{b}"]}] * (MAX_JSON_CONTAINERS // 2 - 1),
        json.loads(nested(MAX_JSON_DEPTH)),
        None,
    ],
    ids=lambda value: str(type(value)),
)
def test_bodies_of_the_page_are_let_through(value: Any) -> None:
    assert wrong_with(json.dumps(value).encode()) is None
    assert wrong_with(json.dumps(value, ensure_ascii=False, indent=1).encode()) is None


def test_the_largest_body_is_looked_through_in_no_time() -> None:
    for body in (
        b'{"text": "' + b"\\[" * (MAX_BODY_BYTES // 2),
        b'["' + b"[" * MAX_BODY_BYTES,
        b'"[",' * (MAX_BODY_BYTES // 4),
    ):
        since = time.process_time()
        wrong_with(body)
        assert time.process_time() - since < 3


def test_a_caption_with_many_brackets_is_saved_as_it_is(served_once: Served) -> None:
    """Brackets in a string are text."""
    text = "((masterpiece)) [[[" * 3000
    answer = served_once.ask("POST", PREVIEW, json={"table": {"rules": [], "append": text}})
    assert "nested" not in answer.text

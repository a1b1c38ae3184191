"""Limits of a request's JSON body, found before it is parsed: parsing a small body can take hundreds of times its size.

Does not know whether the JSON is valid.
"""

from __future__ import annotations

import re

MAX_JSON_DEPTH = 32
"""How deeply arrays and objects may be nested: the API's own go to 6."""

MAX_JSON_CONTAINERS = 20_000
"""How many arrays and objects a body may have; a list of ids is one, however long."""

_STRING = re.compile(rb'"[^"]*+"?')
_ALL_BUT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


def wrong_with(body: bytes | bytearray) -> str | None:
    """Return why this body is not parsed, or None. Takes time in proportion to its length."""
    if b"\0" in body:  # UTF-16 and UTF-32, whose quotes and brackets are not found here
        return "The JSON must be UTF-8."
    if body.count(b"[") + body.count(b"{") <= MAX_JSON_DEPTH:  # the usual case
        return None
    simple = body.replace(b"\\\\", b"").replace(b'\\"', b"")  # now a quote always begins or ends a string
    brackets = _STRING.sub(b"", simple).translate(None, _ALL_BUT_BRACKETS)
    if brackets.count(b"[") + brackets.count(b"{") > MAX_JSON_CONTAINERS:
        return f"The JSON has too many arrays and objects: the limit is {MAX_JSON_CONTAINERS}."
    depth = 0
    for bracket in brackets[: 2 * MAX_JSON_CONTAINERS]:  # beyond that, more are closed than were opened
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_JSON_DEPTH:
            return f"The JSON is nested too deeply: the limit is {MAX_JSON_DEPTH} levels."
    return None

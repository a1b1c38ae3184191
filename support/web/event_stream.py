"""A page's event stream as a browser reads it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from support.waiting import wait_for
from support.web.serving import Served


@dataclass(frozen=True)
class Event:
    """One server-sent event."""

    name: str
    data: str

    @property
    def json(self) -> Any:
        return json.loads(self.data)


class Stream:
    """An event stream read on a thread. `all` holds its events so far; `ended` is set when the server ends it.

    `error` is how it ended, unless it ended as a whole answer.
    """

    def __init__(
        self, served: Served, path: str = "/events?dataset=82", *, headers: dict[str, str] | None = None
    ) -> None:
        self.all: list[Event] = []
        self.ended = threading.Event()
        self.error: httpx.HTTPError | None = None
        self._client = httpx.Client(base_url=served.base, headers=headers or served.headers, timeout=60)
        self._thread = threading.Thread(target=self._read, args=(path,), daemon=True)
        self._thread.start()

    def _read(self, path: str) -> None:
        try:
            self._read_events(path)
        except httpx.HTTPError as error:
            self.error = error
        self.ended.set()

    def _read_events(self, path: str) -> None:
        name, data = "message", list[str]()
        with self._client, self._client.stream("GET", path) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            for line in answer.iter_lines():
                kind, _, value = line.partition(": ")
                if not line and data:
                    self.all.append(Event(name, "\n".join(data)))
                if not line:
                    name, data = "message", []
                elif kind == "event":
                    name = value
                elif kind == "data":
                    data.append(value)

    def wait(self, condition: Callable[[list[Event]], object], seconds: float = 60) -> None:
        wait_for(lambda: condition(list(self.all)), seconds)

    def has_begun(self) -> None:
        """Wait until the initial events of a page have arrived."""
        self.wait(lambda events: any(event.name == "structure" for event in events))


def rows(events: list[Event]) -> dict[str, Any]:
    """Return the last row of each item in these events, by name."""
    return {row["name"]: row for event in events if event.name == "rows" for row in event.json["items"]}


def fragments(events: list[Event]) -> str:
    """Return the HTML fragments of these events."""
    return "".join(event.data for event in events if event.name == "message")

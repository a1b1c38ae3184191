"""A page's event stream as a browser reads it, a bucket behind a door of ours, and what a request could change."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from hashmark.library.library import Library
from hashmark.s3.endpoint import Remote
from tests.conftest import BUCKET, Store
from tests.e2e.command import wait_for
from tests.faults import Reply, Request, error, forward, scripted
from tests.web.conftest import STYLE
from tests.web.serving import Served


@dataclass(frozen=True)
class Event:
    """One server-sent event."""

    name: str
    data: str

    @property
    def json(self) -> Any:
        return json.loads(self.data)


class Stream:
    """An event stream that is read on a thread. `all` are the events so far; `ended` once the server ended it."""

    def __init__(self, served: Served, path: str = "/events?dataset=82") -> None:
        self.all: list[Event] = []
        self.ended = threading.Event()
        self._client = httpx.Client(base_url=served.base, headers=served.headers, timeout=60)
        self._thread = threading.Thread(target=self._read, args=(path,), daemon=True)
        self._thread.start()

    def _read(self, path: str) -> None:
        name, data = "message", list[str]()
        with contextlib.suppress(httpx.HTTPError), self._client, self._client.stream("GET", path) as answer:
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
        self.ended.set()

    def wait(self, condition: Callable[[list[Event]], object], seconds: float = 60) -> None:
        wait_for(lambda: condition(list(self.all)), seconds)

    def has_begun(self) -> None:
        """Wait until everything that a page is sent at first has come."""
        self.wait(lambda events: any(event.name == "structure" for event in events))


def rows(events: list[Event]) -> dict[str, Any]:
    """The last row that these events tell of each item, by name."""
    return {row["name"]: row for event in events if event.name == "rows" for row in event.json["items"]}


def fragments(events: list[Event]) -> str:
    """All HTML that these events put in its place."""
    return "".join(event.data for event in events if event.name == "message")


@dataclass
class Between:
    """Stands before the store: counts what goes through, and holds back what `holds` picks until `go` is set."""

    store: Store
    holds: Callable[[Request], bool] = lambda _: False
    after: bool = False
    """Hold back the answer, not the request."""
    down: bool = False
    """Refuse everything."""
    go: threading.Event = field(default_factory=threading.Event)
    held: threading.Event = field(default_factory=threading.Event)
    done: list[tuple[Request, int]] = field(default_factory=list)

    def answer(self, request: Request) -> Reply:
        if self.down:
            return Reply(403, error("AccessDenied"))
        picked = self.holds(request)
        if picked and not self.after:
            self._hold()
        reply = forward(self.store.endpoint_url, request)
        if picked and self.after:
            self._hold()
        self.done.append((request, reply.status))
        return reply

    def _hold(self) -> None:
        self.held.set()
        assert self.go.wait(60)

    def puts(self) -> list[str]:
        """The keys of the dataset that were written, once for each time that the store took it."""
        paths = [request.path for request, status in self.done if request.method == "PUT" and status == 200]
        return [path.rpartition("/")[2] for path in paths if f"/{STYLE}/" in path and ".hashmark" not in path]


@contextlib.contextmanager
def behind(between: Between, library: Library) -> Iterator[Library]:
    """The same library with its bucket behind `between`."""
    with scripted(between.answer) as proxy:
        own = library.settings
        credentials = str(between.store.credentials_file)
        remote = Remote(BUCKET, own.remote.prefix, proxy.url, "us-east-1", credentials_file=credentials)
        with Library(library.root, type(own)(remote, False, own.pairing, own.prefixes)) as made:
            yield made
        between.go.set()


def lists(request: Request) -> bool:
    """Whether a request lists the dataset's objects."""
    return "list-type" in request.query and STYLE in request.query.get("prefix", "")


def writes(request: Request) -> bool:
    """Whether a request writes an image or a caption of a dataset."""
    return request.method == "PUT" and request.path.endswith((".txt", ".png")) and ".hashmark" not in request.path


def as_it_is(served: Served, path: str, **headers: str) -> tuple[int, dict[str, str], str]:
    """Ask for a path that a client would tidy up; the answer's status, headers and text."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    try:
        connection.putrequest("GET", path)
        for name, value in (served.headers | headers).items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, {n.lower(): v for n, v in answer.getheaders()}, answer.read().decode(errors="replace")
    finally:
        connection.close()


def verdicts(served: Served, dataset: str = "82", *, fresh: bool = True) -> dict[str, str]:
    """Each key's verdict, compared now or as it was last told."""
    found = served.get(f"/api/datasets/{dataset}/status{'?fresh=true' if fresh else ''}")
    return {row["key"]: row["verdict"] for row in found["files"]}


def truth(served: Served) -> Any:
    """Whatever a request could change: files on disk and in both trashes, objects in the bucket, jobs."""
    library: Library = served.app.state.desk.library
    trash = library.trash
    disk = {
        str(path): path.read_bytes()
        for path in Path(library.root).rglob("*")
        if path.is_file() and (".hashmark" not in path.parts or trash in path.parents)
    }
    prefix = library.settings.remote.prefix
    bucket = {found.key: found.etag for found in library.bucket.objects(f"{prefix}/")}
    return disk, bucket, served.get("/api/jobs")

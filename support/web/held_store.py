"""A proxy in front of a store that counts requests and can hold some back."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from hashmark.library.library import Library
from hashmark.s3.endpoint import Remote
from support.datasets import STYLE
from support.faults import Reply, Request, error, forward, scripted
from support.stores import BUCKET, Store


@dataclass
class Between:
    """Forwards requests to the store, counts them, and holds back those that `holds` picks until `go` is set."""

    store: Store
    holds: Callable[[Request], bool] = lambda _: False
    after: bool = False
    """Hold back the answer instead of the request."""
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
        """Return the keys of the dataset's successful PUTs, once for each."""
        paths = [request.path for request, status in self.done if request.method == "PUT" and status == 200]
        return [path.rpartition("/")[2] for path in paths if f"/{STYLE}/" in path and ".hashmark" not in path]


@contextlib.contextmanager
def behind(between: Between, library: Library) -> Iterator[Library]:
    """Open the same library with its bucket behind `between`."""
    with scripted(between.answer) as proxy:
        own = library.settings
        credentials = str(between.store.credentials_file)
        remote = Remote(BUCKET, own.remote.prefix, proxy.url, "us-east-1", credentials_file=credentials)
        with Library(library.root, type(own)(remote, False, own.pairing, own.prefixes)) as made:
            yield made
        between.go.set()


def lists(request: Request) -> bool:
    """Return whether a request lists the dataset's objects."""
    return "list-type" in request.query and STYLE in request.query.get("prefix", "")


def writes(request: Request) -> bool:
    """Return whether a request writes an image or a caption of a dataset."""
    return request.method == "PUT" and request.path.endswith((".txt", ".png")) and ".hashmark" not in request.path

"""The server in this process, on a real socket and with its guard, for tests that send requests."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import re
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from hashmark.core.model import RemoteObject
from hashmark.library.library import Library
from hashmark.web.server.app import create_app
from hashmark.web.server.guard import Guard
from hashmark.web.server.http_server import ListenAddress, _bind, end_sessions, end_streams, hosts, server_config
from hashmark.web.server.sessions import Keys
from hashmark.web.session.services import Services

TOKEN = "a-token-that-only-this-test-knows-0123456789"


@dataclass
class Served:
    """A running server. `ask` sends requests as a script does: with the token, the header `x-hashmark`, and JSON."""

    port: int
    app: FastAPI
    keys: Keys
    used: list[str] = field(default_factory=list)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {TOKEN}", "x-hashmark": "1", "content-type": "application/json"}

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Send a request, with valid headers unless others are given."""
        more.setdefault("headers", self.headers)
        with httpx.Client(base_url=self.base, timeout=60) as client:
            return client.request(method, path, **more)

    def get(self, path: str) -> Any:
        """Return the JSON of a route that must answer 200."""
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: object, status: int) -> Any:
        answer = self.ask("POST", path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def job(self, job_id: str) -> Any:
        """Wait on its event stream until the job has ended; return it."""
        with httpx.Client(base_url=self.base, timeout=60) as client:
            client.get(f"/api/jobs/{job_id}/events", headers=self.headers).raise_for_status()
        found = self.get(f"/api/jobs/{job_id}")
        assert found["ended"]
        return found

    def compared(self, dataset: str) -> Any:
        """Compare the dataset again; return its status."""
        return self.get(f"/api/datasets/{dataset}/status?fresh=true")


@contextlib.contextmanager
def serving(
    library: Library,
    *,
    against: Mapping[str, tuple[RemoteObject, ...]] | None = None,
    every: float | None = None,
    clock: Callable[[], float] = time.time,
) -> Iterator[Served]:
    """Serve the library on a free port, as `hashmark serve` does, for the body of the block."""
    where = ListenAddress(port=0, token=TOKEN)
    sock = _bind(where.host, 0)
    port = sock.getsockname()[1]
    used: list[str] = []
    keys = Keys(TOKEN, on_used=lambda: used.append("link"), clock=clock)
    app = create_app(library, against=against, every=every)
    guarded = Guard(app, keys, hosts(where, port), cookie=f"hashmark-{port}")
    config = server_config(guarded, where, sock, end_sessions(keys, library))
    config.timeout_graceful_shutdown = 30
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([sock])), daemon=True)
    thread.start()
    try:
        served = Served(port, app, keys, used)
        served.get("/api/datasets")
        yield served
    finally:
        end_streams(app)
        server.should_exit = True
        thread.join(60)
        sock.close()
        assert not thread.is_alive(), "the server did not stop"


def log_in(browser: httpx.Client, link: str) -> httpx.Response:
    """Open a printed link, and send its form as the login page's script does; return the answer to the form."""
    page = browser.get(link, headers={"accept": "text/html"})
    assert page.status_code == 200, page.text
    (token,) = re.findall(r'name="token" value="([^"]+)"', page.text)
    return browser.post(httpx.URL(link).join("/login"), data={"token": token}, headers={"origin": "null"})


def flat(given: Iterable[Any]) -> Iterator[Any]:
    """Yield all routes, those of included routers too."""
    for route in given:
        if (router := getattr(route, "original_router", None)) is not None:
            yield from flat(router.routes)
        else:
            yield route


def routes(app: FastAPI, item: str) -> list[tuple[str, str]]:
    """Return every method and address that the application answers, from itself: a new one can't be forgotten."""
    values = {"dataset": "82", "item": item, "job": "0123456789ab", "plan": "0123456789ab"}
    values |= {"preview": "0123456789ab", "batch": "last"}
    found = []
    for route in flat(app.routes):
        path: str = getattr(route, "path", "")
        methods: set[str] = getattr(route, "methods", None) or {"GET"}
        address = re.sub(r"\{(\w+)[^}]*\}", lambda name: values[name.group(1)], path)
        address += "/page.css" if path == "/static" else ""
        found += [(method, address) for method in sorted(methods - {"HEAD"})]
    assert len(found) > 25
    return found


def with_services(library: Library, story: Callable[[Services], Awaitable[None]]) -> None:
    """Run a story on an event loop, with the services of a server that has compared dataset 82."""

    async def run() -> None:
        services = Services(library)
        await services.library.refresh()
        await services.checker.check(services.library.datasets["82"])
        try:
            await story(services)
        finally:
            await services.close()

    asyncio.run(run())


def as_it_is(served: Served, path: str, **headers: str) -> tuple[int, dict[str, str], str]:
    """Request a path that an HTTP client would normalize; return the answer's status, headers and text."""
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
    """Return each key's verdict, from a new comparison or the last one."""
    found = served.get(f"/api/datasets/{dataset}/status{'?fresh=true' if fresh else ''}")
    return {row["key"]: row["verdict"] for row in found["files"]}


def truth(served: Served) -> Any:
    """Return everything that a request could change: files on disk, both trashes, objects in the bucket, jobs."""
    library: Library = served.app.state.services.library.library
    trash = library.trash
    disk = {
        str(path): path.read_bytes()
        for path in Path(library.root).rglob("*")
        if path.is_file() and (".hashmark" not in path.parts or trash in path.parents)
    }
    prefix = library.settings.remote.prefix
    bucket = {found.key: found.etag for found in library.bucket.objects(f"{prefix}/")}
    return disk, bucket, served.get("/api/jobs")

"""The application: routes, error responses, and the services that live as long as the server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from hashmark._version import __version__
from hashmark.core.errors import HashmarkError
from hashmark.core.model import RemoteObject
from hashmark.library.library import Library
from hashmark.web.session.jobs import DatasetBusy
from hashmark.web.session.services import Services
from hashmark.web.session.watcher import Watcher
from hashmark.web.views import event_stream, pages
from hashmark.web.views.api import cleaning_routes, dataset_routes, item_routes, job_routes, lint_routes
from hashmark.web.views.api.responses import answer, answer_error, status_of

STATIC = Path(__file__).parent.parent / "static"


def create_app(
    library: Library,
    *,
    against: Mapping[str, tuple[RemoteObject, ...]] | None = None,
    every: float | None = None,
    check: bool = True,
) -> FastAPI:
    """Return the application for a library; wrap it in `guard.Guard` before it is served.

    `every`: compare each dataset again after so many seconds. `check`: compare all of them at the start.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        services = app.state.services = Services(library, against)
        with contextlib.suppress(HashmarkError):  # the page shows it
            await services.background.run_short(lambda: library.bucket)
        await services.library.refresh()
        watcher = Watcher(services.library, services.checker, every=every)
        running = [asyncio.create_task(watcher.watch_disk()), asyncio.create_task(watcher.check_periodically())]
        if check:
            for live in services.library.datasets.values():
                services.checker.check(live)
        yield
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await services.close()

    app = FastAPI(
        title="hashmark",
        version=__version__,
        description="Whether the training images and captions on your disk are the ones in your bucket, with proof.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    for router in (
        dataset_routes.router,
        item_routes.router,
        job_routes.router,
        cleaning_routes.router,
        lint_routes.router,
        event_stream.router,
        pages.router,
    ):
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC, check_dir=False), name="static")
    _handle_errors(app)
    return app


def _handle_errors(app: FastAPI) -> None:
    @app.exception_handler(HashmarkError)
    async def known(request: Request, error: Exception) -> Response:
        assert isinstance(error, HashmarkError)  # noqa: S101 - as registered
        if _wants_page(request):
            html = pages.render("error.html", message=str(error))
            return HTMLResponse(html, status_of(error))
        return answer_error(error, **({"job": error.job} if isinstance(error, DatasetBusy) else {}))

    @app.exception_handler(RequestValidationError)
    async def malformed(_request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - as registered
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return answer({"error": {"code": "malformed", "message": f"{where}: {first['msg']}.", "hint": ""}}, 422)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - as registered
        if _wants_page(request):
            return HTMLResponse(pages.render("error.html", message=str(error.detail)), error.status_code)
        body = {"error": {"code": "http", "message": str(error.detail), "hint": ""}}
        answered = answer(body, error.status_code)
        answered.headers.update(error.headers or {})
        return answered


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")

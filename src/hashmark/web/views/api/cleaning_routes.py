"""Cleaning captions over HTTP: preview, apply exactly what was previewed, undo."""

from __future__ import annotations

import asyncio
import threading
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from hashmark.actions.clean import Preview, preview
from hashmark.core.cleaning import Pipeline
from hashmark.library.dataset import Dataset
from hashmark.trash.batch import undoable_batches
from hashmark.trash.undo import choose_batch
from hashmark.web.session.live_dataset import LiveDataset
from hashmark.web.session.services import Services
from hashmark.web.views.api.dependencies import DatasetDep, ServicesDep, keys_of
from hashmark.web.views.api.responses import ERRORS, NotFound, answer
from hashmark.web.views.api_models import CleanBody, JobStarted, PreviewBody
from hashmark.web.views.cleaning_form import preview_json

router = APIRouter(prefix="/api", tags=["cleaning"], responses=ERRORS)

PAGE_ROWS = 50
"""How many entries of each list a preview's first page has."""
MAX_PAGE_ROWS = 500
DISCONNECT_POLL_INTERVAL_S = 0.1
"""How often a running preview checks whether the client has disconnected."""

Start = Annotated[int, Query(ge=0, le=10**9, description="The first entry of each list.")]
Count = Annotated[int, Query(ge=1, le=MAX_PAGE_ROWS)]


@router.post("/datasets/{dataset}/clean/preview")
async def make_preview(request: Request, services: ServicesDep, live: DatasetDep, body: PreviewBody) -> Response:
    """Read captions and return what the rules of `table` would change. Nothing is changed.

    Closing the connection cancels it.
    """
    pipeline = Pipeline.parse(body.table)
    cancel = threading.Event()
    keys = keys_of(live, body.items)
    work = services.background.run_long(preview, live.dataset, pipeline, keys=keys, cancel=cancel)
    task = asyncio.ensure_future(work)
    while not (await asyncio.wait([task], timeout=DISCONNECT_POLL_INTERVAL_S))[0]:
        if services.jobs.stopping or await request.is_disconnected():
            cancel.set()
    found = task.result()
    preview_id = services.previews.put(found)
    return answer(await services.background.run_short(preview_json, live, preview_id, found, 0, PAGE_ROWS))


@router.get("/datasets/{dataset}/clean/preview/{preview}")
async def get_preview(
    services: ServicesDep, live: DatasetDep, preview: str, start: Start = 0, count: Count = PAGE_ROWS
) -> Response:
    """Another page of a preview: up to `count` entries of each of its lists, from `start` on."""
    found = _preview(services, live, preview)
    return answer(await services.background.run_short(preview_json, live, preview, found, start, count))


@router.post("/datasets/{dataset}/clean", status_code=202, response_model=JobStarted)
async def clean(services: ServicesDep, live: DatasetDep, body: CleanBody) -> Response:
    """Write what a preview shows, as one batch. Captions that were edited since are left alone and reported."""
    job = services.jobs.clean(_preview(services, live, body.preview))
    services.previews.discard(body.preview)
    return answer({"job": job.id}, 202)


def _preview(services: Services, live: LiveDataset, preview_id: str) -> Preview:
    found = services.previews.get(preview_id)
    if found is None or found.dataset.name != live.dataset.name:
        raise NotFound("This preview was already applied or has expired.", "Make a new one: files may have changed.")
    return found


@router.get("/batches")
async def list_batches(services: ServicesDep) -> Response:
    """What can be undone, latest first."""
    found = await services.background.run_short(undoable_batches, services.library.library)
    return answer({"batches": [batch.to_json() for batch in found]})


@router.post("/batches/{batch}/undo", status_code=202, response_model=JobStarted)
async def undo(services: ServicesDep, batch: str) -> Response:
    """Undo a batch. Captions that were edited since are left alone, and shown with their differences."""
    library = services.library.library
    found = await services.background.run_short(choose_batch, library, batch)
    name = found.journal.dataset
    live = services.library.named(name)
    dataset = live.dataset if live else Dataset(library, name, name)
    return answer({"job": services.jobs.undo(dataset, found.name).id}, 202)

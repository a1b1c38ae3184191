"""Cleaning captions over HTTP: what would change, then exactly that, and the way back."""

from __future__ import annotations

import asyncio
import threading
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from hashmark.actions.clean import Preview, preview
from hashmark.core.cleaning import Pipeline
from hashmark.library.library import Dataset
from hashmark.trash.batches import batches as all_batches
from hashmark.trash.undoing import chosen_batch
from hashmark.web.session.board import Board
from hashmark.web.session.desk import Desk
from hashmark.web.session.pending_plans import Previews
from hashmark.web.views.api.dependencies import ERRORS, BoardOf, DeskOf, NotFound, PreviewsOf, answer, keys_of
from hashmark.web.views.api_models import CleanBody, JobStarted, PreviewBody
from hashmark.web.views.cleaning_form import preview_json

router = APIRouter(prefix="/api", tags=["cleaning"], responses=ERRORS)

PAGE = 50
"""Of each list in a preview, so many are given at once."""
MOST_ROWS = 500
LOOKED = 0.1
"""Seconds between two looks whether whoever asked for a preview still waits for it."""

Start = Annotated[int, Query(ge=0, le=10**9, description="Of each list, the entries from here on.")]
Count = Annotated[int, Query(ge=1, le=MOST_ROWS)]


@router.post("/datasets/{dataset}/clean/preview")
async def look(request: Request, desk: DeskOf, board: BoardOf, previews: PreviewsOf, body: PreviewBody) -> Response:
    """Read captions, and say what the rules of `table` would make of them. Nothing is changed.

    Asking is given up by closing the connection.
    """
    pipeline = Pipeline.parse(body.table)
    keys = keys_of(board, body.items)
    found = await _look(request, desk, board, pipeline, keys)
    name = previews.keep(found)
    return answer(await desk.read(preview_json, board, name, found, 0, PAGE))


async def _look(request: Request, desk: Desk, board: Board, pipeline: Pipeline, keys: frozenset[str] | None) -> Preview:
    cancel = threading.Event()
    work = desk.look(preview, board.dataset, pipeline, keys=keys, cancel=cancel)
    task = asyncio.ensure_future(work)
    while not (await asyncio.wait([task], timeout=LOOKED))[0]:
        if desk.jobs.ending or await request.is_disconnected():
            cancel.set()
    return task.result()


@router.get("/datasets/{dataset}/clean/preview/{preview}")
async def page(
    desk: DeskOf, board: BoardOf, previews: PreviewsOf, preview: str, start: Start = 0, count: Count = PAGE
) -> Response:
    """More of a preview: of each of its lists the entries from `start` on, `count` at most."""
    found = _shown(previews, board, preview)
    return answer(await desk.read(preview_json, board, preview, found, start, count))


@router.post("/datasets/{dataset}/clean", status_code=202, response_model=JobStarted)
async def clean(desk: DeskOf, board: BoardOf, previews: PreviewsOf, body: CleanBody) -> Response:
    """Write what a preview shows, as one batch. A caption that is not what it was then is left alone, and named."""
    job = desk.jobs.clean(_shown(previews, board, body.preview))
    previews.take(body.preview)
    return answer({"job": job.id}, 202)


def _shown(previews: Previews, board: Board, name: str) -> Preview:
    found = previews.get(name)
    if found is None or found.dataset.name != board.dataset.name:
        raise NotFound("This preview was applied already, or is too old.", "Make a new one: files may have changed.")
    return found


@router.get("/batches")
async def batches(desk: DeskOf) -> Response:
    """What can be undone, the latest first."""
    found = await desk.read(all_batches, desk.library)
    return answer({"batches": [batch.to_json() for batch in found]})


@router.post("/batches/{batch}/undo", status_code=202, response_model=JobStarted)
async def undo(desk: DeskOf, batch: str) -> Response:
    """Take a batch back. Captions that were edited since are left alone, and shown with how they differ."""
    found = await desk.read(chosen_batch, desk.library, batch)
    name = found.journal.dataset
    board = desk.named(name)
    dataset = board.dataset if board else Dataset(desk.library, name, name)
    return answer({"job": desk.jobs.undo(dataset, found.name).id}, 202)

"""What trainers will make of a dataset, over HTTP."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from hashmark.web.session.lint_runs import lint_json
from hashmark.web.views.api.dependencies import ERRORS, BoardOf, DeskOf, LintsOf, answer
from hashmark.web.views.api_models import Nothing

router = APIRouter(prefix="/api/datasets/{dataset}", tags=["lint"], responses=ERRORS)


@router.get("/lint")
async def found(desk: DeskOf, board: BoardOf) -> Response:
    """What the last look found, and how far one is that runs."""
    return answer(await desk.read(lint_json, board))


@router.post("/lint", status_code=202)
async def look(desk: DeskOf, board: BoardOf, lints: LintsOf, _body: Nothing) -> Response:
    """Look at captions and images anew, unless that is being done already; follow it in `looking`."""
    lints.begin(board)
    return answer(await desk.read(lint_json, board), 202)

"""Trainer checks over HTTP."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from hashmark.web.views.api.dependencies import DatasetDep, ServicesDep
from hashmark.web.views.api.responses import ERRORS, answer
from hashmark.web.views.api_models import Nothing
from hashmark.web.views.serializers import lint_json

router = APIRouter(prefix="/api/datasets/{dataset}", tags=["lint"], responses=ERRORS)


@router.get("/lint")
async def get_lint(services: ServicesDep, live: DatasetDep) -> Response:
    """What the last trainer check found, and the progress of a running one."""
    return answer(await services.background.run_short(lint_json, live))


@router.post("/lint", status_code=202)
async def start_lint(services: ServicesDep, live: DatasetDep, _body: Nothing) -> Response:
    """Start a trainer check of captions and images, unless one is running; follow it in `looking`."""
    services.lint.start(live)
    return answer(await services.background.run_short(lint_json, live), 202)

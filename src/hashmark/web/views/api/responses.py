"""JSON answers, and the HTTP status of each error."""

from __future__ import annotations

import json
from typing import Any

from fastapi.responses import Response

from hashmark.core.errors import (
    Busy,
    FileChanged,
    HashmarkError,
    ImageRefused,
    LocalError,
    NoSuchDataset,
    PreconditionFailed,
    RefusedPlan,
    StoreError,
    UsageError,
)
from hashmark.web.session.jobs import DatasetBusy
from hashmark.web.views.api_models import ErrorResponse
from hashmark.web.views.serializers import error_json


class NotFound(HashmarkError):
    """There is no dataset, item, plan, preview or job with that id."""

    code = "not-found"


_STATUS: tuple[tuple[type[HashmarkError], int], ...] = (
    (NotFound, 404),
    (NoSuchDataset, 404),
    (DatasetBusy, 409),
    (Busy, 409),
    (RefusedPlan, 409),
    (FileChanged, 409),
    (PreconditionFailed, 409),
    (ImageRefused, 422),
    (UsageError, 400),
    (StoreError, 502),
    (LocalError, 409),
)

ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorResponse, "description": "The request is invalid."},
    403: {"model": ErrorResponse, "description": "Refused: no session or token, or another site's Host or Origin."},
    404: {"model": ErrorResponse, "description": "No such dataset, item, plan, preview or job."},
    409: {"model": ErrorResponse, "description": "Something changed or is already running; nothing was done."},
    413: {"model": ErrorResponse, "description": "The request is too large."},
    415: {"model": ErrorResponse, "description": "The request is not JSON."},
    422: {"model": ErrorResponse, "description": "The request is malformed, or the image can't be shown."},
    502: {"model": ErrorResponse, "description": "The store can't be reached, or it refuses the request."},
}


def status_of(error: HashmarkError) -> int:
    """Return the HTTP status for an error."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def answer_error(error: HashmarkError, **more: object) -> Response:
    """Return an error as a JSON response."""
    return answer({"error": error_json(error), **more}, status_of(error))


def answer(data: object, status: int = 200) -> Response:
    """Return plain data as a JSON response; `json.dumps` is faster than validating every row."""
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=str)
    return Response(body.encode("utf-8", "backslashreplace"), status, media_type="application/json")

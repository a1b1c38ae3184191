"""What every route shares: the desk behind it, the dataset and item it names, and errors as answers."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import Depends, Path, Request
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
from hashmark.search.items import Item
from hashmark.web.session.board import Board
from hashmark.web.session.desk import Desk
from hashmark.web.session.jobs import DatasetBusy
from hashmark.web.session.lint_runs import Lints
from hashmark.web.session.pending_plans import Plans, Previews
from hashmark.web.session.pictures import Pictures
from hashmark.web.views.api_models import ErrorResponse
from hashmark.web.views.shapes import error_json


class NotFound(HashmarkError):
    """Nothing goes by that id."""

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
    400: {"model": ErrorResponse, "description": "The request can't be followed."},
    403: {"model": ErrorResponse, "description": "Refused at the door: no session or token, a foreign Host or Origin."},
    404: {"model": ErrorResponse, "description": "No such dataset, item, plan, preview or job."},
    409: {"model": ErrorResponse, "description": "Something changed or is under way; nothing was done."},
    413: {"model": ErrorResponse, "description": "The request is too large."},
    415: {"model": ErrorResponse, "description": "Not JSON."},
    422: {"model": ErrorResponse, "description": "The request is malformed, or the image can't be shown."},
    502: {"model": ErrorResponse, "description": "The store can't be reached or refuses."},
}


def status_of(error: HashmarkError) -> int:
    """The HTTP status that tells this error."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def answer_error(error: HashmarkError, **more: object) -> Response:
    """An error as a JSON answer."""
    return answer({"error": error_json(error), **more}, status_of(error))


def answer(data: object, status: int = 200) -> Response:
    """Plain data as a JSON answer, at the speed of the standard library."""
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=str)
    return Response(body.encode("utf-8", "backslashreplace"), status, media_type="application/json")


def the_desk(request: Request) -> Desk:
    """The desk of this server."""
    desk: Desk = request.app.state.desk
    return desk


def the_pictures(request: Request) -> Pictures:
    """Its pictures."""
    pictures: Pictures = request.app.state.pictures
    return pictures


def the_plans(request: Request) -> Plans:
    """The plans that were shown and did not run yet."""
    plans: Plans = request.app.state.plans
    return plans


def the_previews(request: Request) -> Previews:
    """The previews of cleanings that were shown and did not run yet."""
    previews: Previews = request.app.state.previews
    return previews


def the_lints(request: Request) -> Lints:
    """The looks at what trainers will make of datasets."""
    lints: Lints = request.app.state.lints
    return lints


DeskOf = Annotated[Desk, Depends(the_desk)]
PicturesOf = Annotated[Pictures, Depends(the_pictures)]
PlansOf = Annotated[Plans, Depends(the_plans)]
LintsOf = Annotated[Lints, Depends(the_lints)]
PreviewsOf = Annotated[Previews, Depends(the_previews)]


def the_board(desk: DeskOf, dataset: Annotated[str, Path(description="The dataset's id.")]) -> Board:
    """The dataset that the address names, by its id: never by a path.

    Raises:
        NotFound: there is none.
    """
    board = desk.boards.get(dataset)
    if board is None:
        raise NotFound(f"There is no dataset '{dataset}'.", "See /api/datasets.")
    return board


BoardOf = Annotated[Board, Depends(the_board)]


def the_item(board: BoardOf, item: Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]) -> Item:
    """The item that the address names.

    Raises:
        NotFound: there is none.
    """
    found = board.item(item)
    if found is None:
        raise NotFound(f"There is no item {item} in {board.dataset.name}.", "It may have gone; look again.")
    return found


ItemOf = Annotated[Item, Depends(the_item)]


async def compared(desk: Desk, board: Board) -> None:
    """Wait until the dataset was compared at least once.

    Raises:
        HashmarkError: it can't be.
    """
    if board.stale:
        await desk.check(board)
    if board.stale and board.error:
        raise board.error


def keys_of(board: Board, ids: list[str] | None) -> frozenset[str] | None:
    """The keys of these items; None means all.

    Raises:
        NotFound: an item is not there any more.
    """
    if ids is None:
        return None
    keys: set[str] = set()
    for item_id in ids:
        found = board.item(item_id)
        if found is None:
            raise NotFound("Some of the selected items are not there any more.", "Look again, and select anew.")
        keys.update(found.keys)
    return frozenset(keys)

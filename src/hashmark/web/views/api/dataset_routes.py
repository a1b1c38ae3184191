"""Datasets over HTTP: which there are, what is in sync, what the bucket lists."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from hashmark.actions.ls_remote import ls_remote
from hashmark.core import saved_listing
from hashmark.core.report import DatasetStatus
from hashmark.search.query import parse
from hashmark.search.results import Sort, search
from hashmark.web.session.board import Board
from hashmark.web.session.tag_counts import Only, TagSort, tags_json
from hashmark.web.views.api.dependencies import ERRORS, BoardOf, DeskOf, LintsOf, PicturesOf, answer, compared
from hashmark.web.views.api_models import CheckBody, FoundIds, Images, S3Listing
from hashmark.web.views.shapes import images_json, library_json, row_json, summary_json

router = APIRouter(prefix="/api", tags=["datasets"], responses=ERRORS)

MOST_ROWS = 1000
"""Items that can be asked for at once."""


@router.get("/datasets")
async def datasets(desk: DeskOf) -> Response:
    """Every dataset, on disk or only in the bucket, with counts."""
    await desk.refresh()
    return answer(library_json(desk))


@router.post("/check", status_code=202)
async def check_all(desk: DeskOf, body: CheckBody) -> Response:
    """Compare every dataset with the bucket; follow it in `checking` of each."""
    await desk.refresh()
    for board in desk.boards.values():
        desk.check(board, rehash=body.rehash)
    return answer(library_json(desk), 202)


@router.get("/datasets/{dataset}")
async def dataset(desk: DeskOf, board: BoardOf) -> Response:
    """One dataset with counts, without its files."""
    return answer(summary_json(desk, board))


@router.post("/datasets/{dataset}/check", status_code=202)
async def check(desk: DeskOf, board: BoardOf, body: CheckBody) -> Response:
    """Compare this dataset with the bucket, unless that is being done already."""
    desk.check(board, rehash=body.rehash)
    return answer(summary_json(desk, board), 202)


@router.get("/datasets/{dataset}/images", response_model=Images)
async def images(desk: DeskOf, board: BoardOf) -> Response:
    """Every image with its caption's name and digest, and whether the bucket holds their bytes."""
    await compared(desk, board)
    return answer(await desk.read(lambda: images_json(board.status().pairs)))


@router.get("/datasets/{dataset}/s3", response_model=S3Listing)
async def s3(desk: DeskOf, board: BoardOf) -> Response:
    """What the bucket lists now: as `hashmark ls-remote --json`."""
    return answer(await desk.look(lambda: saved_listing.to_json(ls_remote(board.dataset))))


@router.get("/datasets/{dataset}/status")
async def status(
    desk: DeskOf, board: BoardOf, fresh: Annotated[bool, Query(description="Compare anew first.")] = False
) -> Response:
    """Every file with verdict and evidence: one entry of `hashmark status --json`, with the time of the look."""
    if fresh:
        await desk.check(board, anew=True)
        if board.error:
            raise board.error
    await compared(desk, board)
    return answer(await desk.read(lambda: _status(board.status(), board)))


def _status(found: DatasetStatus, board: Board) -> dict[str, Any]:
    return found.to_json() | {"checkedAt": board.checked.at if board.checked else None}


@router.get("/datasets/{dataset}/search", response_model=FoundIds)
async def find(
    desk: DeskOf,
    board: BoardOf,
    pictures: PicturesOf,
    lints: LintsOf,
    q: Annotated[str, Query(description="See the search language in the docs.", max_length=2000)] = "",
    sort: Sort = Sort.NAME,
) -> Response:
    """The ids of the items that match, in order."""
    wanted = parse(q)
    if wanted.needs_text:
        await desk.read_texts(board)
    if wanted.needs_lint and board.lint.report is None:
        await lints.begin(board)
    if wanted.needs_size:
        pictures.measure(board)
    revision = board.revision
    found = await desk.read(search, list(board.items), wanted, sort, board)
    return answer({"revision": revision, **found._asdict()})


@router.get("/datasets/{dataset}/tags")
async def tags(
    desk: DeskOf,
    board: BoardOf,
    trigger: Annotated[
        str | None,
        Query(max_length=200, description="Beside which tag to count; as hashmark.toml has it, if left out."),
    ] = None,
    q: Annotated[str, Query(max_length=200, description="Part of the tag.")] = "",
    only: Only = Only.ALL,
    sort: TagSort = TagSort.COUNT,
    start: Annotated[int, Query(ge=0, le=10**9)] = 0,
    count: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 100,
) -> Response:
    """The tags of all captions, each with its number of captions and the search that finds them."""
    await desk.read_texts(board)
    own = board.dataset.cleaning.get("trigger", "") if trigger is None else trigger
    wanted = own.strip() if isinstance(own, str) else ""
    return answer(await desk.look(tags_json, board, wanted, q, only, sort, start, count))


@router.get("/datasets/{dataset}/items")
async def rows(
    board: BoardOf,
    ids: Annotated[str, Query(description="Ids with commas between them; those not there are left out.")],
) -> Response:
    """Items as a list shows them."""
    found = [board.item(item_id) for item_id in ids.split(",")[:MOST_ROWS]]
    return answer({"revision": board.revision, "items": [row_json(board, item) for item in found if item]})

"""One item over HTTP: facts, pictures, its caption read and written."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from hashmark.actions.diff import compare_caption
from hashmark.actions.edit_caption import Caption, caption_key, read_caption, write_caption
from hashmark.core.display import printable
from hashmark.core.errors import FileChanged, ImageRefused, NoSuchDataset, UsageError
from hashmark.core.model import Key, Kind
from hashmark.core.word_diff import word_diff
from hashmark.search.items import Item
from hashmark.web.session.board import Board
from hashmark.web.session.jobs import A_JOB
from hashmark.web.session.pictures import SIDES, NotWanted, is_picture
from hashmark.web.views.api.dependencies import ERRORS, BoardOf, DeskOf, ItemOf, PicturesOf, answer, answer_error
from hashmark.web.views.api_models import CaptionBody, CaptionText
from hashmark.web.views.shapes import detail_json

router = APIRouter(prefix="/api/datasets/{dataset}", tags=["items"], responses=ERRORS)

FOR_EVER = "private, max-age=31536000, immutable"


@router.get("/items/{item}")
async def item(board: BoardOf, found: ItemOf, pictures: PicturesOf) -> Response:
    """Everything known about an item; `facts` are its image's, or in words why there are none."""
    facts = await pictures.facts(board, found.lead) if is_picture(found.lead) else None
    return answer(detail_json(board, found) | {"facts": facts})


@router.get("/items/{item}/picture", response_class=Response, responses={200: {"content": {"image/webp": {}}}})
async def picture(
    request: Request,
    board: BoardOf,
    found: ItemOf,
    pictures: PicturesOf,
    side: Annotated[Literal["320", "2048"], Query(description="The longer side in pixels.")] = "320",
    of: Annotated[Literal["disk", "bucket", "any"], Query(description="Which side's picture.")] = "any",
    v: Annotated[str, Query(description="The version that is wanted: an answer of that one may be kept.")] = "",
) -> Response:
    """The image as WebP, re-encoded. Answers 499 where the reader went away meanwhile."""
    if not is_picture(found.lead):
        raise ImageRefused(f"'{printable(found.lead.key)}' is no image.")
    remote = of == "bucket" or (of == "any" and found.lead.local is None)
    try:
        data, name = await pictures.picture(
            board, found.lead, remote=remote, side=int(side), gone=request.is_disconnected
        )
    except NotWanted:
        return Response(status_code=499)
    keep = FOR_EVER if v == name else "no-store"
    return Response(data, media_type="image/webp", headers={"cache-control": keep, "etag": f'"{name}-{side}"'})


assert set(SIDES) == {320, 2048}  # noqa: S101 - the values that `picture` names


@router.get("/captions/{item}", response_model=CaptionText)
async def caption(desk: DeskOf, board: BoardOf, found: ItemOf) -> Response:
    """The caption on disk as text, with the digest that a change must name."""
    return answer(_caption(await desk.read(read_caption, board.dataset, _key(board, found))))


@router.put("/captions/{item}", response_model=CaptionText)
async def save(desk: DeskOf, board: BoardOf, found: ItemOf, body: CaptionBody) -> Response:
    """Replace a caption, if it still is the one that `replaces` names; else 409, with what is there and how it differs.

    Encoding, byte order mark and line ends stay. What is replaced goes to the trash.
    """
    key = _key(board, found)
    running = desk.jobs.running(board.dataset)
    if running is not None and running.kind in {"pull", "clean", "undo"}:
        doing = f"{A_JOB[running.kind]} of {board.dataset.name} is running"
        raise FileChanged(f"{doing}; '{printable(key)}' was not saved.", "Wait for it.")
    try:
        saved = await desk.read(write_caption, board.dataset, key, body.text, replaces=body.replaces)
    except FileChanged as error:
        there = await desk.read(read_caption, board.dataset, key)
        return answer_error(error, current=_caption(there), pieces=_pieces(there.text, body.text))
    desk.changed_on_disk(board, {Key(key)})
    return answer(_caption(saved))


@router.get("/captions/{item}/diff")
async def diff(desk: DeskOf, board: BoardOf, found: ItemOf) -> Response:
    """The way from the bucket's caption to the disk's, in pieces (`both`, `removed`, `added`)."""
    row = found.lead if found.kind == "caption" else found.caption
    if row is None:
        raise NoSuchDataset(f"'{printable(found.lead.key)}' has no caption on either side.")
    compared = await desk.read(compare_caption, board.dataset, row)
    return answer(compared.to_json())


def _key(board: Board, item: Item) -> str:
    """The key of the item's caption, there or to be made.

    Raises:
        UsageError: the item is none that has one.
    """
    if item.kind == "caption":
        return item.lead.key
    if item.caption:
        return item.caption.key
    if item.lead.kind is not Kind.IMAGE:
        raise UsageError(f"'{printable(item.lead.key)}' is no image, so it has no caption.")
    return caption_key(item.lead.key, board.dataset.pairing)


def _caption(caption: Caption) -> dict[str, Any]:
    return {
        "key": printable(caption.key),
        "text": printable(caption.text),
        "encoding": caption.encoding,
        "md5": caption.md5,
    }


def _pieces(before: str, after: str) -> list[dict[str, str]]:
    return [{"change": piece.change, "text": piece.text} for piece in word_diff(before, after)]

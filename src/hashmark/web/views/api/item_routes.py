"""One item over HTTP: facts, pictures, reading and writing its caption."""

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
from hashmark.web.session.jobs import JOB_NAMES
from hashmark.web.session.live_dataset import LiveDataset
from hashmark.web.session.pictures import SIDES_PX, NotWanted, is_picture
from hashmark.web.views.api.dependencies import DatasetDep, ItemDep, ServicesDep
from hashmark.web.views.api.responses import ERRORS, answer, answer_error
from hashmark.web.views.api_models import CaptionBody, CaptionText
from hashmark.web.views.serializers import detail_json

router = APIRouter(prefix="/api/datasets/{dataset}", tags=["items"], responses=ERRORS)

IMMUTABLE = "private, max-age=31536000, immutable"


@router.get("/items/{item}")
async def get_item_detail(services: ServicesDep, live: DatasetDep, found: ItemDep) -> Response:
    """Everything known about an item; `facts` are its image's, or a message why there are none."""
    facts = await services.pictures.facts(live, found.lead) if is_picture(found.lead) else None
    return answer(detail_json(live, found) | {"facts": facts})


@router.get("/items/{item}/picture", response_class=Response, responses={200: {"content": {"image/webp": {}}}})
async def get_picture(
    request: Request,
    services: ServicesDep,
    live: DatasetDep,
    found: ItemDep,
    side: Annotated[Literal["320", "2048"], Query(description="The longer side in pixels.")] = "320",
    of: Annotated[Literal["disk", "bucket", "any"], Query(description="Which side's picture.")] = "any",
    v: Annotated[str, Query(description="The expected version: an answer of that version may be cached.")] = "",
) -> Response:
    """The image as WebP, re-encoded. 499 if the client disconnected meanwhile."""
    if not is_picture(found.lead):
        raise ImageRefused(f"'{printable(found.lead.key)}' is not an image.")
    remote = of == "bucket" or (of == "any" and found.lead.local is None)
    try:
        data, version = await services.pictures.picture(
            live, found.lead, remote=remote, side=int(side), disconnected=request.is_disconnected
        )
    except NotWanted:
        return Response(status_code=499)
    cache = IMMUTABLE if v == version else "no-store"
    return Response(data, media_type="image/webp", headers={"cache-control": cache, "etag": f'"{version}-{side}"'})


assert set(SIDES_PX) == {320, 2048}  # noqa: S101 - the values that `get_picture` accepts


@router.get("/captions/{item}", response_model=CaptionText)
async def get_caption(services: ServicesDep, live: DatasetDep, found: ItemDep) -> Response:
    """The caption on disk as text, with the digest that a change must name."""
    return answer(_caption(await services.background.run_short(read_caption, live.dataset, _key(live, found))))


@router.put("/captions/{item}", response_model=CaptionText)
async def save_caption(services: ServicesDep, live: DatasetDep, found: ItemDep, body: CaptionBody) -> Response:
    """Replace a caption if it still is the one that `replaces` names; otherwise 409 with the current text.

    Encoding, byte order mark and line ends are kept. The replaced caption goes to the trash.
    """
    key = _key(live, found)
    running = services.jobs.running(live.dataset)
    if running is not None and running.kind in {"pull", "clean", "undo"}:
        why = f"{JOB_NAMES[running.kind]} of {live.dataset.name} is running".replace("A", "a", 1)
        raise FileChanged(f"'{printable(key)}' was not saved: {why}.", "Save again when it has ended.")
    run = services.background.run_short
    try:
        saved = await run(write_caption, live.dataset, key, body.text, replaces=body.replaces)
    except FileChanged as error:
        current = await run(read_caption, live.dataset, key)
        pieces = [{"change": piece.change, "text": piece.text} for piece in word_diff(current.text, body.text)]
        return answer_error(error, current=_caption(current), pieces=pieces)
    services.checker.edited_on_disk(live, {Key(key)})
    return answer(_caption(saved))


@router.get("/captions/{item}/diff")
async def diff_caption(services: ServicesDep, live: DatasetDep, found: ItemDep) -> Response:
    """The changes from the bucket's caption to the disk's, in pieces (`both`, `removed`, `added`)."""
    row = found.lead if found.kind == "caption" else found.caption
    if row is None:
        raise NoSuchDataset(f"'{printable(found.lead.key)}' has no caption on either side.")
    compared = await services.background.run_short(compare_caption, live.dataset, row)
    return answer(compared.to_json())


def _key(live: LiveDataset, item: Item) -> str:
    """Return the key of the item's caption, whether it exists or would have to be created.

    Raises:
        UsageError: such an item has no caption.
    """
    if item.kind == "caption":
        return item.lead.key
    if item.caption:
        return item.caption.key
    if item.lead.kind is not Kind.IMAGE:
        raise UsageError(f"'{printable(item.lead.key)}' is not an image, so it has no caption.")
    return caption_key(item.lead.key, live.dataset.pairing)


def _caption(caption: Caption) -> dict[str, Any]:
    return {
        "key": printable(caption.key),
        "text": printable(caption.text),
        "encoding": caption.encoding,
        "md5": caption.md5,
    }

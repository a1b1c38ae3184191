"""Datasets over HTTP: the list of them, what is in sync, what the bucket lists, searches and tags."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from hashmark.actions.ls_remote import ls_remote
from hashmark.core import saved_listing
from hashmark.search.query import parse
from hashmark.search.results import Sort, search
from hashmark.web.session.live_dataset import LiveDataset
from hashmark.web.session.tag_statistics import Only, TagSort, select_tags, tag_counts
from hashmark.web.views.api.dependencies import DatasetDep, ServicesDep, ensure_compared
from hashmark.web.views.api.responses import ERRORS, answer
from hashmark.web.views.api_models import CheckBody, FoundIds, Images, S3Listing
from hashmark.web.views.serializers import images_json, library_json, row_json, summary_json, tags_json

router = APIRouter(prefix="/api", tags=["datasets"], responses=ERRORS)

MAX_ROWS = 1000
"""How many items or tags one request may ask for."""


@router.get("/datasets")
async def list_datasets(services: ServicesDep) -> Response:
    """Every dataset, on disk or only in the bucket, with counts."""
    await services.library.refresh()
    return answer(library_json(services))


@router.post("/check", status_code=202)
async def check_all(services: ServicesDep, body: CheckBody) -> Response:
    """Compare every dataset with the bucket; follow it in `checking` of each."""
    await services.library.refresh()
    for live in services.library.datasets.values():
        services.checker.check(live, rehash=body.rehash)
    return answer(library_json(services), 202)


@router.get("/datasets/{dataset}")
async def get_dataset_summary(services: ServicesDep, live: DatasetDep) -> Response:
    """One dataset with counts, without its files."""
    return answer(summary_json(services, live))


@router.post("/datasets/{dataset}/check", status_code=202)
async def check(services: ServicesDep, live: DatasetDep, body: CheckBody) -> Response:
    """Compare this dataset with the bucket, unless a check of it is running."""
    services.checker.check(live, rehash=body.rehash)
    return answer(summary_json(services, live), 202)


@router.get("/datasets/{dataset}/images", response_model=Images)
async def list_images(services: ServicesDep, live: DatasetDep) -> Response:
    """Every image with its caption's name and digest, and whether the bucket holds their bytes."""
    await ensure_compared(services, live)
    return answer(await services.background.run_short(lambda: images_json(live.status().pairs)))


@router.get("/datasets/{dataset}/s3", response_model=S3Listing)
async def list_bucket(services: ServicesDep, live: DatasetDep) -> Response:
    """What the bucket lists now, as `hashmark ls-remote --json`."""
    return answer(await services.background.run_long(lambda: saved_listing.to_json(ls_remote(live.dataset))))


@router.get("/datasets/{dataset}/status")
async def status(
    services: ServicesDep, live: DatasetDep, fresh: Annotated[bool, Query(description="Compare again first.")] = False
) -> Response:
    """Every file with verdict and evidence: one entry of `hashmark status --json`, with the time of the check."""
    if fresh:
        await services.checker.check(live, restart=True)
        if live.error:
            raise live.error
    await ensure_compared(services, live)
    return answer(await services.background.run_short(_status, live))


def _status(live: LiveDataset) -> dict[str, Any]:
    return live.status().to_json() | {"checkedAt": live.last_check.at if live.last_check else None}


@router.get("/datasets/{dataset}/search", response_model=FoundIds)
async def find_items(
    services: ServicesDep,
    live: DatasetDep,
    q: Annotated[str, Query(description="See the search language in the docs.", max_length=2000)] = "",
    sort: Sort = Sort.NAME,
) -> Response:
    """The ids of the items that match, in order."""
    query = parse(q)
    if query.needs_text:
        await services.captions.read(live)
    if query.needs_lint and live.lint.report is None:
        await services.lint.start(live)
    if query.needs_size:
        services.pictures.measure(live)
    revision = live.revision
    found = await services.background.run_short(search, list(live.items), query, sort, live)
    return answer({"revision": revision, **found._asdict()})


@router.get("/datasets/{dataset}/tags")
async def list_tags(
    services: ServicesDep,
    live: DatasetDep,
    trigger: Annotated[
        str | None,
        Query(max_length=200, description="Count how often each tag stands beside this one; default: hashmark.toml."),
    ] = None,
    q: Annotated[str, Query(max_length=200, description="Part of the tag.")] = "",
    only: Only = Only.ALL,
    sort: TagSort = TagSort.COUNT,
    start: Annotated[int, Query(ge=0, le=10**9)] = 0,
    count: Annotated[int, Query(ge=1, le=MAX_ROWS)] = 100,
) -> Response:
    """The tags of all captions, each with its number of captions and the search that finds them."""
    await services.captions.read(live)
    given = live.dataset.cleaning.get("trigger", "") if trigger is None else trigger
    trigger = given.strip() if isinstance(given, str) else ""
    counts = await tag_counts(services.background, live, trigger)
    names = await services.background.run_long(select_tags, counts, q, only, sort)
    return answer(tags_json(counts, trigger, names, start, count))


@router.get("/datasets/{dataset}/items")
async def list_items(
    live: DatasetDep,
    ids: Annotated[str, Query(description="Ids separated by commas; unknown ones are left out.")],
) -> Response:
    """Items as a list shows them."""
    found = [live.item(item_id) for item_id in ids.split(",")[:MAX_ROWS]]
    return answer({"revision": live.revision, "items": [row_json(live, item) for item in found if item]})

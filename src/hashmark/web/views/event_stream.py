"""The event stream of an open page: fragments of HTML that htmx puts in place, and events for the grid.

A page that reconnects is sent everything once, so a gap loses nothing. What changed is collected by `updates`.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterable
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from hashmark.web.session.live_dataset import LiveDataset
from hashmark.web.session.services import Services
from hashmark.web.session.updates import Changes
from hashmark.web.views.api.dependencies import ServicesDep
from hashmark.web.views.pages import fragment_of_datasets, fragment_of_jobs, fragment_of_summary
from hashmark.web.views.serializers import row_json

router = APIRouter()

EPOCH = secrets.token_hex(8)
"""Differs after every start of the server: a page that sees it change knows that its ids and session are outdated."""

COLLECT_S = 0.15
"""How long changes are collected before they are sent."""

MAX_ROWS_SENT = 400
"""Beyond this number of changed items, the page requests what it shows instead."""


@router.get("/events", response_class=EventSourceResponse, include_in_schema=False)
async def events(
    services: ServicesDep, dataset: Annotated[str | None, Query()] = None
) -> AsyncIterable[ServerSentEvent]:
    """Everything that concerns a page, for as long as it is open."""
    live = services.library.datasets.get(dataset) if dataset else None
    with services.updates.subscribe(live.dataset.name if live else None) as subscription:
        yield ServerSentEvent(event="hello", raw_data=json.dumps({"epoch": EPOCH}))
        while (changes := await subscription.take()) is not None:
            if live:  # its folder may have been deleted and created again, and its id have passed to another dataset
                live = services.library.named(live.dataset.name) or live
            for event in messages(services, live, changes):
                yield event
            await asyncio.sleep(COLLECT_S)


def messages(services: Services, live: LiveDataset | None, changes: Changes) -> list[ServerSentEvent]:
    """Return the messages that send these changes to a page."""
    found: list[ServerSentEvent] = []
    html = []
    if changes.jobs:
        html.append(_partial("#jobs", fragment_of_jobs(services, live)))
    if live is None and (changes.library or changes.summaries):
        html.append(_partial("#datasets", fragment_of_datasets(services)))
    if live is not None and changes.summaries:
        html.append(_partial("#summary", fragment_of_summary(services, live)))
    if html:
        found.append(ServerSentEvent(raw_data="".join(html)))
    if live is not None and (changes.structure or len(changes.items) > MAX_ROWS_SENT):
        found.append(_event("structure", {"revision": live.revision}))
    elif live is not None and changes.items:
        rows = [row_json(live, item) for item in changes.items.values()]
        found.append(_event("rows", {"revision": live.revision, "items": rows}))
    return found


def _event(name: str, data: dict[str, Any]) -> ServerSentEvent:
    return ServerSentEvent(event=name, raw_data=json.dumps(data, default=str))


def _partial(target: str, html: str) -> str:
    return f'<hx-partial hx-target="{target}" hx-swap="innerMorph">{html}</hx-partial>'

"""What an open page is sent: fragments of HTML that htmx puts in their place, and events for the grid.

A page that reconnects is sent everything once, so nothing is lost by a gap. What changed is gathered by `news`.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterable
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from hashmark.web.session.board import Board
from hashmark.web.session.desk import Desk
from hashmark.web.session.news import Changes
from hashmark.web.views.api.dependencies import DeskOf
from hashmark.web.views.pages import fragment_of_datasets, fragment_of_jobs, fragment_of_summary
from hashmark.web.views.shapes import row_json

router = APIRouter()

EPOCH = secrets.token_hex(8)
"""Another after every start of the server: a page that sees it change knows that its ids and session are old."""

PAUSE = 0.15
"""Seconds in which changes gather before they are sent."""

MANY = 400
"""So many changed items are not sent one by one: the page asks for what it shows."""


@router.get("/events", response_class=EventSourceResponse, include_in_schema=False)
async def events(desk: DeskOf, dataset: Annotated[str | None, Query()] = None) -> AsyncIterable[ServerSentEvent]:
    """Everything that concerns a page, for as long as it is open."""
    board = desk.boards.get(dataset) if dataset else None
    with desk.news.subscribed(board.dataset.name if board else None) as subscription:
        yield ServerSentEvent(event="hello", raw_data=json.dumps({"epoch": EPOCH}))
        while (changes := await subscription.take()) is not None:
            if board:  # its folder may have gone and come back, and its id be another's by now
                board = desk.named(board.dataset.name) or board
            for event in messages(desk, board, changes):
                yield event
            await asyncio.sleep(PAUSE)


def messages(desk: Desk, board: Board | None, changes: Changes) -> list[ServerSentEvent]:
    """The messages that tell these changes."""
    found: list[ServerSentEvent] = []
    html = []
    if changes.jobs:
        html.append(_partial("#jobs", fragment_of_jobs(desk, board)))
    if board is None and (changes.library or changes.summaries):
        html.append(_partial("#datasets", fragment_of_datasets(desk)))
    if board is not None and changes.summaries:
        html.append(_partial("#summary", fragment_of_summary(desk, board)))
    if html:
        found.append(ServerSentEvent(raw_data="".join(html)))
    if board is not None and (changes.structure or len(changes.items) > MANY):
        found.append(_event("structure", {"revision": board.revision}))
    elif board is not None and changes.items:
        rows = [row_json(board, item) for item in changes.items.values()]
        found.append(_event("rows", {"revision": board.revision, "items": rows}))
    return found


def _event(name: str, data: dict[str, Any]) -> ServerSentEvent:
    return ServerSentEvent(event=name, raw_data=json.dumps(data, default=str))


def _partial(target: str, html: str) -> str:
    return f'<hx-partial hx-target="{target}" hx-swap="innerMorph">{html}</hx-partial>'

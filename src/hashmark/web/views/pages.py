"""The pages and their fragments, as HTML. Everything a user wrote is escaped by the templates.

What is shown comes from the desk; behaviour is in the frontend's modules.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any

import jinja2
from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse
from rich.filesize import decimal

from hashmark._version import __version__
from hashmark.core.display import printable
from hashmark.core.model import Verdict
from hashmark.core.plan import DELETES, Direction
from hashmark.core.vocabulary import CAPTION_ISSUES, COLOURS, grade, pair_colour, reason_of, why
from hashmark.search.items import item_id
from hashmark.search.query import HELP
from hashmark.web.session.board import Board
from hashmark.web.session.desk import Desk
from hashmark.web.session.jobs import MOST_REFUSED, Job
from hashmark.web.session.pictures import is_picture
from hashmark.web.views.api.dependencies import BoardOf, DeskOf, ItemOf, NotFound, PicturesOf, PlansOf
from hashmark.web.views.cleaning_form import form_of
from hashmark.web.views.shapes import picture_version, remote_name, remote_version

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@dataclass(frozen=True)
class Bar:
    """One run of a bar: per mille from the left, and how wide."""

    colour: str
    left: float
    width: float


def bars(counts: dict[str, int]) -> list[Bar]:
    """Counts by colour as parts of a thousand, side by side; no part vanishes."""
    shares = [(colour, counts.get(colour, 0)) for colour in reversed(tuple(COLOURS))]
    total = sum(count for _, count in shares) or 1
    widths = [(colour, max(12.0, 1000 * count / total)) for colour, count in shares if count]
    scale = 1000 / (sum(width for _, width in widths) or 1)
    found, left = [], 0.0
    for name, width in widths:
        found.append(Bar(name, round(left * scale, 1), round(width * scale, 1)))
        left += width
    return found


def colours(board: Board, role: str) -> dict[str, int]:
    """How many of the board's `pair`s, `image`s or `caption`s have each colour."""
    return {colour: n for (of, colour), n in sorted(board.counts.items()) if of == role and n}


def iso(seconds: float | None) -> str:
    """A time as HTML wants it; the page shows it in the reader's own zone."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else ""


def duration(seconds: float | None) -> str:
    """`4 s`, `3 min`, `1 h 5 min`."""
    if seconds is None:
        return "–"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


@cache
def templates() -> jinja2.Environment:
    """The templates, with what they use."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hashmark.web.views"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        colour=lambda verdict: pair_colour(verdict, None),
        item_id=item_id,
        printable=printable,
        size=decimal,
        iso=iso,
        duration=duration,
        why=why,
        grade=grade,
        reason=reason_of,
    )
    issue_labels = {code: issue.label for code, issue in CAPTION_ISSUES.items()}
    environment.globals.update(
        bars=bars,
        colours=colours,
        colour_labels={name: colour.label for name, colour in COLOURS.items()} | {"none": issue_labels["missing"]},
        version=__version__,
        help=HELP,
        caption_issues=CAPTION_ISSUES,
        issue_labels=issue_labels,
        most_refused=MOST_REFUSED,
        picture_version=picture_version,
        remote_version=remote_version,
    )
    return environment


def render(name: str, **values: Any) -> str:
    """A template with these values, as text that can be sent."""
    html = templates().get_template(name).render(values)
    return html.encode("utf-8", "backslashreplace").decode()


@router.get("/")
async def library(desk: DeskOf) -> str:
    """Every dataset."""
    await desk.refresh()
    return render("library.html", **_library(desk), jobs=jobs_view(desk, None))


@router.get("/d/{dataset}")
async def dataset(desk: DeskOf, board: BoardOf) -> str:
    """One dataset: the S3 Manager."""
    if board.stale:
        desk.check(board)
    return render("dataset.html", desk=desk, board=board, remote=remote_name(desk), jobs=jobs_view(desk, board))


@router.get("/d/{dataset}/plans/{plan}")
async def plan(board: BoardOf, plans: PlansOf, plan: str) -> str:
    """What a plan would do, to be confirmed."""
    planned = plans.get(plan)
    if planned is None or planned.dataset.name != board.dataset.name:
        raise NotFound("This plan ran already, or is too old.", "Make a new one.")
    actions = planned.plan.actions
    newer = [
        a for a in actions if a.status.verdict in {Verdict.REMOTE_CHANGED, Verdict.CONFLICT, Verdict.LOCAL_CHANGED}
    ]
    direction = planned.plan.direction
    overwritten = (
        newer if direction is not Direction.PUSH else [a for a in newer if a.status.verdict != "local-changed"]
    )
    left = planned.plan.left_alone
    return render(
        "_plan.html",
        board=board,
        plan_id=plan,
        planned=planned,
        plan=planned.plan,
        moves=[a for a in actions if a.verb not in DELETES],
        overwritten=overwritten,
        left=left,
        direction=direction,
    )


@router.get("/d/{dataset}/clean")
async def clean(board: BoardOf) -> str:
    """How its captions may be cleaned, to be previewed."""
    return render("_clean.html", board=board, form=form_of(board.dataset.cleaning))


@router.get("/d/{dataset}/items/{item}")
async def detail(
    desk: DeskOf, board: BoardOf, found: ItemOf, pictures: PicturesOf, back: Annotated[str, Query()] = ""
) -> str:
    """One item, large, with everything known about it."""
    facts = await pictures.facts(board, found.lead) if is_picture(found.lead) else None
    return render("_detail.html", desk=desk, board=board, item=found, facts=facts, back=back)


def fragment_of_datasets(desk: Desk) -> str:
    """The list of datasets."""
    return render("_datasets.html", **_library(desk))


def fragment_of_summary(desk: Desk, board: Board) -> str:
    """A dataset's counts, as chips that filter."""
    return render("_summary.html", desk=desk, board=board)


def fragment_of_jobs(desk: Desk, board: Board | None) -> str:
    """The jobs of a dataset, or of all."""
    return render("_jobs.html", jobs=jobs_view(desk, board))


def jobs_view(desk: Desk, board: Board | None) -> list[Job]:
    """The jobs that a page shows, the newest first."""
    return [j for j in desk.jobs.all() if board is None or j.dataset.name == board.dataset.name][:5]


def _library(desk: Desk) -> dict[str, Any]:
    boards = list(desk.boards.values())
    return {"desk": desk, "boards": boards, "remote": remote_name(desk), "now": time.time()}

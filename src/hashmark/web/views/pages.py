"""The pages and their fragments, as HTML. The templates escape everything that a user wrote.

The behaviour of the pages is in the frontend's modules.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import jinja2
from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from rich.filesize import decimal

from hashmark._version import __version__
from hashmark.core.display import printable
from hashmark.core.ignored import root_text
from hashmark.core.model import Verdict
from hashmark.core.plan import DELETES, Action, Direction, local_time, remote_time
from hashmark.core.vocabulary import ATTENTION, CAPTION_ISSUES, COLOURS, EMPTY, grade, pair_colour, why
from hashmark.search.items import item_id
from hashmark.search.query import HELP
from hashmark.web.session.jobs import MAX_REFUSED_SHOWN, Job
from hashmark.web.session.live_dataset import LiveDataset
from hashmark.web.session.pictures import is_picture, picture_version, remote_version
from hashmark.web.session.services import Services
from hashmark.web.views.api.dependencies import DatasetDep, ItemDep, ServicesDep
from hashmark.web.views.api.responses import NotFound
from hashmark.web.views.cleaning_form import form_of

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

MAX_JOBS_SHOWN = 5

JOB_LABELS = {
    "push": "Upload",
    "pull": "Download",
    "delete": "Delete",
    "verify": "Verify",
    "clean": "Clean",
    "undo": "Undo",
}

PIXEL_MODES = {
    "1": "black and white",
    "L": "greyscale",
    "LA": "greyscale with alpha",
    "I": "greyscale, 32 bits",
    "I;16": "greyscale, 16 bits",
    "F": "greyscale, floating point",
    "P": "palette",
    "PA": "palette with alpha",
    "RGB": "RGB",
    "RGBA": "RGB with alpha",
}
"""Pillow's pixel modes in words; others, such as CMYK, are shown by their own name."""


@dataclass(frozen=True)
class Bar:
    """One segment of a bar; both in thousandths of the bar's width."""

    colour: str
    left: float
    width: float


def bars(counts: dict[str, int]) -> list[Bar]:
    """Return counts by colour as segments side by side; none is too narrow to see."""
    shares = [(colour, counts.get(colour, 0)) for colour in reversed(tuple(COLOURS))]
    total = sum(count for _, count in shares) or 1
    widths = [(colour, max(12.0, 1000 * count / total)) for colour, count in shares if count]
    scale = 1000 / (sum(width for _, width in widths) or 1)
    found, left = [], 0.0
    for name, width in widths:
        found.append(Bar(name, round(left * scale, 1), round(width * scale, 1)))
        left += width
    return found


def colours(live: LiveDataset, role: str) -> dict[str, int]:
    """Return how many of the dataset's `pair`s, `image`s or `caption`s have each colour."""
    return {colour: n for (of, colour), n in sorted(live.counts.items()) if of == role and n}


def iso(seconds: float | None) -> str:
    """Return a time for `datetime=`; the page shows it in the reader's time zone."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else ""


def times(action: Action) -> dict[str, str | None]:
    """Return the times of a file on both sides for `datetime=`; None where there is none."""
    found = {"on this disk": local_time(action.status), "in the bucket": remote_time(action.status)}
    return {where: at.isoformat(timespec="seconds") if at else None for where, at in found.items()}


def duration(seconds: float | None) -> str:
    """Return a duration such as `4 s`, `3 min` or `1 h 5 min`."""
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
    """Return the templates with the functions they use."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hashmark.web.views"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update({f.__name__: f for f in (duration, grade, iso, item_id, printable, times, why)})
    environment.filters.update(
        colour=lambda verdict: pair_colour(verdict, None),
        size=decimal,
        pixel_mode=lambda mode: PIXEL_MODES.get(mode, mode),
    )
    issue_labels = {code: issue.label for code, issue in CAPTION_ISSUES.items()}
    environment.globals.update({f.__name__: f for f in (bars, colours, picture_version, remote_version, root_text)})
    environment.globals.update(
        colour_labels={name: colour.label for name, colour in COLOURS.items()} | {"none": issue_labels["missing"]},
        empty=EMPTY,
        version=__version__,
        help=HELP,
        caption_issues=CAPTION_ISSUES,
        issue_labels=issue_labels,
        job_labels=JOB_LABELS,
        max_refused_shown=MAX_REFUSED_SHOWN,
    )
    return environment


def render(name: str, **values: Any) -> str:
    """Render a template; lone surrogates in names are escaped, so that the text can be encoded."""
    html = templates().get_template(name).render(values)
    return html.encode("utf-8", "backslashreplace").decode()


@router.get("/")
async def library_page(services: ServicesDep) -> str:
    """Every dataset."""
    await services.library.refresh()
    return render("library.html", **_library(services), jobs=shown_jobs(services, None))


@router.get("/d/{dataset}")
async def dataset_page(services: ServicesDep, live: DatasetDep) -> str:
    """One dataset: the S3 Manager."""
    if live.unchecked:
        services.checker.check(live)
    return render("dataset.html", **_library(services), live=live, jobs=shown_jobs(services, live))


@router.get("/d/{dataset}/plans/{plan}")
async def plan_dialog(services: ServicesDep, live: DatasetDep, plan: str) -> str:
    """What a plan would do, to be confirmed."""
    planned = services.plans.get(plan)
    if planned is None or planned.dataset.name != live.dataset.name:
        raise NotFound("This plan was already run or has expired.", "Make a new one.")
    actions, direction = planned.plan.actions, planned.plan.direction
    offered: dict[Verdict, list[Action]] = {verdict: [] for verdict in ATTENTION}
    for action in planned.plan.offered:
        offered[action.status.verdict].append(action)
    decided = {action.key for action in planned.plan.offered}
    newer = {Verdict.REMOTE_CHANGED, Verdict.CONFLICT}
    if direction is not Direction.PUSH:
        newer.add(Verdict.LOCAL_CHANGED)
    return render(
        "_plan.html",
        live=live,
        plan_id=plan,
        planned=planned,
        plan=planned.plan,
        moves=[a for a in actions if a.verb not in DELETES],
        differing=[a for a in actions if a.status.verdict is Verdict.DIFFERS],
        overwritten=[a for a in actions if a.status.verdict in newer],
        left=[row for row in planned.plan.left_alone if row.status.key not in decided],
        offered={verdict: rows for verdict, rows in offered.items() if rows},
        direction=direction,
    )


@router.get("/d/{dataset}/clean")
async def clean_dialog(live: DatasetDep) -> str:
    """The form of the cleaning rules."""
    return render("_clean.html", live=live, form=form_of(live.dataset.cleaning))


@router.get("/d/{dataset}/items/{item}")
async def detail_dialog(services: ServicesDep, live: DatasetDep, found: ItemDep) -> str:
    """One item, large, with everything known about it."""
    facts = await services.pictures.facts(live, found.lead) if is_picture(found.lead) else None
    return render("_detail.html", live=live, item=found, facts=facts)


def fragment_of_datasets(services: Services) -> str:
    """Render the list of datasets."""
    return render("_datasets.html", **_library(services))


def fragment_of_summary(services: Services, live: LiveDataset) -> str:
    """Render a dataset's counts, as chips that filter."""
    return render("_summary.html", services=services, live=live)


def fragment_of_jobs(services: Services, live: LiveDataset | None) -> str:
    """Render the jobs of a dataset, or of all."""
    return render("_jobs.html", jobs=shown_jobs(services, live))


def shown_jobs(services: Services, live: LiveDataset | None) -> list[Job]:
    """Return the jobs that a page shows, newest first."""
    jobs = services.jobs.all()
    return [job for job in jobs if live is None or job.dataset.name == live.dataset.name][:MAX_JOBS_SHOWN]


def _library(services: Services) -> dict[str, Any]:
    return {"services": services, "remote": services.library.library.settings.remote.url}

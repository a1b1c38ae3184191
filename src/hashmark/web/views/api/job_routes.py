"""Plans, and the jobs that carry them out, over HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from hashmark.actions.move import Planned, plan, plan_delete
from hashmark.core.errors import RefusedPlan, UsageError
from hashmark.core.events import to_json
from hashmark.core.plan import WINNER, Direction, Location, Policy
from hashmark.web.session.board import Board
from hashmark.web.session.desk import Desk
from hashmark.web.session.jobs import A_JOB, DatasetBusy, Feed, Job
from hashmark.web.session.pending_plans import Plans
from hashmark.web.views.api.dependencies import ERRORS, BoardOf, DeskOf, NotFound, PlansOf, answer, keys_of
from hashmark.web.views.api_models import DeleteBody, JobStarted, MoveBody, PlanBody, SelectionBody

router = APIRouter(prefix="/api", tags=["moves"], responses=ERRORS)


@router.post("/datasets/{dataset}/plan")
async def make(desk: DeskOf, board: BoardOf, plans: PlansOf, body: PlanBody) -> Response:
    """Compare anew, and say what would be done, what is left alone and why. Nothing is done."""
    planned = await _plan(desk, board, body)
    return answer({"plan": plans.keep(planned), **planned.to_json()})


@router.post("/datasets/{dataset}/push", status_code=202, response_model=JobStarted)
async def push(desk: DeskOf, board: BoardOf, plans: PlansOf, body: MoveBody) -> Response:
    """Upload: by a plan that was shown, or planned now."""
    return await _move(desk, board, plans, body, Direction.PUSH)


@router.post("/datasets/{dataset}/pull", status_code=202, response_model=JobStarted)
async def pull(desk: DeskOf, board: BoardOf, plans: PlansOf, body: MoveBody) -> Response:
    """Download: by a plan that was shown, or planned now."""
    return await _move(desk, board, plans, body, Direction.PULL)


@router.post("/datasets/{dataset}/delete", status_code=202, response_model=JobStarted)
async def delete(desk: DeskOf, board: BoardOf, plans: PlansOf, body: DeleteBody) -> Response:
    """Move to the trash what a plan named, if `confirm` is its number of deletes."""
    planned = _shown(plans, board, body.plan, Direction.DELETE)
    if body.confirm != planned.plan.deletes:
        raise RefusedPlan(f"{planned.plan.deletes} files would be deleted, but {body.confirm} was confirmed.")
    return _begin(desk, plans, body.plan, planned)


@router.post("/datasets/{dataset}/verify", status_code=202, response_model=JobStarted)
async def verify(desk: DeskOf, board: BoardOf, body: SelectionBody) -> Response:
    """Download the selected objects and compare their bytes."""
    _real(desk, board)
    return answer({"job": desk.jobs.verify(board.dataset, keys_of(board, body.items)).id}, 202)


async def _move(desk: Desk, board: Board, plans: Plans, body: MoveBody, direction: Direction) -> Response:
    if body.plan is not None:
        return _begin(desk, plans, body.plan, _shown(plans, board, body.plan, direction))
    if (running := desk.jobs.running(board.dataset)) is not None:
        raise DatasetBusy(running)
    wanted = PlanBody(action=direction.value, items=body.items, take=body.take)
    planned = await _plan(desk, board, wanted)
    return answer({"job": desk.jobs.run_plan(planned).id}, 202)


def _shown(plans: Plans, board: Board, plan_id: str, direction: Direction) -> Planned:
    planned = plans.get(plan_id)
    if planned is None or planned.dataset.name != board.dataset.name or planned.plan.direction is not direction:
        raise NotFound("This plan ran already, or is too old.", "Make a new one: the files may have changed.")
    return planned


def _begin(desk: Desk, plans: Plans, plan_id: str, planned: Planned) -> Response:
    job = desk.jobs.run_plan(planned)
    plans.take(plan_id)
    return answer({"job": job.id}, 202)


async def _plan(desk: Desk, board: Board, body: PlanBody) -> Planned:
    _real(desk, board)
    keys = keys_of(board, body.items)
    if body.action == "delete":
        return await desk.look(plan_delete, board.dataset, body.where or Location.BOTH, keys=keys)
    direction = Direction(body.action)
    if body.take not in {None, WINNER[direction]}:
        raise UsageError(f"A {direction} can't take what is {body.take}.", f"Take {WINNER[direction]}.")
    return await desk.look(plan, board.dataset, Policy(direction, take=body.take, keys=keys))


def _real(desk: Desk, board: Board) -> None:
    if board.dataset.name in desk.against:
        raise UsageError(f"{board.dataset.name} is compared with a saved listing, so nothing can be moved.")


# ---- jobs


def the_job(desk: DeskOf, job: str) -> Job:
    """The job that the address names.

    Raises:
        NotFound: there is none.
    """
    found = desk.jobs.get(job)
    if found is None:
        raise NotFound(f"There is no job '{job}'.", "Jobs are forgotten when the server ends.")
    return found


JobOf = Annotated[Job, Depends(the_job)]


@router.get("/jobs")
async def jobs(desk: DeskOf) -> Response:
    """Every job that is remembered, the newest first."""
    return answer({"jobs": [job.to_json() for job in desk.jobs.all()]})


@router.get("/jobs/{job}")
async def job_state(found: JobOf) -> Response:
    """How far a job is."""
    return answer(found.to_json())


@router.get("/jobs/{job}/events", response_class=EventSourceResponse)
async def job_events(desk: DeskOf, found: JobOf) -> AsyncIterable[ServerSentEvent]:
    """A job as it goes: first `state`, then each event; after a gap, `state` again. Ends with the job."""
    feed = Feed()
    feed.closed = desk.jobs.ending
    found.feeds.add(feed)
    try:
        yield _event("state", found.to_json())
        while not feed.closed and not (found.ended and not feed.events and not feed.behind):
            await feed.ready.wait()
            feed.ready.clear()
            if feed.behind:
                feed.behind = False
                yield _event("state", found.to_json())
            while feed.events:
                event = to_json(feed.events.popleft())
                yield _event(str(event["event"]), event)
        yield _event("state", found.to_json())
    finally:
        found.feeds.discard(feed)


def _event(name: str, data: dict[str, Any]) -> ServerSentEvent:
    return ServerSentEvent(event=name, raw_data=json.dumps(data))


@router.post("/jobs/{job}/cancel", status_code=202)
async def cancel(desk: DeskOf, found: JobOf) -> Response:
    """Stop a job: files under way are finished, the others are left."""
    found.cancel.set()
    desk.news.jobs(found.dataset)
    return answer(found.to_json(), 202)


@router.post("/jobs/{job}/retry", status_code=202, response_model=JobStarted)
async def retry(desk: DeskOf, found: JobOf) -> Response:
    """Try again what failed or was not tried, planned anew. Not for what is to be confirmed: deletes, cleanings."""
    if not found.ended:
        raise DatasetBusy(found)
    if found.kind == "verify":
        return answer({"job": desk.jobs.verify(found.dataset, _failed(found) or found.keys).id}, 202)
    if found.planned is None or found.kind == Direction.DELETE:
        raise UsageError(f"{A_JOB[found.kind]} is not retried.", "Select what is left, and confirm again.")
    # What is done is in sync by now, so the same keys are planned; a conflict is to be decided anew.
    policy = Policy(found.planned.plan.direction, keys=found.keys)
    planned = await desk.look(plan, found.dataset, policy)
    return answer({"job": desk.jobs.run_plan(planned).id}, 202)


def _failed(job: Job) -> frozenset[str]:
    return frozenset(failure.key for failure in job.state.failures)


@router.delete("/jobs/{job}", status_code=200)
async def forget(desk: DeskOf, found: JobOf) -> Response:
    """Show an ended job no more."""
    desk.jobs.forget(found.id)
    desk.news.jobs(found.dataset)
    return answer({})

"""Plans and the jobs that run them, over HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, Collection
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from hashmark.actions.move import Planned, plan, plan_delete
from hashmark.core.errors import RefusedPlan, UsageError
from hashmark.core.events import to_json
from hashmark.core.plan import WINNER, Action, Direction, Location, Policy, Side
from hashmark.search.items import item_id
from hashmark.web.session.jobs import JOB_NAMES, DatasetBusy, EventFeed, Job
from hashmark.web.session.live_dataset import LiveDataset
from hashmark.web.session.services import Services
from hashmark.web.views.api.dependencies import DatasetDep, ServicesDep, keys_of
from hashmark.web.views.api.responses import ERRORS, NotFound, answer
from hashmark.web.views.api_models import DeleteBody, JobStarted, MoveBody, PlanBody, SelectionBody
from hashmark.web.views.serializers import offered_json

router = APIRouter(prefix="/api", tags=["moves"], responses=ERRORS)


@router.post("/datasets/{dataset}/plan")
async def make_plan(services: ServicesDep, live: DatasetDep, body: PlanBody) -> Response:
    """Compare again and return what would be done, what would be left alone, and why. Nothing is done.

    `offered` are the files left alone that only the user can decide: they are moved if the run says to `accept` them.
    """
    planned = await _plan(services, live, body)
    offered = [offered_json(action) for action in planned.plan.offered]
    return answer({"plan": services.plans.put(planned), **planned.to_json(), "offered": offered})


@router.post("/datasets/{dataset}/push", status_code=202, response_model=JobStarted)
async def push(services: ServicesDep, live: DatasetDep, body: MoveBody) -> Response:
    """Upload: run a plan that was shown, or make and run one."""
    return await _move(services, live, body, Direction.PUSH)


@router.post("/datasets/{dataset}/pull", status_code=202, response_model=JobStarted)
async def pull(services: ServicesDep, live: DatasetDep, body: MoveBody) -> Response:
    """Download: run a plan that was shown, or make and run one."""
    return await _move(services, live, body, Direction.PULL)


@router.post("/datasets/{dataset}/delete", status_code=202, response_model=JobStarted)
async def delete(services: ServicesDep, live: DatasetDep, body: DeleteBody) -> Response:
    """Run a delete plan, which moves files to the trash, if `confirm` is its number of deletes."""
    planned = _shown_plan(services, live, body.plan, Direction.DELETE)
    if body.confirm != planned.plan.deletes:
        raise RefusedPlan(f"This plan deletes {planned.plan.deletes} files, but {body.confirm} was confirmed.")
    return _run(services, body.plan, planned)


@router.post("/datasets/{dataset}/verify", status_code=202, response_model=JobStarted)
async def verify(services: ServicesDep, live: DatasetDep, body: SelectionBody) -> Response:
    """Download the selected objects and compare their bytes."""
    _require_bucket(services, live)
    return answer({"job": services.jobs.verify(live.dataset, keys_of(live, body.items)).id}, 202)


async def _move(services: Services, live: LiveDataset, body: MoveBody, direction: Direction) -> Response:
    if body.plan is not None:
        return _run(services, body.plan, _accepting(_shown_plan(services, live, body.plan, direction), body.accept))
    if body.accept:
        raise UsageError("Only what a plan offers can be accepted.", "Make a plan first, and run it by its id.")
    if (running := services.jobs.running(live.dataset)) is not None:
        raise DatasetBusy(running)
    wanted = PlanBody(action=direction.value, items=body.items, take=body.take)
    planned = await _plan(services, live, wanted)
    return answer({"job": services.jobs.run_plan(planned).id}, 202)


def _shown_plan(services: Services, live: LiveDataset, plan_id: str, direction: Direction) -> Planned:
    planned = services.plans.get(plan_id)
    if planned is None or planned.dataset.name != live.dataset.name or planned.plan.direction is not direction:
        raise NotFound("This plan was already run or has expired.", "Make a new one: files may have changed.")
    return planned


def _accepting(planned: Planned, accept: Collection[str]) -> Planned:
    """Return the plan with those of its offered files that are named, by their ids or by their verdicts.

    Raises:
        UsageError: a name stands for none of them.
    """
    wanted, used = frozenset(accept), set[str]()

    def accepts(action: Action) -> bool:
        named = wanted & {item_id(action.key), str(action.status.verdict)}
        used.update(named)
        return bool(named)

    plan = planned.plan.accepting(accepts)
    if unknown := sorted(wanted - used):
        raise UsageError(f"This plan does not offer '{unknown[0]}'.", "Use ids or verdicts of its `offered` files.")
    return replace(planned, plan=plan)


def _run(services: Services, plan_id: str, planned: Planned) -> Response:
    job = services.jobs.run_plan(planned)
    services.plans.discard(plan_id)
    return answer({"job": job.id}, 202)


async def _plan(services: Services, live: LiveDataset, body: PlanBody) -> Planned:
    _require_bucket(services, live)
    keys = keys_of(live, body.items)
    run = services.background.run_long
    if body.action == "delete":
        return await run(plan_delete, live.dataset, body.where or Location.BOTH, keys=keys)
    direction = Direction(body.action)
    if body.take not in {None, WINNER[direction], Side.NEWER}:
        raise UsageError(f"{direction} does not support take={body.take}.", f"Use take={WINNER[direction]} or newer.")
    return await run(plan, live.dataset, Policy(direction, take=body.take, keys=keys))


def _require_bucket(services: Services, live: LiveDataset) -> None:
    if live.dataset.name in services.library.against:
        raise UsageError(f"{live.dataset.name} is compared with a saved listing, so nothing can be moved.")


# ---- jobs


def get_job(services: ServicesDep, job: str) -> Job:
    """Return the job that the address names.

    Raises:
        NotFound: there is none.
    """
    found = services.jobs.get(job)
    if found is None:
        raise NotFound(f"There is no job '{job}'.", "Jobs are forgotten when the server stops.")
    return found


JobDep = Annotated[Job, Depends(get_job)]


@router.get("/jobs")
async def list_jobs(services: ServicesDep) -> Response:
    """Every remembered job, newest first."""
    return answer({"jobs": [job.to_json() for job in services.jobs.all()]})


@router.get("/jobs/{job}")
async def get_job_state(found: JobDep) -> Response:
    """The progress of a job."""
    return answer(found.to_json())


@router.get("/jobs/{job}/events", response_class=EventSourceResponse)
async def stream_job(services: ServicesDep, found: JobDep) -> AsyncIterable[ServerSentEvent]:
    """A job's events as they happen: first `state`, then each event; `state` again after a gap. Ends with the job."""
    feed = EventFeed()
    feed.closed = services.jobs.stopping
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
async def cancel(services: ServicesDep, found: JobDep) -> Response:
    """Cancel a job: files in transfer are finished, the others are left."""
    found.cancel.set()
    services.updates.jobs_changed(found.dataset)
    return answer(found.to_json(), 202)


@router.post("/jobs/{job}/retry", status_code=202, response_model=JobStarted)
async def retry(services: ServicesDep, found: JobDep) -> Response:
    """Plan and run again what failed or was not tried. Not for jobs that need confirmation: deletes and cleanings."""
    if not found.ended:
        raise DatasetBusy(found)
    if found.kind == "verify":
        failed = frozenset(failure.key for failure in found.state.failures)
        return answer({"job": services.jobs.verify(found.dataset, failed or found.keys).id}, 202)
    if found.planned is None or found.kind == Direction.DELETE:
        raise UsageError(f"{JOB_NAMES[found.kind]} can't be retried.", "Select what is left and confirm again.")
    # The same keys are planned: finished ones are in sync by now, and conflicts need a new decision.
    policy = Policy(found.planned.plan.direction, keys=found.keys)
    planned = await services.background.run_long(plan, found.dataset, policy)
    return answer({"job": services.jobs.run_plan(planned).id}, 202)


@router.delete("/jobs/{job}", status_code=200)
async def forget(services: ServicesDep, found: JobDep) -> Response:
    """Drop an ended job."""
    services.jobs.forget(found.id)
    services.updates.jobs_changed(found.dataset)
    return answer({})

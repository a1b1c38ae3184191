"""`push`, `pull` and `verify`: the plan, the confirmation where one is needed, the progress, the summary."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from hashmark.actions.move import Planned, compared, plan_from, run
from hashmark.cli import render
from hashmark.cli.boundary import chosen
from hashmark.cli.exits import Exit, for_error, for_result, for_status, worst
from hashmark.cli.output import Output, console, tell
from hashmark.cli.progress import Interruptible, ProgressDisplay
from hashmark.core.errors import HashmarkError, RefusedPlan, UsageError
from hashmark.core.model import Verdict
from hashmark.core.plan import DELETES, WINNER, Direction, Policy, Selection
from hashmark.core.report import Summary
from hashmark.library.dataset import Dataset
from hashmark.library.library import Library

Told = tuple[dict[str, Any], Exit]
"""What is told of one dataset, as plain data, and the status it leads to."""


def move(library: Library, names: list[str], policy: Policy, *, dry_run: bool, as_json: bool) -> Exit:
    """Push or pull each dataset in turn; stop where the store refuses or the user does."""
    if policy.take is not None and policy.take is not WINNER[policy.direction]:
        raise UsageError(
            f"A {policy.direction} can't take what is {policy.take}.", f"Use --take {WINNER[policy.direction]}."
        )

    def one(dataset: Dataset) -> Told:
        planned = _plan(dataset, policy, ask=not as_json and not dry_run)
        return (show if dry_run else carry_out)(planned, as_json=as_json)

    return in_turn({dataset: partial(one, dataset) for dataset in chosen(library, names)}, as_json=as_json)


def in_turn(
    work: Mapping[Dataset, Callable[[], Told]], *, as_json: bool, head: Mapping[str, Any] | None = None
) -> Exit:
    """Work on each dataset, and tell of each; an error of one is told in its place. `head` opens the document."""
    documents: list[dict[str, Any]] = []
    exits: list[Exit] = []
    for dataset, begin in work.items():
        try:
            document, status = begin()
        except HashmarkError as error:
            # What was done for the datasets before it must be told all the same.
            document, status = {"dataset": dataset.name, "error": render.error_json(error)}, for_error(error)
            if not as_json:
                tell(render.error_text(error))
        documents.append(document)
        exits.append(status)
        if status in {Exit.INTERRUPTED, Exit.STORE}:
            break
    if as_json:
        render.print_json({**(head or {}), "datasets": documents})
    return worst(exits)


def show(planned: Planned, *, as_json: bool) -> Told:
    """What would be done."""
    if not as_json:
        render.plan_text(planned, console(), every=True)
    return planned.to_json(), Exit.NOT_IN_SYNC if planned.plan.actions else Exit.DONE


def _plan(dataset: Dataset, policy: Policy, *, ask: bool) -> Planned:
    """The plan; where only the number of deletes stands in its way, the user may type that number."""
    found = compared(dataset)
    try:
        return checked(plan_from(dataset, found, policy), policy.select)
    except RefusedPlan as refusal:
        if refusal.deletes is None or not ask or not sys.stdin.isatty():
            raise
        # Of the same comparison, so that what is named here is what is deleted.
        planned = plan_from(dataset, found, replace(policy, max_delete=refusal.deletes))
        _name_deletes(planned, Output(sys.stderr))
        sys.stderr.write(f"{refusal.message}\nType {refusal.deletes} to delete them (to the trash): ")
        sys.stderr.flush()
        if sys.stdin.readline().strip() != str(refusal.deletes):
            raise
        return planned


def _name_deletes(planned: Planned, out: Output) -> None:
    rows = [action for action in planned.plan.actions if action.verb in DELETES]
    for action in rows[: render.SHOWN]:
        out.print(f"  {action.verb} {render.name(action.key)}")
    if len(rows) > render.SHOWN:
        more = f"{len(rows) - render.SHOWN} more (--dry-run --max-delete {len(rows)} names them)"
        out.print(f"  … and {more}", style="dim")


def checked(planned: Planned, select: tuple[str, ...]) -> Planned:
    """The plan, if its selection selects anything.

    Raises:
        UsageError: it does not.
    """
    Selection(select).check((row.key for row in planned.status.files), planned.dataset.name)
    return planned


_DOING = {Direction.PUSH: "Pushing", Direction.PULL: "Pulling", Direction.DELETE: "Deleting from"}


def carry_out(planned: Planned, *, as_json: bool) -> Told:
    """Do it, with a bar or lines of progress."""
    title = f"{_DOING[planned.plan.direction]} {render.name(planned.dataset.name)}"
    with Interruptible() as stop, ProgressDisplay(title, quiet=as_json) as watcher:
        result = run(planned, watcher.on_event, stop.cancel)
    if not as_json:
        render.result_text(result, console())
        render.problems(planned.status.problems, console())
    return result.to_json(), for_result(result)


def verify_all(
    library: Library, datasets: list[Dataset], select: tuple[str, ...], *, anew: bool, as_json: bool
) -> Exit:
    """Verify each dataset in turn."""
    head = {"library": str(library.root), "remote": library.settings.remote.url}
    work = {one: partial(_verify, one, select, anew=anew, as_json=as_json) for one in datasets}
    return in_turn(work, as_json=as_json, head=head)


def _verify(dataset: Dataset, select: tuple[str, ...], *, anew: bool, as_json: bool) -> Told:
    from hashmark.actions.verify import verify  # noqa: PLC0415 - not for a push

    policy = Policy(Direction.PULL, select=select)
    with Interruptible() as stop, ProgressDisplay(f"Verifying {render.name(dataset.name)}", quiet=as_json) as watcher:
        found = verify(dataset, policy, watcher.on_event, stop.cancel, resume=not anew)
    if not as_json:
        summary = Summary.of(found.files)
        out = console()
        out.print(render.status_line(dataset, summary))
        render.attention(summary, out, render.SHOWN)
        damaged = sum(f.verdict is Verdict.DIFFERS for f in found.files)
        if damaged:
            out.print(f"{damaged} differ by their bytes or size.", style="red")
    stopped = stop.cancel.is_set()
    return found.to_json(), Exit.INTERRUPTED if stopped else for_status(found, complete=found.complete)

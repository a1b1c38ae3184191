"""`push`, `pull` and `verify`: the plan, the confirmation where one is needed, the progress, the summary."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from hashmark.actions.move import Planned, plan, run
from hashmark.actions.verify import verify
from hashmark.cli import render
from hashmark.cli.exits import Exit, for_error, for_result, for_status, worst
from hashmark.cli.options import chosen
from hashmark.cli.progress import Interruptible, Watcher
from hashmark.core.errors import HashmarkError, RefusedPlan, UsageError
from hashmark.core.model import Verdict
from hashmark.core.plan import WINNER, Direction, Policy
from hashmark.core.report import Summary
from hashmark.library import Dataset, Library


def move(library: Library, names: list[str], policy: Policy, *, dry_run: bool, as_json: bool) -> Exit:
    """Push or pull each dataset in turn; stop where the store refuses or the user does."""
    if policy.take is not None and policy.take is not WINNER[policy.direction]:
        raise UsageError(
            f"A {policy.direction} can't take what is {policy.take}.", f"Use --take {WINNER[policy.direction]}."
        )
    documents: list[dict[str, Any]] = []
    exits: list[Exit] = []
    for dataset in chosen(library, names):
        try:
            planned = _plan(dataset, policy, ask=not as_json and not dry_run)
            document, status = (_show if dry_run else _run)(planned, as_json=as_json)
        except HashmarkError as error:
            # What was done for the datasets before it must be told all the same.
            document, status = {"dataset": dataset.name, "error": render.error_json(error)}, for_error(error)
            if not as_json:
                sys.stderr.write(render.error_text(error) + "\n")
        documents.append(document)
        exits.append(status)
        if status in {Exit.INTERRUPTED, Exit.STORE}:
            break
    if as_json:
        render.print_json({"datasets": documents})
    return worst(exits)


def _show(planned: Planned, *, as_json: bool) -> tuple[dict[str, Any], Exit]:
    if not as_json:
        render.plan_text(planned, render.console(), every=True)
    return planned.to_json(), Exit.NOT_IN_SYNC if planned.plan.actions else Exit.DONE


def _plan(dataset: Dataset, policy: Policy, *, ask: bool) -> Planned:
    """The plan; where only the number of deletes stands in its way, the user may type that number."""
    try:
        return _checked(plan(dataset, policy), policy)
    except RefusedPlan as refusal:
        if refusal.deletes is None or not ask or not sys.stdin.isatty():
            raise
        sys.stderr.write(f"{refusal.message}\nType {refusal.deletes} to delete them (to the trash): ")
        sys.stderr.flush()
        if sys.stdin.readline().strip() != str(refusal.deletes):
            raise
        return plan(dataset, replace(policy, max_delete=refusal.deletes))


def _checked(planned: Planned, policy: Policy) -> Planned:
    """The plan, if its selection selects anything: a glob without a match is a slip of the pen.

    Raises:
        UsageError: it does not.
    """
    if policy.select and not any(policy.selects(row.key) for row in planned.status.files):
        globs = ", ".join(f"'{glob}'" for glob in policy.select)
        raise UsageError(f"Nothing in {planned.dataset.name} matches --select {globs}.", "A * also matches /.")
    return planned


def _run(planned: Planned, *, as_json: bool) -> tuple[dict[str, Any], Exit]:
    verb = "Pushing" if planned.plan.direction is Direction.PUSH else "Pulling"
    with Interruptible() as stop, Watcher(f"{verb} {render.name(planned.dataset.name)}", quiet=as_json) as watcher:
        result = run(planned, watcher.on_event, stop.cancel)
    if not as_json:
        render.result_text(result, render.console())
        render.problems(planned.status.problems, render.console())
    return result.to_json(), for_result(result)


def verify_all(library: Library, datasets: list[Dataset], select: tuple[str, ...], *, as_json: bool) -> Exit:
    """Verify each dataset in turn."""
    documents, exits = [], []
    for dataset in datasets:
        policy = Policy(Direction.PULL, select=select)
        with Interruptible() as stop, Watcher(f"Verifying {render.name(dataset.name)}", quiet=as_json) as watcher:
            found = verify(dataset, policy, watcher.on_event, stop.cancel)
        documents.append(found.to_json())
        exits.append(Exit.INTERRUPTED if stop.cancel.is_set() else for_status(found, complete=found.complete))
        if not as_json:
            summary = Summary.of(found.files)
            out = render.console()
            out.print(render.status_line(dataset, summary))
            render.attention(summary, out, render.SHOWN)
            damaged = sum(f.verdict is Verdict.DIFFERS for f in found.files)
            if damaged:
                out.print(f"{damaged} differ by their bytes or size.", style="red")
        if stop.cancel.is_set():
            break
    if as_json:
        render.print_json({"library": str(library.root), "remote": library.settings.remote.url, "datasets": documents})
    return worst(exits)

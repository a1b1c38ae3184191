"""What `push`, `pull` and `delete` share: plans, confirmation and progress."""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import replace
from functools import partial

from hashmark.actions.move import Planned, compared, plan_from
from hashmark.actions.move import run as run_plan
from hashmark.cli.arguments import Parser, chosen_datasets, number, one_of
from hashmark.cli.each_dataset import Answer, in_turn, of_all
from hashmark.cli.exits import Exit, for_plan, for_result
from hashmark.cli.output import Output, confirmed, console
from hashmark.cli.progress import ComparisonDisplay, Interruptible, ProgressDisplay
from hashmark.cli.renderers.elements import counted, name, problems
from hashmark.cli.renderers.plans import deletes_text, differing_text, plan_text, result_text
from hashmark.core.errors import RefusedPlan, UsageError
from hashmark.core.model import Verdict
from hashmark.core.plan import WINNER, Direction, Policy, Selection, Side
from hashmark.core.report import DatasetStatus
from hashmark.library.dataset import Dataset
from hashmark.library.library import Library

_OTHER = {Direction.PUSH: Direction.PULL, Direction.PULL: Direction.PUSH}
_TITLES = {Direction.PUSH: "Pushing", Direction.PULL: "Pulling", Direction.DELETE: "Deleting from"}


def add_arguments(parser: Parser) -> None:
    """Declare the arguments of a push or a pull."""
    parser.datasets()
    parser.all_datasets()
    parser.select()
    text = "Whose content wins where both sides differ: mine (push), theirs (pull), or newer, by their times."
    parser.option("--take", "SIDE", text, type=one_of(Side))
    parser.flag("--delete", "Also delete (to the trash) what the other side does not have.")
    text = "Allow up to N deletes. Default: a tenth of the files, or the number that you type when asked."
    parser.option("--max-delete", "N", text, type=number(int, 0))
    parser.flag("--dry-run", "Show the plan and stop.")
    parser.common()


def run(direction: Direction, arguments: Namespace) -> Exit:
    """Push or pull each dataset in turn; stop where the store refuses or the user interrupts.

    Raises:
        UsageError: no dataset is named, or the content that is to win is not that of the side that is copied.
        NoSuchDataset: there is no dataset of a name.
    """
    winner = WINNER[direction]
    if arguments.take not in {None, winner, Side.NEWER}:
        wrong = f"{direction} takes `--take {winner}` or `--take {Side.NEWER}`."
        raise UsageError(wrong, f"Use one of these, or `hashmark {_OTHER[direction]} --take {arguments.take}`.")
    select = tuple(arguments.select)
    policy = Policy(direction, arguments.take, arguments.delete, arguments.max_delete, select=select)

    def transfer(dataset: Dataset) -> Answer:
        planned = _plan(dataset, policy, ask=not arguments.json and not arguments.dry_run, quiet=arguments.json)
        return (show_plan if arguments.dry_run else carry_out)(planned, as_json=arguments.json)

    with Library.open(arguments.library) as library:
        datasets = chosen_datasets(library, arguments, remote=direction is Direction.PULL)
        work = {dataset: partial(transfer, dataset) for dataset in datasets}
        return of_all(library, arguments, in_turn(work, as_json=arguments.json))


def _plan(dataset: Dataset, policy: Policy, *, ask: bool, quiet: bool) -> Planned:
    """Return the plan. The user may confirm what it refuses: too many deletes, and to replace what differs."""
    found = _compared(dataset, quiet=quiet)
    ask = ask and sys.stdin.isatty()
    try:
        planned = require_match(plan_from(dataset, found, policy), policy.select)
    except RefusedPlan as refusal:
        if refusal.deletes is None or not ask:
            raise
        # From the same comparison, so that what is listed here is what is deleted.
        planned = plan_from(dataset, found, replace(policy, max_delete=refusal.deletes))
        deletes_text(planned.plan.actions, Output(sys.stderr))
        if not confirmed(refusal.message, refusal.deletes):
            raise
    return _confirmed(planned) if ask and policy.take is None else planned


def _compared(dataset: Dataset, *, quiet: bool) -> DatasetStatus:
    """Compare, and show on a terminal how far that is."""
    if quiet or not Output(sys.stderr).is_terminal:
        return compared(dataset)
    with ComparisonDisplay(dataset) as display:
        return compared(dataset, display.on_file, display.on_read)


def _confirmed(planned: Planned) -> Planned:
    """Show the selected files that differ without a common past, and return the plan with the user's answer."""
    rows = [action.status for action in planned.plan.offered if action.status.verdict is Verdict.DIFFERS]
    if not rows:
        return planned
    differing_text(rows, Output(sys.stderr))
    if not confirmed(_question(len(rows), planned.plan.direction), len(rows)):
        return planned
    accepted = planned.plan.accepting(lambda action: action.status.verdict is Verdict.DIFFERS)
    return replace(planned, plan=accepted)


def _question(count: int, direction: Direction) -> str:
    files = counted(count, "file")
    if direction is Direction.PUSH:
        return f"Replace {files} in the bucket with this disk's version? The bucket's goes to the trash."
    return f"Replace {files} on this disk with the bucket's version? The disk's goes to the trash."


def require_match(planned: Planned, select: tuple[str, ...]) -> Planned:
    """Return the plan if its selection matches a file.

    Raises:
        UsageError: it matches none.
    """
    Selection(select).check((row.key for row in planned.status.files), planned.dataset.name)
    return planned


def show_plan(planned: Planned, *, as_json: bool) -> Answer:
    """Show what would be done."""
    if not as_json:
        plan_text(planned, console())
    return planned.to_json(), for_plan(planned)


def carry_out(planned: Planned, *, as_json: bool) -> Answer:
    """Run the plan with a progress display, and show the result."""
    title = f"{_TITLES[planned.plan.direction]} {name(planned.dataset.name)}"
    with Interruptible() as stop, ProgressDisplay(title, quiet=as_json) as progress:
        result = run_plan(planned, progress.on_event, stop.cancel)
    if not as_json:
        result_text(result, console())
        problems(planned.status.problems, console())
    return result.to_json(), for_result(result)

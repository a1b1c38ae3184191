"""`hashmark rename`: make names that differ only in letter case or accents the same on both sides."""

from __future__ import annotations

import sys
from argparse import Namespace
from functools import partial

from hashmark.actions.rename import PlannedRename, RenameResult, plan_rename, run_rename
from hashmark.cli.arguments import Parser, chosen_datasets, one_of
from hashmark.cli.each_dataset import Answer, in_turn
from hashmark.cli.exits import Exit, for_rename_plan, for_renamed
from hashmark.cli.output import Output, Text, confirmed, console
from hashmark.cli.progress import Interruptible, ProgressDisplay
from hashmark.cli.renderers.elements import SHOWN, counted, name, not_done
from hashmark.core.display import reveal
from hashmark.core.errors import RefusedPlan
from hashmark.core.rename_plan import Match
from hashmark.library.dataset import Dataset
from hashmark.library.library import Library

_SIDE = {Match.DISK: "in the bucket", Match.BUCKET: "on the disk"}
"""Where the names change, by whose names stay."""


def add_arguments(parser: Parser) -> None:
    """Declare the datasets, and whose names stay."""
    parser.datasets()
    text = "Whose names stay: disk (the default: objects are renamed) or bucket (files are renamed)."
    parser.option("--match", "SIDE", text, type=one_of(Match), default=Match.DISK)
    parser.flag("--dry-run", "Show the plan and stop.")
    parser.flag("--yes", "Do not ask.")
    parser.common()
    parser.examples("hashmark rename 82 --dry-run", "hashmark rename 82", "hashmark rename 82 --match bucket")


def run(arguments: Namespace) -> Exit:
    """Rename what collides in each dataset in turn, after confirmation."""
    with Library.open(arguments.library) as library:
        datasets = chosen_datasets(library, arguments)
        work = {dataset: partial(_rename, dataset, arguments) for dataset in datasets}
        return in_turn(work, as_json=arguments.json)


def _rename(dataset: Dataset, arguments: Namespace) -> Answer:
    planned = plan_rename(dataset, arguments.match)
    out = console()
    if not arguments.json:
        _plan_text(planned, out)
    if arguments.dry_run:
        return planned.to_json(), for_rename_plan(planned)
    if planned.plan.renames and not arguments.yes:
        _confirm(planned, ask=not arguments.json and sys.stdin.isatty())
    title = f"Renaming in {name(dataset.name)}"
    with Interruptible() as stop, ProgressDisplay(title, quiet=arguments.json) as progress:
        result = run_rename(planned, progress.on_event, stop.cancel)
    if not arguments.json and planned.plan.renames:
        _result_text(result, out)
    return result.to_json(), for_renamed(result)


def _confirm(planned: PlannedRename, *, ask: bool) -> None:
    """Require the number of files, typed.

    Raises:
        RefusedPlan: it was not.
    """
    count = len(planned.plan.renames)
    would = f"This would rename {counted(count, 'file')} {_SIDE[planned.plan.match]}."
    if not (ask and confirmed(would, count)):
        hint = "Run the command again with --yes."
        raise RefusedPlan(f"{would} That was not confirmed, so nothing was renamed.", hint)


def _plan_text(planned: PlannedRename, out: Output) -> None:
    plan = planned.plan
    count = f"rename {counted(len(plan.renames), 'file')} {_SIDE[plan.match]}" if plan.renames else "nothing to rename"
    out.print(Text(f"{name(planned.dataset.name)}: {count}", "bold"))
    for rename in plan.renames[:SHOWN]:
        old, new = rename.names(plan.match)
        out.print(f"  {name(old)} → {name(new)}")
    if len(plan.renames) > SHOWN:
        out.print(Text(f"  … and {len(plan.renames) - SHOWN} more (--json lists them)", "dim"))
    for left in plan.left_alone[:SHOWN]:
        out.print(Text(f"  left alone: {name(left.status.key)}: {reveal(left.reason)}", "yellow"))
    if len(plan.left_alone) > SHOWN:
        out.print(Text(f"  … and {len(plan.left_alone) - SHOWN} more left alone (--json lists them)", "dim"))


def _result_text(result: RenameResult, out: Output) -> None:
    out.print(f"renamed {counted(result.done, 'file')} {_SIDE[result.planned.plan.match]}")
    not_done(result.failures, None, result.not_tried, out)
    for note in result.notes:
        out.print(Text(f"  note: {note}", "dim"))
    if result.trash:
        out.print(Text(f"  the objects with the old names are in the trash, as batch {result.trash}", "dim"))

"""`hashmark delete`: all plans first, then the confirmation, then the deletes.

Deletes nothing before everything was shown and confirmed, so a dataset that can't be planned stops the others too.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from functools import partial

from hashmark.actions.move import plan_delete
from hashmark.cli.arguments import Parser, chosen_datasets, number, one_of
from hashmark.cli.each_dataset import in_turn
from hashmark.cli.exits import Exit
from hashmark.cli.output import confirmed
from hashmark.cli.renderers.elements import counted
from hashmark.cli.transfers import carry_out, require_match, show_plan
from hashmark.core.errors import RefusedPlan
from hashmark.core.plan import Location
from hashmark.library.library import Library


def add_arguments(parser: Parser) -> None:
    """Declare what is deleted, and where."""
    parser.datasets()
    parser.select("The keys that match this glob; may be repeated.", required=True)
    text = "Where the files are deleted: disk, bucket or both."
    parser.option("--from", "SIDE", text, dest="where", required=True, type=one_of(Location))
    parser.flag("--dry-run", "Show the plan and stop.")
    parser.option("--yes", "N", "Confirm exactly this many deletes.", type=number(int, 0))
    parser.common()
    parser.examples(
        "hashmark delete 82 --select '0007.*' --from both --dry-run",
        "hashmark delete 82 --select '0007.*' --from bucket --yes 2",
    )


def run(arguments: Namespace) -> Exit:
    """Delete the selected files of all datasets, or of none.

    Raises:
        UsageError: no dataset is named, or a glob matches nothing.
        RefusedPlan: not everything could be read, or the number was not confirmed.
        StoreError: the bucket can't be listed.
    """
    select, as_json = tuple(arguments.select), arguments.json
    with Library.open(arguments.library) as library:
        datasets = chosen_datasets(library, arguments)
        plans = [require_match(plan_delete(one, arguments.where, select=select), select) for one in datasets]
        if arguments.dry_run:
            return in_turn({p.dataset: partial(show_plan, p, as_json=as_json) for p in plans}, as_json=as_json)
        if not as_json:
            for planned in plans:
                show_plan(planned, as_json=False)
        _confirm(sum(p.plan.deletes for p in plans), arguments.yes, ask=not as_json and sys.stdin.isatty())
        return in_turn({p.dataset: partial(carry_out, p, as_json=as_json) for p in plans}, as_json=as_json)


def _confirm(count: int, yes: int | None, *, ask: bool) -> None:
    """Require the number of files, by `--yes` or typed; zero files need no confirmation.

    Raises:
        RefusedPlan: another number was given, or none.
    """
    would = f"This would move {counted(count, 'file')} to the trash"
    if yes is not None and yes != count:
        raise RefusedPlan(
            f"{would}, but --yes says {yes}. Nothing was deleted.", "Check the plan with --dry-run.", deletes=count
        )
    if yes is None and count and not (ask and confirmed(f"{would}.", count)):
        hint = f"To confirm, run the command again with --yes {count}."
        raise RefusedPlan(f"{would}. That was not confirmed, so nothing was deleted.", hint, deletes=count)

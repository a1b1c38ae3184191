"""`delete`: every plan first, then the number of files confirmed, then the deletes.

Nothing is deleted before all of it was shown and agreed to, so a dataset that can't be planned stops the others too.
What is deleted, and how, is `actions.move`.
"""

from __future__ import annotations

import sys
from functools import partial

from hashmark.actions.move import plan_delete
from hashmark.cli.boundary import chosen
from hashmark.cli.exits import Exit
from hashmark.cli.moving import carry_out, checked, in_turn, show
from hashmark.core.errors import RefusedPlan
from hashmark.core.plan import Location
from hashmark.library.library import Library


def delete(
    library: Library,
    names: list[str],
    select: tuple[str, ...],
    where: Location,
    *,
    dry_run: bool,
    yes: int | None,
    as_json: bool,
) -> Exit:
    """Delete what is selected, of all datasets or of none.

    Raises:
        UsageError: a glob matches nothing.
        RefusedPlan: not everything could be read, or the number was not confirmed.
        StoreError: the bucket can't be listed.
    """
    plans = [checked(plan_delete(dataset, where, select=select), select) for dataset in chosen(library, names)]
    if dry_run:
        return in_turn({p.dataset: partial(show, p, as_json=as_json) for p in plans}, as_json=as_json)
    if not as_json:
        for planned in plans:
            show(planned, as_json=False)
    _confirm(sum(planned.plan.deletes for planned in plans), yes, ask=not as_json and sys.stdin.isatty())
    return in_turn({p.dataset: partial(carry_out, p, as_json=as_json) for p in plans}, as_json=as_json)


def _confirm(count: int, yes: int | None, *, ask: bool) -> None:
    """See that the number of files was agreed to, by `--yes` or typed; nothing needs no consent.

    Raises:
        RefusedPlan: another number was given, or none and there is nobody to ask.
    """
    would = f"{count} files would be deleted (to the trash)"
    if yes is not None and yes != count:
        raise RefusedPlan(
            f"{would}, but --yes says {yes}; nothing was done.", "Look at the plan with --dry-run.", deletes=count
        )
    if yes is not None or count == 0:
        return
    if ask:
        sys.stderr.write(f"{would}. Type {count} to go on: ")
        sys.stderr.flush()
        if sys.stdin.readline().strip() == str(count):
            return
    hint = f"If that is meant, run again with --yes {count}."
    raise RefusedPlan(f"{would}; that was not confirmed, and nothing was done.", hint, deletes=count)

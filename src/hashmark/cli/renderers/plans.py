"""Renders plans and their results: what a push, pull or delete would do, what it did, and what it left alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from hashmark.cli.output import Output, Text
from hashmark.cli.renderers.comparison import colour_of
from hashmark.cli.renderers.elements import SHOWN, name, not_done, size
from hashmark.core.display import reveal
from hashmark.core.plan import DELETES, Verb, local_time, remote_time

if TYPE_CHECKING:
    from datetime import datetime

    from hashmark.actions.move import Planned, Result
    from hashmark.core.model import FileStatus
    from hashmark.core.plan import Action

_EXAMPLES = 3

_PLANNED = {
    Verb.UPLOAD: "upload {}",
    Verb.DOWNLOAD: "download {}",
    Verb.DELETE_REMOTE: "delete {} from the bucket",
    Verb.DELETE_LOCAL: "delete {} from the disk",
}
_DONE = {
    Verb.UPLOAD: "uploaded {}",
    Verb.DOWNLOAD: "downloaded {}",
    Verb.DELETE_REMOTE: "deleted {} from the bucket",
    Verb.DELETE_LOCAL: "deleted {} from the disk",
}


def _counted(counts: Mapping[str, int], words: Mapping[Verb, str]) -> str:
    return ", ".join(words[Verb(verb)].format(count) for verb, count in counts.items())


def plan_text(planned: Planned, out: Output) -> None:
    """Write every action of a plan, and what it leaves alone."""
    plan = planned.plan
    counts = _counted(Counter(action.verb for action in plan.actions), _PLANNED) or "nothing to do"
    transfers = f" ({size(plan.total_bytes)})" if len(plan.actions) > plan.deletes else ""
    out.print(Text(f"{name(planned.dataset.name)}: {counts}{transfers}", "bold"))
    for action in plan.actions:
        out.print(Text(action_line(action)))
    left_alone(planned, out)


def shown_time(at: datetime) -> str:
    """Return a time in this machine's time zone, to the second."""
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"


def action_line(action: Action) -> str:
    """Return one action on one line."""
    if action.verb in DELETES:
        return f"  {_PLANNED[action.verb].format(name(action.key))}"
    return f"  {action.verb} {name(action.key)}{' (replaces)' if action.replaces else ''}"


def deletes_text(actions: Iterable[Action], out: Output) -> None:
    """Write the deletes among these actions, a line each up to a limit."""
    rows = [action for action in actions if action.verb in DELETES]
    for action in rows[:SHOWN]:
        out.print(Text(action_line(action)))
    if len(rows) > SHOWN:
        more = f"{len(rows) - SHOWN} more (--dry-run --max-delete {len(rows)} lists them)"
        out.print(Text(f"  … and {more}", "dim"))


def differing_text(rows: Sequence[FileStatus], out: Output) -> None:
    """Write how many files differ without a common past, and three of them with the times of both sides."""
    what = "1 file differs" if len(rows) == 1 else f"{len(rows)} files differ"
    out.print(Text(f"{what} on both sides, and nothing shows which one is newer:", "bold"))
    for row in rows[:_EXAMPLES]:
        times = (shown_time(at) if at else "unknown" for at in (local_time(row), remote_time(row)))
        out.print(Text(f"  {name(row.key)}: {' on this disk, '.join(times)} in the bucket"))
    if len(rows) > _EXAMPLES:
        out.print(Text(f"  … and {len(rows) - _EXAMPLES} more (--dry-run lists them)", "dim"))


def left_alone(planned: Planned, out: Output) -> None:
    """Write what is out of sync and not touched, with the reason, a line each up to a limit."""
    rows = planned.plan.left_alone
    for row in rows[:SHOWN]:
        line = Text(f"  left alone: {name(row.status.key)} ", colour_of(row.status.verdict).terminal)
        line.append(f"({row.status.verdict}) {reveal(row.reason)}", "dim")
        out.print(line)
    if len(rows) > SHOWN:
        out.print(Text(f"  … and {len(rows) - SHOWN} more left alone (--json lists them)", "dim"))


def result_text(result: Result, out: Output) -> None:
    """Write how a run ended: counts, every failure with its reason, and how to restore what was overwritten."""
    state, actions = result.outcome.state, result.planned.plan.actions
    done = _counted(state.by_verb, _DONE) or ("nothing was done" if actions else "nothing to do")
    failed = f": {len(result.failures)} failed" if result.failures and not state.by_verb else ""
    out.print(Text(f"{name(result.planned.dataset.name)}: {done}{failed}", "bold"), end="")
    seconds = max(0.0, state.now - state.started_at)
    transferred = any(Verb(verb) not in DELETES for verb in state.by_verb)
    out.print(Text(f"  {size(state.bytes_done)} in {seconds:.1f} s" if transferred else "", "dim"))
    not_done(result.failures, result.outcome.fatal, result.outcome.not_tried, out)
    for note in result.notes:
        out.print(Text(f"  note: {note}", "dim"))
    if result.trash:
        kinds = {"replaced": any(action.replaces for action in actions), "deleted": result.planned.plan.deletes > 0}
        what = " and ".join(kind for kind, present in kinds.items() if present)
        out.print(Text(f"  {what} files are in the trash: hashmark trash restore {result.trash}", "dim"))
    left_alone(result.planned, out)

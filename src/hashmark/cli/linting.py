"""`lint`: findings by trainer for people, or one JSON document. What is found is not decided here."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import groupby

from rich.progress import Progress, TextColumn

from hashmark.actions import lint as action
from hashmark.cli import render
from hashmark.cli.exits import Exit, for_lint
from hashmark.cli.output import Output, Text, console
from hashmark.cli.progress import Interruptible
from hashmark.core.display import reveal
from hashmark.core.errors import UsageError
from hashmark.core.lint.claim import Severity
from hashmark.core.lint.facts import Trainer
from hashmark.core.lint.findings import Finding, LintReport
from hashmark.library.dataset import Dataset

ALL = "all"

NAMED = 5
"""Files named of each finding, unless all are asked for."""

_SIGN = {Severity.ERROR: ("✗", "red"), Severity.WARNING: ("!", "yellow"), Severity.NOTE: ("·", "blue")}


def lint(dataset: Dataset, names: Iterable[str], *, every: bool, as_json: bool) -> Exit:
    """Lint one dataset for the trainers of these names, for all without any, and show what was found.

    Raises:
        UsageError: there is no trainer of a name.
    """
    trainers = _trainers(list(names))
    with Interruptible() as stop, _progress(quiet=as_json) as progress:
        task = progress.add_task("looking at images", total=None, visible=False)
        found = action.lint(
            dataset,
            trainers,
            lambda done, of: progress.update(task, completed=done, total=of, visible=True),
            stop.cancel,
        )
    if as_json:
        render.print_json(found.to_json())
    else:
        show(found, console(), 1 << 60 if every else NAMED)
    return for_lint(found)


def _trainers(names: list[str]) -> list[Trainer]:
    if unknown := [name for name in names if name not in {ALL, *Trainer}]:
        raise UsageError(f"There is no trainer '{unknown[0]}' here.", f"Known are {', '.join(Trainer)}, and {ALL}.")
    return list(Trainer) if not names or ALL in names else [Trainer(name) for name in names]


def _progress(*, quiet: bool) -> Progress:
    out = Output(sys.stderr)
    columns = TextColumn("{task.description} {task.completed:.0f}/{task.total:.0f}")
    return Progress(columns, console=out.console, transient=True, disable=quiet or not out.is_terminal)


def show(found: LintReport, out: Output, limit: int) -> None:
    """Findings by trainer, what holds for all of them first; then what is to be known; then what could not be read."""
    health = found.health
    out.print(Text(f"{render.name(found.name)}: {health.images} images, {health.captions} captions", "bold"))
    for trainer, findings in groupby(found.findings, lambda finding: finding.trainer):
        out.print(Text(f"\n{trainer or 'whichever trainer'}", "bold"))
        for finding in findings:
            _finding(finding, out, limit)
    if found.notes:
        out.print(Text("\nto be known", "bold"))
        for note in found.notes:
            _finding(note, out, limit)
    render.problems(found.problems, out)
    out.print(Text(_verdict(found), "bold green" if not found.findings and not found.problems else "bold"))


def _finding(finding: Finding, out: Output, limit: int) -> None:
    sign, style = _SIGN[finding.severity]
    claim = finding.claim
    line = Text(f"  {sign} ", style)
    line.append(f"{finding.code} ", "bold")
    line.append(f"({len(finding.keys)}) " if finding.severity is not Severity.NOTE else f"{finding.trainer} ")
    line.append(claim.what)
    out.print(line)
    out.print(Text(f"      {claim.why} {claim.do}".rstrip(), "dim"))
    out.print(Text(f"      [{finding.source}]", "dim"))
    for key in finding.keys[:limit]:
        more = finding.details.get(key)
        out.print(Text(f"      {render.name(key)}" + (f"   {reveal(more)}" if more else "")))
    if len(finding.keys) > limit:
        out.print(Text(f"      … and {len(finding.keys) - limit} more (--all names them)", "dim"))


def _verdict(found: LintReport) -> str:
    errors = sum(finding.severity is Severity.ERROR for finding in found.findings)
    if not found.findings:
        return "\nnothing odd" + (" in what could be read" if found.problems else "")
    count = len(found.findings)
    return f"\n{count} {'finding' if count == 1 else 'findings'}; errors: {errors}"

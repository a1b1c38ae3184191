"""`hashmark lint`: show how trainers will read a dataset, as text or as one JSON document."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterable
from functools import partial
from itertools import groupby

from rich.progress import Progress, TextColumn

from hashmark.actions.lint import lint
from hashmark.cli.arguments import Parser, chosen_datasets
from hashmark.cli.each_dataset import Answer, one_or_all
from hashmark.cli.exits import Exit, for_lint
from hashmark.cli.output import Output, Text, console
from hashmark.cli.progress import Interruptible
from hashmark.cli.renderers.elements import counted, name, problems
from hashmark.core.display import reveal
from hashmark.core.errors import UsageError
from hashmark.core.lint.claim import Severity
from hashmark.core.lint.facts import Trainer
from hashmark.core.lint.findings import Finding, LintReport
from hashmark.library.dataset import Dataset
from hashmark.library.library import Library

ALL = "all"
FILES_SHOWN = 5
"""Files listed with each finding, unless all are asked for."""

_SIGN = {Severity.ERROR: ("✗", "red"), Severity.WARNING: ("!", "yellow"), Severity.NOTE: ("·", "blue")}


def add_arguments(parser: Parser) -> None:
    """Declare the dataset and the trainers."""
    parser.dataset()
    parser.all_datasets()
    trainers = "kohya, musubi, diffusion-pipe, ai-toolkit, simpletuner, onetrainer or all"
    parser.repeatable("--trainer", "NAME", f"{trainers}; may be repeated. Default: all.")
    parser.flag("--full", "List every file.")
    parser.common()
    parser.examples("hashmark lint 82", "hashmark lint 82 --trainer kohya")


def run(arguments: Namespace) -> Exit:
    """Lint one dataset, or all, and show the findings.

    Raises:
        UsageError: there is no trainer of a name.
    """
    names: list[str] = arguments.trainer
    if unknown := [name for name in names if name not in {ALL, *Trainer}]:
        raise UsageError(f"There is no trainer '{unknown[0]}'.", f"Valid names: {', '.join(Trainer)}, {ALL}.")
    trainers = list(Trainer) if not names or ALL in names else [Trainer(name) for name in names]
    with Library.open(arguments.library) as library:
        datasets = chosen_datasets(library, arguments)
        work = {dataset: partial(_lint, dataset, trainers, arguments) for dataset in datasets}
        return one_or_all(work, library, arguments)


def _lint(dataset: Dataset, trainers: list[Trainer], arguments: Namespace) -> Answer:
    with Interruptible() as stop, _progress(quiet=arguments.json) as progress:
        task = progress.add_task("reading images", total=None, visible=False)
        found = lint(
            dataset,
            trainers,
            lambda done, of: progress.update(task, completed=done, total=of, visible=True),
            stop.cancel,
        )
    if not arguments.json:
        _show(found, console(), None if arguments.full else FILES_SHOWN)
    return found.to_json(), for_lint(found)


def _progress(*, quiet: bool) -> Progress:
    out = Output(sys.stderr)
    columns = TextColumn("{task.description} {task.completed:.0f}/{task.total:.0f}")
    return Progress(columns, console=out.console, transient=True, disable=quiet or not out.is_terminal)


def _show(found: LintReport, out: Output, limit: int | None) -> None:
    """Write the findings by trainer, those for all trainers first; then the notes; then what could not be read."""
    health = found.health
    size = f"{counted(health.images, 'image')}, {counted(health.captions, 'caption')}"
    out.print(Text(f"{name(found.name)}: {size}", "bold"))
    for trainer, findings in groupby(found.findings, lambda finding: finding.trainer):
        _section(trainer or "any trainer", findings, out, limit)
    if found.notes:
        _section("good to know", found.notes, out, limit)
    problems(found.problems, out)
    if found.findings:
        errors = sum(finding.severity is Severity.ERROR for finding in found.findings)
        out.print(Text(f"\n{counted(len(found.findings), 'finding')}, {counted(errors, 'error')}", "bold"))
    elif found.problems:
        out.print(Text("\nno findings in the files that could be read", "bold"))
    else:
        out.print(Text("\nno findings", "bold green"))


def _section(title: str, findings: Iterable[Finding], out: Output, limit: int | None) -> None:
    out.print(Text(f"\n{title}", "bold"))
    for finding in findings:
        _finding(finding, out, limit)


def _finding(finding: Finding, out: Output, limit: int | None) -> None:
    sign, style = _SIGN[finding.severity]
    claim = finding.claim
    line = Text(f"  {sign} ", style)
    line.append(f"{finding.code} ", "bold")
    line.append(f"({len(finding.keys)}) " if finding.severity is not Severity.NOTE else f"{finding.trainer} ")
    line.append(claim.what)
    out.print(line)
    out.print(Text(f"      {claim.why} {claim.do}".rstrip(), "dim"))
    out.print(Text(f"      [{finding.source}]", "dim"))
    shown = finding.keys[:limit]
    for key in shown:
        detail = finding.details.get(key)
        out.print(Text(f"      {name(key)}" + (f"   {reveal(detail)}" if detail else "")))
    if len(finding.keys) > len(shown):
        out.print(Text(f"      … and {len(finding.keys) - len(shown)} more (--full lists them)", "dim"))

"""`hashmark verify`: download every object and compare its bytes with the file's."""

from __future__ import annotations

from argparse import Namespace
from functools import partial

from hashmark.actions.verify import verify
from hashmark.cli.arguments import Parser, chosen_datasets
from hashmark.cli.each_dataset import Answer, in_turn, of_all
from hashmark.cli.exits import Exit, for_status
from hashmark.cli.output import console
from hashmark.cli.progress import Interruptible, ProgressDisplay
from hashmark.cli.renderers.comparison import attention, status_line
from hashmark.cli.renderers.elements import SHOWN, name
from hashmark.core.model import Verdict
from hashmark.core.plan import Direction, Policy
from hashmark.core.report import Summary
from hashmark.library.dataset import Dataset
from hashmark.library.library import Library


def add_arguments(parser: Parser) -> None:
    """Declare the datasets and what is read."""
    parser.datasets()
    parser.all_datasets()
    parser.select()
    text = "Read everything, also what an interrupted run has read."
    parser.flag("--no-resume", text, dest="resume", action="store_false")
    parser.common()
    parser.examples("hashmark verify 82", "hashmark verify 82 --select '*.txt'")


def run(arguments: Namespace) -> Exit:
    """Verify each dataset in turn."""
    with Library.open(arguments.library) as library:
        head = {"library": str(library.root), "remote": library.settings.remote.url}
        datasets = chosen_datasets(library, arguments, remote=True)
        work = {dataset: partial(_verify, dataset, arguments) for dataset in datasets}
        return of_all(library, arguments, in_turn(work, as_json=arguments.json, head=head))


def _verify(dataset: Dataset, arguments: Namespace) -> Answer:
    policy = Policy(Direction.PULL, select=tuple(arguments.select))
    title = f"Verifying {name(dataset.name)}"
    with Interruptible() as stop, ProgressDisplay(title, quiet=arguments.json) as progress:
        found = verify(dataset, policy, progress.on_event, stop.cancel, resume=arguments.resume)
    if not arguments.json:
        summary = Summary.of(found.files)
        out = console()
        out.print(status_line(dataset, summary))
        attention(summary, out, SHOWN)
        if damaged := sum(file.verdict is Verdict.DIFFERS for file in found.files):
            out.print(f"{damaged} differ in size or bytes.", style="red")
    interrupted = stop.cancel.is_set()
    return found.to_json(), Exit.INTERRUPTED if interrupted else for_status(found, complete=found.complete)

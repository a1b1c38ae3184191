"""`hashmark trash restore`: put the files of a batch back where they were."""

from __future__ import annotations

from argparse import Namespace

from hashmark.cli.arguments import Parser
from hashmark.cli.exits import Exit
from hashmark.cli.output import console
from hashmark.cli.renderers.elements import counted, failures, print_json
from hashmark.library.library import Library
from hashmark.trash.restore import restore


def add_arguments(parser: Parser) -> None:
    """Declare the batch, and the part of it that is restored."""
    parser.argument("batch", "BATCH", "The batch, as `trash list` names it.")
    parser.option("--dataset", "DATASET", "Only this dataset: its number or its folder's name.")
    parser.common()


def run(arguments: Namespace) -> Exit:
    """Restore the batch, and name the commands that reverse it."""
    with Library.open(arguments.library) as library:
        restored = restore(library, arguments.batch, arguments.dataset)
    if arguments.json:
        print_json(restored.to_json())
    else:
        out = console()
        out.print(f"{len(restored.entries)} restored")
        failures(restored.failures, out)
        if restored.batch:
            out.print(f"  overwritten files are in the trash: hashmark trash restore {restored.batch}", style="dim")
        if restored.created:
            count = len(restored.created)
            created = f"{counted(count, 'file')} that this batch created {'remains' if count == 1 else 'remain'}"
            out.print(f"  {created}; to remove: hashmark undo {arguments.batch}", style="yellow")
    return Exit.PARTLY if restored.failures else Exit.DONE

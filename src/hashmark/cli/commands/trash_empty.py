"""`hashmark trash empty`: delete the trash, or one batch of it, permanently."""

from __future__ import annotations

import sys
from argparse import Namespace

from hashmark.cli.arguments import Parser
from hashmark.cli.exits import Exit
from hashmark.cli.output import confirmed, console
from hashmark.cli.renderers.elements import counted, failures, print_json
from hashmark.core.errors import RefusedPlan
from hashmark.library.library import Library
from hashmark.trash.empty import empty, trash_contents


def add_arguments(parser: Parser) -> None:
    """Declare the batch and the confirmation."""
    parser.argument("batch", "BATCH", "Only this batch. Default: the whole trash.", nargs="?")
    parser.flag("--yes", "Do not ask.")
    parser.common()


def run(arguments: Namespace) -> Exit:
    """Delete what the trash holds now, after confirmation.

    Raises:
        RefusedPlan: it was not confirmed.
    """
    with Library.open(arguments.library) as library:
        held = trash_contents(library, arguments.batch)
        if not arguments.yes:
            would = f"This would delete {counted(len(held.entries), 'file')} permanently."
            if not (sys.stdin.isatty() and confirmed(would, len(held.entries))):
                hint = "Run the command again with --yes."
                raise RefusedPlan(f"{would} That was not confirmed, so nothing was deleted.", hint)
        deleted, failed = empty(library, held)
    if arguments.json:
        rows = [{"key": f.key, "code": f.code, "message": f.message} for f in failed]
        print_json({"deleted": deleted, "failed": rows})
    else:
        out = console()
        out.print(f"{deleted} deleted permanently")
        failures(failed, out)
    return Exit.PARTLY if failed else Exit.DONE

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
from hashmark.trash.batch import Maker
from hashmark.trash.empty import empty, trash_contents

_MAKERS = {
    Maker.OTHER: "of other machines",
    Maker.UNKNOWN: "of earlier versions, whose machine is not known,",
}


def add_arguments(parser: Parser) -> None:
    """Declare the batch and the confirmation."""
    parser.argument("batch", "BATCH", "Only this batch. Default: all that this machine made.", nargs="?")
    parser.flag("--all-machines", "Delete also what other machines put there, or nobody knows which machine.")
    parser.flag("--yes", "Do not ask.")
    parser.common()


def run(arguments: Namespace) -> Exit:
    """Delete what the trash holds now, after confirmation.

    Raises:
        RefusedPlan: it was not confirmed, or the batch is another machine's.
    """
    with Library.open(arguments.library) as library:
        held = trash_contents(library, arguments.batch, all_machines=arguments.all_machines)
        if held.entries and not arguments.yes:
            would = f"This would delete {counted(len(held.entries), 'file')} permanently."
            if not (sys.stdin.isatty() and confirmed(would, len(held.entries))):
                hint = "Run the command again with --yes."
                raise RefusedPlan(f"{would} That was not confirmed, so nothing was deleted.", hint)
        deleted, failed = empty(library, held)
    if arguments.json:
        rows = [{"key": f.key, "code": f.code, "message": f.message} for f in failed]
        left = {"other": held.left.get(Maker.OTHER, 0), "unknown": held.left.get(Maker.UNKNOWN, 0)}
        print_json({"deleted": deleted, "failed": rows, "left": left})
    else:
        out = console()
        out.print(f"{deleted} deleted permanently")
        failures(failed, out)
        for maker, count in sorted(held.left.items()):
            out.print(f"  {counted(count, 'file')} {_MAKERS[maker]} left; to delete: --all-machines", style="yellow")
    return Exit.PARTLY if failed else Exit.DONE

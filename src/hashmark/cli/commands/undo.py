"""`hashmark undo`: list the batches that can be undone, or undo one."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence

from hashmark.cli.arguments import Parser
from hashmark.cli.exits import Exit, for_undone
from hashmark.cli.output import Output, Text, console
from hashmark.cli.progress import Interruptible, ProgressDisplay
from hashmark.cli.renderers.caption_changes import undone_text
from hashmark.cli.renderers.elements import name, print_json
from hashmark.core.display import reveal
from hashmark.library.library import Library
from hashmark.trash import undo as undoing
from hashmark.trash.batch import Batch, undoable_batches, unreadable_batches


def add_arguments(parser: Parser) -> None:
    """Declare the batch."""
    text = "The batch, as `undo` lists it, or `last`. Default: list all batches."
    parser.argument("batch", "BATCH", text, nargs="?")
    parser.common()
    parser.examples("hashmark undo", "hashmark undo last")


def run(arguments: Namespace) -> Exit:
    """List the batches, or undo the one that is named."""
    with Library.open(arguments.library) as library:
        if arguments.batch is not None:
            return _undo(library, arguments.batch, as_json=arguments.json)
        found, damaged = undoable_batches(library), unreadable_batches(library)
    if arguments.json:
        print_json({"batches": [batch.to_json() for batch in found], "unreadable": damaged})
    else:
        _table(found, damaged, console())
    return Exit.DONE


def _undo(library: Library, batch: str, *, as_json: bool) -> Exit:
    with Interruptible() as stop, ProgressDisplay("Undoing", quiet=as_json) as progress:
        undone = undoing.undo(library, batch, progress.on_event, stop.cancel)
    if as_json:
        print_json(undone.to_json())
    else:
        undone_text(undone, console())
    return for_undone(undone)


def _table(found: Sequence[Batch], damaged: Sequence[str], out: Output) -> None:
    """Write a line for each batch; then the batches with an unreadable journal."""
    if not found and not damaged:
        out.print(Text("There is nothing to undo.", "dim"))
    if found:
        rows = ((b.name, name(b.journal.dataset), str(b.left), reveal(b.journal.what)) for b in found)
        out.table(("batch", "dataset", "files", "what"), rows)
    for batch in damaged:
        out.print(Text(f"{batch}  its journal can't be read: use hashmark trash restore {batch}", "yellow"))

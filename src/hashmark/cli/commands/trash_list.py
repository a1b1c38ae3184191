"""`hashmark trash list`: list the batches in the trash, on disk and in the bucket."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Mapping

from hashmark.cli.arguments import Parser
from hashmark.cli.exits import Exit, for_error
from hashmark.cli.output import Output, console, write_error_line
from hashmark.cli.renderers.elements import error_json, error_text, name, print_json, size
from hashmark.core.errors import HashmarkError, StoreError
from hashmark.library.library import Library
from hashmark.trash.batch import Maker, maker_of
from hashmark.trash.contents import TrashEntry, trash_entries


def add_arguments(parser: Parser) -> None:
    """Declare the common options."""
    parser.common()


def run(arguments: Namespace) -> Exit:
    """List what is in the trash; if the bucket can't be listed, the disk's part and the error."""
    found: list[TrashEntry] = []
    makers: dict[str, Maker] = {}
    error: HashmarkError | None = None
    with Library.open(arguments.library) as library:
        try:
            found.extend(trash_entries(library))
        except StoreError as failed:
            error = failed
        for entry in found:
            if entry.batch not in makers:
                makers[entry.batch] = maker_of(library, entry.batch)
    if arguments.json:
        document = {"entries": [entry.to_json() | {"madeBy": makers[entry.batch]} for entry in found]}
        print_json(document | ({"error": error_json(error)} if error else {}))
    else:
        out = console()
        if found or not error:
            _table(found, makers, out)
        if error:
            out.print("The trash in the bucket could not be listed.", style="yellow")
            write_error_line(error_text(error))
    return for_error(error) if error else Exit.DONE


_MADE_BY = {Maker.THIS: "this machine", Maker.OTHER: "another machine", Maker.UNKNOWN: "not known"}


def _table(found: Iterable[TrashEntry], makers: Mapping[str, Maker], out: Output) -> None:
    sums: dict[tuple[str, str, str], tuple[int, int]] = {}
    for entry in found:
        place = (entry.batch, entry.dataset, entry.side)
        files, total = sums.get(place, (0, 0))
        sums[place] = (files + 1, total + entry.size)
    if not sums:
        out.print("The trash is empty.", style="dim")
        return
    rows = (
        (name(batch), name(dataset), side, str(files), size(total), _MADE_BY[makers[batch]])
        for (batch, dataset, side), (files, total) in sorted(sums.items())
    )
    out.table(("batch", "dataset", "from", "files", "size", "made by"), rows)

"""`hashmark ls-remote`: list a dataset's objects in the bucket."""

from __future__ import annotations

from argparse import Namespace

from hashmark.actions.ls_remote import ls_remote
from hashmark.cli.arguments import Parser, chosen_datasets
from hashmark.cli.exits import Exit
from hashmark.cli.output import write_texts
from hashmark.cli.renderers.elements import name, print_json
from hashmark.library.library import Library


def add_arguments(parser: Parser) -> None:
    """Declare the dataset."""
    parser.dataset()
    parser.common()


def run(arguments: Namespace) -> Exit:
    """Write the listing; the whole of it, or an error."""
    with Library.open(arguments.library) as library:
        (dataset,) = chosen_datasets(library, arguments)
        objects = ls_remote(dataset)
        if arguments.json:
            from hashmark.core.saved_listing import to_json  # noqa: PLC0415 - only for JSON

            print_json(to_json(objects))
        else:
            write_texts(
                f"{row.size:>12}  {row.etag or '-':<36}  {row.last_modified or '-'}  {name(row.key)}\n"
                for row in objects
            )
    return Exit.DONE

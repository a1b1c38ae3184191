"""`hashmark diff`: show captions that differ, word by word."""

from __future__ import annotations

from argparse import Namespace

from hashmark.actions.diff import diff
from hashmark.cli.arguments import Parser, chosen_datasets, current_dataset
from hashmark.cli.exits import Exit
from hashmark.cli.output import console
from hashmark.cli.renderers.caption_changes import diff_text
from hashmark.cli.renderers.elements import print_json
from hashmark.core.errors import NoSuchDataset
from hashmark.library.dataset import Dataset
from hashmark.library.library import Library


def add_arguments(parser: Parser) -> None:
    """Declare the dataset and the captions."""
    parser.dataset()
    parser.argument("keys", "KEY", "Captions, or their images. Default: all captions that differ.", nargs="*")
    parser.common()
    parser.examples("hashmark diff 82", "hashmark diff 82 0011.txt")


def run(arguments: Namespace) -> Exit:
    """Write the differences as they are found."""
    with Library.open(arguments.library) as library:
        found = diff(*_chosen(library, arguments))
        if arguments.json:
            rows = [row.to_json() for row in found]
            print_json({"captions": rows})
            return Exit.NOT_IN_SYNC if rows else Exit.DONE
        status, out = Exit.DONE, console()
        for row in found:
            diff_text(row, out)
            status = Exit.NOT_IN_SYNC
        return status


def _chosen(library: Library, arguments: Namespace) -> tuple[Dataset, list[str]]:
    """Return the dataset and the captions. In a dataset's folder, all words may be captions of it."""
    here = current_dataset(library)
    try:
        (dataset,) = chosen_datasets(library, arguments)
    except NoSuchDataset:
        if here is None:
            raise
        return here, [arguments.dataset, *arguments.keys]
    return dataset, arguments.keys

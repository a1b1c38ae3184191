"""Runs a command for one dataset after another, and reports the answer or the error of each."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from hashmark.cli.exits import Exit, for_error, worst
from hashmark.cli.output import write_error_line
from hashmark.cli.renderers.elements import error_json, error_text, print_json
from hashmark.core.errors import HashmarkError

if TYPE_CHECKING:
    from hashmark.library.dataset import Dataset
    from hashmark.library.library import Library

Answer = tuple[dict[str, Any], Exit]
"""What a command answers for one dataset: its JSON document, and the exit status it leads to."""

Work = Mapping["Dataset", Callable[[], Answer]]


def in_turn(work: Work, *, as_json: bool, head: Mapping[str, Any] | None = None) -> Exit:
    """Work on each dataset, and report its answer or its error. `head` opens the JSON document."""
    documents: list[dict[str, Any]] = []
    exits: list[Exit] = []
    for dataset, start in work.items():
        try:
            document, status = start()
        except HashmarkError as error:
            # What was done for earlier datasets must be reported all the same.
            document, status = {"dataset": dataset.name, "error": error_json(error)}, for_error(error)
            if not as_json:
                write_error_line(error_text(error))
        documents.append(document)
        exits.append(status)
        if status in {Exit.INTERRUPTED, Exit.STORE}:
            break
    if as_json:
        print_json({**(head or {}), "datasets": documents})
    return worst(exits)


def of_all(library: Library, arguments: Namespace, status: Exit) -> Exit:
    """Return the exit status of a command, made worse by folders that `--all` had to leave out."""
    if not arguments.all:
        return status
    if not library.datasets() and not arguments.json:
        write_error_line(f"No datasets in {library.root}: each sub-folder with images is one.")
    return worst([status, Exit.PARTLY if library.refused else Exit.DONE])


def one_or_all(work: Work, library: Library, arguments: Namespace) -> Exit:
    """Do the work: of one dataset, whose answer is the JSON document, or with `--all` in turn."""
    if arguments.all:
        return of_all(library, arguments, in_turn(work, as_json=arguments.json))
    (start,) = work.values()
    document, status = start()
    if arguments.json:
        print_json(document)
    return status

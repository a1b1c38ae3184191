"""`hashmark status`: compare datasets; as text in constant memory, or as one JSON document."""

from __future__ import annotations

import contextlib
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hashmark.actions.scans import requested
from hashmark.actions.status import Options, Scan, count_issues, status_of
from hashmark.cli.arguments import Parser, chosen_datasets, current_dataset
from hashmark.cli.exits import Exit, for_status, worst
from hashmark.cli.output import Output, console
from hashmark.cli.renderers.comparison import attention, health_line, ignored_lines, status_line
from hashmark.cli.renderers.elements import SHOWN, name, print_json, problems
from hashmark.core.blocks import blocks
from hashmark.core.errors import UsageError
from hashmark.core.ignored import root_json, root_text
from hashmark.core.lint.health import CaptionHealth
from hashmark.core.model import FileStatus, Key, Kind, Problem
from hashmark.core.pairs import aggregate_captions, in_order, pair_names
from hashmark.core.report import Summary
from hashmark.library.dataset import Dataset
from hashmark.library.library import Library

if TYPE_CHECKING:
    from hashmark.cli.progress import ComparisonDisplay
    from hashmark.core.saved_listing import SavedListing

NO_LIMIT = 1 << 60
MAX_PAIRED_FILES = 20_000
"""Larger datasets have no pairing problems and caption issues in the text; `--json` always has them."""

_IMAGE, _CAPTION = Kind.IMAGE, Kind.CAPTION  # read for each file, as in `core.compare`


def add_arguments(parser: Parser) -> None:
    """Declare the datasets and how they are compared."""
    parser.datasets("the current folder's, or all")
    parser.all_datasets()
    parser.flag("--rehash", "Read every file again instead of trusting remembered digests.")
    parser.flag("--deep", "Download the files that nothing else can settle.")
    text = "Compare with a listing saved by `ls-remote --json`, or with the manifest.json of an S3 Inventory."
    parser.option("--against", "LISTING", text, type=Path)
    parser.flag("--full", "List every file that is not in sync.")
    parser.common()
    parser.examples("hashmark status", "hashmark status 82 --full", "hashmark status 82 --against saved.json")


def run(arguments: Namespace) -> Exit:
    """Compare the datasets, and show what differs."""
    with Library.open(arguments.library) as library:
        everything = arguments.all or not (arguments.datasets or current_dataset(library))
        datasets, options, saved = _selected(library, arguments, everything=everything)
        if not everything:
            arguments.datasets = [dataset.name for dataset in datasets]  # the current folder's counts as named
        status = (_show_json if arguments.json else _show_text)(library, datasets, options, saved, arguments)
        # A folder that can't be a dataset does not affect datasets named on the command line.
        return worst([status, Exit.PARTLY if library.refused and everything else Exit.DONE])


def _selected(
    library: Library, arguments: Namespace, *, everything: bool
) -> tuple[list[Dataset], Options, SavedListing | None]:
    """Return the datasets, how to compare them, and the saved listing."""
    options = Options(arguments.rehash, arguments.deep)
    if arguments.against is not None:
        from hashmark.library.listing_file import read_listing  # noqa: PLC0415 - only for --against

        if everything or len(arguments.datasets) > 1:
            raise UsageError("--against compares one dataset with one listing.", "Name the dataset.")
        (dataset,) = chosen_datasets(library, arguments)
        saved = read_listing(arguments.against, dataset)
        return [dataset], Options(arguments.rehash, arguments.deep, saved.objects), saved
    if everything and not arguments.datasets:
        return [*library.datasets(), *library.remote_only()], options, None
    return chosen_datasets(library, arguments), options, None


def _show_text(
    library: Library, datasets: list[Dataset], options: Options, saved: SavedListing | None, arguments: Namespace
) -> Exit:
    """Write one line for each dataset; for a single one, the files that need attention as well."""
    if saved:
        console().print(f"Against {saved.age(datetime.now(UTC))}", style="dim")
    if not datasets:
        console().print(f"No datasets in {library.root}: each sub-folder with images is one.")
    limit = NO_LIMIT if arguments.full else SHOWN
    detailed = len(datasets) == 1 or arguments.full
    shown: set[Problem] = set()
    count = _Count()
    scans = requested(Scan(dataset, options, count) for dataset in datasets)
    status = worst([_show_dataset(scan, count, limit, shown, detailed=detailed) for scan in scans])
    if not arguments.datasets and (ignored := root_text(library.ignored())):
        console().print(f"Ignored in {name(str(library.root))}: {ignored}", style="dim")
    return status


def _ignore(_files: int, _bytes: int) -> None:
    """Show nothing."""


class _Count:
    """Passes what a comparison has read on to the display of its dataset."""

    def __init__(self) -> None:
        self.show: Callable[[int, int], None] = _ignore

    def __call__(self, files: int, size: int) -> None:
        self.show(files, size)


def _show_dataset(scan: Scan, count: _Count, limit: int, shown: set[Problem], *, detailed: bool) -> Exit:
    """Write one dataset; problems that were `shown` with another one are not repeated."""
    out, dataset = console(), scan.dataset
    summary = Summary(keep=limit if detailed else 0)
    names = _Names(dataset)
    with _progress(dataset) as display:
        count.show = display.on_read if display else _ignore
        for block in blocks(scan):
            if display:
                display.on_compared(len(block))
            summary.add(block)
            if summary.total <= MAX_PAIRED_FILES:
                names.add(block)
    paired = names.pair() if summary.total <= MAX_PAIRED_FILES else None
    pairing_problems = paired.problems if paired and detailed else ()
    out.print(status_line(dataset, summary))
    if paired:
        health_line(paired.health, out)
    ignored_lines(scan.ignored, scan.ignored_objects, out)
    if detailed:
        attention(summary, out, limit)
    problems([problem for problem in (*scan.problems, *pairing_problems) if problem not in shown], out)
    shown.update(scan.problems)
    return for_status(summary, complete=scan.complete)


def _progress(dataset: Dataset) -> contextlib.AbstractContextManager[ComparisonDisplay | None]:
    """Show on a terminal how far the comparison of a dataset is; nothing elsewhere."""
    if not Output(sys.stderr).is_terminal:
        return contextlib.nullcontext()
    from hashmark.cli.progress import ComparisonDisplay  # noqa: PLC0415 - for a terminal alone

    return ComparisonDisplay(dataset)


class _Paired(NamedTuple):
    problems: tuple[Problem, ...]
    health: CaptionHealth


class _Names:
    """What pairs and caption issues are derived from: names, and digests of captions. The rest would be 25 MB."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._images: dict[Key, bool] = {}
        """Whether they are on disk."""
        self._captions: dict[Key, tuple[Key, str | None] | None] = {}
        """Key and MD5 of those on disk."""
        self._problems: list[Problem] = []

    def add(self, files: Sequence[FileStatus]) -> None:
        """Add files in key order."""
        self._images.update((key, local is not None) for key, kind, *_, local, _, _, _ in files if kind is _IMAGE)
        self._captions.update(
            (key, (key, local.md5) if local else None) for key, kind, *_, local, _, _, _ in files if kind is _CAPTION
        )
        self._problems += aggregate_captions([file.key for file in files])

    def pair(self) -> _Paired:
        """Return the problems of pairing, and the caption issues."""
        chosen, problems = pair_names(list(self._images), list(self._captions), self._dataset.pairing)
        found = zip(chosen, self._images.values(), strict=True)
        captions = [self._captions[key] if key else None for key, on_disk in found if on_disk]
        return _Paired(in_order([*problems, *self._problems]), count_issues(self._dataset, captions))


def _show_json(
    library: Library, datasets: list[Dataset], options: Options, saved: SavedListing | None, arguments: Namespace
) -> Exit:
    """Write the whole comparison as one JSON document. Of single datasets it does not say what is beside them."""
    documents, exits, in_sync = [], [], bool(datasets)
    for scan in requested(Scan(dataset, options) for dataset in datasets):
        found = status_of(scan)
        documents.append(found.to_json())
        in_sync = in_sync and found.in_sync
        exits.append(for_status(found, complete=found.complete))
    against = {"against": saved.to_json()} if saved else {}
    remote = library.settings.remote.url
    in_sync = in_sync and not (library.refused and not arguments.datasets)
    ignored = {} if arguments.datasets else {"ignored": root_json(library.ignored())}
    head = {"library": str(library.root), "remote": remote, "inSync": in_sync, **against}
    print_json({**head, "datasets": documents, **ignored})
    return worst(exits)

"""`status`: text that streams in constant memory, or one JSON document."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hashmark.actions.listing import read_listing
from hashmark.actions.status import Options, Scan
from hashmark.actions.status import status as compare
from hashmark.cli import render
from hashmark.cli.exits import Exit, for_status, worst
from hashmark.cli.options import chosen
from hashmark.core.errors import UsageError
from hashmark.core.report import Summary
from hashmark.library import Dataset, Library

ENDLESS = 1 << 60


def _selected(library: Library, names: list[str], against: Path | None) -> tuple[list[Dataset], Options]:
    """The datasets to look at; without names all, those that only the bucket has included."""
    if against is not None:
        if len(names) != 1:
            raise UsageError("--against compares one dataset with one listing.", "Name the dataset.")
        return chosen(library, names), Options(against=read_listing(against))
    if names:
        return chosen(library, names), Options()
    return [*library.datasets(), *library.remote_only()], Options()


def _with(options: Options, *, rehash: bool, deep: bool) -> Options:
    return Options(rehash, deep, options.against)


def show_text(
    library: Library, names: list[str], *, rehash: bool, deep: bool, against: Path | None, every: bool
) -> Exit:
    """A line a dataset; for one dataset, the files that need attention as well."""
    datasets, options = _selected(library, names, against)
    options = _with(options, rehash=rehash, deep=deep)
    out = render.console()
    limit = ENDLESS if every else render.SHOWN
    detailed = len(datasets) == 1 or every
    if not datasets:
        out.print(f"No datasets in {library.root}: each sub-folder with images is one.")
    return worst([_show_one(Scan(dataset, options), limit, detailed=detailed) for dataset in datasets])


def _show_one(scan: Scan, limit: int, *, detailed: bool) -> Exit:
    out = render.console()
    summary = Summary(keep=limit if detailed else 0)
    for row in scan:
        summary.add(row)
    out.print(render.status_line(scan.dataset, summary))
    if detailed:
        render.attention(summary, out, limit)
        if scan.ignored:
            out.print(f"\n{scan.ignored} ignored (trainers' caches and desktop litter)", style="dim")
    render.problems(scan.problems, out)
    return for_status(summary, complete=scan.complete)


def show_json(
    library: Library, names: list[str], *, rehash: bool, deep: bool, against: Path | None, every: bool
) -> Exit:
    """The whole comparison as JSON, written dataset by dataset."""
    del every  # JSON always has every file
    datasets, options = _selected(library, names, against)
    options = _with(options, rehash=rehash, deep=deep)
    exits: list[Exit] = []

    def rows() -> Iterator[dict[str, object]]:
        for dataset in datasets:
            found = compare(dataset, options)
            exits.append(for_status(found, complete=found.complete))
            yield found.to_json()

    remote = library.settings.remote.url
    render.print_json({"library": str(library.root), "remote": remote, "datasets": list(rows())})
    return worst(exits)

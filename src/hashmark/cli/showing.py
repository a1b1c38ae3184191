"""`status`: text that streams in constant memory, or one JSON document."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hashmark.actions.status import Options, Scan, caption_health
from hashmark.actions.status import status as compare
from hashmark.cli import render
from hashmark.cli.boundary import chosen
from hashmark.cli.exits import Exit, for_status, worst
from hashmark.cli.output import console
from hashmark.core.errors import UsageError
from hashmark.core.model import FileStatus, Kind, LocalFile, Problem, Stamp
from hashmark.core.pairs import pair_up
from hashmark.core.report import Summary
from hashmark.library.dataset import Dataset
from hashmark.library.library import Library

if TYPE_CHECKING:
    from hashmark.core.saved_listing import SavedListing

ENDLESS = 1 << 60
_NO_STAMP = Stamp(0, 0, 0, 0, 0)
MOST_PAIRED = 20_000
"""Files up to which the text also says what is odd about pairs and captions; `--json` always does."""


def _selected(
    library: Library, names: list[str], *, rehash: bool, deep: bool, against: Path | None
) -> tuple[list[Dataset], Options, SavedListing | None]:
    """The datasets to look at, how, and the saved listing; without names all, those only the bucket has included."""
    if against is not None:
        from hashmark.library.listing_file import read_listing  # noqa: PLC0415 - a status of the bucket needs none of it

        if len(names) != 1:
            raise UsageError("--against compares one dataset with one listing.", "Name the dataset.")
        (dataset,) = chosen(library, names)
        saved = read_listing(against, dataset)
        return [dataset], Options(rehash, deep, saved.objects), saved
    if names:
        return chosen(library, names), Options(rehash, deep), None
    return [*library.datasets(), *library.remote_only()], Options(rehash, deep), None


def show_text(
    library: Library, names: list[str], *, rehash: bool, deep: bool, against: Path | None, every: bool
) -> Exit:
    """A line a dataset; for one dataset, the files that need attention as well."""
    datasets, options, saved = _selected(library, names, rehash=rehash, deep=deep, against=against)
    if saved:
        console().print(f"Against {saved.age(datetime.now(UTC))}", style="dim")
    limit = ENDLESS if every else render.SHOWN
    detailed = len(datasets) == 1 or every
    if not datasets:
        console().print(f"No datasets in {library.root}: each sub-folder with images is one.")
    told: set[Problem] = set()
    exits = [_show_one(Scan(dataset, options), limit, told, detailed=detailed) for dataset in datasets]
    return worst([*exits, _for_library(library, names)])


def _for_library(library: Library, names: list[str]) -> Exit:
    """A folder that can be no dataset is nothing to a dataset that was named."""
    return Exit.PARTLY if library.refused and not names else Exit.DONE


def _show_one(scan: Scan, limit: int, told: set[Problem], *, detailed: bool) -> Exit:
    """One dataset; problems that were `told` with another one are not told again."""
    out = console()
    summary = Summary(keep=limit if detailed else 0)
    rows: list[FileStatus] = []
    for row in scan:
        summary.add(row)
        if len(rows) < MOST_PAIRED:
            rows.append(_slim(row))
    paired = pair_up(rows, scan.dataset.pairing) if len(rows) == summary.total else None
    odd = paired.problems if paired and detailed else ()
    out.print(render.status_line(scan.dataset, summary))
    if paired:
        render.health_line(caption_health(scan.dataset, paired.pairs), out)
    if detailed:
        render.attention(summary, out, limit)
        if scan.ignored:
            out.print(f"\n{scan.ignored} ignored (trainers' caches and desktop litter)", style="dim")
    render.problems([problem for problem in (*scan.problems, *odd) if problem not in told], out)
    told.update(scan.problems)
    return for_status(summary, complete=scan.complete)


def _slim(row: FileStatus) -> FileStatus:
    """What pairs and captions' health are told from: names and captions' digests. The rest would be 25 MB."""
    md5 = row.local.md5 if row.local and row.kind is Kind.CAPTION else None
    local = LocalFile(row.key, _NO_STAMP, md5) if row.local else None
    return FileStatus(row.key, row.kind, row.verdict, local=local)


def show_json(library: Library, names: list[str], *, rehash: bool, deep: bool, against: Path | None) -> Exit:
    """The whole comparison as one JSON document."""
    datasets, options, saved = _selected(library, names, rehash=rehash, deep=deep, against=against)
    documents, exits = [], []
    for dataset in datasets:
        found = compare(dataset, options)
        documents.append(found.to_json())
        exits.append(for_status(found, complete=found.complete))
    remote = library.settings.remote.url
    told = {"against": saved.to_json()} if saved else {}
    render.print_json({"library": str(library.root), "remote": remote, **told, "datasets": documents})
    return worst([*exits, _for_library(library, names)])

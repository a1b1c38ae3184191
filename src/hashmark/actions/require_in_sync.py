"""Requires that datasets are in sync, as a program that is about to read them does. Changes neither side."""

from __future__ import annotations

from collections.abc import Sequence

from hashmark.actions.status import Scan
from hashmark.core.errors import NotInSync
from hashmark.core.report import Summary
from hashmark.core.vocabulary import ATTENTION, EMPTY
from hashmark.library.dataset import Dataset
from hashmark.library.library import Library

MAX_NAMED = 5
"""Datasets that the message names."""


def require_in_sync(library: Library, names: Sequence[str]) -> None:
    """Compare these datasets, or without names all that the disk or the bucket has.

    Raises:
        NotInSync: one of them is not in sync, is empty or can't be read completely, or there is none.
        NoSuchDataset: there is none of a name.
        StoreError: the bucket can't be reached or listed completely.
    """
    datasets = [library.dataset(name) for name in names] or [*library.datasets(), *library.remote_only()]
    found = {dataset.name: _trouble(dataset) for dataset in datasets}
    if not names:
        found |= {name: problem.message for name, problem in library.refused.items()}
    troubles = {name: trouble for name, trouble in found.items() if trouble}
    if not found:
        where = f"No datasets in {library.root} or in the bucket: there is nothing to train on."
        raise NotInSync(where, "Check the folder, and `url` in hashmark.toml.")
    if troubles:
        listed = [f"'{name}' ({trouble})" for name, trouble in troubles.items()]
        more = [f"and {len(listed) - MAX_NAMED} more"] if len(listed) > MAX_NAMED else []
        count = f"{len(troubles)} of {len(found)} datasets are" if len(found) > 1 else "The dataset is"
        raise NotInSync(f"{count} not in sync: {', '.join([*listed[:MAX_NAMED], *more])}.")


def _trouble(dataset: Dataset) -> str | None:
    """Return what keeps a dataset from being in sync; None if it is."""
    scan = Scan(dataset)
    summary = Summary.of(scan, keep=0)
    if not scan.complete:
        return "not everything could be read"
    if not summary.total:
        return EMPTY
    counts = [f"{summary.counts[verdict]} {verdict}" for verdict in ATTENTION if summary.counts[verdict]]
    return ", ".join(counts) or None

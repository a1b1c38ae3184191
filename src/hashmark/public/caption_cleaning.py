"""Cleans captions and takes that back, for Python programs."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from hashmark.actions import clean as clean_action
from hashmark.actions.clean import Applied, Preview
from hashmark.core.cleaning.cleaning_options import Profile
from hashmark.library.dataset import Dataset
from hashmark.library.library import Library
from hashmark.public.parameters import (
    OnProgress,
    ProgressReport,
    check_cancel,
    check_dataset,
    check_library,
    check_string,
    choice,
    globs,
    strings,
)
from hashmark.trash import undo as undoing
from hashmark.trash.undo import LATEST, UndoResult


def preview(
    dataset: Dataset,
    *,
    profile: str | None = None,
    rules: str | Iterable[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    select: str | Iterable[str] | None = None,
    on_progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
) -> Preview:
    """Return what cleaning rules would change in the captions on disk. Nothing is written; `apply` writes it.

    The rules are those of the dataset's table in `hashmark.toml`, with `profile` (`"tags"` or `"prose"`) and `settings`
    in the table's form, such as `{"trigger": "ohwx"}`, over it. `rules` names the rules to run instead of all others.

    Raises:
        TypeError, ValueError: an argument is not understood.
        HashmarkError: a rule or setting is invalid, `select` matches no caption, or the folder can't be read.
    """
    check_dataset(dataset)
    check_cancel(cancel)
    if settings is not None and not isinstance(settings, Mapping):
        raise TypeError(f"settings is a dict such as {{'trigger': 'ohwx'}}, not {type(settings).__name__}.")
    chosen, only = globs(select), strings("rules", "spaces", rules)
    changes = dict(settings or {})
    if profile is not None:
        changes["profile"] = str(choice("profile", profile, Profile))
    pipeline = clean_action.pipeline_of(dataset, changes, only=only or None)
    report = ProgressReport(on_progress)
    return clean_action.preview(dataset, pipeline, select=chosen, on_event=report.on_event, cancel=cancel)


def apply(found: Preview, *, on_progress: OnProgress | None = None, cancel: threading.Event | None = None) -> Applied:
    """Write what a preview shows, as one batch that `undo` takes back. Captions edited since the preview are skipped.

    Raises:
        TypeError: an argument is of the wrong kind.
        HashmarkError: another process holds the dataset's lock, or the library can't be written; nothing was changed.
    """
    if not isinstance(found, Preview):
        raise TypeError(f"What `preview` returned is needed, not {type(found).__name__}.")
    check_cancel(cancel)
    return clean_action.apply(found, ProgressReport(on_progress).on_event, cancel)


def clean(
    dataset: Dataset,
    *,
    profile: str | None = None,
    rules: str | Iterable[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    select: str | Iterable[str] | None = None,
    on_progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
) -> Applied:
    """Clean the captions on disk, as one batch that `undo` takes back: `apply` of the `preview` with these arguments.

    Raises:
        TypeError, ValueError: an argument is not understood.
        HashmarkError: as for `preview` and `apply`.
    """
    found = preview(dataset, profile=profile, rules=rules, settings=settings, select=select, cancel=cancel)
    return apply(found, on_progress=on_progress, cancel=cancel)


def undo(
    library: Library,
    batch: str = LATEST,
    *,
    on_progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
) -> UndoResult:
    """Take back a cleaning, or an undo: the latest, or the batch of that name (`Applied.outcome.batch`).

    Files that were edited since are left alone, and are the result's `conflicts`.

    Raises:
        TypeError: an argument is of the wrong kind.
        HashmarkError: there is no such batch, or the library can't be written; nothing was changed.
    """
    check_library(library)
    check_cancel(cancel)
    check_string("batch", LATEST, batch)
    return undoing.undo(library, batch, ProgressReport(on_progress).on_event, cancel)

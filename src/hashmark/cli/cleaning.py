"""`clean` and `undo`: the preview, the writing, the way back; the actions are imported when one of them is called."""
# ruff: noqa: PLC0415

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hashmark.cli import changes, render
from hashmark.cli.boundary import guarded
from hashmark.cli.exits import Exit
from hashmark.cli.output import console
from hashmark.cli.progress import Interruptible, ProgressDisplay
from hashmark.cli.shared_options import DatasetArgument, JsonOption, LibraryOption, SelectOption
from hashmark.core.errors import UsageError
from hashmark.library.dataset import Dataset
from hashmark.library.library import Library

if TYPE_CHECKING:
    from hashmark.actions.clean import Applied, Preview
    from hashmark.trash.undo import UndoResult

RuleOption = Annotated[
    list[str] | None,
    typer.Option("--rule", help="Run this rule and no other; may be repeated, and is run in this order."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A setting, as in hashmark.toml: trigger=ohwx, length.words=60."),
]


@guarded
def clean(
    dataset: DatasetArgument,
    profile: Annotated[str | None, typer.Option(help="What its captions are: tags or prose.")] = None,
    rule: RuleOption = None,
    settings: SetOption = None,
    select: SelectOption = None,
    write: Annotated[bool, typer.Option("--apply", help="Write what the preview shows, as one batch.")] = False,
    page: Annotated[int, typer.Option(min=1, help=f"Show this page of differences, {changes.PAGE} files each.")] = 1,
    every: Annotated[bool, typer.Option("--all", help="Show every difference.")] = False,
    as_json: JsonOption = False,
    library: LibraryOption = None,
) -> Exit:
    """Clean captions by rules: show what would change, word by word; with --apply, change it. `undo` takes it back."""
    from hashmark.actions.clean import pipeline_of

    told = parse_settings(settings or []) | ({"profile": profile} if profile is not None else {})
    with Library.open(library) as opened:
        found = opened.dataset(dataset)
        preview = _look(found, pipeline_of(found, told, only=rule or None), tuple(select or ()), as_json=as_json)
        if write:
            return _write(preview, as_json=as_json)
        if as_json:
            render.print_json(preview.to_json())
        else:
            changes.preview_text(preview, console(), page=None if every else page)
        return for_preview(preview)


def parse_settings(given: Iterable[str]) -> dict[str, Any]:
    """Settings of a cleaning from `NAME=VALUE`: a value of TOML, or else a text as it stands.

    Raises:
        UsageError: there is no `=`, or no name.
    """
    found: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        parts = name.strip().split(".")
        if not equals or not all(parts):
            raise UsageError(f"--set {text} sets nothing.", "Give NAME=VALUE, such as trigger=ohwx.")
        table = found
        for part in parts[:-1]:
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                raise UsageError(f"--set {text}: '{part}' is no table.", "Set it once, or only what is in it.")
        table[parts[-1]] = _value(value)
    return found


def _value(text: str) -> Any:
    try:
        found = tomllib.loads(f"value = {text}")
    except ValueError:
        return text
    return found["value"] if set(found) == {"value"} else text


def _look(dataset: Dataset, pipeline: Any, select: tuple[str, ...], *, as_json: bool) -> Preview:
    from hashmark.actions.clean import preview

    quiet = as_json or not sys.stderr.isatty()
    with Interruptible() as stop, ProgressDisplay(f"Reading {render.name(dataset.name)}", quiet=quiet) as watcher:
        return preview(dataset, pipeline, select=select, on_event=watcher.on_event, cancel=stop.cancel)


def _write(preview: Preview, *, as_json: bool) -> Exit:
    from hashmark.actions.clean import apply

    title = f"Cleaning {render.name(preview.dataset.name)}"
    with Interruptible() as stop, ProgressDisplay(title, quiet=as_json) as watcher:
        applied = apply(preview, watcher.on_event, stop.cancel)
    if as_json:
        render.print_json(applied.to_json())
    else:
        changes.applied_text(applied, console())
    return for_applied(applied)


def for_preview(preview: Preview) -> Exit:
    """The status for a preview: 1 where something would change."""
    if preview.skipped:
        return Exit.PARTLY
    return Exit.NOT_IN_SYNC if preview.changes else Exit.DONE


def for_applied(applied: Applied) -> Exit:
    """The status for a cleaning: 0 where every caption that was looked at is clean now."""
    if applied.outcome.interrupted:
        return Exit.INTERRUPTED
    return Exit.PARTLY if applied.failures or applied.outcome.not_tried else Exit.DONE


@guarded
def undo(
    batch: Annotated[
        str | None, typer.Argument(help="The batch, as `undo` lists it, or `last`; else all are listed.")
    ] = None,
    as_json: JsonOption = False,
    library: LibraryOption = None,
) -> Exit:
    """Take back a cleaning, or an undo. Files that were edited since are left as they are, and shown."""
    from hashmark.trash.batch import undoable_batches, unreadable_batches

    with Library.open(library) as opened:
        if batch is not None:
            return _take_back(opened, batch, as_json=as_json)
        found, hidden = undoable_batches(opened), unreadable_batches(opened)
        if as_json:
            render.print_json({"batches": [one.to_json() for one in found], "unreadable": hidden})
        else:
            changes.batches_table(found, hidden, console())
    return Exit.DONE


def _take_back(library: Library, batch: str, *, as_json: bool) -> Exit:
    from hashmark.trash.undo import undo as take_back

    with Interruptible() as stop, ProgressDisplay("Undoing", quiet=as_json) as watcher:
        undone = take_back(library, batch, watcher.on_event, stop.cancel)
    if as_json:
        render.print_json(undone.to_json())
    else:
        changes.undone_text(undone, console())
    return for_undone(undone)


def for_undone(undone: UndoResult) -> Exit:
    """The status for an undo: 0 where every file is as it was."""
    if undone.outcome.interrupted:
        return Exit.INTERRUPTED
    return Exit.DONE if undone.complete else Exit.PARTLY

"""`hashmark clean`: preview what cleaning rules would change, or write it as one batch."""

from __future__ import annotations

import sys
import tomllib
from argparse import Namespace
from collections.abc import Iterable
from functools import partial
from typing import Any

from hashmark.actions.clean import Applied, Preview, apply, pipeline_of, preview
from hashmark.cli.arguments import Parser, chosen_datasets, number
from hashmark.cli.each_dataset import Answer, one_or_all
from hashmark.cli.exits import Exit, for_applied, for_preview
from hashmark.cli.output import console
from hashmark.cli.progress import Interruptible, ProgressDisplay
from hashmark.cli.renderers.caption_changes import PAGE, applied_text, preview_text
from hashmark.cli.renderers.elements import name
from hashmark.core.errors import UsageError
from hashmark.library.dataset import Dataset
from hashmark.library.library import Library


def add_arguments(parser: Parser) -> None:
    """Declare the captions, the rules, and what is shown."""
    parser.dataset()
    parser.all_datasets()
    parser.option("--profile", "PROFILE", "What the captions are: tags or prose.")
    parser.repeatable("--rule", "RULE", "Run only this rule; may be repeated, and the rules run in that order.")
    parser.repeatable("--set", "NAME=VALUE", "A setting, as in hashmark.toml; may be repeated.", dest="settings")
    parser.select()
    parser.flag("--apply", "Write what the preview shows, as one batch.")
    text = f"Show this page of the differences, {PAGE} files each. Default: 1."
    parser.option("--page", "N", text, type=number(int, 1), default=1)
    parser.flag("--full", "Show every difference.")
    parser.common()
    parser.examples(
        "hashmark clean 82 --set trigger=ohwx --set length.words=60",
        "hashmark clean 82 --rule spaces --rule newlines --apply",
    )


def run(arguments: Namespace) -> Exit:
    """Show the preview, or apply it."""
    settings = parse_settings(arguments.settings)
    if arguments.profile is not None:
        settings["profile"] = arguments.profile
    with Library.open(arguments.library) as library:
        datasets = chosen_datasets(library, arguments)
        work = {dataset: partial(_clean, dataset, settings, arguments) for dataset in datasets}
        return one_or_all(work, library, arguments)


def _clean(dataset: Dataset, settings: dict[str, Any], arguments: Namespace) -> Answer:
    pipeline = pipeline_of(dataset, settings, only=arguments.rule or None)
    title, quiet = f"Reading {name(dataset.name)}", arguments.json or not sys.stderr.isatty()
    with Interruptible() as stop, ProgressDisplay(title, quiet=quiet) as progress:
        select = tuple(arguments.select)
        found = preview(dataset, pipeline, select=select, on_event=progress.on_event, cancel=stop.cancel)
    if arguments.apply:
        return _apply(found, as_json=arguments.json)
    if not arguments.json:
        preview_text(found, console(), page=None if arguments.full else arguments.page)
    return found.to_json(), for_preview(found)


def parse_settings(given: Iterable[str]) -> dict[str, Any]:
    """Return the settings of a cleaning from `NAME=VALUE`: a TOML value, or else plain text.

    Raises:
        UsageError: there is no `=`, or no name.
    """
    found: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        parts = name.strip().split(".")
        if not equals or not all(parts):
            raise UsageError(f"--set {text} is not a setting.", "Use NAME=VALUE, such as trigger=ohwx.")
        table = found
        for part in parts[:-1]:
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                raise UsageError(f"--set {text}: '{part}' is not a table.", f"Set '{part}' or its members, not both.")
        try:
            parsed = tomllib.loads(f"value = {value}")
        except ValueError:
            parsed = {}
        table[parts[-1]] = parsed["value"] if set(parsed) == {"value"} else value
    return found


def _apply(found: Preview, *, as_json: bool) -> Answer:
    title = f"Cleaning {name(found.dataset.name)}"
    with Interruptible() as stop, ProgressDisplay(title, quiet=as_json) as progress:
        applied: Applied = apply(found, progress.on_event, stop.cancel)
    if not as_json:
        applied_text(applied, console())
    return applied.to_json(), for_applied(applied)

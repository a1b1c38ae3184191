"""The everyday commands without their options' declarations, so that they can be run without a parser.

Importing one takes longer than comparing a dataset does. `plain` tells which command lines need none: those that give
names and nothing else. Actions are imported where they are called: a `status` must not pay for a `push`.
"""
# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hashmark.cli import render
from hashmark.cli.boundary import guarded
from hashmark.cli.exits import Exit
from hashmark.cli.output import pour
from hashmark.library.library import Library

if TYPE_CHECKING:
    from hashmark.core.plan import Policy


def plain(words: Sequence[str]) -> Callable[[], None] | None:
    """What a command line without any option is to run; None where it takes the parser to tell, or to explain."""
    if not words or any(word.startswith("-") for word in words):
        return None
    verb, *names = words
    if verb == "status":
        return partial(status, names)
    if verb == "ls-remote" and len(names) == 1:
        return partial(ls_remote, *names)
    if verb in {"push", "pull"} and names:
        from hashmark.core.plan import Direction, Policy

        return partial(move, names, Policy(Direction(verb)))
    return None


@guarded
def status(
    names: list[str],
    *,
    rehash: bool = False,
    deep: bool = False,
    against: Path | None = None,
    every: bool = False,
    as_json: bool = False,
    library: Path | None = None,
) -> Exit:
    """Compare the datasets of these names, or all, and show what was found."""
    from hashmark.cli.showing import show_json, show_text

    with Library.open(library) as opened:
        if as_json:
            return show_json(opened, names, rehash=rehash, deep=deep, against=against)
        return show_text(opened, names, rehash=rehash, deep=deep, against=against, every=every)


@guarded
def ls_remote(name: str, *, as_json: bool = False, library: Path | None = None) -> Exit:
    """List what the bucket holds for a dataset."""
    from hashmark.actions import ls_remote

    with Library.open(library) as opened:
        objects = ls_remote.ls_remote(opened.dataset(name))
        if as_json:
            from hashmark.core.saved_listing import to_json

            render.print_json(to_json(objects))
        else:
            pour(
                f"{row.size:>12}  {row.etag or '-':<36}  {row.last_modified or '-'}  {render.name(row.key)}\n"
                for row in objects
            )
    return Exit.DONE


@guarded
def move(
    names: list[str], policy: Policy, *, dry_run: bool = False, as_json: bool = False, library: Path | None = None
) -> Exit:
    """Push or pull the datasets of these names."""
    from hashmark.cli import moving

    with Library.open(library) as opened:
        return moving.move(opened, names, policy, dry_run=dry_run, as_json=as_json)

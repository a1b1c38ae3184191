"""`trash list`, `trash restore` and `trash empty`; the action is imported when one of them is called."""
# ruff: noqa: PLC0415

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hashmark.cli import render
from hashmark.cli.boundary import guarded
from hashmark.cli.exits import Exit, for_error
from hashmark.cli.output import console, tell
from hashmark.cli.shared_options import JsonOption, LibraryOption
from hashmark.core.errors import HashmarkError, RefusedPlan, StoreError
from hashmark.library.library import Library

trash_app = typer.Typer(no_args_is_help=True, help="What was overwritten or deleted, on disk and in the bucket.")


@trash_app.command("list")
@guarded
def list_(as_json: JsonOption = False, library: LibraryOption = None) -> Exit:
    """List the batches: one for each run that replaced or deleted something."""
    from hashmark.trash.contents import TrashEntry, trash_entries

    with Library.open(library) as opened:
        found: list[TrashEntry] = []
        unseen: HashmarkError | None = None
        try:
            found.extend(trash_entries(opened))
        except StoreError as error:
            unseen = error
        if as_json:
            told = {"entries": [entry.to_json() for entry in found]}
            render.print_json(told | ({"error": render.error_json(unseen)} if unseen else {}))
        else:
            out = console()
            if found or not unseen:
                render.trash_table(found, out)
            if unseen:
                out.print("What the bucket's trash holds is unknown.", style="yellow")
                tell(render.error_text(unseen))
    return for_error(unseen) if unseen else Exit.DONE


@trash_app.command()
@guarded
def restore(
    batch: Annotated[str, typer.Argument(help="The batch, as `trash list` names it.")],
    dataset: Annotated[str | None, typer.Option(help="Only this dataset (its folder's name or number).")] = None,
    as_json: JsonOption = False,
    library: LibraryOption = None,
) -> Exit:
    """Bring a batch back to where it was; what is in the way goes to the trash in turn."""
    from hashmark.trash import restore

    with Library.open(library) as opened:
        restored = restore.restore(opened, batch, dataset)
    if as_json:
        render.print_json(restored.to_json())
    else:
        render.restored_text(restored, batch, console())
    return Exit.PARTLY if restored.failures else Exit.DONE


@trash_app.command()
@guarded
def empty(
    batch: Annotated[str | None, typer.Argument(help="Only this batch; else the whole trash.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
    library: LibraryOption = None,
) -> Exit:
    """Delete the trash for good."""
    from hashmark.trash.empty import empty, trash_contents

    with Library.open(library) as opened:
        held = trash_contents(opened, batch)
        if not yes:
            _confirm(len(held.entries))
        gone, failed = empty(opened, held)
    if as_json:
        failures = [{"key": f.key, "code": f.code, "message": f.message} for f in failed]
        render.print_json({"deleted": gone, "failed": failures})
    else:
        out = console()
        out.print(f"{gone} deleted for good")
        render.failures(failed, out)
    return Exit.PARTLY if failed else Exit.DONE


def _confirm(count: int) -> None:
    """Ask for the number of files, typed.

    Raises:
        RefusedPlan: it was not given, or there is nobody to ask.
    """
    if sys.stdin.isatty():
        sys.stderr.write(f"{count} files would be gone for good. Type {count} to go on: ")
        sys.stderr.flush()
        if sys.stdin.readline().strip() == str(count):
            return
    raise RefusedPlan(f"{count} files would be deleted for good; nothing was done.", "Run again with --yes.")

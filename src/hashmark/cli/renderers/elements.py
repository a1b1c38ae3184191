"""What all answers are made of: names, sizes, errors, failures, problems, and JSON documents."""
# ruff: noqa: PLC0415 - a `status` in a pipe imports neither json nor rich

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from hashmark.cli.output import Output, Text, write_texts
from hashmark.core.display import printable, reveal
from hashmark.core.errors import HashmarkError
from hashmark.core.model import Problem

if TYPE_CHECKING:
    from hashmark.core.events import Failure

SHOWN = 20
"""Lines of one kind, unless all are asked for."""


def print_json(data: Any) -> None:
    """Write one JSON document to standard output, in ASCII where the output's encoding lacks letters."""
    import json

    is_utf8 = codecs.lookup(sys.stdout.encoding or "utf-8").name == "utf-8"
    write_texts(json.JSONEncoder(ensure_ascii=not is_utf8, indent=1).iterencode(data))
    sys.stdout.write("\n")
    sys.stdout.flush()


def name(key: str) -> str:
    """Return a key on one line, with invisible characters spelled out."""
    return reveal(printable(key)).replace("\n", "")


def padded(text: str, cells: int) -> str:
    """Return the text with spaces to its right, at least so many cells wide: a CJK letter or an emoji takes two."""
    if text.isascii():
        return text.ljust(cells)
    from rich.cells import cell_len

    return text + " " * (cells - cell_len(text))


def size(count: int) -> str:
    """Return bytes as `271.0 MB`."""
    from rich.filesize import decimal

    return decimal(count)


def counted(count: int, noun: str) -> str:
    """Return `1 file` or `12 files`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def error_text(error: HashmarkError) -> str:
    """Return an error for a person: what happened, then what to do."""
    return f"hashmark: {reveal(error.message)}" + (f"\n  {reveal(error.hint)}" if error.hint else "")


def error_json(error: HashmarkError) -> dict[str, str]:
    """Return an error as plain data."""
    return {"code": error.code, "message": error.message, "hint": error.hint}


def failures(rows: Iterable[Failure], out: Output) -> None:
    """Write every file that failed, and why."""
    for failure in rows:
        out.print(Text(f"  failed: {name(failure.key)}: {reveal(failure.message)}", "red"))


def not_done(failed: Iterable[Failure], stopped_by: HashmarkError | None, not_tried: int, out: Output) -> None:
    """Write what a run did not do: files that failed, what stopped it early, and how many files were not tried."""
    failures(failed, out)
    if stopped_by:
        out.print(Text(f"  stopped: {reveal(str(stopped_by))}", "red"))
    if not_tried:
        out.print(Text(f"  {not_tried} not tried; run the command again to finish", "yellow"))


def problems(rows: Iterable[Problem], out: Output, limit: int = SHOWN) -> None:
    """Write what could not be compared, and pairing problems."""
    listed = list(rows)
    for problem in listed[:limit]:
        where = f"{name(problem.key)}: " if problem.key else ""
        out.print(Text(f"  ! {where}{reveal(problem.message)}", "yellow"))
    if len(listed) > limit:
        out.print(Text(f"  ! … and {len(listed) - limit} more (--json lists them)", "yellow"))

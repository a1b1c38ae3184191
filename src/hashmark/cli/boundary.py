"""What surrounds every command: errors become messages and exit statuses, names become datasets."""

from __future__ import annotations

import errno
import functools
import io
import os
import sys
from collections.abc import Callable
from typing import Any

from hashmark.cli import render
from hashmark.cli.exits import Exit, for_error
from hashmark.cli.output import forget, tell
from hashmark.core.errors import HashmarkError, LocalError
from hashmark.library.dataset import Dataset
from hashmark.library.library import Library


def guarded(command: Callable[..., Exit]) -> Callable[..., None]:
    """A command whose return value is the exit status, and whose errors are told in one message.

    With `--json` the message is a JSON document `{"error": {"code", "message", "hint"}}` on standard output.
    """

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        # Where the output can't show a character, or a name is no Unicode at all, it is spelled out.
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        try:
            status = command(*args, **kwargs)
            sys.stdout.flush()
        except HashmarkError as error:
            _tell(error, as_json=bool(kwargs.get("as_json")))
            status = for_error(error)
        except BrokenPipeError:
            # The reader had enough (`| head`): nothing more can be written, and 0 would be a claim.
            forget(sys.stdout)
            status = Exit.PIPE
        except OSError as error:
            _tell(explained(error), as_json=False)
            status = Exit.PARTLY
        except KeyboardInterrupt:
            tell("\nInterrupted.")
            status = Exit.INTERRUPTED
        except Exception as error:
            if "HASHMARK_TRACEBACK" in os.environ:
                raise
            fault = HashmarkError(
                f"A fault of hashmark: {type(error).__name__}: {error}.",
                "Please report it, with what HASHMARK_TRACEBACK=1 shows.",
            )
            _tell(fault, as_json=bool(kwargs.get("as_json")))
            status = Exit.PARTLY
        _let_go()
        raise SystemExit(int(status))

    return run


def explained(error: OSError) -> LocalError:
    """What the system says, of which file. Where it names none, what can't be written is the output."""
    what = error.filename or ("The output" if error.errno in {errno.ENOSPC, errno.EIO, errno.EPIPE} else None)
    reason = error.strerror or error
    return LocalError(f"{what}: {reason}." if what else f"{reason}.")


def _let_go() -> None:
    """Give up what can't be written, of which was told: the process would end with another status for it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            forget(stream)


def _tell(error: HashmarkError, *, as_json: bool) -> None:
    if not as_json:
        tell(render.error_text(error))
        return
    try:
        render.print_json({"error": render.error_json(error)})
    except OSError:
        forget(sys.stdout)  # the status says it


def chosen(library: Library, names: list[str]) -> list[Dataset]:
    """The datasets of these names, each once, in the order given.

    Raises:
        NoSuchDataset: one of them is none.
    """
    return list({d.name: d for d in (library.dataset(name) for name in names)}.values())

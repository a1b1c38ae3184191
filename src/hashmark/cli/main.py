"""The console script. Answers `--version` before anything slow is imported."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

from hashmark._version import __version__


def script() -> None:
    """The console script: `main`, with nothing after it in this process."""
    main(last=True)


def main(*, last: bool = False) -> None:
    """Run the command line, and end with one of `cli.exits`.

    Where the command is the `last` thing that this process does, an everyday one may end it at once (see `_last`).
    """
    _open_closed()
    try:
        if sys.argv[1:] in (["--version"], ["-V"]):
            sys.stdout.write(f"hashmark {__version__}\n")
            sys.stdout.flush()
            return
        gc.disable()  # importing makes hardly any garbage
        command = _command(sys.argv[1:], last=last)
        # A command makes values by the hundred thousand and next to no cycles: looking for those less often saves a
        # fifth of its time.
        gc.freeze()
        gc.set_threshold(100_000, 20, 100)
        gc.enable()
        command()
    except KeyboardInterrupt:
        os._exit(130)  # before a command or after it: within, `guarded` tells of it
    except BrokenPipeError:
        os._exit(141)
    except OSError as error:
        _unsaid(error)


def _unsaid(error: OSError) -> NoReturn:
    """End where help or the version can't be written: a 1 would say that something is not in sync."""
    from hashmark.cli.boundary import explained  # noqa: PLC0415 - as below
    from hashmark.cli.output import tell  # noqa: PLC0415 - as below

    tell(f"hashmark: {explained(error).message}")
    os._exit(4)


def _open_closed() -> None:
    """Let what a closed stream would get (`>&-`) go nowhere.

    Else saying it would be an error, and the next file that is opened would be the stream.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):  # in this order they get their own numbers
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def _command(words: list[str], *, last: bool) -> Callable[[], Any]:
    """What to run. An everyday command that is given names alone does without the parser, whose import takes long."""
    from hashmark.cli.everyday import plain  # noqa: PLC0415 - the start-up path of --version stays short

    if command := plain(words):
        return partial(_last, command) if last else command
    from hashmark.cli.commands import app_for  # noqa: PLC0415 - as above

    app = app_for(words)
    return partial(_with_json, app) if "--json" in words else app


def _last(command: Callable[[], None]) -> None:
    """Run an everyday command, and end the process with it: it leaves nothing open, and taking all apart costs 5 ms."""
    try:
        command()
    except SystemExit as end:
        with contextlib.suppress(OSError):  # of which it has told
            sys.stdout.flush()
        os._exit(int(end.code or 0))


def _with_json(app: Callable[..., Any]) -> None:
    """Run the command; a wrong option or argument is told as JSON too."""
    try:
        status = app(standalone_mode=False)
    except Exception as error:
        tell = getattr(error, "format_message", None)
        if tell is None:
            raise
        import json  # noqa: PLC0415 - as above

        message = {"code": "usage", "message": tell(), "hint": "See --help."}
        sys.stdout.write(json.dumps({"error": message}) + "\n")
        status = getattr(error, "exit_code", 2)
    sys.exit(status)


if __name__ == "__main__":
    script()

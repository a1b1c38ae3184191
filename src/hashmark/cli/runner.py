"""Runs one command: finds its module by name, parses its words, and turns errors into messages and exit statuses.

With `--json` an error is a JSON document `{"error": {"code", "message", "hint"}}` on standard output.
"""

from __future__ import annotations

import errno
import gc
import io
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module

from hashmark.cli.arguments import Parser, unknown
from hashmark.cli.commands import SUMMARIES, module_name
from hashmark.cli.exits import Exit, for_error
from hashmark.cli.output import confirmed, discard, write_error_line
from hashmark.cli.renderers.elements import error_json, error_text, print_json
from hashmark.core.errors import HashmarkError, LocalError, NotTrusted
from hashmark.s3.timeouts import TIMEOUT_S, TIMEOUTS

Command = Callable[[], Exit]

LEAVE_NOTHING_OPEN = frozenset({"status", "ls-remote", "push", "pull"})


def leaves_nothing_open(words: Sequence[str]) -> bool:
    """Return whether the process may end at once after this command, whose time is mostly start-up."""
    return words[0] in LEAVE_NOTHING_OPEN if words else False


def run(words: Sequence[str]) -> Exit:
    """Run the command that these words name; report its error, if any. Returns the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names may be no Unicode, or not in the output's encoding
    as_json = "--json" in words
    try:
        status = _run_with_permission(words, as_json=as_json)
        sys.stdout.flush()
    except HashmarkError as error:
        _report(error, as_json=as_json)
        status = for_error(error)
    except BrokenPipeError:
        # The reader stopped (`| head`): nothing more can be written, and 0 would be a claim.
        discard(sys.stdout)
        status = Exit.PIPE
    except OSError as error:
        _report(os_error(error), as_json=False)
        status = Exit.PARTLY
    except KeyboardInterrupt:
        write_error_line("\nInterrupted.")
        status = Exit.INTERRUPTED
    except Exception as error:
        if "HASHMARK_TRACEBACK" in os.environ:
            raise
        bug = HashmarkError(
            f"Internal error: {type(error).__name__}: {error}.",
            "Please report this bug, with the output of the same command under HASHMARK_TRACEBACK=1.",
        )
        _report(bug, as_json=as_json)
        status = Exit.PARTLY
    _discard_unwritable()
    return status


def _run_with_permission(words: Sequence[str], *, as_json: bool) -> Exit:
    """Run the command. If it needs a permission that a person at a terminal gives now, run it again.

    The permission is checked before the first request, so nothing was done before.
    """
    command = _prepare(words)
    try:
        return command()
    except NotTrusted as error:
        if as_json or not error.permission or not sys.stdin.isatty() or not confirmed(error.message, "yes"):
            raise
        from hashmark.state import permissions  # noqa: PLC0415 - only with a person's permission

        permissions.remember(*error.permission)
        return command()


def _prepare(words: Sequence[str]) -> Command:
    """Import and parse with the garbage collector off, and tune it for the command.

    A command makes values by the hundred thousand and next to no cycles: searching for cycles less often saves a fifth
    of its time.
    """
    command = _command(words)
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
    gc.enable()
    return command


def _command(words: Sequence[str]) -> Command:
    """Return what the words ask for: a command, or help.

    Raises:
        UsageError: there is no such command, or its arguments are wrong.
    """
    if words and words[0] in SUMMARIES:
        return _parsed(words[0], words[1:])
    group = {name: text for name, text in SUMMARIES.items() if words and name.startswith(f"{words[0]} ")}
    if group:
        return _of_group(words[0], group, words[1:])
    if not words or words[0] in {"-h", "--help"}:
        from hashmark.cli.overview import overview  # noqa: PLC0415 - as above

        return partial(_show_help, overview(), Exit.DONE if words else Exit.USAGE)
    if words[0].startswith("-"):
        raise unknown("option", words[0], ("--help", "--version"), "hashmark")
    raise unknown("command", words[0], {name.partition(" ")[0] for name in SUMMARIES}, "hashmark")


def _of_group(first: str, commands: dict[str, str], rest: Sequence[str]) -> Command:
    """Return what the words after `hashmark trash` ask for."""
    prog = f"hashmark {first}"
    if not rest or rest[0] in {"-h", "--help"}:
        from hashmark.cli.overview import overview_of  # noqa: PLC0415 - not for a command that runs

        return partial(_show_help, overview_of(prog, commands), Exit.DONE if rest else Exit.USAGE)
    if f"{first} {rest[0]}" in commands:
        return _parsed(f"{first} {rest[0]}", rest[1:])
    raise unknown("command", rest[0], [name.partition(" ")[2] for name in commands], prog)


def _parsed(name: str, words: Sequence[str]) -> Command:
    module = import_module(module_name(name))
    parser = parser_of(name)
    arguments = parser.parse(words)
    if arguments is None:
        return partial(_show_help, parser.format_help(), Exit.DONE)
    command: Callable[[Namespace], Exit] = module.run
    _set_timeouts(getattr(arguments, "timeout", None))
    return partial(command, arguments)


def _set_timeouts(timeout_s: int | None) -> None:
    """Set when requests fail, and report on standard error that the store is silent."""
    TIMEOUTS.request_s = timeout_s or TIMEOUT_S
    text = (
        f"Waiting for the store: nothing has come for {TIMEOUTS.report_after_s:g} seconds. "
        f"This ends after {TIMEOUTS.request_s} (--timeout SECONDS)."
    )
    TIMEOUTS.on_silence = partial(write_error_line, text)


def parser_of(name: str) -> Parser:
    """Return the parser of a command."""
    parser = Parser(name, SUMMARIES[name])
    import_module(module_name(name)).add_arguments(parser)
    return parser


def _show_help(text: str, status: Exit) -> Exit:
    sys.stdout.write(text)
    return status


def os_error(error: OSError) -> LocalError:
    """Return what the system reports, with the file it concerns. If it names none, it concerns the output."""
    what = error.filename or ("The output" if error.errno in {errno.ENOSPC, errno.EIO, errno.EPIPE} else None)
    reason = error.strerror or error
    return LocalError(f"{what}: {reason}." if what else f"{reason}.")


def _report(error: HashmarkError, *, as_json: bool) -> None:
    if not as_json:
        write_error_line(error_text(error))
        return
    try:
        print_json({"error": error_json(error)})
    except OSError:
        discard(sys.stdout)  # the exit status tells it


def _discard_unwritable() -> None:
    """Drop output that can't be written, which was reported: it would change the exit status of the process."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            discard(stream)

"""Writes the help that lists commands: `hashmark --help` and `hashmark trash --help`."""

from __future__ import annotations

import shutil
import textwrap

from hashmark.cli.arguments import MAX_HELP_WIDTH, see_help
from hashmark.cli.commands import GROUPS


def overview() -> str:
    """Return the help of `hashmark` itself: all commands by group."""
    purpose = (
        "Proves whether the training images and captions on your disk are the ones in your S3 bucket, "
        "and moves exactly what differs."
    )
    statuses = (
        "Exit status: 0 in sync or done; 1 something is not in sync, or lint found something; "
        "2 wrong usage or settings; 3 the store can't be reached or refuses; 4 refused or partly done; 130 interrupted."
    )
    return "\n".join(
        (
            "Usage: hashmark COMMAND [options]\n",
            _filled(purpose),
            *(_listed(title, commands) for title, commands in GROUPS.items()),
            _listed("Options", {"-V, --version": "Print the version.", "-h, --help": "Show this help."}),
            _filled(statuses),
            f"{see_help('hashmark COMMAND')}\n",
        )
    )


def _listed(title: str, commands: dict[str, str]) -> str:
    return f"{title}:\n" + "".join(_filled(text, f"  {name:<15} ") for name, text in commands.items())


def _filled(text: str, first: str = "") -> str:
    """Return a paragraph that fits the terminal, with its lines aligned below the text of the first."""
    width = min(shutil.get_terminal_size().columns, MAX_HELP_WIDTH) - 2
    return textwrap.fill(text, width, initial_indent=first, subsequent_indent=" " * len(first)) + "\n"


def overview_of(prog: str, commands: dict[str, str]) -> str:
    """Return the help of commands that start with the same word."""
    return f"Usage: {prog} COMMAND [options]\n\n{_listed('Commands', commands)}\n{see_help(f'{prog} COMMAND')}\n"

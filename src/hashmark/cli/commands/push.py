"""`hashmark push`: upload what the bucket lacks."""

from __future__ import annotations

from argparse import Namespace

from hashmark.cli import transfers
from hashmark.cli.arguments import Parser
from hashmark.cli.exits import Exit
from hashmark.core.plan import Direction


def add_arguments(parser: Parser) -> None:
    """Declare the datasets and what may be overwritten or deleted."""
    transfers.add_arguments(parser)
    parser.examples("hashmark push 82", "hashmark push 82 --select '*.txt' --dry-run", "hashmark push 82 --take mine")


def run(arguments: Namespace) -> Exit:
    """Push each dataset in turn."""
    return transfers.run(Direction.PUSH, arguments)

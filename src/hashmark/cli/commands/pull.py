"""`hashmark pull`: download what the disk lacks."""

from __future__ import annotations

from argparse import Namespace

from hashmark.cli import transfers
from hashmark.cli.arguments import Parser
from hashmark.cli.exits import Exit
from hashmark.core.plan import Direction


def add_arguments(parser: Parser) -> None:
    """Declare the datasets and what may be overwritten or deleted."""
    transfers.add_arguments(parser)
    parser.examples("hashmark pull 82", "hashmark pull 82 --select '*.txt' --dry-run", "hashmark pull 82 --take theirs")


def run(arguments: Namespace) -> Exit:
    """Pull each dataset in turn."""
    return transfers.run(Direction.PULL, arguments)

"""Writes text for people: with colours on a terminal, plain into a pipe.

Only a terminal, and a table's columns, need rich: a command in a script does not wait for its import. Does not know
what the text is about.
"""
# ruff: noqa: PLC0415

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text as RichText

TEXTS_PER_WRITE = 1000
PIPE_WIDTH = 1 << 16
"""Columns of a table in a pipe, so that no line is broken."""


class Text:
    """A text in parts, each with a style in rich's syntax. Its own `style` applies below those of its parts."""

    __slots__ = ("_parts", "style")

    def __init__(self, text: str = "", style: str = "") -> None:
        self.style = style
        self._parts = [(text, "")] if text else []

    def append(self, text: str, style: str = "") -> None:
        """Add a part."""
        self._parts.append((text, style))

    def append_text(self, other: Text) -> None:
        """Add the parts of another text, with their styles."""
        self._parts.extend((text, f"{other.style} {style}".strip()) for text, style in other._parts)

    def __bool__(self) -> bool:
        return any(text for text, _ in self._parts)

    def __str__(self) -> str:
        return "".join(text for text, _ in self._parts)

    def for_rich(self) -> RichText:
        """Return the same text as rich's type."""
        from rich.text import Text as RichText

        converted = RichText(style=self.style)
        for text, style in self._parts:
            converted.append(text, style or None)
        return converted


class Output:
    """A stream that people read."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @cached_property
    def is_terminal(self) -> bool:
        """Whether to use colours and animation. Environment variables can ask for them in a pipe; rich knows which."""
        forced = os.environ.get("FORCE_COLOR") or os.environ.get("TTY_COMPATIBLE") == "1"
        return bool(forced or self._stream.isatty()) and self.console.is_terminal

    @cached_property
    def console(self) -> Console:
        """The same stream as a rich console."""
        from rich.console import Console

        class PipeAwareConsole(Console):
            def on_broken_pipe(self) -> None:
                """Leave it to the command: rich would end the process with a status of its own."""
                raise BrokenPipeError

        return PipeAwareConsole(file=self._stream, highlight=False, soft_wrap=True)

    def print(self, text: Text | str = "", style: str = "", end: str = "\n") -> None:
        """Write a text and flush it."""
        if self.is_terminal:
            self.console.print((Text(text) if isinstance(text, str) else text).for_rich(), style=style or None, end=end)
        else:
            self._stream.write(f"{text}{end}")
            self._stream.flush()

    def table(self, names: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Write rows under column names. The first column is never broken; in a pipe no column is."""
        from rich.table import Column, Table

        table = Table(Column(names[0], no_wrap=True, overflow="fold"), *names[1:], box=None, pad_edge=False)
        for row in rows:
            table.add_row(*(Text(cell).for_rich() for cell in row))
        if not self.is_terminal:
            self.console.width = PIPE_WIDTH
        self.console.print(table)


def write_texts(texts: Iterable[str]) -> None:
    """Write texts to standard output, many at a time: with PYTHONUNBUFFERED each write is a system call."""
    rest = iter(texts)
    while batch := list(itertools.islice(rest, TEXTS_PER_WRITE)):
        sys.stdout.write("".join(batch))


def write_error_line(text: str) -> None:
    """Write a line to standard error. If that fails, the line is lost: no command fails because of it."""
    try:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    except OSError:
        discard(sys.stderr)


def discard(stream: TextIO) -> None:
    """Redirect a stream to the null device, including what it has buffered."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def console() -> Output:
    """Return the output for results: standard output."""
    return Output(sys.stdout)


def confirmed(question: str, answer: object) -> bool:
    """Ask on the terminal for an answer, such as the number of files, and return whether it was typed."""
    sys.stderr.write(f"{question} Type {answer} to go on: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip() == str(answer)

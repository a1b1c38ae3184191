"""Where text for people goes: with colours on a terminal, as it stands into a pipe.

What is said is a `Text`, whoever reads it. Only a terminal, and a table's columns, are drawn by rich: a command in a
script does not wait for its console to be imported. Knows nothing of what is said.
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
    from rich.text import Text as Drawn

TEXTS_AT_ONCE = 1000
UNBROKEN = 1 << 16
"""Columns of a pipe, which breaks no line."""


class Text:
    """A text whose parts have styles, in rich's words for them; its own `style` lies under those of all its parts."""

    __slots__ = ("_parts", "style")

    def __init__(self, text: str = "", style: str = "") -> None:
        self.style = style
        self._parts = [(text, "")] if text else []

    def append(self, text: str, style: str = "") -> None:
        """Add a part."""
        self._parts.append((text, style))

    def append_text(self, other: Text) -> None:
        """Add the parts of another text, in the styles they have there."""
        self._parts.extend((text, f"{other.style} {style}".strip()) for text, style in other._parts)

    def __bool__(self) -> bool:
        return any(text for text, _ in self._parts)

    def __str__(self) -> str:
        return "".join(text for text, _ in self._parts)

    def drawn(self) -> Drawn:
        """The same for rich."""
        from rich.text import Text as Drawn

        drawn = Drawn(style=self.style)
        for text, style in self._parts:
            drawn.append(text, style or None)
        return drawn


class Output:
    """A stream for people."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @cached_property
    def is_terminal(self) -> bool:
        """Whether there are colours and movement; variables may ask for them in a pipe too, and rich knows which."""
        asked = os.environ.get("FORCE_COLOR") or os.environ.get("TTY_COMPATIBLE") == "1"
        return bool(asked or self._stream.isatty()) and self.console.is_terminal

    @cached_property
    def console(self) -> Console:
        """The same stream for rich."""
        from rich.console import Console

        class Own(Console):
            def on_broken_pipe(self) -> None:
                """Leave it to the command: rich would end the process with a status of its own."""
                raise BrokenPipeError

        return Own(file=self._stream, highlight=False, soft_wrap=True)

    def print(self, text: Text | str = "", style: str = "", end: str = "\n") -> None:
        """Write a text, and show it now."""
        if self.is_terminal:
            self.console.print((Text(text) if isinstance(text, str) else text).drawn(), style=style or None, end=end)
        else:
            self._stream.write(f"{text}{end}")
            self._stream.flush()

    def table(self, names: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Write rows under the names of their columns, of which the first is never broken; in a pipe none is."""
        from rich.table import Column, Table

        table = Table(Column(names[0], no_wrap=True, overflow="fold"), *names[1:], box=None, pad_edge=False)
        for row in rows:
            table.add_row(*(Text(cell).drawn() for cell in row))
        if not self.is_terminal:
            self.console.width = UNBROKEN
        self.console.print(table)


def pour(texts: Iterable[str]) -> None:
    """Write texts to standard output, many at a time: with PYTHONUNBUFFERED each write asks the system to."""
    rest = iter(texts)
    while some := list(itertools.islice(rest, TEXTS_AT_ONCE)):
        sys.stdout.write("".join(some))


def tell(text: str) -> None:
    """Write a line to standard error. Where that takes nothing, it is lost: no work ends for what is said beside it."""
    try:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    except OSError:
        forget(sys.stderr)


def forget(stream: TextIO) -> None:
    """Let all that a stream gets go nowhere from here on, what it has not got rid of yet included."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def console() -> Output:
    """Where results go."""
    return Output(sys.stdout)

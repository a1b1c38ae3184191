"""The live progress bar of a job on a terminal; only a terminal needs this module, and rich."""

from __future__ import annotations

from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
from rich.table import Column
from rich.text import Text

FACTS_WIDTH = 50


class _Facts(ProgressColumn):
    def render(self, task: Any) -> Text:
        return Text(task.fields["facts"], style="dim", no_wrap=True)


class ProgressBar:
    """A title, a bar and a line of facts; removed when it stops."""

    def __init__(self, title: str, console: Console) -> None:
        room = console.width - cell_len(title) - FACTS_WIDTH
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(max(6, min(32, room))),
            _Facts(Column(no_wrap=True)),
            console=console,
            transient=True,
        )
        self._title = escape(title)

    def start(self, facts: str) -> None:
        """Show the bar."""
        self._progress.start()
        self._task = self._progress.add_task(self._title, total=None, facts=facts)

    def update(self, done: int, total: int, facts: str) -> None:
        """Show the progress; a `total` of 0 is not known yet."""
        self._progress.update(self._task, completed=done, total=total or None, facts=facts)

    def stop(self) -> None:
        """Remove the bar."""
        self._progress.stop()

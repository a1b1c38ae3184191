"""Looks at what trainers will make of a dataset, one at a time for each, in the background: images are decoded for it.

What is found is put on the board. What a finding means is not known here.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

from hashmark.actions.lint import lint
from hashmark.core.display import printable
from hashmark.core.errors import HashmarkError, Interrupted
from hashmark.core.lint.facts import Trainer
from hashmark.core.lint.findings import Finding
from hashmark.core.report import problem_json
from hashmark.web.session.board import Board
from hashmark.web.session.desk import Desk
from hashmark.web.views.shapes import error_json

NAMED = 20
"""Files of a finding that are named; the search has all of them."""


class Lints:
    """Every look under way. Make it on the running loop; `close` when done."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._cancel = threading.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, board: Board) -> asyncio.Task[None]:
        """Look at a dataset, unless that is being done already. The task does not fail with our errors."""
        name = board.dataset.name
        running = self._tasks.get(name)
        if running is None or running.done():
            board.lint.looking = (0, 0)
            running = self._tasks[name] = asyncio.get_running_loop().create_task(self._look(board))
        return running

    async def _look(self, board: Board) -> None:
        state, since = board.lint, time.time()

        def on_image(done: int, of: int) -> None:
            state.looking = (done, of)

        try:
            state.take(await self._desk.look(lint, board.dataset, Trainer, on_image, self._cancel), since)
        except Interrupted:
            pass
        except HashmarkError as error:
            state.error = error
        finally:
            state.looking = None
        self._desk.news.structure(board)  # what a search by it finds may be other than before

    async def close(self) -> None:
        """Stop every look."""
        self._cancel.set()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


def lint_json(board: Board) -> dict[str, Any]:
    """What the last look found; `at` is when, null where there was none yet."""
    state = board.lint
    looking = {"images": state.looking[0], "of": state.looking[1]} if state.looking else None
    report = state.report
    found = {
        "findings": [_finding(finding) for finding in report.findings] if report else [],
        "notes": [_finding(note) for note in report.notes] if report else [],
        "problems": [problem_json(problem) for problem in report.problems] if report else [],
        "trainers": list(Trainer),
    }
    return {"at": state.at or None, "looking": looking, "error": error_json(state.error), **found}


def _finding(finding: Finding) -> dict[str, Any]:
    said = finding.to_json()
    kept = [printable(key) for key in finding.keys[:NAMED]]
    details = {key: said["details"][key] for key in kept if key in said["details"]}
    name = f"{finding.trainer}/{finding.code}" if finding.trainer else finding.code
    return {**said, "keys": kept, "details": details, "search": f"lint:{name}"}

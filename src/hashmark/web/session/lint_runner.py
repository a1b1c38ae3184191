"""Lints datasets in the background, one lint at a time for each: images are decoded for it.

The result is put on the `LiveDataset`. What a finding means is not known here.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time

from hashmark.actions.lint import lint
from hashmark.core.errors import HashmarkError, Interrupted
from hashmark.core.lint.facts import Trainer
from hashmark.web.session.background import Background
from hashmark.web.session.live_dataset import LiveDataset
from hashmark.web.session.updates import Updates


class LintRunner:
    """Every running lint. Create it on the running event loop; `close` it at the end."""

    def __init__(self, background: Background, updates: Updates) -> None:
        self._background = background
        self._updates = updates
        self._cancel = threading.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, live: LiveDataset) -> asyncio.Task[None]:
        """Lint a dataset, unless a lint of it runs already. The task does not fail with our errors."""
        name = live.dataset.name
        running = self._tasks.get(name)
        if running is None or running.done():
            live.lint.progress = (0, 0)
            running = self._tasks[name] = asyncio.get_running_loop().create_task(self._lint(live))
        return running

    async def _lint(self, live: LiveDataset) -> None:
        state, since, loop = live.lint, time.time(), asyncio.get_running_loop()

        def show_progress(done: int, of: int) -> None:
            if state.progress is not None:  # it may have ended before this was called
                state.progress = (done, of)

        def on_image(done: int, of: int) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed when the server has stopped
                loop.call_soon_threadsafe(show_progress, done, of)

        try:
            report = await self._background.run_long(lint, live.dataset, Trainer, on_image, self._cancel)
            state.set_report(report, since)
        except Interrupted:
            pass
        except HashmarkError as error:
            state.error = error
        finally:
            state.progress = None
        self._updates.everything_changed(live)  # searches by findings may match other items now

    async def close(self) -> None:
        """Stop every lint and wait for its end."""
        self._cancel.set()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

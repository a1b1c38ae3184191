"""Thread pools for blocking work and the tasks that wait for it, so that the event loop stays responsive.

What the work is, is not known here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Background:
    """Two thread pools, so that short work never waits for long work. Create it on the running event loop."""

    def __init__(self) -> None:
        self._long = ThreadPoolExecutor(2, thread_name_prefix="long")
        self._short = ThreadPoolExecutor(4, thread_name_prefix="short")
        self._tasks: set[asyncio.Task[None]] = set()

    async def run_short(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run something that takes milliseconds to seconds, such as reading a file, on a worker thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._short, lambda: work(*args, **kwargs))

    async def run_long(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run something that can take minutes, such as comparing a dataset, on a worker thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._long, lambda: work(*args, **kwargs))

    def start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Start a task and keep a reference to it until it ends."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @property
    def idle(self) -> bool:
        """Whether no task is running."""
        return not self._tasks

    async def cancel_tasks(self) -> None:
        """Cancel every task and wait until all have ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def shut_down(self) -> None:
        """Shut the pools down; work that has started is finished first."""
        await asyncio.to_thread(self._long.shutdown, cancel_futures=True)
        await asyncio.to_thread(self._short.shutdown, cancel_futures=True)

"""Threads for what takes long, and the tasks that wait for them: so the event loop goes on meanwhile.

What is done there is not known here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class WorkerThreads:
    """Two kinds of threads, so that nothing short waits for what is long. Make it on the running loop."""

    def __init__(self) -> None:
        self._looking = ThreadPoolExecutor(2, thread_name_prefix="check")
        self._reading = ThreadPoolExecutor(4, thread_name_prefix="read")
        self._live: set[asyncio.Task[None]] = set()

    async def read(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something short that waits for disk or bucket, off the loop."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reading, lambda: work(*args, **kwargs))

    async def look(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something long, such as comparing a dataset, off the loop."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._looking, lambda: work(*args, **kwargs))

    def _go(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Begin a task that is held until it is done, or stopped."""
        task = asyncio.get_running_loop().create_task(work)
        self._live.add(task)
        task.add_done_callback(self._live.discard)
        return task

    async def _stop(self) -> None:
        """Cancel every task, and wait for their ends."""
        for task in self._live:
            task.cancel()
        await asyncio.gather(*self._live, return_exceptions=True)

    async def _shut_down(self) -> None:
        """End the threads; what they are at is finished first."""
        await asyncio.to_thread(self._looking.shutdown, cancel_futures=True)
        await asyncio.to_thread(self._reading.shutdown, cancel_futures=True)

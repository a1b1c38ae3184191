"""A few threads that run many coroutines: each until it awaits an answer, and on once the answer has come.

So hundreds of requests are under way without blocking a thread each, and files are read, hashed and synced in parallel.
What the coroutines do is not known here.
"""

from __future__ import annotations

import queue
import threading
from types import TracebackType

from hashmark.s3.waiting import Steps


class CoroutinePool:
    """Threads, as a context manager. Every coroutine must have ended before the context does.

    A coroutine must not raise: nobody would notice.
    """

    def __init__(self, threads: int) -> None:
        self._ready: queue.SimpleQueue[Steps[None] | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"transfer-{n}", daemon=True) for n in range(max(1, threads))
        ]

    def __enter__(self) -> CoroutinePool:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _ in self._threads:
            self._ready.put(None)
        for thread in self._threads:
            thread.join()

    def start(self, steps: Steps[None]) -> None:
        """Run `steps` from now on, on any of the threads."""
        self._ready.put(steps)

    def _work(self) -> None:
        while (steps := self._ready.get()) is not None:
            self._advance(steps)

    def _advance(self, steps: Steps[None]) -> None:
        try:
            awaited = steps.send(None)
        except StopIteration:
            return
        # The callback runs on the network thread, which has other answers to fetch: it only queues.
        awaited.add_done_callback(lambda _: self._ready.put(steps))

"""A few threads that run many coroutines: each until it waits for an answer, and on once that is there.

So hundreds of requests are under way while no thread is blocked by one, and what reads, hashes or syncs a file does so
beside the others. What the coroutines do is not known here.
"""

from __future__ import annotations

import queue
import threading
from types import TracebackType

from hashmark.s3.waiting import Steps


class Crew:
    """Threads, as a context manager; at its end they go, so everything that was started must have ended before.

    A coroutine must not raise: nobody would be told.
    """

    def __init__(self, threads: int) -> None:
        self._ready: queue.SimpleQueue[Steps[None] | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"transfer-{n}", daemon=True) for n in range(max(1, threads))
        ]

    def __enter__(self) -> Crew:
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
            self._go_on(steps)

    def _go_on(self, steps: Steps[None]) -> None:
        try:
            awaited = steps.send(None)
        except StopIteration:
            return
        # Told on the runtime's thread, which has other answers to fetch.
        awaited.add_done_callback(lambda _: self._ready.put(steps))

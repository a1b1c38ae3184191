"""Processes with limits, and the patience they take: whatever becomes of one, the next task finds a working one.

A task that takes too long, or its process with it, fails by itself. The limits keep broken and greedy input in bounds;
they are no sandbox against code that has taken a worker over. What the tasks do is not known here.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import resource
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from hashmark.core.errors import ImageRefused

P = ParamSpec("P")
T = TypeVar("T")

_MAX_TASKS = 500
"""After so many, a worker is replaced: a fragmented heap would meet the memory limit early."""

_GRACE_S = 30.0
"""Seconds that a task may wait for a worker to start. Each task has a free one, so a longer wait means it is lost."""


@dataclass(frozen=True, slots=True)
class Limits:
    """For one task: `seconds` of time, and bytes of `memory`, which is the address space of its process."""

    seconds: float = 15.0
    memory: int = 2 << 30


class WorkerProcesses:
    """`count` processes, started when the first task comes. Each calls `prepare` once before it works.

    They are spawned, not forked: threads and the AWS runtime don't survive a fork, and a fork server would outlive us
    for little (it starts a worker as fast). The caller may have no more than `count` tasks running at once.
    """

    def __init__(self, count: int, limits: Limits, prepare: Callable[[], None]) -> None:
        self._count = count
        self._limits = limits
        self._prepare = prepare
        self._lock = threading.Lock()
        self._pool: ProcessPool | None = None
        self._closed = False

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of the function, called in a worker. Blocks.

        Raises:
            Died: it took too long, or its process with it.
            ImageRefused: the workers are closed, or can't be kept running.
            Exception: what the function raised.
        """
        for _ in range(2):  # a worker that dies while idle takes the pool along, with others' tasks
            with contextlib.suppress(_Lost):
                pool = self._running()
                try:
                    return self._result(pool, _schedule(pool, function, args, kwargs, self._limits.seconds))
                except _Lost:
                    self._discard(pool)
                    raise
        raise ImageRefused("The processes that decode images keep ending.", "Is the machine out of memory?")

    def close(self) -> None:
        """End the workers at once. Tasks that are still running fail."""
        with self._lock:
            self._closed = True
            pool, self._pool = self._pool, None
        if pool is not None:
            _end(pool)

    def _running(self) -> ProcessPool:
        with self._lock:
            if self._closed:
                raise ImageRefused("hashmark was closed before the image was decoded.")
            if self._pool is None:
                self._pool = ProcessPool(
                    self._count,
                    _MAX_TASKS,
                    _limit,
                    (self._limits.memory, self._prepare),
                    multiprocessing.get_context("spawn"),
                )
            return self._pool

    def _discard(self, pool: ProcessPool) -> None:
        with self._lock:
            ours = self._pool is pool
            if ours:
                self._pool = None
        if ours:
            _end(pool)

    def _result(self, pool: ProcessPool, task: ProcessFuture[T]) -> T:
        deadline = time.monotonic() + self._limits.seconds + _GRACE_S
        # A pool that breaks or is ended leaves some tasks without an answer, so it has to be looked after.
        while not wait([task], timeout=0.1).done:
            if not pool.active or time.monotonic() > deadline:
                raise _Lost
        try:
            return task.result()
        except TimeoutError:
            raise Died(f"It took longer than {self._limits.seconds:g} s.") from None
        except ProcessExpired as error:
            raise Died(f"Its process {_ending(error.exitcode)}.") from None
        except BrokenProcessPool:
            raise _Lost from None


class Died(Exception):
    """The task took too long, or its process with it. The text says which, as a sentence about the task."""


class _Lost(Exception):
    """The pool broke, and the task with it, for no fault of its own."""


def _schedule(
    pool: ProcessPool, function: Callable[..., T], args: tuple[object, ...], kwargs: dict[str, object], seconds: float
) -> ProcessFuture[T]:
    try:
        return pool.schedule(function, args, kwargs, timeout=seconds)
    except RuntimeError:  # it broke, or was ended, since the last task
        raise _Lost from None


def _end(pool: ProcessPool) -> None:
    """End a pool and its workers.

    They are killed here: pebble removes their locks first, and one that is just starting then says so in a stack trace.
    """
    pool.stop()  # type: ignore[no-untyped-call]
    if loop := pool._pool_manager_loop:  # noqa: SLF001 - pebble tells of its workers nowhere else
        loop.join()  # it starts no more of them
    workers = list(pool._pool_manager.worker_manager.workers.values())  # noqa: SLF001 - as above
    for worker in workers:
        worker.kill()
    for worker in workers:
        worker.join()
    pool.join()


def _ending(exitcode: int) -> str:
    """How a process ended, in words: negative numbers are signals."""
    if exitcode == -signal.SIGKILL:
        return "was killed, perhaps because the machine ran out of memory"
    with contextlib.suppress(ValueError):
        return f"ended with {signal.Signals(-exitcode).name}"
    return f"ended with status {exitcode}"


def _limit(memory: int, prepare: Callable[[], None]) -> None:
    """Runs in each worker before its first task. Ctrl-C is ignored there already: pebble leaves it to the parent."""
    prepare()  # first, because it may import modules
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # at once: a handler in Python would wait for the decoder
    for which, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),  # no file can be written
        (resource.RLIMIT_AS, memory),
    ):
        with contextlib.suppress(ValueError, OSError):  # macOS refuses some of them
            resource.setrlimit(which, (most, most))

"""Runs tasks in processes with limits. If a process dies, the next task gets a new one.

A task that exceeds its limits, or whose process dies, fails alone. The limits contain damaged and oversized input; they
are not a sandbox against code that has taken over a worker. Does not know what the tasks do.
"""

from __future__ import annotations

import contextlib
import resource
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import popen_spawn_posix, spawn
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from types import FunctionType, SimpleNamespace
from typing import Any, ParamSpec, TypeVar

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from hashmark.core.errors import ImageRefused, NoDecoder

P = ParamSpec("P")
T = TypeVar("T")

_MAX_TASKS = 500
"""A worker is replaced after so many tasks, since a fragmented heap would reach the memory limit early."""

_GRACE_S = 30.0
"""Seconds that a task waits for a worker to start. Every task has a free worker, so a longer wait means it is lost."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one task: `seconds` of time, and bytes of `memory`, the address space of its process."""

    seconds: float = 15.0
    memory: int = 2 << 30


def _preparation(name: str) -> dict[str, Any]:
    """Return what a new process is told of this one, except its main module, which it would run again.

    A program that uses hashmark need not guard its main module against that (Python library reference,
    "multiprocessing", "Safe importing of main module"): it would push again in each worker, or a script from standard
    input would end each of them. No task of a worker is defined there.
    """
    told: dict[str, Any] = spawn.get_preparation_data(name)
    return {key: value for key, value in told.items() if not key.startswith("init_main_")}


class _Popen(popen_spawn_posix.Popen):
    """Starts a process as multiprocessing does, but tells it `_preparation`: nothing public leaves the module out."""

    _launch = FunctionType(
        popen_spawn_posix.Popen._launch.__code__,  # type: ignore[attr-defined]  # noqa: SLF001 - as above
        vars(popen_spawn_posix) | {"spawn": SimpleNamespace(**vars(spawn) | {"get_preparation_data": _preparation})},
    )


class _Process(SpawnProcess):
    @staticmethod
    def _Popen(process: BaseProcess) -> _Popen:  # noqa: N802 - the name that multiprocessing calls
        return _Popen(process)


class _Context(SpawnContext):
    Process = _Process


class WorkerProcesses:
    """`count` processes, started with the first task. Each calls `prepare` once before its first task.

    They are spawned, not forked: threads, such as those that speak to the bucket, do not survive a fork, and a fork
    server would outlive this process without starting workers faster. The caller may run at most `count` tasks at once.
    """

    def __init__(self, count: int, limits: Limits, prepare: Callable[[], None]) -> None:
        self._count = count
        self._limits = limits
        self._prepare = prepare
        self._lock = threading.Lock()
        self._pool: ProcessPool | None = None
        self._closed = False

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the function in a worker and return its result. Blocks.

        Raises:
            Died: it took too long, or its process died.
            ImageRefused: the workers are closed.
            NoDecoder: they keep dying before they begin.
            Exception: what the function raised.
        """
        for _ in range(2):  # a worker that dies while idle breaks the pool, with the tasks of others
            with contextlib.suppress(_Lost):
                pool = self._running()
                try:
                    return self._result(pool, _schedule(pool, function, args, kwargs, self._limits.seconds))
                except _Lost:
                    self._discard(pool)
                    raise
        raise NoDecoder("The processes that decode images keep ending.", "Is the machine out of memory?")

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
                    _Context(),
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
        # A pool that breaks or is stopped leaves some tasks without a result, so it must be polled.
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
    """The task took too long, or its process died; the message says which."""


class _Lost(Exception):
    """The pool broke, and the task with it, for another reason than the task."""


def _schedule(
    pool: ProcessPool, function: Callable[..., T], args: tuple[object, ...], kwargs: dict[str, object], seconds: float
) -> ProcessFuture[T]:
    try:
        return pool.schedule(function, args, kwargs, timeout=seconds)
    except RuntimeError:  # it broke, or was stopped, since the last task
        raise _Lost from None


def _end(pool: ProcessPool) -> None:
    """End a pool and its workers.

    Kills the workers, since pebble removes their locks first and a starting worker would then print a stack trace.
    """
    pool.stop()  # type: ignore[no-untyped-call]
    if loop := pool._pool_manager_loop:  # noqa: SLF001 - pebble has no public access to its workers
        loop.join()  # it starts no more workers
    workers = list(pool._pool_manager.worker_manager.workers.values())  # noqa: SLF001 - as above
    for worker in workers:
        worker.kill()
    for worker in workers:
        worker.join()
    pool.join()


def _ending(exitcode: int) -> str:
    """Describe how a process ended; negative exit codes are signals."""
    if exitcode == -signal.SIGKILL:
        return "was killed, perhaps because the machine ran out of memory"
    with contextlib.suppress(ValueError):
        return f"ended with {signal.Signals(-exitcode).name}"
    return f"ended with status {exitcode}"


def _limit(memory: int, prepare: Callable[[], None]) -> None:
    """Set the limits of a worker, before its first task. Pebble already makes workers ignore Ctrl-C."""
    prepare()  # first, since it may import modules
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # at once: a handler in Python would wait for the decoder
    for which, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),  # no file can be written
        (resource.RLIMIT_AS, memory),
    ):
        with contextlib.suppress(ValueError, OSError):  # macOS refuses some of them
            resource.setrlimit(which, (most, most))

"""Coroutines that wait for answers without an event loop: each yields the future it waits for.

Whoever runs one may wait for that future on the spot, as `finish` does, or go on with others until it is done. What is
waited for is not known here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future
from typing import Any, Concatenate, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")

Steps = Coroutine[Future[Any], None, T]
"""A coroutine that can be run by sending it None whenever the future it yielded is done."""


class Pending(Future[T]):
    """A future that such coroutines can await."""

    def __await__(self) -> Generator[Future[Any], None, T]:
        """Yield itself until it is done; then its result."""
        try:
            while not self.done():
                yield self
            return self.result()
        finally:
            del self  # an error's traceback has this frame: it would keep the error, and so itself, alive


def finish(steps: Steps[T]) -> T:
    """Run `steps` to their end on this thread."""
    try:
        while True:
            steps.send(None).exception()
    except StopIteration as end:
        result: T = end.value
        return result


def blocking(method: Callable[Concatenate[Any, P], Steps[T]]) -> Callable[Concatenate[Any, P], T]:
    """The coroutine of `self.requests` as a method that returns when it is done."""

    @functools.wraps(method)
    def call(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return finish(method(self.requests, *args, **kwargs))

    return call

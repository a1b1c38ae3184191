"""Runs coroutines without an event loop: each yields the future that it awaits.

The caller can wait for that future at once, as `finish` does, or continue with other coroutines until it is done. What
is awaited is not known here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future
from typing import Any, Concatenate, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")

Steps = Coroutine[Future[Any], None, T]
"""A coroutine that is run by sending it None whenever the future that it yielded is done."""


class Pending(Future[T]):
    """A future that such coroutines can await."""

    def __await__(self) -> Generator[Future[Any], None, T]:
        """Yield itself until it is done, then return its result."""
        try:
            while not self.done():
                yield self
            return self.result()
        finally:
            del self  # an error's traceback has this frame: it would keep the error, and so itself, alive


def finish(steps: Steps[T]) -> T:
    """Run `steps` to their end on this thread, and return their result."""
    try:
        while True:
            steps.send(None).exception()
    except StopIteration as end:
        result: T = end.value
        return result


def blocking(method: Callable[Concatenate[Any, P], Steps[T]]) -> Callable[Concatenate[Any, P], T]:
    """Turn a coroutine of `self.requests` into a method that returns its result."""

    @functools.wraps(method)
    def call(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return finish(method(self.requests, *args, **kwargs))

    return call

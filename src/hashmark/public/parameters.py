"""Checks the arguments of the Python API, and converts what people write (`"*.txt"`, `"mine"`) to the core's values.

What is not understood is refused with a `TypeError` or `ValueError` that names the argument; nothing was done then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, TypeVar

from hashmark.core.events import Event, JobState, reduce
from hashmark.core.plan import WINNER, Direction, Policy, Side
from hashmark.library.dataset import Dataset
from hashmark.library.library import Library

REPORT_INTERVAL_S = 0.1
"""Between two calls of `on_progress`: there may be thousands of events a second."""

OnProgress = Callable[[JobState], object]
"""Is called with the state of the work: at most ten times a second, and once at its end."""

Choice = TypeVar("Choice", bound=StrEnum)


def check_dataset(value: object) -> None:
    """Require a dataset.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(value, Dataset):
        raise TypeError(f"A dataset is needed, such as `library.dataset('82')`, not {_shown(value)}.")


def check_library(value: object) -> None:
    """Require a library.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(value, Library):
        raise TypeError(f"A library is needed, such as `Library.open('/data/styles')`, not {_shown(value)}.")


def check_flags(**values: object) -> None:
    """Require booleans.

    Raises:
        TypeError: one is something else.
    """
    for name, value in values.items():
        if not isinstance(value, bool):
            raise TypeError(f"{name} is True or False, not {_shown(value)}.")


def check_cancel(value: object) -> None:
    """Require an event, or None.

    Raises:
        TypeError: it is something else.
    """
    if value is not None and not isinstance(value, threading.Event):
        raise TypeError(f"cancel is a threading.Event, not {_shown(value)}.")


def check_count(name: str, value: object) -> None:
    """Require a number of files, or None.

    Raises:
        TypeError: it is no whole number.
        ValueError: it is negative.
    """
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is a whole number, not {_shown(value)}.")
    if value < 0:
        raise ValueError(f"{name} is 0 or more, not {value}.")


def check_string(name: str, example: str, value: object) -> None:
    """Require a string, or None.

    Raises:
        TypeError: it is something else.
    """
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{name} is a string such as '{example}', not {_shown(value)}.")


def strings(name: str, example: str, value: object) -> tuple[str, ...]:
    """Return the strings that were given: one, several, or with None none. A single string is one.

    Raises:
        TypeError: something is not a string.
        ValueError: a string is empty, or there are none: what is computed may turn out empty, and must not mean all.
    """
    if value is None:
        return ()
    if isinstance(value, bytes) or not isinstance(value, str | Iterable):
        raise TypeError(f"{name} is a string such as '{example}', or several in a list, not {_shown(value)}.")
    given = (value,) if isinstance(value, str) else tuple(value)
    for each in given:
        if not isinstance(each, str):
            raise TypeError(f"{name} has strings such as '{example}', not {_shown(each)}.")
    found = tuple(map(str, given))
    if not found:
        raise ValueError(f"{name} is empty, which would select nothing. Leave it out to select everything.")
    if not all(found):
        raise ValueError(f"{name} has an empty string, which selects nothing.")
    return found


def globs(select: object) -> tuple[str, ...]:
    """Return the globs that select files; none where every file is selected.

    Raises:
        TypeError, ValueError: see `strings`.
    """
    return strings("select", "*.txt", select)


def choice(name: str, value: object, kind: type[Choice]) -> Choice:
    """Return a member of an enumeration, given as such or as its value.

    Raises:
        TypeError: it is not a string.
        ValueError: it is another string.
    """
    valid = ", ".join(f"'{member}'" for member in kind)
    if not isinstance(value, str):
        raise TypeError(f"{name} is one of {valid}, not {_shown(value)}.")
    if value not in list(kind):
        raise ValueError(f"{name} is one of {valid}, not '{value}'.")
    return kind(value)


def policy_of(direction: object, select: object, take: object, max_delete: int | None, *, delete: bool) -> Policy:
    """Return the policy of a push or a pull.

    Raises:
        TypeError, ValueError: an argument is not understood, or `take` names the side that is replaced.
    """
    way = choice("direction", direction, Direction)
    if way is Direction.DELETE:
        raise ValueError("direction is 'push' or 'pull'. `plan_delete` plans a delete.")
    side = None if take is None else choice("take", take, Side)
    if side not in {None, WINNER[way], Side.NEWER}:
        raise ValueError(f"A {way} takes '{WINNER[way]}' or '{Side.NEWER}', not '{side}'.")
    check_flags(delete=delete)
    check_count("max_delete", max_delete)
    return Policy(way, side, delete, max_delete, select=globs(select))


class ProgressReport:
    """Folds the events of some work, and calls `on_progress` with the state."""

    def __init__(self, on_progress: OnProgress | None) -> None:
        if on_progress is not None and not callable(on_progress):
            raise TypeError(f"on_progress is a function of one argument, not {_shown(on_progress)}.")
        self._on_progress = on_progress
        self._state = JobState()
        self._last = time.monotonic()

    def on_event(self, event: Event) -> None:
        """Apply one event."""
        if self._on_progress is None:
            return
        self._state = reduce(self._state, event)
        now = time.monotonic()
        if self._state.ended or now - self._last >= REPORT_INTERVAL_S:
            self._last = now
            self._on_progress(self._state)


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text}" if len(text) <= 60 else type(value).__name__

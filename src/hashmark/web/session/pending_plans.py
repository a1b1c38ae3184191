"""What was shown and did not run yet: plans, and previews of a cleaning.

Each runs once, and is forgotten after a while. An action names what it runs by its id, so that a forged or stale
request can't say which files to touch.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from hashmark.actions.clean import Preview
from hashmark.actions.move import Planned

T = TypeVar("T")

KEPT = 32
SECONDS = 900
PREVIEWS_BYTES = 128 << 20
"""Bytes of captions that all previews together may hold, but for the newest."""


class Shown(Generic[T]):
    """What a server has shown, by id: `most` of them, the newest whatever it weighs, the others up to `heaviest`."""

    def __init__(self, weigh: Callable[[T], int] = lambda _: 0, *, most: int = KEPT, heaviest: int = 0) -> None:
        self._weigh, self._most, self._heaviest = weigh, most, heaviest
        self._shown: OrderedDict[str, tuple[float, int, T]] = OrderedDict()

    def keep(self, what: T) -> str:
        """An id for this."""
        name = secrets.token_hex(12)
        self._shown[name] = (time.monotonic(), self._weigh(what), what)
        while len(self._shown) > 1 and (len(self._shown) > self._most or self._weight() > self._heaviest):
            self._shown.popitem(last=False)
        return name

    def _weight(self) -> int:
        return sum(weight for _, weight, _ in self._shown.values())

    def get(self, name: str) -> T | None:
        """What has that id, if it is still to be had."""
        made, _, what = self._shown.get(name, (0.0, 0, None))
        return what if what is not None and time.monotonic() - made < SECONDS else None

    def take(self, name: str) -> T | None:
        """The same, for the last time."""
        what = self.get(name)
        self._shown.pop(name, None)
        return what


class Plans(Shown[Planned]):
    """The plans of a server."""


class Previews(Shown[Preview]):
    """The previews of a server: few, for they hold the captions that would change, twice."""

    def __init__(self) -> None:
        super().__init__(_bytes, most=8, heaviest=PREVIEWS_BYTES)


def _bytes(found: Preview) -> int:
    return sum(len(change.before) + len(change.after or b"") for change in found.changes)

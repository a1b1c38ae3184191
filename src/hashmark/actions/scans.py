"""Comparisons of several datasets: their listings are requested together. What is done with them is not known here."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from hashmark.actions.status import Scan

MAX_REQUESTED = 32
"""Comparisons whose listing is requested before it is their turn. Each may hold a page, half a megabyte."""


def requested(scans: Iterable[Scan]) -> Iterator[Scan]:
    """Yield comparisons, with those of the next datasets requested: many small ones take as long as their answers."""
    ahead: deque[Scan] = deque()
    for scan in scans:
        scan.request()
        ahead.append(scan)
        if len(ahead) > MAX_REQUESTED:
            yield ahead.popleft()
    yield from ahead

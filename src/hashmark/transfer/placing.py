"""Puts new files in their places, many at a time: one sync of a file system's journal serves them all.

What they contain, and whether that is right, is not known here.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

from hashmark.core.errors import LocalError
from hashmark.core.model import Stamp
from hashmark.disk.unfinished import Unfinished, put_all
from hashmark.s3.waiting import Pending

MAX_GROUP = 64
"""Files that are synced together."""

MAX_LEADERS = 2
"""Threads that sync at once; the others of the pool receive files in the meantime."""


class Placing:
    """Gathers new files while others are being synced. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Unfinished, Pending[Stamp | None]]] = deque()
        self._leaders = 0

    async def put(self, file: Unfinished) -> Stamp | None:
        """Put a new file in its place, and return once both are on the device: its stamp, as `put_all` does.

        The thread that finds few others syncing leads: it puts all files that wait, until none does.

        Raises:
            FileChanged, UnsafePath: the place is not empty.
            LocalError: the system refuses.
        """
        pending: Pending[Stamp | None] = Pending()
        with self._lock:
            self._waiting.append((file, pending))
            leads = self._leaders < MAX_LEADERS
            self._leaders += leads
        if leads:
            self._put_waiting()
        return await pending

    def _put_waiting(self) -> None:
        while group := self._next_group():
            try:
                results: Sequence[Stamp | LocalError | None] = put_all([file for file, _ in group])
            except Exception as error:  # noqa: BLE001 - an internal error must not leave anybody waiting
                results = [LocalError(f"Internal error: {type(error).__name__}: {error}.")] * len(group)
            for (_, pending), result in zip(group, results, strict=True):
                if isinstance(result, LocalError):
                    pending.set_exception(result)
                else:
                    pending.set_result(result)

    def _next_group(self) -> list[tuple[Unfinished, Pending[Stamp | None]]]:
        """Take the files that wait; a leader that gets none leads no more."""
        with self._lock:
            group = [self._waiting.popleft() for _ in range(min(MAX_GROUP, len(self._waiting)))]
            if not group:
                self._leaders -= 1
            return group

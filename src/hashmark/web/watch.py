"""Notices edits on disk as they happen, and looks at the bucket again from time to time.

What changed is only named; whether it matters is found out by the desk.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from watchfiles import Change, awatch

from hashmark.core.keys import STATE_FOLDER, TEMPORARY
from hashmark.core.model import Key
from hashmark.web.desk import Desk

LOOK = 5.0
"""Seconds between two looks for new datasets."""


class Watcher:
    """Watches every dataset of a desk. `every`: seconds after which each is compared anew; None for never."""

    def __init__(self, desk: Desk, *, every: float | None) -> None:
        self._desk = desk
        self._every = every

    async def disk(self) -> None:
        """Tell the desk of every file that changes; runs until it is cancelled.

        Where a watch follows another, edits between the two were not seen, so what was compared is compared anew.
        """
        unseen = False
        while True:
            stop = asyncio.Event()
            folders = self._folders()
            fresh = asyncio.create_task(self._until_new(folders, stop))
            try:
                if unseen:
                    self._compare_anew()
                unseen = True
                if folders:
                    async for changes in awatch(
                        *folders,
                        stop_event=stop,
                        step=50,
                        debounce=400,
                        watch_filter=_is_ours,
                        ignore_permission_denied=True,
                    ):
                        self._tell(changes)
                else:
                    await stop.wait()
            except (OSError, RuntimeError):
                await asyncio.sleep(LOOK)  # a folder vanished meanwhile, or the system has no watch left
            finally:
                fresh.cancel()

    def _compare_anew(self) -> None:
        """Have what was compared looked at again: as soon as this task waits, so when the watch has begun."""
        for board in self._desk.boards.values():
            if not board.stale:
                self._desk.check(board, anew=True)

    def _folders(self) -> set[Path]:
        return {board.dataset.path for board in self._desk.boards.values() if board.dataset.path.is_dir()}

    async def _until_new(self, folders: set[Path], stop: asyncio.Event) -> None:
        while self._folders() == folders:
            await asyncio.sleep(LOOK)
            await self._desk.refresh()
        stop.set()

    def _tell(self, changes: set[tuple[Change, str]]) -> None:
        boards = {os.fspath(board.dataset.path): board for board in self._desk.boards.values()}
        by_board: dict[str, set[Key]] = {}
        whole = set()
        for change, path in changes:
            root = next((root for root in boards if path.startswith(f"{root}/")), None)
            if root is None:
                whole |= {path} & set(boards)
            elif change is not Change.modified and not Path(path).is_file() and self._holds(root, path):
                whole.add(root)  # a folder came, went or was renamed
            else:
                by_board.setdefault(root, set()).add(Key(path[len(root) + 1 :]))
        for root, keys in by_board.items():
            self._desk.changed_on_disk(boards[root], keys)
        for root in whole:
            self._desk.check(boards[root], anew=True)

    def _holds(self, root: str, path: str) -> bool:
        """Whether that path is a folder, or was one that held files."""
        board = next(b for b in self._desk.boards.values() if os.fspath(b.dataset.path) == root)
        folder = path[len(root) + 1 :] + "/"
        return Path(path).is_dir() or any(key.startswith(folder) for key in board.files)

    async def clock(self) -> None:
        """Compare everything anew on the set interval; runs until it is cancelled."""
        while self._every is not None:
            await asyncio.sleep(self._every)
            for board in self._desk.boards.values():
                self._desk.check(board)


def _is_ours(_change: Change, path: str) -> bool:
    name = path.rsplit("/", 1)[-1]
    return not TEMPORARY.fullmatch(name) and f"/{STATE_FOLDER}/" not in path

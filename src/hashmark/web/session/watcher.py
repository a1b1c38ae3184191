"""Notices edits on disk as they happen, and looks at the bucket again from time to time.

What changed is only named; whether it matters is found out by the desk.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from pathlib import Path

from watchfiles import Change, awatch

from hashmark.core.errors import LocalError
from hashmark.core.keys import STATE_FOLDER, TEMPORARY
from hashmark.core.model import Key
from hashmark.web.session.board import Board
from hashmark.web.session.desk import Desk

LOOK = 5.0
"""Seconds between two looks for new datasets, and at first between two tries to watch."""
MOST = 300.0
"""Seconds between two tries to watch, at most."""

Folder = tuple[Path, int, int]
"""A folder's path, device and inode."""


class Watcher:
    """Watches every dataset of a desk. `every`: seconds after which each is compared anew; None for never."""

    def __init__(self, desk: Desk, *, every: float | None) -> None:
        self._desk = desk
        self._every = every
        self._unseen = False

    async def disk(self) -> None:
        """Tell the desk of every file that changes; runs until it is cancelled.

        Where a watch follows another, edits between the two were not seen, so what was compared is compared anew.
        Where there can be none, that is told and tried again, less and less often: comparing costs requests.
        """
        pause = LOOK
        while True:
            stop = asyncio.Event()
            folders = self._folders()
            fresh = asyncio.create_task(self._until_new(folders, stop))
            # Runs as soon as this task waits, so when the watch has begun, unless it fails before.
            begun = asyncio.get_running_loop().call_soon(self._begun)
            try:
                await self._watch({path for path, _, _ in folders}, stop)
                pause = LOOK
            except (OSError, RuntimeError) as error:  # a folder vanished meanwhile, or the system has no watch left
                begun.cancel()
                self._unseen = True
                self._desk.watched(_not_watched(error))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause)
                pause = min(2 * pause, MOST)
            finally:
                fresh.cancel()

    async def _watch(self, paths: set[Path], stop: asyncio.Event) -> None:
        if not paths:
            await stop.wait()
            return
        async for changes in awatch(
            *paths, stop_event=stop, step=50, debounce=400, watch_filter=_is_ours, ignore_permission_denied=True
        ):
            self._tell(changes)
            if any((Change.deleted, os.fspath(path)) in changes for path in paths):
                stop.set()  # nothing more is told of a folder that went, though there may be one of its name by now

    def _begun(self) -> None:
        """A watch has begun: what was compared before is looked at again, for it may have changed unseen."""
        self._desk.watched(None)
        unseen, self._unseen = self._unseen, True
        for board in self._desk.boards.values():
            if unseen and not board.stale:
                self._desk.check(board, anew=True)

    def _folders(self) -> set[Folder]:
        """The datasets' folders as they are now: one that is made anew is another, though it has the same path."""
        return {found for board in self._desk.boards.values() if (found := _folder(board.dataset.path))}

    async def _until_new(self, folders: set[Folder], stop: asyncio.Event) -> None:
        while self._folders() == folders:
            await asyncio.sleep(LOOK)
            await self._desk.refresh()
        stop.set()

    def _tell(self, changes: set[tuple[Change, str]]) -> None:
        boards = {os.fspath(board.dataset.path): board for board in self._desk.boards.values()}
        by_board: dict[str, set[Key]] = {}
        whole = set()
        for change, path in changes:
            root = next((root for root in boards if path == root or path.startswith(f"{root}/")), None)
            if root is None:
                continue
            key = path[len(root) + 1 :]
            keys = by_board.setdefault(root, set())
            if path == root or (change is not Change.modified and not Path(path).is_file()):
                within = _within(boards[root], key)
                if path == root or within or Path(path).is_dir():
                    whole.add(root)  # a folder came, went or was renamed
                    keys |= within
                    continue
            keys.add(Key(key))
        for root in whole:
            self._desk.check(boards[root], anew=True)
        for root, keys in by_board.items():
            self._desk.changed_on_disk(boards[root], keys)

    async def clock(self) -> None:
        """Compare everything anew on the set interval; runs until it is cancelled."""
        while self._every is not None:
            await asyncio.sleep(self._every)
            for board in self._desk.boards.values():
                self._desk.check(board)


def _folder(path: Path) -> Folder | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return (path, facts.st_dev, facts.st_ino) if stat.S_ISDIR(facts.st_mode) else None


def _within(board: Board, folder: str) -> set[Key]:
    """The keys of what is, or was, in a folder of a dataset."""
    return {key for key in board.files if not folder or key.startswith(f"{folder}/")}


def _not_watched(error: Exception) -> LocalError:
    return LocalError(
        f"Edits on disk are not seen as they happen: {error}",
        "Until they are, compare again after an edit. On Linux, fs.inotify.max_user_watches may be too small.",
    )


def _is_ours(_change: Change, path: str) -> bool:
    name = path.rsplit("/", 1)[-1]
    return not TEMPORARY.fullmatch(name) and f"/{STATE_FOLDER}/" not in path

"""Watches the disk for edits, and compares every dataset again at a set interval.

It only reports which files changed; the checker finds out whether that matters.
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
from hashmark.web.session.checker import Checker
from hashmark.web.session.live_library import LiveLibrary

POLL_INTERVAL_S = 5.0
"""How often datasets are listed again, and the first pause after the system refused to watch."""
MAX_RETRY_PAUSE_S = 300.0
"""The longest pause before another attempt to watch."""

Folder = tuple[Path, int, int]
"""A folder's path, device and inode."""


class Watcher:
    """Watches every dataset of a library. `every`: seconds after which each is compared again; None for never."""

    def __init__(self, library: LiveLibrary, checker: Checker, *, every: float | None) -> None:
        self._library = library
        self._checker = checker
        self._every = every
        self._missed_edits = False

    async def watch_disk(self) -> None:
        """Have every file that changes compared; runs until it is cancelled.

        Edits between the end of a watch and the start of the next were missed, so everything is compared again then.
        Where the system refuses to watch, the page shows that, and the watch is tried again at growing intervals,
        because each attempt that succeeds costs a comparison.
        """
        pause = POLL_INTERVAL_S
        while True:
            stop = asyncio.Event()
            folders = self._folders()
            poll = asyncio.create_task(self._stop_when_folders_change(folders, stop))
            # Runs as soon as this task waits, which is when the watch has started, unless it failed before.
            started = asyncio.get_running_loop().call_soon(self._watch_started)
            try:
                await self._watch({path for path, _, _ in folders}, stop)
                pause = POLL_INTERVAL_S
            except (OSError, RuntimeError) as error:  # a folder disappeared, or the limit of watches is reached
                started.cancel()
                self._missed_edits = True
                hint = "Press Check after an edit. On Linux, fs.inotify.max_user_watches may be too small."
                self._library.set_watch_error(LocalError(f"Cannot watch the disk for edits: {error}", hint))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause)
                pause = min(2 * pause, MAX_RETRY_PAUSE_S)
            finally:
                poll.cancel()

    async def _watch(self, paths: set[Path], stop: asyncio.Event) -> None:
        if not paths:
            await stop.wait()
            return
        async for changes in awatch(
            *paths, stop_event=stop, step=50, debounce=400, watch_filter=_is_relevant, ignore_permission_denied=True
        ):
            self._report(changes)
            if any((Change.deleted, os.fspath(path)) in changes for path in paths):
                stop.set()  # the watch reports nothing more of a deleted folder, even if it was created again

    def _watch_started(self) -> None:
        """Compare again what may have changed while nothing was watched."""
        self._library.set_watch_error(None)
        missed, self._missed_edits = self._missed_edits, True
        for live in self._library.datasets.values():
            if missed and not live.unchecked:
                self._checker.check(live, restart=True)

    def _folders(self) -> set[Folder]:
        """Return the datasets' folders as they are now; one that was deleted and created again is a different one."""
        return {found for live in self._library.datasets.values() if (found := _folder(live.dataset.path))}

    async def _stop_when_folders_change(self, folders: set[Folder], stop: asyncio.Event) -> None:
        while self._folders() == folders:
            await asyncio.sleep(POLL_INTERVAL_S)
            await self._library.refresh()
        stop.set()

    def _report(self, changes: set[tuple[Change, str]]) -> None:
        datasets = {os.fspath(live.dataset.path): live for live in self._library.datasets.values()}
        edited: dict[str, set[Key]] = {}
        check_all = set()
        for change, path in changes:
            root = next((root for root in datasets if path == root or path.startswith(f"{root}/")), None)
            if root is None:
                continue
            key = path[len(root) + 1 :]
            keys = edited.setdefault(root, set())
            if path == root or (change is not Change.modified and not Path(path).is_file()):
                within = {k for k in datasets[root].files if not key or k.startswith(f"{key}/")}
                if path == root or within or Path(path).is_dir():
                    check_all.add(root)  # a folder was created, deleted or renamed
                    keys |= within
                    continue
            keys.add(Key(key))
        for root in check_all:
            self._checker.check(datasets[root], restart=True)
        for root, keys in edited.items():
            self._checker.edited_on_disk(datasets[root], keys)

    async def check_periodically(self) -> None:
        """Compare everything again at the set interval; runs until it is cancelled."""
        while self._every is not None:
            await asyncio.sleep(self._every)
            for live in self._library.datasets.values():
                self._checker.check(live)


def _folder(path: Path) -> Folder | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return (path, facts.st_dev, facts.st_ino) if stat.S_ISDIR(facts.st_mode) else None


def _is_relevant(_change: Change, path: str) -> bool:
    name = path.rsplit("/", 1)[-1]
    return not TEMPORARY.fullmatch(name) and f"/{STATE_FOLDER}/" not in path

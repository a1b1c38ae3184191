"""Finds and removes the unfinished files that killed runs left: their names hold the number of the process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from hashmark.core.keys import STATE_FOLDER, TEMPORARY


def leftovers(root: Path) -> Iterator[Path]:
    """Yield the unfinished files under `root`. Symlinked folders and hashmark's own are not entered."""
    for folder, folders, files in os.walk(root, followlinks=False):
        if STATE_FOLDER in folders:
            folders.remove(STATE_FOLDER)
        for name in files:
            if TEMPORARY.fullmatch(name):
                yield Path(folder) / name


def remove_leftovers(root: Path) -> None:
    """Remove the unfinished files under `root`, except those of running processes, which are in use."""
    for path in leftovers(root):
        if not is_running(int(path.name.split("-")[1])):
            with contextlib.suppress(OSError):
                path.unlink()


def is_running(process: int) -> bool:
    """Return whether a process with this number is running, whoever owns it."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True

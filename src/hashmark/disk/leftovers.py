"""Finds and removes the unfinished files that killed runs left: their names hold the number of the process.

Those with the number 0 can be continued by a later run (`durable.continued_name`), whatever process began them.
"""

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
    """Remove the unfinished files under `root`, except those in use by a running process, or that can be continued."""
    for path in leftovers(root):
        process = int(path.name.split("-")[1])
        if process and not is_running(process):
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

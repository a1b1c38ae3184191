"""Downloads every object and compares its bytes: the proof that does not rest on any ETag."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

from hashmark.actions.status import Options, read_body, status
from hashmark.core.events import Ended, Event, FileDone, FileFailed, FileStarted, Started
from hashmark.core.model import Base, FileStatus, Verdict
from hashmark.core.pairs import pair_up
from hashmark.core.plan import Policy
from hashmark.core.report import DatasetStatus
from hashmark.library import Dataset

WORKERS = 8


def verify(
    dataset: Dataset,
    policy: Policy,
    on_event: Callable[[Event], None] = lambda _event: None,
    cancel: threading.Event | None = None,
) -> DatasetStatus:
    """Compare the dataset, then read every selected object that both sides have; what is proven is recorded.

    A file that its ETag called synced and whose bytes differ is `differs` by `body`. That is remembered, so that it
    stays red and a push puts the right bytes there.

    Raises:
        StoreError: the bucket can't be listed.
    """
    found = status(dataset, Options())
    rows = {f.key: f for f in found.files}
    chosen = [f for f in found.files if f.local and f.remote and f.verdict is not Verdict.REFUSED]
    chosen = [f for f in chosen if policy.selects(f.key)]
    stop = cancel or threading.Event()
    _sweep(dataset.library.state_folder / "tmp")
    on_event(Started(len(chosen), sum(f.local.size for f in chosen if f.local), time.time()))
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="verify") as pool:
        for after, known in _each(dataset, chosen, pool, on_event, stop):
            rows[after.key] = after
            if known is not None and (known.common or after.verdict is Verdict.DIFFERS):
                # A conflict or a change keeps its base: the past of both sides says more than this one reading.
                dataset.library.state.record_bases(dataset.remote, [known])
            on_event(_told(after))
    on_event(Ended(stop.is_set(), time.time()))
    files = tuple(rows.values())
    return replace(found, files=files, pairs=pair_up(files, dataset.pairing).pairs)


def _sweep(scratch: Path) -> None:
    """Remove downloads of verifications that were killed: their names have the process that began them."""
    for path in scratch.glob("verify-*-*"):
        pid = path.name.split("-")[1]
        with contextlib.suppress(OSError):
            if not (pid.isdecimal() and _is_alive(int(pid))):
                path.unlink()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _each(
    dataset: Dataset,
    chosen: list[FileStatus],
    pool: ThreadPoolExecutor,
    on_event: Callable[[Event], None],
    stop: threading.Event,
) -> Iterator[tuple[FileStatus, Base | None]]:
    """Statuses by what was read, with what is known of the objects now, as they come."""
    running: set[Future[tuple[FileStatus, Base | None]]] = set()
    waiting = iter(chosen)
    while True:
        while len(running) < 2 * WORKERS and not stop.is_set() and (row := next(waiting, None)) is not None:
            on_event(FileStarted(row.key, "verify", time.time()))
            running.add(pool.submit(read_body, dataset, row))
        if not running:
            return
        done, running = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            yield future.result()


def _told(status: FileStatus) -> Event:
    size = status.local.size if status.local else 0
    if status.verdict is Verdict.UNVERIFIED:
        return FileFailed(status.key, "verify", "unverified", status.reason or "", time.time())
    return FileDone(status.key, "verify", size, status.evidence, time.time())

"""Downloads every object and compares its bytes: the proof that does not rest on any ETag."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace

from hashmark.actions.status import Options, read_body, status
from hashmark.core.compare import Comparison, KeyState, judge
from hashmark.core.events import Ended, Event, FileDone, FileFailed, FileStarted, Started
from hashmark.core.model import Base, Content, Evidence, FileStatus, Verdict
from hashmark.core.pairs import pair_up
from hashmark.core.plan import Policy, Selection
from hashmark.core.report import DatasetStatus
from hashmark.disk.leftovers import remove_leftovers
from hashmark.library.dataset import Dataset
from hashmark.state.state import VerifyMark

WORKERS = 8


def verify(
    dataset: Dataset,
    policy: Policy,
    on_event: Callable[[Event], None] = lambda _event: None,
    cancel: threading.Event | None = None,
    *,
    anew: bool = False,
) -> DatasetStatus:
    """Compare the dataset, then read every selected object that both sides have; what is proven is recorded.

    A file that its ETag called synced and whose bytes differ is `differs` by `body`. That is remembered, so that it
    stays red and a push puts the right bytes there. A run that was interrupted is gone on with: what it has read is
    not read again, unless the file or the object has changed since, or `anew` asks for it.

    Raises:
        UsageError: the policy's globs select no file: what was not looked at must not be called green.
        StoreError: the bucket can't be listed.
    """
    found = status(dataset, Options())
    Selection(policy.select).check((f.key for f in found.files), dataset.name)
    rows = {f.key: f for f in found.files}
    chosen = [f for f in found.files if f.local and f.remote and f.verdict is not Verdict.REFUSED]
    chosen = [f for f in chosen if policy.selects(f.key)]
    stop = cancel or threading.Event()
    remove_leftovers(dataset.library.state_folder / "tmp")
    progress = _Progress(dataset, anew=anew)
    read = {f.key: after for f in chosen if (after := progress.read_before(f)) is not None}
    rows |= read
    chosen = [f for f in chosen if f.key not in read]
    notes = (f"{len(read)} files were read before the interruption and are not read again",) if read else ()
    on_event(Started(len(chosen), sum(f.local.size for f in chosen if f.local), time.time(), notes))
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="verify") as pool:
        for after, known in _each(dataset, chosen, pool, on_event, stop):
            rows[after.key] = after
            if known is not None and (known.common or after.verdict is Verdict.DIFFERS):
                # A conflict or a change keeps its base: the past of both sides says more than this one reading.
                dataset.library.state.record_bases(dataset.remote, [known])
            progress.note(after)
            on_event(_told(after))
    if not stop.is_set():
        progress.forget()
    on_event(Ended(stop.is_set(), time.time()))
    files = tuple(rows.values())
    lost = dataset.library.state.problem
    problems = found.problems if lost is None or lost in found.problems else (*found.problems, lost)
    return replace(found, files=files, pairs=pair_up(files, dataset.pairing).pairs, problems=problems)


class _Progress:
    """What an interrupted verification has read, kept until one has come to its end."""

    def __init__(self, dataset: Dataset, *, anew: bool) -> None:
        self._state, self._remote = dataset.library.state, dataset.remote
        self._known = {mark.key: mark for mark in self._state.verify_marks(self._remote)}
        if anew:
            self.forget()

    def read_before(self, row: FileStatus) -> FileStatus | None:
        """The row by what was read of it, if neither side has changed since."""
        mark, known = _mark(row), self._known.get(row.key)
        if mark is None or known is None or mark._replace(same=known.same) != known:
            return None
        content = Content.SAME if known.same else Content.DIFFERENT
        return judge(KeyState(row.key, row.local, row.remote, row.base), row.kind, Comparison(content, Evidence.BODY))

    def note(self, row: FileStatus) -> None:
        """Keep that this row was read, if it was."""
        mark = _mark(row)
        if mark is not None and row.evidence is Evidence.BODY:
            self._known[row.key] = mark
            self._state.record_verify_mark(self._remote, mark)

    def forget(self) -> None:
        """Begin anew the next time."""
        self._state.forget_verify_marks(self._remote)
        self._known = {}


def _mark(row: FileStatus) -> VerifyMark | None:
    """Both sides as they were when the bytes were read."""
    local, remote = row.local, row.remote
    if local is None or remote is None or local.md5 is None:
        return None
    same = row.verdict is Verdict.SYNCED
    return VerifyMark(row.key, local.md5, local.size, remote.etag, remote.last_modified, same)


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

"""Downloads every object and compares its bytes: the proof that depends on no ETag."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace

from hashmark.actions.status import Options, is_worth_recording, read_body, status
from hashmark.core.compare import Comparison, KeyState, judge
from hashmark.core.events import Ended, Event, FileDone, FileFailed, FileStarted, Started
from hashmark.core.model import Base, Content, Evidence, FileStatus, Verdict
from hashmark.core.pairs import pair_up
from hashmark.core.plan import Policy, Selection
from hashmark.core.report import DatasetStatus
from hashmark.disk.leftovers import remove_leftovers
from hashmark.library.capabilities import capabilities
from hashmark.library.dataset import Dataset
from hashmark.s3.store_capabilities import SUPPORTED
from hashmark.state.state import VerifyMark

WORKER_THREADS = 8


def verify(
    dataset: Dataset,
    policy: Policy,
    on_event: Callable[[Event], None] = lambda _event: None,
    cancel: threading.Event | None = None,
    *,
    resume: bool = True,
) -> DatasetStatus:
    """Compare the dataset, then read every selected object that both sides have, and record what is proven.

    A file that is synced by its ETag, but whose bytes differ, becomes `differs` by `body`. That is recorded, so that it
    stays red and a push uploads the right bytes. An interrupted run resumes: a file that it has read is not read again
    unless the file or the object has changed since. Without `resume`, everything is read.

    Raises:
        UsageError: the policy's globs select no file: what was not read must not be called green.
        StoreError: the bucket can't be listed.
    """
    found = status(dataset, Options())
    Selection(policy.select).check((f.key for f in found.files), dataset.name)
    rows = {f.key: f for f in found.files}
    chosen = [f for f in found.files if f.local and f.remote and f.verdict is not Verdict.REFUSED]
    chosen = [f for f in chosen if policy.selects(f.key)]
    stop = cancel or threading.Event()
    remove_leftovers(dataset.library.own_folder("tmp"))
    read_before = _ReadBefore(dataset, resume=resume)
    read = {f.key: after for f in chosen if (after := read_before.judged(f)) is not None}
    rows |= read
    chosen = [f for f in chosen if f.key not in read]
    notes = (f"{len(read)} files were read before the interruption and are not read again",) if read else ()
    on_event(Started(len(chosen), sum(f.local.size for f in chosen if f.local), time.time(), notes))
    with ThreadPoolExecutor(WORKER_THREADS, thread_name_prefix="verify") as pool:
        for after, known in _each(dataset, chosen, pool, on_event, stop):
            rows[after.key] = after
            if known is not None and is_worth_recording(known, after):
                dataset.library.state.record_bases(dataset.remote, [known])
            read_before.note(after)
            if after.verdict is Verdict.UNVERIFIED:
                on_event(FileFailed(after.key, "verify", "unverified", after.reason or "", time.time()))
            else:
                size = after.local.size if after.local else 0
                on_event(FileDone(after.key, "verify", size, after.evidence, time.time()))
    if not stop.is_set():
        read_before.forget()
    on_event(Ended(stop.is_set(), time.time()))
    files = tuple(rows.values())
    lost = dataset.library.state.problem
    problems = found.problems if lost is None or lost in found.problems else (*found.problems, lost)
    return replace(found, files=files, pairs=pair_up(files, dataset.pairing).pairs, problems=problems)


class _ReadBefore:
    """What an interrupted run has read, recorded until a run completes."""

    def __init__(self, dataset: Dataset, *, resume: bool) -> None:
        self._state, self._remote = dataset.library.state, dataset.remote
        self._etags_follow = capabilities(dataset.library).etag_follows is SUPPORTED
        self._known = {mark.key: mark for mark in self._state.verify_marks(self._remote)}
        if not resume:
            self.forget()

    def judged(self, row: FileStatus) -> FileStatus | None:
        """Return the row judged by what was read, if neither side has changed since; else None."""
        mark, known = _mark(row), self._known.get(row.key)
        if mark is None or known is None or mark._replace(same=known.same) != known:
            return None
        content = Content.SAME if known.same else Content.DIFFERENT
        state, compared = KeyState(row.key, row.local, row.remote, row.base), Comparison(content, Evidence.BODY)
        return judge(state, row.kind, compared, etags_follow=self._etags_follow)

    def note(self, row: FileStatus) -> None:
        """Record that this row was read, if it was."""
        mark = _mark(row)
        if mark is not None and row.evidence is Evidence.BODY:
            self._known[row.key] = mark
            self._state.record_verify_mark(self._remote, mark)

    def forget(self) -> None:
        """Make the next run read everything."""
        self._state.forget_verify_marks(self._remote)
        self._known = {}


def _mark(row: FileStatus) -> VerifyMark | None:
    """Return both sides as they were when the bytes were read, or None if one is missing."""
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
    """Yield each status judged by what was read, with the base that it proves, as they come."""
    running: set[Future[tuple[FileStatus, Base | None]]] = set()
    waiting = iter(chosen)
    while True:
        while len(running) < 2 * WORKER_THREADS and not stop.is_set() and (row := next(waiting, None)) is not None:
            on_event(FileStarted(row.key, "verify", time.time()))
            running.add(pool.submit(read_body, dataset, row))
        if not running:
            return
        done, running = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            yield future.result()

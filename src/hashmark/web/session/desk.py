"""The library as the server holds it: a board for each dataset, kept true by checks, jobs and edits on disk.

Everything here runs on the event loop's thread; comparing, hashing and reading run on others. Two browsers see
the same desk. How it is drawn, and who may ask, is not known here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping

from hashmark.actions.move import status_after
from hashmark.actions.status import Options, status
from hashmark.core.errors import HashmarkError, Interrupted
from hashmark.core.events import Event
from hashmark.core.model import FileStatus, Key, LocalFile, RemoteObject, Verdict
from hashmark.core.report import DatasetStatus
from hashmark.disk.walk import Walk
from hashmark.library.library import Dataset, Library
from hashmark.search.items import Item, make_items
from hashmark.transfer.action_result import ActionResult
from hashmark.web.session.board import Board, Checked, Checking
from hashmark.web.session.disk_edits import CHANGED, in_doubt, look_again, texts_of
from hashmark.web.session.jobs import Job, Jobs
from hashmark.web.session.news import News
from hashmark.web.session.threads import WorkerThreads

MOMENT = 1.0
"""Seconds in which a changed file that is being looked at may still be shown as before, lest its badge flicker."""

MANY = 500
"""So many changed files at once are found by comparing the whole dataset, not one by one."""


class Desk(WorkerThreads):
    """Every dataset of a library. Make it on the running loop; `close` when done.

    `against` holds saved listings, by dataset name, that stand in for the bucket.
    """

    def __init__(self, library: Library, against: Mapping[str, tuple[RemoteObject, ...]] | None = None) -> None:
        super().__init__()
        self.library = library
        self.against = dict(against or {})
        self.boards: dict[str, Board] = {}
        self.news = News()
        self.jobs = Jobs(self._on_job)
        self.trouble: HashmarkError | None = None
        """Why the datasets, of the disk or of the bucket, can't be listed, if they can't."""
        self.unwatched: HashmarkError | None = None
        """Why edits on disk are not seen as they happen, if they are not."""
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._queued: dict[str, asyncio.Task[None]] = {}
        self._rehash: set[str] = set()
        self._ending = False

    def end(self) -> None:
        """The server is asked to end: end every stream, job and look. May be called from a signal handler."""
        self._ending = True
        self.news.close()
        self.jobs.end()

    async def close(self) -> None:
        """Stop what runs; files under way are finished first."""
        self.end()
        await self._stop()
        await self.jobs.close()
        await self._stop()  # what a job's end began
        await self._shut_down()

    # ---- datasets

    async def refresh(self) -> None:
        """See which datasets there are now, on disk and in the bucket."""
        found: list[Dataset] | None = None
        trouble = None
        try:
            found = await self.read(self.library.datasets)
            found += await self.read(self.library.remote_only)
        except HashmarkError as error:
            trouble = error
            known = [board.dataset for board in self.boards.values()]
            found = known if found is None else [*found, *(d for d in known if not d.path.exists())]
        kept = {board.dataset.name: board for board in self.boards.values()}
        boards = {}
        for dataset in found:
            board = kept.get(dataset.name) or Board(dataset)
            board.dataset = dataset  # its id may have changed, with another of the same number
            boards[dataset.id] = board
        changed = list(boards) != list(self.boards) or str(trouble) != str(self.trouble)
        self.boards, self.trouble = boards, trouble
        if changed:
            self.news.library()

    def watched(self, trouble: HashmarkError | None) -> None:
        """Edits on disk are seen as they happen from now on, or not, and why."""
        if str(trouble) != str(self.unwatched):
            self.news.library()
            for board in self.boards.values():
                self.news.summary(board)
        self.unwatched = trouble

    def named(self, name: str) -> Board | None:
        """The dataset of that name, which stays while its id may pass to another."""
        return next((board for board in self.boards.values() if board.dataset.name == name), None)

    # ---- checks

    def check(self, board: Board, *, rehash: bool = False, anew: bool = False) -> asyncio.Task[None]:
        """Compare a dataset with the bucket, unless that is being done already; the task does not fail with our errors.

        `anew`: where a look is under way, another follows, for it may have seen what is old by now. `rehash` reads
        every file again, and so never is content with a look under way.
        """
        name = board.dataset.name
        if rehash:
            self._rehash.add(name)
        if (queued := self._queued.get(name)) is not None:
            return queued
        running = self._tasks.get(name)
        if running is not None and running.done():
            running = None
        if running is not None and board.checking is not None and not rehash and not anew:
            return running
        self._queued[name] = self._begin(board, self._check_after(running, board))
        return self._queued[name]

    def _begin(self, board: Board, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        self._tasks[board.dataset.name] = task = self._go(work)
        return task

    async def _check_after(self, before: asyncio.Task[None] | None, board: Board) -> None:
        try:
            if before is not None:
                await asyncio.wait([before])
            known = await self._check(board)
        finally:
            self._has_begun(board)
        if known or not self._takes_all(board):
            self._recheck_soon(board)

    def _has_begun(self, board: Board) -> None:
        """The look that this task was to take has begun: whoever wants one that sees what is now, needs another."""
        if self._queued.get(board.dataset.name) is asyncio.current_task():
            del self._queued[board.dataset.name]

    async def _check(self, board: Board) -> bool:
        """Compare everything; False where that can't be done: then what is dirty stays so."""
        board.checking = Checking(time.time())
        self.news.summary(board)
        try:
            if board.stale and not board.items:
                files = await self.look(lambda: list(Walk(board.dataset.path, board.dataset.pairing.ignores)))
                self._show_unchecked(board, files)
            while not await self._compare(board):
                pass  # a job began meanwhile: what was seen while files moved may be old already
            known = True
        except HashmarkError as error:
            board.fail(error)
            known = False
        finally:
            board.checking = None
            self.news.structure(board)
        if not known:
            await self._doubt(board, set(board.dirty))
        await self.read_texts(board)
        return known

    def _show_unchecked(self, board: Board, files: list[LocalFile]) -> None:
        board.show_unchecked(files, board.dataset.pairing)
        self.news.structure(board)

    async def _compare(self, board: Board) -> bool:
        """Compare everything once, when no job runs; False where one began meanwhile, and nothing was taken in.

        A job may have ended by then as well: what was seen before it is older than what it did.
        """
        dataset = board.dataset
        while self.jobs.running(dataset):
            await asyncio.sleep(0.1)
        checking = board.checking = Checking(time.time())
        against = self.against.get(dataset.name)
        edited, begun = dict(board.dirty), self.jobs.begun[dataset.name]
        rehash = dataset.name in self._rehash
        self._rehash.discard(dataset.name)
        self._has_begun(board)

        def on_file(_status: FileStatus) -> None:
            checking.seen += 1
            if self._ending:
                raise Interrupted("The server ends.")

        def work() -> tuple[DatasetStatus, list[Item]]:
            found = status(dataset, Options(rehash=rehash, against=against), on_file)
            return found, make_items(found.files, found.pairs, found.problems)

        task = asyncio.ensure_future(self.look(work))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # the server may have ended meanwhile
        while not (await asyncio.wait([task], timeout=0.3))[0]:
            self.news.summary(board)
        found, items = task.result()
        if self.jobs.begun[dataset.name] != begun:
            return False
        board.looked_at(edited)
        board.show(found, items, Checked(checking.since, "listing" if against is None else "saved listing"))
        await self._doubt(board, set(board.dirty))  # edited while it was looked at
        return True

    async def read_texts(self, board: Board) -> None:
        """Read the captions that changed since they were read, so that they can be searched and shown."""
        structure = board.structure
        missing = board.unread()
        for start in range(0, len(missing), 2000):
            board.texts |= await self.read(texts_of, board.dataset, missing[start : start + 2000])
            if board.structure != structure:
                return  # the next check reads the rest
        board.health = await self.read(board.count_health)
        if missing:
            self.news.structure(board)  # what a page shows and finds of them was without text until now

    # ---- edits on disk

    def changed_on_disk(self, board: Board, keys: set[Key]) -> None:
        """These keys may have changed on disk: they are looked at now, or shown as not known until they are."""
        board.edited(keys)
        self._recheck_soon(board)
        self._go(self._doubt_soon(board, keys))

    async def _doubt_soon(self, board: Board, keys: set[Key]) -> None:
        if board.checking is None and not self.jobs.running(board.dataset):
            await asyncio.sleep(MOMENT)
        await self._doubt(board, keys)

    async def _doubt(self, board: Board, keys: set[Key]) -> None:
        """Show those of these keys that are still dirty as not known, if they changed since they were compared."""
        rows = {key: row for key in keys if (row := board.files.get(key))}
        while rows := {key: row for key, row in rows.items() if key in board.dirty}:
            doubted = await self.read(in_doubt, board.dataset, rows, *self._until(board))
            same = {key for key, row in rows.items() if board.files.get(key) is row and key in board.dirty}
            self._apply(board, {key: row for key, row in doubted.items() if key in same})
            rows = {key: row for key in rows.keys() - same if (row := board.files.get(key))}

    def _until(self, board: Board) -> tuple[str, str | None]:
        """Why a file that changed is not known, and what would settle it."""
        if self.jobs.running(board.dataset):
            return f"{CHANGED}; it is looked at when the job has ended", None
        if board.checking:
            return f"{CHANGED}; the look under way tells, or the one after it", None
        return CHANGED, "a check"

    def _recheck_soon(self, board: Board) -> None:
        running = self._tasks.get(board.dataset.name)
        if not board.dirty or board.stale or (running and not running.done() and running is not asyncio.current_task()):
            return  # the running check looks at what is dirty when it ends
        if self.jobs.running(board.dataset):
            return  # so does the end of a job
        self._begin(board, self._recheck(board))

    async def _recheck(self, board: Board) -> None:
        """Look at what is dirty until nothing is, a job begins, or it can't be looked at: then the next edit, job or
        look of everything is waited for, since what can't be had is not had by asking without end.
        """
        going_on = True
        while going_on and board.dirty and not self.jobs.running(board.dataset):
            going_on = await (self._check(board) if self._takes_all(board) else self._look_again(board))

    def _takes_all(self, board: Board) -> bool:
        """Whether what is dirty is only found out by comparing everything."""
        rows = (board.files.get(key) for key in board.dirty)
        refused = any(row and row.verdict is Verdict.REFUSED for row in rows)
        return len(board.dirty) > MANY or refused or board.dataset.name in self.against

    async def _look_again(self, board: Board) -> bool:
        """Compare what is dirty; False where that can't be done. What a job may have moved meanwhile stays dirty."""
        edited, begun = dict(board.dirty), self.jobs.begun[board.dataset.name]
        try:
            now, texts = await self.read(look_again, board.dataset, {key: board.files.get(key) for key in edited})
        except HashmarkError as error:
            board.fail(error)
            self.news.summary(board)
            await self._doubt(board, set(board.dirty))
            return False
        if self.jobs.begun[board.dataset.name] != begun:
            return True
        board.looked_at(edited)
        board.texts |= texts
        self._apply(board, now)
        board.health = await self.read(board.count_health)
        self.news.summary(board)
        return True

    def _apply(self, board: Board, now: Mapping[Key, FileStatus | None]) -> None:
        if not now:
            return
        structure = board.structure
        items = board.apply(now)
        if board.structure != structure:
            self.news.structure(board)
        else:
            self.news.items(board, items)

    # ---- jobs

    def _on_job(self, job: Job, _events: list[Event], proofs: list[ActionResult]) -> None:
        board = self.named(job.dataset.name)
        self.news.jobs(job.dataset)
        if board is None:
            return
        now: dict[Key, FileStatus | None] = {}
        for done in proofs:
            key = done.action.key
            before = now.get(key) or board.files.get(key) or done.action.status
            now[key] = status_after(done, before)
        self._apply(board, now)
        if edited := now.keys() & board.dirty.keys():
            self._go(self._doubt(board, edited))
        if job.ended:
            self._after(job, board)

    def _after(self, job: Job, board: Board) -> None:
        """The end of a job: what a verification found is shown; what a plan did is looked at anew."""
        if job.found is not None:
            items = make_items(job.found.files, job.found.pairs, job.found.problems)
            board.show(job.found, items, Checked(job.since, "bytes" if job.keys is None else "listing"))
            self.news.structure(board)
            self._go(self._doubt(board, set(board.dirty)))
        elif job.state.files_done or job.error:
            self.check(board, anew=True)
        self._recheck_soon(board)  # what was edited meanwhile waited for the end

"""Push, pull and delete: plan, then run, then record what was proven.

A plan is made from a fresh comparison and shown before anything moves. The user decides which side wins a conflict.
Progress is reported as events; nothing is printed here.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from hashmark.actions.status import Options, new_bases, status
from hashmark.core.compare import KeyState, judge, written_by
from hashmark.core.display import printable, shortened
from hashmark.core.etags import may_be_md5, may_be_random
from hashmark.core.events import Event, Failure, ProbeStarted
from hashmark.core.model import Base, Evidence, FileStatus, Key, LocalFile, RemoteObject, Stamp
from hashmark.core.plan import (
    DELETES,
    Action,
    Direction,
    LeftAlone,
    Location,
    Plan,
    Policy,
    Selection,
    Verb,
    make_delete_plan,
    make_plan,
)
from hashmark.core.report import DatasetStatus
from hashmark.disk.durable import as_local_error
from hashmark.disk.hashing import is_settled
from hashmark.disk.leftovers import leftovers
from hashmark.evidence.inspection import MAX_SMALL_BYTES
from hashmark.library.capabilities import capabilities, probed_capabilities, record_shown, write_notes
from hashmark.library.dataset import Dataset
from hashmark.library.digest_cache import caption_reader, clock, remember_captions
from hashmark.transfer import incomplete_uploads
from hashmark.transfer.action_result import ActionResult
from hashmark.transfer.moves import Destination, Mover, is_multipart, partial_name
from hashmark.transfer.run import Outcome, Runner
from hashmark.trash.batch import new_batch_name

if TYPE_CHECKING:
    from hashmark.core.lint.facts import CaptionFacts

MAX_SAMPLES = 4
"""Objects that may be read to find out whether a store's ETags are MD5s; all but one could be damaged."""

RESULTS_PER_WRITE = 200
"""Results written to the state in one transaction. Fewer than in a comparison (`digest_cache.ROWS_PER_WRITE`): moving
files takes far longer than recording it, and less has to be proven again after a kill."""


@dataclass(frozen=True)
class Planned:
    """A plan with the comparison it was made from. It can run once."""

    dataset: Dataset
    status: DatasetStatus
    plan: Plan

    def __repr__(self) -> str:
        plan = self.plan
        counts = f"{len(plan.actions)} actions ({plan.total_bytes} bytes), {len(plan.left_alone)} left alone"
        return f"<Planned {plan.direction} of {shortened(self.dataset.name)}: {counts}>"

    def to_json(self) -> dict[str, Any]:
        """Return plain data: what would be done, and what is left alone and why."""
        return {
            "dataset": self.dataset.name,
            "direction": self.plan.direction,
            "files": len(self.plan.actions),
            "bytes": self.plan.total_bytes,
            "actions": [
                {
                    "action": action.verb,
                    "key": printable(action.key),
                    "verdict": action.status.verdict,
                    "size": action.size,
                    "replaces": action.replaces,
                }
                for action in self.plan.actions
            ],
            "leftAlone": [
                {"key": printable(left.status.key), "verdict": left.status.verdict, "reason": left.reason}
                for left in self.plan.left_alone
            ],
        }


@dataclass(frozen=True)
class Result:
    """What a run did. `notes` are things to know about the store; `trash` is the batch of what was replaced, if any."""

    planned: Planned
    outcome: Outcome
    trash: str | None
    notes: tuple[str, ...] = field(default=())

    def __repr__(self) -> str:
        plan, done = self.planned.plan, self.outcome.state.files_done
        counts = f"{done} of {len(plan.actions)} done, {len(self.failures)} failed, {len(plan.left_alone)} left alone"
        ended = "" if self.done else ", not all in sync"
        return f"<Result {plan.direction} of {shortened(self.planned.dataset.name)}: {counts}{ended}>"

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The files that failed, and why."""
        return self.outcome.state.failures

    @property
    def done(self) -> bool:
        """Whether everything that was asked for is in sync now: the command's exit status would be 0.

        False where an action failed or was not tried, where a selected file was left alone because both sides changed,
        differ, are unverified or were refused (see `left_alone`), and where a side could not be read completely. Files
        that only the destination has count only with `delete`.
        """
        return self.carried_out and not self.planned.plan.unresolved and self.planned.status.complete

    @property
    def carried_out(self) -> bool:
        """Whether every action of the plan was carried out, whatever the plan left alone."""
        return not self.failures and not self.outcome.not_tried

    @property
    def left_alone(self) -> tuple[LeftAlone, ...]:
        """The selected files that are out of sync and were not changed, each with its `status` and the `reason`."""
        return self.planned.plan.left_alone

    def to_json(self) -> dict[str, Any]:
        """Return plain data, including the plan."""
        state = self.outcome.state
        return {
            **self.planned.to_json(),
            "done": state.files_done,
            "failed": [{"key": printable(f.key), "code": f.code, "message": f.message} for f in self.failures],
            "notTried": self.outcome.not_tried,
            "interrupted": state.interrupted,
            "stoppedBy": str(self.outcome.fatal) if self.outcome.fatal else None,
            "trash": self.trash,
            "notes": list(self.notes),
        }


def plan(dataset: Dataset, policy: Policy) -> Planned:
    """Compare, and decide what would be done. New files are not read for it; they are read once, as they are sent.

    Raises:
        RefusedPlan: it would be unsafe.
        StoreError: the bucket can't be listed completely.
    """
    return plan_from(dataset, compared(dataset), policy)


def compared(
    dataset: Dataset,
    on_file: Callable[[FileStatus], None] = lambda _status: None,
    on_read: Callable[[int, int], None] = lambda _files, _bytes: None,
) -> DatasetStatus:
    """Make the comparison that a plan needs, and report as `status` does.

    Raises:
        StoreError: the bucket can't be listed completely.
    """
    return status(dataset, Options(read_new=False), on_file, on_read)


def plan_from(dataset: Dataset, found: DatasetStatus, policy: Policy) -> Planned:
    """Decide what would be done about a comparison. After a refused plan, it serves for another.

    Raises:
        RefusedPlan: it would be unsafe.
    """
    return Planned(dataset, found, make_plan(found.files, policy, complete=found.complete))


def plan_delete(
    dataset: Dataset, where: Location, *, select: tuple[str, ...] = (), keys: frozenset[str] | None = None
) -> Planned:
    """Compare, and decide which files would be moved to the trash, and on which side.

    Raises:
        RefusedPlan: not everything could be read.
        StoreError: the bucket can't be listed completely.
    """
    found = status(dataset, Options())
    chosen = Selection(select, keys)
    return Planned(dataset, found, make_delete_plan(found.files, chosen, where, complete=found.complete))


def run(
    planned: Planned,
    on_event: Callable[[Event], None] = lambda _event: None,
    cancel: threading.Event | None = None,
    on_done: Callable[[ActionResult], None] = lambda _done: None,
) -> Result:
    """Carry out a plan and record what it proves. `on_done` is called with each result, before its event.

    Raises:
        Busy: another process holds the dataset's lock.
        ReadOnly: the library can't be written.
        StoreError: the store can't be probed.
    """
    dataset, library, plan = planned.dataset, planned.dataset.library, planned.plan
    with dataset.lock():
        notes = _clear_leftovers(planned)
        if any(action.verb in {Verb.UPLOAD, Verb.DELETE_REMOTE} for action in plan.actions):
            supported = probed_capabilities(library, lambda: on_event(ProbeStarted(time.time())))
            notes = (*write_notes(supported), *notes)
        else:
            supported = capabilities(library)
        batch = new_batch_name(library, plan.direction)
        mover = Mover(
            Destination(
                bucket=library.bucket,
                root=dataset.path,
                prefix=dataset.prefix,
                trash=library.trash / batch / dataset.name,
                remote_trash=f"{library.remote_trash}{batch}/{dataset.name}/",
            ),
            supported,
            on_upload=lambda key, upload: incomplete_uploads.note(library, key, upload),
            uploads=library.state.incomplete_uploads(library.bucket.store),
            content_reader=caption_reader(dataset),
            samples=_samples(planned.status) if plan.direction is Direction.PULL else (),
            probe=lambda: probed_capabilities(library).etag_md5,
        )
        recorder = _Recorder(dataset, on_done)
        runner = Runner(plan, mover, on_event=on_event, record=recorder.add, cancel=cancel or threading.Event())
        try:
            outcome = runner.run(notes)
        finally:
            recorder.flush()
    trashed = any(a.replaces or a.verb in DELETES for a in plan.actions) and outcome.state.files_done
    return Result(planned, outcome, batch if trashed else None, notes)


def _samples(found: DatasetStatus) -> list[RemoteObject]:
    """Return some of the smallest objects whose ETags may be MD5s."""
    objects = (row.remote for row in found.files if row.remote and row.remote.size)
    likely = (one for one in objects if may_be_md5(one.etag or "") and not may_be_random(one.etag or ""))
    small = (one for one in likely if (one.size or 0) <= MAX_SMALL_BYTES)
    return heapq.nsmallest(MAX_SAMPLES, small, key=lambda one: one.size or 0)


def _clear_leftovers(planned: Planned) -> tuple[str, ...]:
    """Remove what interrupted runs have left, but for what this plan continues. The dataset's lock must be held.

    Return a note about each upload that could not be aborted.

    Raises:
        LocalError: an unfinished file can't be removed.
        StoreError: the store can't be reached.
    """
    dataset, plan = planned.dataset, planned.plan
    if plan.direction is Direction.PUSH:
        continued = {dataset.prefix + action.key for action in plan.actions if is_multipart(action)}
        return incomplete_uploads.abort_own(dataset, keep=continued)
    if plan.direction is Direction.PULL and dataset.path.is_dir():
        continued = {name for action in plan.actions if (name := partial_name(action))}
        for path in leftovers(dataset.path):
            if path.name not in continued:
                try:
                    path.unlink(missing_ok=True)
                except OSError as error:
                    raise as_local_error(error, str(path)) from None
    return ()


class _Recorder:
    """Writes results to the state in batches; what a kill loses is proven again from the listing."""

    def __init__(self, dataset: Dataset, on_done: Callable[[ActionResult], None]) -> None:
        self._dataset = dataset
        self._on_done = on_done
        self._bases: list[Base] = []
        self._gone: list[Key] = []
        self._deleted: dict[Key, Base | None] = {}
        """Keys that were deleted on one side so far, with the bases that remember deletions from the bucket."""
        self._read: list[LocalFile] = []
        self._captions: list[tuple[str, CaptionFacts]] = []
        self._trusted = False
        self._now = clock(dataset)

    def add(self, done: ActionResult) -> None:
        planned = done.action.status.local
        if done.sent and planned and planned.md5 is None and is_settled(done.sent.stamp, self._now):
            self._read.append(done.sent)
            if done.sent.md5 and done.from_content is not None:
                self._captions.append((done.sent.md5, cast("CaptionFacts", done.from_content)))
        if done.base is not None:
            self._bases.append(done.base)
        else:
            self._note_deletion(done.action)
        # Only a listed ETag counts: the answer to a PUT may have another.
        listed = done.action.verb is Verb.DOWNLOAD and done.action.size > 0
        self._trusted = self._trusted or (listed and done.etag_is_md5)
        if len(self._bases) + len(self._gone) >= RESULTS_PER_WRITE:
            self.flush()
        self._on_done(done)

    def _note_deletion(self, action: Action) -> None:
        """Keep the base of what one side still has: it tells the next push that the other was deleted.

        What was deleted from the bucket is remembered as such: for some time, a listing that still has it is not
        believed. Where neither side has it any more, this is all that is kept.
        """
        base, is_first = action.status.base, action.key not in self._deleted
        deletion = self._deleted.pop(action.key, None)
        is_left = is_first and _other_side(action) is not None
        if action.verb is Verb.DELETE_REMOTE and base and base.common:
            deleted_at = written_by(self._dataset.library.bucket.client.store_time())
            deletion = base._replace(etag="", last_modified=deleted_at)
        if deletion:
            self._bases.append(deletion._replace(common=is_left))
        elif not is_left:
            self._gone.append(action.key)
        self._deleted[action.key] = deletion

    def flush(self) -> None:
        library = self._dataset.library
        library.state.record_bases(self._dataset.remote, self._bases)
        library.state.forget_bases(self._dataset.remote, self._gone)
        library.state.remember_digests(self._dataset.name, self._read)
        remember_captions(library.state, self._captions)
        if self._trusted:
            record_shown(library, [Evidence.ETAG_MD5])
        self._bases, self._gone, self._read, self._captions = [], [], [], []


def status_after(done: ActionResult, now: FileStatus) -> FileStatus | None:
    """Return the status of a key after an action on it, or None if neither side has it any more.

    It is what a fresh comparison would find, with the new base. `now` is the status before: it tells which side still
    has a file that was deleted on the other. The time of an uploaded object is not requested: this is for display, and
    a plan makes a new comparison.
    """
    key, verb, base = now.key, done.action.verb, done.base
    if base is not None:
        # What was sent or fetched, not what the disk may hold by now: only that is proven.
        local = done.sent or LocalFile(key, done.placed or Stamp(base.size, 0, 0, 0, 0), base.md5)
        return judge(KeyState(key, local, RemoteObject(key, base.size, base.etag), base), now.kind)
    here = now.local if verb is Verb.DELETE_REMOTE else None
    there = now.remote if verb is Verb.DELETE_LOCAL else None
    left = KeyState(key, here, there, next(iter(new_bases([now])), now.base))
    return judge(left, now.kind) if left.local or left.remote else None


def _other_side(deleted: Action) -> LocalFile | RemoteObject | None:
    """Return what was on the side from which nothing was deleted."""
    return deleted.status.local if deleted.verb is Verb.DELETE_REMOTE else deleted.status.remote

"""Renames objects or files whose names differ only in letter case or accents from the other side's.

In the bucket, a rename is a copy that is proven to hold the same bytes, and only then a delete into the trash. Nothing
is overwritten on either side.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from hashmark.actions.status import Options, status
from hashmark.core import etags
from hashmark.core.compare import is_as_proven, written_by
from hashmark.core.errors import HashmarkError, PreconditionFailed
from hashmark.core.events import Ended, Event, Failure, FileDone, FileFailed, Started
from hashmark.core.model import Base, Key
from hashmark.core.rename_plan import Match, Rename, RenamePlan, make_rename_plan
from hashmark.disk.place import open_slot
from hashmark.library.capabilities import probed_capabilities, write_notes
from hashmark.library.dataset import Dataset
from hashmark.s3.requests import Head
from hashmark.s3.store_capabilities import SUPPORTED, StoreCapabilities
from hashmark.s3.waiting import finish
from hashmark.transfer.guarded_writes import GuardedWrites
from hashmark.trash.batch import new_batch_name
from hashmark.trash.contents import remove_empty_folders

MAX_OPEN_RENAMES = 16
"""Renames in the bucket at once; each is a handful of small requests."""


@dataclass(frozen=True)
class PlannedRename:
    """A plan to rename what collides in one dataset. It can run once."""

    dataset: Dataset
    plan: RenamePlan

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {"dataset": self.dataset.name, **self.plan.to_json()}


@dataclass(frozen=True)
class RenameResult:
    """What a rename did. `trash` is the batch of the objects under their old names, if any."""

    planned: PlannedRename
    done: int
    failures: tuple[Failure, ...]
    not_tried: int
    interrupted: bool
    trash: str | None
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain data, including the plan."""
        return {
            **self.planned.to_json(),
            "done": self.done,
            "failed": [failure.to_json() for failure in self.failures],
            "notTried": self.not_tried,
            "interrupted": self.interrupted,
            "trash": self.trash,
            "notes": list(self.notes),
        }


def plan_rename(dataset: Dataset, match: Match = Match.DISK) -> PlannedRename:
    """Compare, and decide which names would change on the side that does not `match`.

    Raises:
        RefusedPlan: not everything could be read.
        StoreError: the bucket can't be listed completely.
    """
    found = status(dataset, Options())
    return PlannedRename(dataset, make_rename_plan(found.files, match, complete=found.complete))


def run_rename(
    planned: PlannedRename,
    on_event: Callable[[Event], None] = lambda _event: None,
    cancel: threading.Event | None = None,
) -> RenameResult:
    """Carry out a plan. Each file is renamed, or left as it was and reported.

    Raises:
        Busy: another process holds the dataset's lock.
        ReadOnly: the library can't be written.
        StoreError: the store can't be probed.
    """
    dataset, plan, stop = planned.dataset, planned.plan, cancel or threading.Event()
    failures: list[Failure] = []
    done = not_tried = 0
    notes: tuple[str, ...] = ()
    batch = new_batch_name(dataset.library, "rename")
    on_event(Started(len(plan.renames), 0, time.time()))
    with dataset.lock():
        if plan.match is Match.DISK and plan.renames:
            supported = probed_capabilities(dataset.library)
            notes = write_notes(supported)
            rename_one: Callable[[Rename], None] = _BucketRenamer(dataset, supported, batch)
            workers = MAX_OPEN_RENAMES
        else:
            rename_one, workers = _DiskRenamer(dataset), 1

        def attempt(rename: Rename) -> HashmarkError | bool:
            if stop.is_set():
                return False
            try:
                rename_one(rename)
            except HashmarkError as error:
                if error.fatal:
                    stop.set()
                return error
            return True

        with ThreadPoolExecutor(workers) as pool:
            for rename, ended in zip(plan.renames, pool.map(attempt, plan.renames), strict=True):
                key = rename.names(plan.match)[0]
                if isinstance(ended, HashmarkError):
                    failures.append(Failure(key, ended.code, str(ended)))
                    on_event(FileFailed(key, "rename", ended.code, str(ended), time.time()))
                elif ended:
                    done += 1
                    on_event(FileDone(key, "rename", 0, None, time.time()))
                else:
                    not_tried += 1
    interrupted = not_tried > 0 and not failures
    on_event(Ended(interrupted, time.time()))
    trash = batch if done and plan.match is Match.DISK else None
    return RenameResult(planned, done, tuple(failures), not_tried, interrupted, trash, notes)


class _BucketRenamer:
    """Gives an object the name that its file has on disk."""

    def __init__(self, dataset: Dataset, supported: StoreCapabilities, batch: str) -> None:
        self._dataset = dataset
        self._bucket = dataset.library.bucket
        self._supported = supported
        self._guard = GuardedWrites(self._bucket.requests, supported)
        self._trash = f"{dataset.library.remote_trash}{batch}/{dataset.name}/"

    def __call__(self, rename: Rename) -> None:
        """Copy the object, prove the copy, and move the object with the old name to the trash.

        Raises:
            PreconditionFailed: the object changed, or the new name holds other bytes; both names are left.
            StoreError: the store refuses. If the copy was made, the next run continues from there.
        """
        old, new = rename.names(Match.DISK)
        source, target = self._dataset.prefix + old, self._dataset.prefix + new
        listed = rename.object.remote
        assert listed is not None  # noqa: S101 - a plan renames only what was listed
        finish(self._guard.check(source, listed))
        here, there = self._bucket.head(source), self._head(target)
        if there is None:
            self._bucket.copy(source, target, etag=here.etag)
            there = self._bucket.head(target)
        if not self._same(source, here, target, there, rename):
            said = f"'{new}' and '{old}' hold different bytes in the bucket, so both are left there."
            raise PreconditionFailed(said, "Download both, and keep the right one under one name.")
        kept = self._trash + old
        self._bucket.copy(source, kept, etag=here.etag)
        finish(self._guard.delete(source, listed))
        if self._head(target) is None:
            # Such a store takes both names for one object, as the disk that it keeps them on does.
            self._bucket.copy(kept, target)
            there = self._bucket.head(target)
        self._move_base(rename, new, there)

    def _head(self, key: str) -> Head | None:
        return finish(self._guard.head(key))

    def _same(self, source: str, here: Head, target: str, there: Head, rename: Rename) -> bool:
        """Return whether two objects hold the same bytes, by their ETags where these are MD5s, else by reading both."""
        if here.size != there.size:
            return False
        trusted = self._supported.etag_md5 is SUPPORTED and not (here.encryption or there.encryption)
        if trusted and here.etag and etags.may_be_md5(here.etag) and here.etag == there.etag:
            return True
        md5 = rename.file.local.md5 if rename.file.local else None
        if md5 and etags.is_md5(here.etag or "", md5) and etags.is_md5(there.etag or "", md5):
            return True
        return self._digest(source, here) == self._digest(target, there)

    def _digest(self, key: str, head: Head) -> str:
        digest = hashlib.sha256()
        for chunk in self._bucket.chunks(key, head.size, etag=head.etag or ""):
            digest.update(chunk)
        return digest.hexdigest()

    def _move_base(self, rename: Rename, new: Key, there: Head) -> None:
        """Let the new name keep what was proven of the old one, so that an edit since then is known as one."""
        state, remote = self._dataset.library.state, self._dataset.remote
        base, listed = rename.object.base, rename.object.remote
        if base and listed and there.etag and base.common and base.etag == listed.etag and is_as_proven(base, listed):
            written = written_by(self._bucket.client.store_time())
            state.record_bases(remote, [Base(new, base.md5, there.etag, base.size, last_modified=written)])
        state.forget_bases(remote, [rename.object.key])


class _DiskRenamer:
    """Gives a file the name that its object has in the bucket."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def __call__(self, rename: Rename) -> None:
        """Rename the file.

        Raises:
            FileChanged: it is not the one that was compared, or a file with the new name has appeared.
            LocalError: the disk refuses.
        """
        old, new = rename.names(Match.BUCKET)
        local, root = rename.file.local, self._dataset.path
        assert local is not None  # noqa: S101 - a plan renames only what was walked
        with open_slot(root, old) as slot, open_slot(root, new, create=True) as target:
            slot.move_to(target, local.stamp, local.md5)
        remove_empty_folders((root / old).parent, root)

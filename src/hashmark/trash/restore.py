"""Brings files back from the trash, on disk and in the bucket. What is in their place goes to the trash in turn."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hashmark.core.display import printable
from hashmark.core.errors import HashmarkError, NoSuchObject, PreconditionFailed, StoreError, UsageError
from hashmark.core.events import Failure
from hashmark.core.keys import unsafe_reason
from hashmark.disk.durable import as_local_error
from hashmark.disk.place import open_slot
from hashmark.library.dataset import Dataset, number_of
from hashmark.library.library import Library
from hashmark.s3.bucket import Bucket
from hashmark.trash.batch import find_batch, home_of, new_batch_name, remove_if_empty
from hashmark.trash.contents import TrashEntry, remove_empty_folders, trash_entries


@dataclass(frozen=True)
class RestoreResult:
    """What a restore brought back, and what it could not and why. `batch` has what it replaced, if anything.

    `created` are files that the run had created where there was none: they remain, and an undo of the batch removes
    them.
    """

    entries: tuple[TrashEntry, ...]
    failures: tuple[Failure, ...]
    batch: str | None
    created: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<RestoreResult: {len(self.entries)} restored, {len(self.failures)} failed>"

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "restored": [entry.to_json() for entry in self.entries],
            "failed": [failure.to_json() for failure in self.failures],
            "batch": self.batch,
            "made": [printable(key) for key in self.created],
        }


@dataclass
class _ReplacedFiles:
    """The batch for what a restore replaces, and whether anything is in it."""

    batch: str
    used: bool = False


def restore(library: Library, batch: str, dataset: str | None = None) -> RestoreResult:
    """Bring a batch back, or what it has of one dataset. What is in the way goes to the trash in turn.

    Raises:
        UsageError: there is no such batch, or it has nothing of that dataset.
        StoreError: the bucket can't be listed.
    """
    chosen: list[TrashEntry] = []
    failed: list[Failure] = []
    try:
        chosen.extend(trash_entries(library, batch))
    except StoreError as error:
        # What the disk keeps can come back without the bucket.
        if not chosen:
            raise
        failed.append(Failure(batch, error.code, f"What the bucket keeps of it was not restored: {error}"))
    if not chosen:
        raise UsageError(f"There is no batch '{batch}' in the trash.", "See `hashmark trash list`.")
    if dataset is not None:
        chosen = _of_dataset(library, chosen, dataset)
    homes = {name: home_of(library, name) for name in {entry.dataset for entry in chosen}}
    replaced = _ReplacedFiles(new_batch_name(library, "restore"))
    restored: list[TrashEntry] = []
    for entry in chosen:
        home = homes[entry.dataset]
        try:
            with home.lock():
                (_restore_local if entry.side == "disk" else _restore_remote)(home, entry, replaced)
            restored.append(entry)
        except HashmarkError as error:
            failed.append(Failure(entry.key, error.code, str(error)))
    created = tuple(_created(library, batch))
    if not created:
        remove_if_empty(library, batch)
    return RestoreResult(tuple(restored), tuple(failed), replaced.batch if replaced.used else None, created)


def _of_dataset(library: Library, found: list[TrashEntry], dataset: str) -> list[TrashEntry]:
    """Return the entries of a dataset, given by its number or by the name of its folder, which may be gone."""
    held = sorted({entry.dataset for entry in found})
    numbered = [n for n in sorted({*held, *(d.name for d in library.datasets())}) if number_of(n) == dataset]
    name = numbered[0] if dataset not in held and len(numbered) == 1 else dataset
    if name not in held:
        raise UsageError(
            f"Batch {found[0].batch} has nothing of '{dataset}'; it has: {', '.join(held)}.", "Give the folder's name."
        )
    return [entry for entry in found if entry.dataset == name]


def _created(library: Library, name: str) -> Iterator[str]:
    """Yield the files that exist and, by the batch's journal, did not exist before it."""
    if batch := find_batch(library, name):
        home = home_of(library, batch.journal.dataset)
        created = (entry.key for entry in batch.journal.files if entry.before is None and not unsafe_reason(entry.key))
        yield from (key for key in created if os.path.lexists(home.path / key))


def _restore_local(home: Dataset, entry: TrashEntry, replaced: _ReplacedFiles) -> None:
    trash = home.library.trash
    source = trash / entry.path
    with open_slot(home.path, entry.key, create=True) as slot:
        there = slot.stamp()
        temporary = slot.temporary()
        try:
            shutil.copy2(source, slot.path_of(temporary))
            slot.put(temporary, there, trash / replaced.batch / entry.dataset / entry.key)
        except OSError as error:
            raise as_local_error(error, entry.key) from None
        finally:
            slot.drop(temporary)
        replaced.used |= there is not None
    with contextlib.suppress(OSError):
        source.unlink()
        remove_empty_folders(source.parent, trash)


def _restore_remote(home: Dataset, entry: TrashEntry, replaced: _ReplacedFiles) -> None:
    bucket, trash = home.library.bucket, home.library.remote_trash
    source, target = trash + entry.path, home.prefix + entry.key
    in_the_way = _etag_of(bucket, target)
    if in_the_way is not None:
        bucket.copy(target, f"{trash}{replaced.batch}/{entry.dataset}/{entry.key}", etag=in_the_way)
        replaced.used = True
        if _etag_of(bucket, target) != in_the_way:
            raise PreconditionFailed(f"'{entry.key}' is changing in the bucket right now and was not restored.")
    bucket.copy(source, target)
    there = bucket.head(target)
    if there.size != entry.size:
        raise PreconditionFailed(f"'{entry.key}' was restored, then replaced by someone else; the trash still has it.")
    state = home.library.state
    if any(base.etag == there.etag for base in state.bases(home.remote, [entry.key])):
        # It was proven under another time, and large files would stay grey for it: the next comparison proves it again.
        state.forget_bases(home.remote, [entry.key])
    bucket.delete(source)


def _etag_of(bucket: Bucket, key: str) -> str | None:
    try:
        return bucket.head(key).etag
    except NoSuchObject:
        return None

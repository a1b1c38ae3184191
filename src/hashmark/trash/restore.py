"""What was overwritten or deleted, on disk and in the bucket: list it, bring it back, or let it go.

Each run that replaces or deletes has a batch of its own. The trash describes itself by its paths
(`.hashmark/trash/BATCH/DATASET/KEY`, the same on both sides), so it survives the loss of the state file.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hashmark.core.display import printable
from hashmark.core.errors import HashmarkError, NoSuchObject, PreconditionFailed, StoreError, Unreadable, UsageError
from hashmark.core.events import Failure
from hashmark.core.keys import unsafe_reason
from hashmark.disk.durable import explain
from hashmark.disk.place import open_slot
from hashmark.disk.walk import Walk, leftovers
from hashmark.library.library import Dataset, Library, number_of
from hashmark.s3.bucket import Bucket
from hashmark.trash.batch_names import (
    check_batch_name,
    drop_journal,
    is_batch_name,
    journal_path,
    new_batch_name,
    read_journal,
)


@dataclass(frozen=True)
class Entry:
    """One file in the trash. `side` is where it was: `disk` or `bucket`."""

    side: str
    batch: str
    dataset: str
    key: str
    size: int

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "side": self.side,
            "batch": self.batch,
            "dataset": self.dataset,
            "key": printable(self.key),
            "size": self.size,
        }


def entries(library: Library, batch: str | None = None) -> Iterator[Entry]:
    """Everything in the trash, or in one batch, the disk's first, each side in order.

    Raises:
        UsageError: `batch` is not the name of a batch.
        StoreError: the bucket's trash can't be listed; the disk's entries have been given by then.
    """
    if batch is not None:
        check_batch_name(batch)
    inside = f"{batch}/" if batch is not None else ""
    for file in Walk(library.trash / inside):
        if entry := _entry("disk", inside + file.key, file.size):
            yield entry
    for row in library.bucket.objects(library.remote_trash + inside):
        if entry := _entry("bucket", inside + row.key, row.size or 0):
            yield entry


def _entry(side: str, path: str, size: int) -> Entry | None:
    parts = path.split("/", 2)
    # What is not laid out as our trash is, is not ours to restore or delete: above all nothing with `..` in it.
    if len(parts) < 3 or not is_batch_name(parts[0]) or unsafe_reason(parts[1]) or unsafe_reason(parts[2]):
        return None
    return Entry(side, parts[0], parts[1], parts[2], size)


@dataclass(frozen=True)
class Restored:
    """What a restore brought back, and what not and why. `batch` has what was in the way; None where nothing was.

    `made` are files that the run had made where none was: they remain, and an undo of the batch removes them.
    """

    entries: tuple[Entry, ...]
    failures: tuple[Failure, ...]
    batch: str | None
    made: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        failed = [{"key": printable(f.key), "code": f.code, "message": printable(f.message)} for f in self.failures]
        restored, made = [entry.to_json() for entry in self.entries], [printable(key) for key in self.made]
        return {"restored": restored, "failed": failed, "batch": self.batch, "made": made}


@dataclass
class _Aside:
    """The batch that takes what is in the way of a restore."""

    batch: str
    used: bool = False


def restore(library: Library, batch: str, dataset: str | None = None) -> Restored:
    """Bring a batch back to where it was; what is in the way goes to the trash in turn.

    Raises:
        UsageError: there is no such batch, or it has nothing of that dataset.
        StoreError: the bucket can't be listed.
    """
    chosen: list[Entry] = []
    failed: list[Failure] = []
    try:
        chosen.extend(entries(library, batch))
    except StoreError as error:
        # What the disk keeps can come back without the bucket.
        if not chosen:
            raise
        failed.append(Failure(batch, error.code, f"What the bucket keeps of it was not restored: {error}"))
    if not chosen:
        raise UsageError(f"There is no batch '{batch}' in the trash.", "See `hashmark trash list`.")
    homes = {d.name: d for d in library.datasets()}
    if dataset is not None:
        chosen = _of_dataset(chosen, dataset, homes)
    aside = _Aside(new_batch_name("restore"))
    restored: list[Entry] = []
    for entry in chosen:
        home = homes.get(entry.dataset) or Dataset(library, entry.dataset, entry.dataset)
        try:
            with home.lock():
                (_restore_local if entry.side == "disk" else _restore_remote)(home, entry, aside)
            restored.append(entry)
        except HashmarkError as error:
            failed.append(Failure(entry.key, error.code, str(error)))
    made = _made(library, batch, homes)
    if not made:
        drop_journal(library, batch)
    return Restored(tuple(restored), tuple(failed), aside.batch if aside.used else None, made)


def _of_dataset(found: list[Entry], dataset: str, homes: Mapping[str, Dataset]) -> list[Entry]:
    """The entries of a dataset, by the name of its folder, which need not be there any more, or its number."""
    held = sorted({entry.dataset for entry in found})
    numbered = [name for name in sorted({*held, *homes}) if number_of(name) == dataset]
    name = numbered[0] if dataset not in held and len(numbered) == 1 else dataset
    if name not in held:
        has = ", ".join(held)
        raise UsageError(
            f"Batch {found[0].batch} has nothing of '{dataset}'; it has: {has}.", "Give the folder's name."
        )
    return [entry for entry in found if entry.dataset == name]


def _made(library: Library, batch: str, homes: Mapping[str, Dataset]) -> tuple[str, ...]:
    """The files that are there and were not before the batch, by its journal."""
    try:
        journal = read_journal(journal_path(library, batch))
    except (Unreadable, ValueError):
        return ()
    if journal is None or "/" in journal.dataset or unsafe_reason(journal.dataset):
        return ()
    home = homes.get(journal.dataset) or Dataset(library, journal.dataset, journal.dataset)
    made = (noted.key for noted in journal.files if noted.before is None and not unsafe_reason(noted.key))
    return tuple(key for key in made if os.path.lexists(home.path / key))


def _restore_local(home: Dataset, entry: Entry, aside: _Aside) -> None:
    trash = home.library.trash
    source = trash / entry.batch / entry.dataset / entry.key
    with open_slot(home.path, entry.key, create=True) as slot:
        there = slot.stamp()
        temporary = slot.temporary()
        try:
            shutil.copy2(source, slot.path_of(temporary))
            slot.put(temporary, there, trash / aside.batch / entry.dataset / entry.key)
        except OSError as error:
            raise explain(error, entry.key) from None
        finally:
            slot.drop(temporary)
        aside.used |= there is not None
    with contextlib.suppress(OSError):
        source.unlink()
        _prune(source.parent, trash)


def _restore_remote(home: Dataset, entry: Entry, aside: _Aside) -> None:
    bucket, trash = home.library.bucket, home.library.remote_trash
    source, target = f"{trash}{entry.batch}/{entry.dataset}/{entry.key}", home.prefix + entry.key
    in_the_way = _etag_of(bucket, target)
    if in_the_way is not None:
        bucket.copy(target, f"{trash}{aside.batch}/{entry.dataset}/{entry.key}", etag=in_the_way)
        aside.used = True
        if _etag_of(bucket, target) != in_the_way:
            raise PreconditionFailed(f"'{entry.key}' changes in the bucket just now and was not restored.")
    bucket.copy(source, target)
    if bucket.head(target).size != entry.size:
        raise PreconditionFailed(f"'{entry.key}' was restored, but another version is there now; the trash keeps it.")
    bucket.delete(source)


def _etag_of(bucket: Bucket, key: str) -> str | None:
    try:
        return bucket.head(key).etag
    except NoSuchObject:
        return None


@dataclass(frozen=True)
class Contents:
    """What the trash held at one moment: its files, and the names of its batches, also of those without a file."""

    entries: tuple[Entry, ...]
    batches: frozenset[str]


def contents(library: Library, batch: str | None = None) -> Contents:
    """What a batch, or the whole trash, holds now.

    Raises:
        UsageError: there is no such batch.
        StoreError: the bucket can't be listed.
    """
    names = [batch] if batch is not None else filter(is_batch_name, _names(library.trash))
    batches = frozenset(names)
    found = tuple(entries(library, batch))
    if batch is not None and not found:
        raise UsageError(f"There is no batch '{batch}' in the trash.", "See `hashmark trash list`.")
    return Contents(found, batches)


def empty(library: Library, held: Contents) -> tuple[int, list[Failure]]:
    """Delete for good what `contents` told of, and nothing that came to the trash since.

    Returns how many files went, and what would not go and why.

    Raises:
        StoreError: the bucket can't be reached.
    """
    failed: list[Failure] = []
    for entry in (e for e in held.entries if e.side == "disk"):
        path = library.trash / entry.batch / entry.dataset / entry.key
        try:
            path.unlink(missing_ok=True)
            _prune(path.parent, library.trash)
        except OSError as error:
            failed.append(Failure(entry.key, "local", error.strerror or str(error)))
    for name in held.batches:
        for unfinished in leftovers(library.trash / name):
            with contextlib.suppress(OSError):
                unfinished.unlink()
                _prune(unfinished.parent, library.trash)
        drop_journal(library, name)
    prefix = library.remote_trash
    keys = [f"{prefix}{e.batch}/{e.dataset}/{e.key}" for e in held.entries if e.side == "bucket"]
    refused = library.bucket.delete_many(keys)
    failed += [Failure(key, "store", f"the store answered {code}") for key, code in refused.items()]
    return len(held.entries) - len(failed), failed


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - the names alone
    except OSError:
        return []


def _prune(folder: Path, stop: Path) -> None:
    """Remove folders that have become empty, up to `stop`."""
    while folder != stop and stop in folder.parents:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent

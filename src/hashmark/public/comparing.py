"""Compares a dataset with the bucket, for Python programs: `status`, `verify` and `diff`."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from hashmark.actions import diff as diff_action
from hashmark.actions import status as status_action
from hashmark.actions.diff import CaptionDiff
from hashmark.core.events import Ended, FilesCompared, FilesRead, Started
from hashmark.core.model import FileStatus
from hashmark.core.plan import Direction, Policy
from hashmark.core.report import DatasetStatus
from hashmark.library.dataset import Dataset
from hashmark.public.parameters import (
    OnProgress,
    ProgressReport,
    check_cancel,
    check_dataset,
    check_flags,
    globs,
    strings,
)


def status(
    dataset: Dataset,
    *,
    rehash: bool = False,
    deep: bool = False,
    against: str | os.PathLike[str] | None = None,
    on_progress: OnProgress | None = None,
) -> DatasetStatus:
    """Compare a dataset with its folder in the bucket: one verdict for each file, with its evidence.

    `rehash` reads every file again instead of trusting remembered digests. `deep` downloads the objects that nothing
    else can settle. `against` is the path of a listing saved by `hashmark ls-remote --json`, or of an S3 Inventory's
    manifest.json, to compare with instead of the bucket. `on_progress` gets the files that were `compared`, and those
    that were read for it as `files_done`.

    Raises:
        TypeError: an argument is of the wrong kind.
        HashmarkError: the bucket can't be reached or listed completely, or the saved listing can't be read.
    """
    check_dataset(dataset)
    check_flags(rehash=rehash, deep=deep)
    report = ProgressReport(on_progress)
    objects = None
    if against is not None:
        from hashmark.library.listing_file import read_listing  # noqa: PLC0415 - only for a saved listing

        objects = read_listing(Path(against), dataset).objects

    def on_read(files: int, size: int) -> None:
        report.on_event(FilesRead(files, size, time.time()))

    def on_file(_file: FileStatus) -> None:
        report.on_event(FilesCompared(1, time.time()))

    report.on_event(Started(0, 0, time.time()))
    options = status_action.Options(rehash, deep, objects)
    found = status_action.status(dataset, options, *((on_file, on_read) if on_progress else ()))
    report.on_event(Ended(interrupted=False, at=time.time()))
    return found


def verify(
    dataset: Dataset,
    *,
    select: str | Iterable[str] | None = None,
    resume: bool = True,
    on_progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
) -> DatasetStatus:
    """Download every selected object that the disk also has, and compare its bytes: proof that relies on no ETag.

    `select` is a glob such as `"*.txt"`, or several; `*` also matches `/`. An interrupted run resumes, unless `resume`
    is False. Setting `cancel` ends it after the files under way.

    Raises:
        TypeError, ValueError: an argument is not understood.
        HashmarkError: the bucket can't be listed, or `select` matches no file.
    """
    from hashmark.actions.verify import verify as verify_action  # noqa: PLC0415 - a `status` needs no bodies

    check_dataset(dataset)
    check_flags(resume=resume)
    check_cancel(cancel)
    policy = Policy(Direction.PULL, select=globs(select))
    return verify_action(dataset, policy, ProgressReport(on_progress).on_event, cancel, resume=resume)


def diff(dataset: Dataset, keys: str | Iterable[str] | None = None) -> Iterator[CaptionDiff]:
    """Yield the captions that are not in sync, with the changes from bucket to disk, word by word.

    `keys` is a caption or an image with one, such as `"0011.txt"`, or several of them; the default is all.

    Raises:
        TypeError, ValueError: an argument is not understood.
        HashmarkError: a key is not a caption of this dataset, or the bucket can't be listed or read.
    """
    check_dataset(dataset)
    return diff_action.diff(dataset, strings("keys", "0011.txt", keys))

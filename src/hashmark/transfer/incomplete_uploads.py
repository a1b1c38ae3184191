"""Uploads in parts that never ended: they are in no listing, and are paid for until somebody gives them up.

Those of this library are remembered while they run, so its next push gives up what a kill left. Others' are only
given up when that is asked for, and when they are old: one that is under way looks the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hashmark.core.errors import AccessDenied, Busy, NoSuchObject, StoreError
from hashmark.library.dataset import Dataset
from hashmark.library.library import Library
from hashmark.s3 import multipart
from hashmark.s3.xml import Upload

OLD = timedelta(days=1)
"""An upload that began longer ago than this is taken for left behind."""


def note(library: Library, key: str, upload_id: str | None) -> None:
    """Remember that an upload of the whole key has begun, or (None) that it has ended."""
    if upload_id is None:
        library.state.forget_incomplete_upload(library.bucket.store, key)
    else:
        library.state.record_incomplete_upload(library.bucket.store, key, upload_id)


def abort_own(dataset: Dataset) -> tuple[str, ...]:
    """Give up what a killed push of this dataset has left. The dataset's lock must be held.

    Returns what is to be told of those that could not be given up: they stay remembered.

    Raises:
        StoreError: the store can't be asked anything.
    """
    library, notes = dataset.library, []
    for key, upload_id in library.state.incomplete_uploads(library.bucket.store).items():
        if key.startswith(dataset.prefix):
            try:
                with contextlib.suppress(NoSuchObject):
                    multipart.abort(library.bucket.client, key, upload_id)
            except StoreError as error:
                if error.fatal and not isinstance(error, AccessDenied):
                    raise
                notes.append(f"An unfinished upload of '{key}' could not be given up, and is paid for: {error.message}")
                continue
            note(library, key, None)
    return tuple(notes)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An upload that has not ended: whether this library began it, and whether it may be given up."""

    upload: Upload
    own: bool
    old: bool


def unfinished(library: Library, now: datetime | None = None) -> list[Unfinished]:
    """Every upload in parts under the library's prefix that has not ended; `now` is the time they are old by.

    Raises:
        StoreError: they can't be listed.
    """
    prefix = library.settings.remote.prefix
    own = library.state.incomplete_uploads(library.bucket.store)
    until = (now or datetime.now(UTC)) - OLD
    found = library.bucket.uploads(f"{prefix}/" if prefix else "")
    return [Unfinished(u, own.get(u.key) == u.upload_id, _began_before(u, until)) for u in found]


def _began_before(upload: Upload, until: datetime) -> bool:
    try:
        began = datetime.fromisoformat(upload.initiated or "")
    except ValueError:
        return False
    return began.tzinfo is not None and began < until


def abort(library: Library, found: list[Unfinished]) -> int:
    """Give up the old ones, and this library's own unless a push of theirs is running. Returns how many.

    Raises:
        StoreError: the store refuses.
    """
    before = {f.upload.upload_id for f in found if f.own}
    for dataset in library.datasets():
        with contextlib.suppress(Busy), dataset.lock():
            abort_own(dataset)
    ended = before - set(library.state.incomplete_uploads(library.bucket.store).values())
    others = [f.upload for f in found if f.old and f.upload.upload_id not in before]
    for upload in others:
        with contextlib.suppress(NoSuchObject):
            multipart.abort(library.bucket.client, upload.key, upload.upload_id)
    return len(ended) + len(others)


def told(found: list[Unfinished]) -> Iterator[str]:
    """What there is, in words: how many, of whom, how old."""
    own, old = sum(f.own for f in found), sum(f.old and not f.own for f in found)
    yield f"{len(found)} uploads in parts have not ended" if len(found) > 1 else "an upload in parts has not ended"
    if own:
        yield f"{own} by this library"
    if old:
        yield f"{old} by others, begun more than a day ago"
    if rest := len(found) - own - old:
        yield f"{rest} by others that may be under way"

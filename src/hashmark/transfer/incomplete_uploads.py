"""Finds and aborts incomplete multipart uploads: they are in no listing, and are billed until somebody aborts them.

This library's own are recorded while they run, so that its next push continues or aborts what an interrupted one left.
Those of others are
aborted only on request, and only if they are old: an upload that is under way looks the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hashmark.core.errors import AccessDenied, Busy, NoSuchObject, StoreError
from hashmark.library.dataset import Dataset
from hashmark.library.library import Library
from hashmark.s3 import multipart
from hashmark.s3.xml import Upload
from hashmark.state.state import OpenUpload

ABANDONED_AFTER = timedelta(days=1)
"""The age at which an upload counts as abandoned."""


def note(library: Library, key: str, upload: OpenUpload | None) -> None:
    """Record that an upload of the whole key has begun, or (None) that it has ended."""
    if upload is None:
        library.state.forget_incomplete_upload(library.bucket.store, key)
    else:
        library.state.record_incomplete_upload(library.bucket.store, key, upload)


def abort_own(dataset: Dataset, keep: Collection[str] = ()) -> tuple[str, ...]:
    """Abort the uploads that an interrupted push of this dataset has left, but for the whole keys to `keep`.

    The dataset's lock must be held.

    Return a note about each that could not be aborted; it stays recorded.

    Raises:
        StoreError: the store can't be reached, or refuses everything.
    """
    library, notes = dataset.library, []
    for key, upload in library.state.incomplete_uploads(library.bucket.store).items():
        if key.startswith(dataset.prefix) and key not in keep:
            try:
                with contextlib.suppress(NoSuchObject):
                    multipart.abort(library.bucket.client, key, upload.upload_id)
            except StoreError as error:
                if error.fatal and not isinstance(error, AccessDenied):
                    raise
                notes.append(f"Cannot abort an incomplete upload of '{key}', which is billed: {error.message}")
                continue
            note(library, key, None)
    return tuple(notes)


@dataclass(frozen=True, slots=True)
class IncompleteUpload:
    """An incomplete multipart upload: whether this library began it, and whether it is old enough to be abandoned."""

    upload: Upload
    own: bool
    old: bool


def find(library: Library, now: datetime | None = None) -> list[IncompleteUpload]:
    """Return every incomplete upload under the library's prefix. `now` is the time that ages are counted from.

    Raises:
        StoreError: they can't be listed.
    """
    prefix = library.settings.remote.prefix
    own = library.state.incomplete_uploads(library.bucket.store)
    until = (now or datetime.now(UTC)) - ABANDONED_AFTER
    found = library.bucket.uploads(f"{prefix}/" if prefix else "")
    ids = {(key, upload.upload_id) for key, upload in own.items()}
    return [IncompleteUpload(u, (u.key, u.upload_id) in ids, _began_before(u, until)) for u in found]


def _began_before(upload: Upload, until: datetime) -> bool:
    try:
        began = datetime.fromisoformat(upload.initiated or "")
    except ValueError:
        return False
    return began.tzinfo is not None and began < until


def abort(library: Library, found: list[IncompleteUpload]) -> int:
    """Abort the abandoned ones, and this library's own unless their push is running. Return how many were aborted.

    Raises:
        StoreError: the store refuses.
    """
    before = {f.upload.upload_id for f in found if f.own}
    for dataset in library.datasets():
        with contextlib.suppress(Busy), dataset.lock():
            abort_own(dataset)
    ended = before - {upload.upload_id for upload in library.state.incomplete_uploads(library.bucket.store).values()}
    others = [f.upload for f in found if f.old and f.upload.upload_id not in before]
    for upload in others:
        with contextlib.suppress(NoSuchObject):
            multipart.abort(library.bucket.client, upload.key, upload.upload_id)
    return len(ended) + len(others)


def describe(found: list[IncompleteUpload]) -> Iterator[str]:
    """Describe them: how many, whose, how old."""
    own, old = sum(f.own for f in found), sum(f.old and not f.own for f in found)
    yield f"{len(found)} incomplete multipart upload{'s' if len(found) > 1 else ''}"
    if own:
        yield f"{own} by this library"
    if old:
        yield f"{old} by others, more than a day old"
    if rest := len(found) - own - old:
        yield f"{rest} by others that may be under way"

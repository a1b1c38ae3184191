"""What the bucket holds, as it is listed: `ls-remote`, and saved listings read back for `--against`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hashmark.core import listing
from hashmark.core.errors import UsageError
from hashmark.core.keys import is_folder_marker, is_ours
from hashmark.core.model import RemoteObject
from hashmark.library import Dataset


def ls_remote(dataset: Dataset) -> Iterator[RemoteObject]:
    """The objects of a dataset's folder in the bucket, in key order; complete or an error.

    Raises:
        StoreError: the bucket can't be reached or listed completely.
    """
    objects = dataset.library.bucket.objects(dataset.prefix)
    return (o for o in objects if not is_folder_marker(o.key) and not is_ours(o.key))


def read_listing(path: Path) -> tuple[RemoteObject, ...]:
    """A listing saved with `ls-remote --json`.

    Raises:
        UsageError: the file can't be read or is not such a listing.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"The listing {path} can't be read: {why}.", "Check the path.") from None
    return tuple(listing.parse(text, str(path)))

"""What the bucket holds, as it is listed: `ls-remote`, and saved listings read back for `--against`.

What reads saved listings is imported when there is one: `ls-remote` must not pay for it.
"""
# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hashmark.actions.landmarks import objects_of
from hashmark.core.errors import UsageError
from hashmark.core.keys import is_folder_marker, is_ours
from hashmark.core.model import RemoteObject
from hashmark.library import Dataset

if TYPE_CHECKING:
    from hashmark.core.listing import Saved


def ls_remote(dataset: Dataset) -> Iterator[RemoteObject]:
    """The objects of a dataset's folder in the bucket, in key order; complete or an error.

    Raises:
        StoreError: the bucket can't be reached or listed completely.
    """
    objects = objects_of(dataset)
    return (o for o in objects if not is_folder_marker(o.key) and not is_ours(o.key))


def read_listing(path: Path, dataset: Dataset) -> Saved:
    """A listing saved with `ls-remote --json`, or an S3 Inventory by its manifest.json: what it says of a dataset.

    Raises:
        UsageError: the file can't be read, is no such listing, or is of another bucket.
    """
    from datetime import UTC, datetime

    from hashmark.core import listing

    text = _text(path)
    if _is_manifest(text):
        from hashmark.actions.inventory import read_inventory

        return read_inventory(path, text, dataset)
    taken = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return listing.Saved(tuple(listing.parse(text, str(path))), "a listing saved in a file", taken)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        hint = (
            "Of an S3 Inventory, name the manifest.json." if path.suffix in {".gz", ".parquet"} else "Check the path."
        )
        raise UsageError(f"The listing {path} can't be read: {why}.", hint) from None


def _is_manifest(text: str) -> bool:
    import json

    from hashmark.core.inventory import is_manifest

    try:
        return is_manifest(json.loads(text))
    except (ValueError, RecursionError):
        return False

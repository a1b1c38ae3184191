"""Lists what the bucket holds of a dataset."""

from __future__ import annotations

from collections.abc import Iterator

from hashmark.core.keys import is_folder_marker, is_ours
from hashmark.core.model import RemoteObject
from hashmark.library.dataset import Dataset
from hashmark.library.remote_objects import objects_of


def ls_remote(dataset: Dataset) -> Iterator[RemoteObject]:
    """Yield the objects of a dataset's folder in the bucket, in key order.

    The listing is complete, or it ends with an error.

    Raises:
        StoreError: the bucket can't be reached or listed completely.
    """
    objects = objects_of(dataset)
    return (o for o in objects if not is_folder_marker(o.key) and not is_ours(o.key))

"""Lists a dataset's folder in the bucket in parallel, by hints for keys that it is likely to hold.

The hints come from the state, else from the disk. A wrong one can't make a listing wrong: see `s3.splice`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from hashmark.core.model import RemoteObject, key_bytes
from hashmark.disk.walk import Walk
from hashmark.library.capabilities import capabilities
from hashmark.library.dataset import Dataset
from hashmark.s3.store_capabilities import SUPPORTED


def objects_of(dataset: Dataset) -> Iterator[RemoteObject]:
    """Return the objects in the dataset's folder of the bucket, in key order. The first page is requested now.

    Pages are listed in parallel where the store supports `start-after`. If the bucket has held the remembered keys
    before, all pages are requested together with the first.

    Raises (while iterating):
        StoreError: the bucket can't be reached or listed completely.
    """
    library = dataset.library
    bucket, state = library.bucket, library.state
    if capabilities(library).start_after is not SUPPORTED:
        return bucket.objects(dataset.prefix)
    return bucket.objects(dataset.prefix, KnownKeys(dataset), eager=state.has_bases(dataset.remote))


class KnownKeys:
    """Key hints for one listing of one dataset (see `s3.listing.KeyHints`)."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._remembered = False
        self._names: Iterator[str] | None = None

    def __call__(self, after: str, count: int) -> str | None:
        """Return the key that is `count` places after `after`, or None. `after` ascends from call to call."""
        if self._names is None:
            dataset = self._dataset
            found = dataset.library.state.nth_key_after(dataset.name, dataset.remote, after, count)
            if found is not None or self._remembered:
                self._remembered = True
                return found
            self._names = Walk(dataset.path, dataset.pairing.ignored).names()
        beyond = itertools.dropwhile(lambda name: key_bytes(name) <= key_bytes(after), self._names)
        return next(itertools.islice(beyond, count - 1, None), None)

"""Names that a dataset's folder in the bucket is likely to hold, so that it can be listed in many places at once.

From what is remembered of it, else from the disk. What a wrong guess costs, and that it can't make a listing wrong, is
the business of `s3.splice`.
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
    """What the bucket holds in the dataset's folder, in key order; asked for now.

    In many places at once, but only on AWS, which documents what it lists after a key, or in a store that was seen to
    do the same. Where the bucket was seen to hold what is remembered, its pages are all asked for with the first.

    Raises (while iterating):
        StoreError: the bucket can't be reached or listed completely.
    """
    library = dataset.library
    bucket, state = library.bucket, library.state
    if capabilities(library).start_after is not SUPPORTED:
        return bucket.objects(dataset.prefix)
    return bucket.objects(dataset.prefix, Landmarks(dataset), eager=state.has_bases(dataset.remote))


class Landmarks:
    """The names of one dataset, for one listing."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._remembered = False
        self._names: Iterator[str] | None = None

    def __call__(self, after: str, count: int) -> str | None:
        """The name that comes so many places after `after`, or None. Keys ascend from call to call."""
        if self._names is None:
            dataset = self._dataset
            found = dataset.library.state.nth_key_after(dataset.name, dataset.remote, after, count)
            if found is not None or self._remembered:
                self._remembered = True
                return found
            self._names = Walk(dataset.path, dataset.pairing.ignores).names()
        beyond = itertools.dropwhile(lambda name: key_bytes(name) <= key_bytes(after), self._names)
        return next(itertools.islice(beyond, count - 1, None), None)

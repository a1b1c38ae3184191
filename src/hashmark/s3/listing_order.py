"""Brings a listing into byte order where a store lists folder by folder.

S3 lists in byte order of whole keys: `a-b` < `a/b`. Stores that keep a tree (SeaweedFS, measured) list a folder
under its bare name, so `a/b` comes before `a-b`: their order is byte order with `/` lowest. Both are strict
orders, so both prove that no key is repeated or out of place; a listing in neither is an error. Pages and requests are
not known here.
"""

from __future__ import annotations

import heapq
import itertools
import operator
from collections.abc import Iterable, Iterator

from hashmark.core.blocks import BLOCK_ROWS, blocks, encode_all
from hashmark.core.errors import BrokenListing
from hashmark.core.model import RemoteObject


def checked(objects: Iterable[RemoteObject], what: str) -> Iterator[RemoteObject]:
    """Yield the same objects, each checked to follow the one before it in byte order.

    Raises:
        BrokenListing: the order breaks, so keys may be missing or repeated.
    """
    last: list[bytes] = []
    for block in blocks(objects):
        marks = last + encode_all([row.key for row in block])
        at = next((n for n, (before, now) in enumerate(itertools.pairwise(marks), 1) if now <= before), None)
        yield from block if at is None else block[: at - len(last)]
        if at is not None:
            raise _broken(marks[at], marks[at - 1], what)
        last = marks[-1:]


def reordered(objects: Iterable[RemoteObject], what: str, *, block: int = BLOCK_ROWS) -> Iterator[RemoteObject]:
    """Yield objects that are listed in byte order or folder by folder, in byte order. One folder is held at a time.

    An object inside folder `F` can be yielded once the listing is past every name `F` + a character below `/`: only
    such names come later in the listing and earlier in byte order. A `block` is read in one go.

    Raises:
        BrokenListing: the listing follows neither order.
    """
    held: list[tuple[bytes, RemoteObject]] = []
    state = _Order(what)
    for some in blocks(objects, block):
        marks = encode_all([row.key for row in some])
        if not held and state.is_flat(marks):
            yield from some
            continue
        for now, row in zip(marks, some, strict=True):
            state.take(now)
            if b"/" not in now and not held:
                yield row
                continue
            heapq.heappush(held, (now, row))
            while held and _is_past(now, held[0][0]):
                yield heapq.heappop(held)[1]
    while held:
        yield heapq.heappop(held)[1]


class _Order:
    """Checks that keys come in byte order, or folder by folder.

    Raises (when keys are taken):
        BrokenListing: they follow neither order.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._last: bytes | None = None
        self._by_bytes = self._by_folders = True

    def is_flat(self, marks: list[bytes]) -> bool:
        """Take all of these keys if they and the one before are in no folder and ascend: so they are in both orders."""
        before = marks if self._last is None else [self._last, *marks]
        if b"/" in b"".join(before) or not all(map(operator.lt, before, before[1:])):
            return False
        self._last = marks[-1]
        return True

    def take(self, now: bytes) -> None:
        """Take the next key."""
        last, self._last = self._last, now
        if last is None:
            return
        self._by_bytes = self._by_bytes and last < now
        self._by_folders = self._by_folders and _tree(last) < _tree(now)
        if not (self._by_bytes or self._by_folders):
            raise _broken(now, last, self._what)


def _tree(key: bytes) -> list[bytes]:
    """Return a form whose order is that of a tree walk: `/` below every byte, NUL included."""
    return key.split(b"/")


def _is_past(now: bytes, key: bytes) -> bool:
    """Return whether nothing that comes after `now` can be smaller than `key`."""
    cut = key.find(b"/")
    while cut >= 0:
        if now < key[:cut] + b"0":  # "0" is the byte after "/"
            return False
        cut = key.find(b"/", cut + 1)
    return True


def _broken(now: bytes, last: bytes, what: str) -> BrokenListing:
    key, before = now.decode("utf-8", "replace"), last.decode("utf-8", "replace")
    return BrokenListing(
        f"{what}: the keys are not in order ('{key}' after '{before}'), so some may be missing.",
        "Directory buckets (S3 Express) list without order and can't be compared.",
    )

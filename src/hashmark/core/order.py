"""Brings a listing into byte order where a store lists folder by folder.

S3 lists in byte order of whole keys: `a-b` < `a/b`. Stores that keep a tree (SeaweedFS, measured) list a folder
under its bare name, so `a/b` comes before `a-b`: their order is byte order with `/` lowest. Both are strict
orders, so both prove that nothing was skipped backwards; a listing in neither is an error. Knows nothing of
pages or requests.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator

from hashmark.core.errors import BrokenListing
from hashmark.core.model import RemoteObject, key_bytes


def checked(objects: Iterable[RemoteObject], what: str) -> Iterator[RemoteObject]:
    """The same objects, once each is known to come after the one before it, in byte order throughout.

    Raises:
        BrokenListing: the order breaks, so keys may be missing or repeated.
    """
    last = b""
    for index, row in enumerate(objects):
        now = key_bytes(row.key)
        if index and now <= last:
            raise _broken(now, last, what)
        last = now
        yield row


def reordered(objects: Iterable[RemoteObject], what: str) -> Iterator[RemoteObject]:
    """Objects listed in byte order or folder by folder, in byte order. Holds back one folder at a time.

    An object inside folder `F` can be given out once the listing has gone past every name `F` + a character
    below `/`: only such names come later in the listing and earlier in byte order.

    Raises:
        BrokenListing: the listing follows neither order.
    """
    held: list[tuple[bytes, RemoteObject]] = []
    last = b""
    by_bytes = by_folders = is_flat = True
    for index, row in enumerate(objects):
        now = key_bytes(row.key)
        was_flat, is_flat = is_flat, b"/" not in now
        if index:
            ascends = last < now
            by_bytes = by_bytes and ascends
            # Two keys without folders stand alike in both orders.
            by_folders = by_folders and (ascends if was_flat and is_flat else _tree(last) < _tree(now))
            if not (by_bytes or by_folders):
                raise _broken(now, last, what)
        last = now
        if is_flat and not held:
            yield row
            continue
        heapq.heappush(held, (now, row))
        while held and _is_past(now, held[0][0]):
            yield heapq.heappop(held)[1]
    while held:
        yield heapq.heappop(held)[1]


def _tree(key: bytes) -> list[bytes]:
    """A form whose order is that of a tree walk: `/` below every byte, NUL included."""
    return key.split(b"/")


def _is_past(now: bytes, key: bytes) -> bool:
    """Whether nothing that comes after `now` can be smaller than `key`."""
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

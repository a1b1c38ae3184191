"""A complete listing in key order, or an error: never a short one that looks whole (design promise 5).

Each page is checked (`xml`), and so is what pages say together: keys ascend in byte order, belong to the
prefix, and every continuation token is new. The next page is asked for while the last one is read; with landmarks,
many pages are asked for at once, and put together by `s3.splice`, which trusts them no further than they overlap.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import Future

from hashmark.core.errors import BrokenListing
from hashmark.core.model import RemoteObject, key_bytes
from hashmark.s3.client import Answer, Client
from hashmark.s3.listing_order import checked, reordered
from hashmark.s3.splice import Rows, spliced
from hashmark.s3.xml import Page, parse_page

PAGE = 1000
"""S3 gives at most this many keys a request."""

AHEAD = 16
"""Pages asked for at once where landmarks are known. Each holds about half a megabyte until it is read."""

STRIDE = PAGE * 19 // 20
"""Keys between landmarks that are aimed for: fewer than a page has, so that each page reaches the next one's start."""

LEAP = 20
"""The stride changes up to so many times either way, where the bucket has more or fewer keys than are known here."""

MAX_EMPTY_PAGES = 10

Landmarks = Callable[[str, int], str | None]
"""Gives the name that comes so many places after a key, among names that the bucket is likely to have; None where
there are not so many. A wrong guess costs time alone."""


def list_objects(
    client: Client, prefix: str, landmarks: Landmarks | None = None, *, eager: bool = False
) -> Iterator[RemoteObject]:
    """Every object whose key begins with `prefix`, in byte order; the keys come without the prefix.

    With landmarks, many pages are asked for at once: when the first has shown that more follow, or `eager`, together
    with the first.

    Raises:
        BrokenListing: an answer is not a listing, or the pages contradict each other.
        StoreError: the store can't be reached or refuses.
    """
    what = f"Listing '{prefix}'"
    # The first page is asked for now, so that it travels while the caller does other things.
    pages = _pages(client, prefix)
    if landmarks is None:
        rows = _rows(pages)
    elif eager:
        rows = _in_parallel(client, prefix, pages, landmarks, "", 0)
    else:
        rows = _then_in_parallel(client, prefix, pages, landmarks)
    # AWS lists in byte order, by its documentation; others may list folder by folder.
    return checked(rows, what) if client.endpoint.is_aws else reordered(rows, what)


def list_folders(client: Client, prefix: str) -> list[str]:
    """The names of the folders directly under `prefix` (which ends in `/` or is empty), in byte order.

    Raises:
        StoreError: as `list_objects`.
    """
    found = {folder for page in _pages(client, prefix, delimiter="/") for folder in page.folders}
    return sorted((folder[len(prefix) : -1] for folder in found), key=key_bytes)


def keys_as_listed(client: Client, prefix: str, *, after: str = "") -> list[str]:
    """The whole keys under `prefix` in the store's own order, or those that it lists after the key `after`.

    Raises:
        StoreError: as `list_objects`.
    """
    return [prefix + row.key for page in _pages(client, prefix, after=after) for row in page.objects]


def _rows(pages: Iterator[Page]) -> Iterator[RemoteObject]:
    return itertools.chain.from_iterable(page.objects for page in pages)


def _then_in_parallel(
    client: Client, prefix: str, pages: Iterator[Page], landmarks: Landmarks
) -> Iterator[RemoteObject]:
    """The rows of `pages`; where more than one page is needed, many are asked for at once."""
    first = next(pages)
    pages = itertools.chain([first], pages)
    if not first.next_token or not first.objects:
        yield from _rows(pages)
        return
    yield from _in_parallel(client, prefix, pages, landmarks, first.objects[-1].key, len(first.objects))


def _in_parallel(
    client: Client, prefix: str, pages: Iterator[Page], landmarks: Landmarks, start: str, place: int
) -> Iterator[RemoteObject]:
    """The rows of `pages`, with the pages after `start`, which `place` rows end with, asked for now."""
    course = _Course(client, prefix, start, place, landmarks)
    begun = list(itertools.islice(course, AHEAD))
    trunk = (page.objects for page in pages)
    branches = itertools.chain(begun, course)
    return spliced(trunk, branches, ahead=AHEAD, what=f"Listing '{prefix}'", on_taken=course.adjust)


class _Course(Iterator[Iterator[Rows]]):
    """Listings that begin at one landmark after the other; each is asked for when it is taken from here.

    The landmarks are chosen from `start` on, which `place` rows of the listing end with.
    """

    def __init__(self, client: Client, prefix: str, start: str, place: int, landmarks: Landmarks) -> None:
        self._client = client
        self._prefix = prefix
        self._at: str | None = start
        self._landmarks = landmarks
        self._stride = STRIDE
        self._places = [place]
        """Where the beginning is, and each landmark: counted in rows up to the beginning, and in names after it."""
        self._told = 0

    def __next__(self) -> Iterator[Rows]:
        self._at = self._landmarks(self._at, self._stride) if self._at is not None else None
        if self._at is None:
            raise StopIteration
        self._places.append(self._places[-1] + self._stride)
        pages = _pages(self._client, self._prefix, after=self._prefix + self._at)
        return (page.objects for page in pages)

    def adjust(self, number: int, rows: int) -> None:
        """Change the stride: before the landmark of this number lay so many objects since the last that was told of.

        They are held against the names that lay there, for the stride was another when that landmark was chosen.
        """
        place = self._places[number + 1]
        names, self._told = place - self._told, place
        self._stride = min(max(STRIDE * names // max(rows, 1), STRIDE // LEAP, 1), STRIDE * LEAP)


def _pages(client: Client, prefix: str, *, delimiter: str = "", after: str = "") -> Iterator[Page]:
    """The pages of a listing, from the beginning or from the first key after `after` on. The first is asked for now."""
    query = {"list-type": "2", "encoding-type": "url", "max-keys": str(PAGE)}
    query |= {"delimiter": delimiter} if delimiter else {}
    query |= {"prefix": prefix} if prefix else {}
    waiting = _ask(client, {**query, "start-after": after} if after else query)
    return _follow(client, query, waiting, prefix, eager=not after)


def _follow(
    client: Client, query: dict[str, str], waiting: Future[Answer], prefix: str, *, eager: bool
) -> Iterator[Page]:
    """The pages; the next is asked for before one is given out, but for the first of a listing that is not `eager`."""
    what = f"Listing '{prefix}'"
    seen: set[str] = set()
    empty = 0
    while True:
        page = parse_page(waiting.result().body, what, prefix)
        token = page.next_token
        if token:
            empty = 0 if page.objects or page.folders else empty + 1
            if token in seen or empty > MAX_EMPTY_PAGES:
                raise BrokenListing(f"{what}: the pages go round in circles.")
            seen.add(token)
            if eager:
                waiting = _ask(client, {**query, "continuation-token": token})
        yield page
        if not token:
            return
        if not eager:
            eager = True
            waiting = _ask(client, {**query, "continuation-token": token})


def _ask(client: Client, query: dict[str, str]) -> Future[Answer]:
    return client.send("ListObjectsV2", "GET", query=query)

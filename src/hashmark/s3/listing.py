"""Lists a bucket completely and in key order, or raises: never a short listing that looks complete.

Each page is checked (`xml`), and so are the pages together: keys ascend in byte order and begin with the prefix, and
every continuation token is new. The next page is requested while the last one is read. With key hints, many pages
are requested at once, and `s3.splice` joins them only where they overlap. Where a store cannot page through the whole
tree, it is read folder by folder.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import Future

from hashmark.core.errors import BrokenListing, StoreError
from hashmark.core.keys import is_folder_marker
from hashmark.core.model import Key, RemoteObject, key_bytes
from hashmark.s3.client import Client
from hashmark.s3.exchange import Answer
from hashmark.s3.key_encoding import KeyEncoding, is_ambiguous, still_possible
from hashmark.s3.listing_order import checked, reordered
from hashmark.s3.splice import Rows, spliced
from hashmark.s3.xml import Page, parse_page

PAGE_KEYS = 1000
"""S3 returns at most this many keys per request."""

MAX_OPEN_PAGES = 16
"""Pages requested at once with key hints. Each holds about half a megabyte until it is read."""

STRIDE_KEYS = PAGE_KEYS * 19 // 20
"""Keys from one branch to the next: fewer than a page has, so that each page overlaps the next."""

MAX_STRIDE_FACTOR = 20
"""By how much the stride may grow or shrink where the bucket has fewer or more keys than the hints."""

MAX_EMPTY_PAGES = 10

PAGES_UNTIL_REPEATED = 3
"""After so many pages, a store that repeats a token has another defect than RunPod's, which repeats the first one."""

KeyHints = Callable[[str, int], str | None]
"""Returns the key that is `count` places after a key, among those that the bucket is likely to have; None beyond the
last one. A wrong hint costs only time."""


def list_objects(
    client: Client, prefix: str, hints: KeyHints | None = None, *, eager: bool = False
) -> Iterator[RemoteObject]:
    """Yield every object whose key begins with `prefix`, in byte order; the keys come without the prefix.

    With `hints`, many pages are requested at once: when the first one shows that more follow, or, if `eager`, together
    with the first.

    Raises:
        BrokenListing: an answer is not a listing, or the pages contradict each other.
        StoreError: the store can't be reached or refuses.
    """
    what = f"Listing '{prefix}'"
    # The first page is requested now, so that it is on its way while the caller does other things.
    pages = _or_by_folders(client, prefix, _pages(client, prefix))
    if hints is None:
        rows = _rows(pages)
    elif eager:
        rows = _in_parallel(client, prefix, pages, hints, "", 0)
    else:
        rows = _then_in_parallel(client, prefix, pages, hints)
    # AWS lists in byte order, by its documentation; others may list folder by folder.
    return checked(rows, what) if client.endpoint.is_aws else reordered(rows, what)


def list_folders(client: Client, prefix: str, on_files: Callable[[list[str]], None] = lambda _names: None) -> list[str]:
    """Return the names of the folders directly under `prefix` (which ends in `/` or is empty), in byte order.

    `on_files` gets the names of the objects that lie beside them, a page at a time.

    Raises:
        StoreError: as `list_objects`.
    """
    found: set[str] = set()
    for page in _pages(client, prefix, delimiter="/"):
        found.update(page.folders)
        on_files([row.key for row in page.objects if not is_folder_marker(row.key)])
    return sorted((folder[len(prefix) : -1] for folder in found), key=key_bytes)


def keys_as_listed(client: Client, prefix: str, *, after: str = "") -> list[str]:
    """Return the whole keys under `prefix` in the store's own order, or those that it lists after the key `after`.

    Raises:
        StoreError: as `list_objects`.
    """
    return [prefix + row.key for page in _pages(client, prefix, after=after) for row in page.objects]


class _RepeatedToken(BrokenListing):
    """A page's continuation token is that of a page before it."""


def _or_by_folders(client: Client, prefix: str, pages: Iterator[Page]) -> Iterator[Page]:
    """Yield `pages`; if the store repeats a token, as RunPod's volumes do, what is missing is listed folder by folder.

    A listing with a delimiter has other tokens there (runpod/runpod-python, issue 505).

    Raises:
        BrokenListing: the folders do not begin with what the pages had.
    """
    begun: list[RemoteObject] = []
    count = 0
    try:
        for page in pages:
            count += 1
            if count <= PAGES_UNTIL_REPEATED:
                begun += page.objects
            yield page
    except _RepeatedToken:
        if count > PAGES_UNTIL_REPEATED:
            raise
        found = list(_by_folders(client, prefix, ""))
        names = [row.key for row in begun]
        for order in (lambda row: key_bytes(row.key), lambda row: key_bytes(row.key).split(b"/")):
            found.sort(key=order)
            if [row.key for row in found[: len(begun)]] == names:
                yield Page(found[len(begun) :], (), None)
                return
        raise


def _by_folders(client: Client, prefix: str, folder: str) -> Iterator[RemoteObject]:
    """Yield the objects under a folder of `prefix`, in no order, by one listing for each folder below it."""
    below: list[str] = []
    for page in _pages(client, prefix + folder, delimiter="/"):
        yield from (row._replace(key=Key(folder + row.key)) for row in page.objects)
        below += [name[len(prefix) :] for name in page.folders if len(name) > len(prefix + folder)]
    for name in below:
        yield from _by_folders(client, prefix, name)


def _rows(pages: Iterator[Page]) -> Iterator[RemoteObject]:
    return itertools.chain.from_iterable(page.objects for page in pages)


def _then_in_parallel(client: Client, prefix: str, pages: Iterator[Page], hints: KeyHints) -> Iterator[RemoteObject]:
    """Yield the rows of `pages`; if more than one page is needed, request many at once."""
    first = next(pages)
    pages = itertools.chain([first], pages)
    if not first.next_token or not first.objects:
        yield from _rows(pages)
        return
    yield from _in_parallel(client, prefix, pages, hints, first.objects[-1].key, len(first.objects))


def _in_parallel(
    client: Client, prefix: str, pages: Iterator[Page], hints: KeyHints, start: str, place: int
) -> Iterator[RemoteObject]:
    """Return the rows of `pages`, and request branches after `start`, the key of row number `place`, now."""
    branches = _Branches(client, prefix, start, place, hints)
    requested = list(itertools.islice(branches, MAX_OPEN_PAGES))
    trunk = (page.objects for page in pages)
    return spliced(
        trunk,
        itertools.chain(requested, branches),
        ahead=MAX_OPEN_PAGES,
        what=f"Listing '{prefix}'",
        on_taken=branches.adjust,
    )


class _Branches(Iterator[Iterator[Rows]]):
    """Listings that begin at one hint after the other, from `start` on, which is row number `place` of the listing.

    Each is requested when it is taken from here.
    """

    def __init__(self, client: Client, prefix: str, start: str, place: int, hints: KeyHints) -> None:
        self._client = client
        self._prefix = prefix
        self._at: str | None = start
        self._hints = hints
        self._stride = STRIDE_KEYS
        self._places = [place]
        """The places of the start and of each branch, in rows up to the start, and in hinted keys after it."""
        self._adjusted_at = 0

    def __next__(self) -> Iterator[Rows]:
        self._at = self._hints(self._at, self._stride) if self._at is not None else None
        if self._at is None:
            raise StopIteration
        self._places.append(self._places[-1] + self._stride)
        pages = _pages(self._client, self._prefix, after=self._prefix + self._at)
        return (page.objects for page in pages)

    def adjust(self, number: int, rows: int) -> None:
        """Adapt the stride: so many rows were read from the branch taken before to the one of this number.

        They are compared with the hinted keys between the two, since the stride may have changed in between.
        """
        place = self._places[number + 1]
        keys, self._adjusted_at = place - self._adjusted_at, place
        stride = STRIDE_KEYS * keys // max(rows, 1)
        self._stride = min(max(stride, STRIDE_KEYS // MAX_STRIDE_FACTOR, 1), STRIDE_KEYS * MAX_STRIDE_FACTOR)


def _pages(client: Client, prefix: str, *, delimiter: str = "", after: str = "") -> Iterator[Page]:
    """Return the pages of a listing, from the beginning or from the first key after `after`. Request the first now."""
    query = {"list-type": "2", "encoding-type": "url", "max-keys": str(PAGE_KEYS)}
    query |= {"delimiter": delimiter} if delimiter else {}
    query |= {"prefix": prefix} if prefix else {}
    waiting = _request(client, {**query, "start-after": after} if after else query)
    return _follow(client, query, waiting, prefix, eager=not after)


def _follow(
    client: Client, query: dict[str, str], waiting: Future[Answer], prefix: str, *, eager: bool
) -> Iterator[Page]:
    """Yield the pages. The next one is requested before a page is yielded; unless `eager`, only from the second on."""
    what = f"Listing '{prefix}'"
    seen: set[str] = set()
    empty = 0
    token: str | None = None
    while True:
        body = waiting.result().body
        page = parse_page(body, what, prefix, _encoding(client, query, token, body))
        token = page.next_token
        if token:
            empty = 0 if page.objects or page.folders else empty + 1
            if token in seen:
                raise _RepeatedToken(f"{what}: the pages repeat themselves.")
            if empty > MAX_EMPTY_PAGES:
                raise BrokenListing(f"{what}: the pages repeat themselves.")
            seen.add(token)
            if eager:
                waiting = _request(client, {**query, "continuation-token": token})
        yield page
        if not token:
            return
        if not eager:
            eager = True
            waiting = _request(client, {**query, "continuation-token": token})


def _encoding(client: Client, query: dict[str, str], token: str | None, body: bytes) -> KeyEncoding:
    """Return how the keys of a page are encoded. One that leaves it open is requested again, without encoding."""
    if is_ambiguous(body, client.key_encodings):
        again = {name: value for name, value in query.items() if name != "encoding-type"}
        again |= {"continuation-token": token} if token else {}
        try:
            plain = _request(client, again).result().body
            client.key_encodings = still_possible(body, plain, client.key_encodings)
        except StoreError:
            client.key_encodings = [KeyEncoding.FORM]
    return client.key_encodings[0]


def _request(client: Client, query: dict[str, str]) -> Future[Answer]:
    return client.send("ListObjectsV2", "GET", query=query)

"""A complete listing in key order, or an error: never a short one that looks whole (design promise 5).

Each page is checked (`xml`), and so is what pages say together: keys ascend in byte order, belong to the
prefix, and every continuation token is new. The next page is asked for while the last one is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace

from hashmark.core.errors import BrokenListing
from hashmark.core.model import Key, RemoteObject, key_bytes
from hashmark.core.order import checked, reordered
from hashmark.s3.client import Answer, Client
from hashmark.s3.xml import Page, parse_page

PAGE = 1000
"""S3 gives at most this many keys a request."""

MAX_EMPTY_PAGES = 10


def list_objects(client: Client, prefix: str) -> Iterator[RemoteObject]:
    """Every object whose key begins with `prefix`, in byte order; the keys come without the prefix.

    Raises:
        BrokenListing: an answer is not a listing, or the pages contradict each other.
        StoreError: the store can't be reached or refuses.
    """
    what = f"Listing '{prefix}'"
    rows = (
        replace(row, key=Key(row.key[len(prefix) :])) for page in _pages(client, prefix, "") for row in page.objects
    )
    # AWS lists in byte order, by its documentation; others may list folder by folder.
    return checked(rows, what) if client.endpoint.is_aws else reordered(rows, what)


def list_folders(client: Client, prefix: str) -> list[str]:
    """The names of the folders directly under `prefix` (which ends in `/` or is empty), in byte order.

    Raises:
        StoreError: as `list_objects`.
    """
    found = {folder for page in _pages(client, prefix, "/") for folder in page.folders}
    return sorted((folder[len(prefix) : -1] for folder in found), key=key_bytes)


def _pages(client: Client, prefix: str, delimiter: str) -> Iterator[Page]:
    # The first page is asked for now, so that it travels while the caller does other things.
    return _follow(client, prefix, delimiter, _ask(client, prefix, delimiter, None))


def _follow(client: Client, prefix: str, delimiter: str, waiting: Future[Answer]) -> Iterator[Page]:
    what = f"Listing '{prefix}'"
    seen: set[str] = set()
    empty = 0
    while True:
        page = parse_page(waiting.result().body, what)
        _check(page, prefix, what)
        if page.next_token:
            empty = 0 if page.objects or page.folders else empty + 1
            if page.next_token in seen or empty > MAX_EMPTY_PAGES:
                raise BrokenListing(f"{what}: the pages go round in circles.")
            seen.add(page.next_token)
            waiting = _ask(client, prefix, delimiter, page.next_token)
        yield page
        if not page.next_token:
            return


def _check(page: Page, prefix: str, what: str) -> None:
    for key in (*(o.key for o in page.objects), *page.folders):
        if not key.startswith(prefix):
            raise BrokenListing(f"{what}: the answer has '{key}', which does not begin so.")


def _ask(client: Client, prefix: str, delimiter: str, token: str | None) -> Future[Answer]:
    query = {"list-type": "2", "encoding-type": "url", "max-keys": str(PAGE)}
    if token:
        query["continuation-token"] = token
    if delimiter:
        query["delimiter"] = delimiter
    if prefix:
        query["prefix"] = prefix
    return client.send("ListObjectsV2", "GET", query=query)

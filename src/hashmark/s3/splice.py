"""Reads one listing in several places in parallel, and joins the places only where they provably overlap.

A chain is the pages of one listing, each continued from the one before by the store's own token. The trunk starts at
the beginning: read to its end, it is the whole listing. A branch starts further on, at a key hint. A branch is taken
only where the chain being read contains the branch's first key itself, and the rest of that page is, key by key, how
the branch continues. So two consecutive pages always share a key, and nothing is missing or repeated between them. A
branch that does not fit is dropped, and reading continues with the chain.

One thing is assumed of the store: what it lists after any key (`start-after`) is the rest of its whole listing, in the
same order. If it left out later keys there, they would be missing here; `s3.probe` detects such stores. The order, and
where such a listing starts, are not assumed. Requests, and where hints come from, are not known here.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from hashmark.core.errors import BrokenListing, StoreError
from hashmark.core.model import RemoteObject, key_bytes

Rows = Sequence[RemoteObject]
Chain = Iterator[Rows]


def spliced(
    trunk: Chain,
    branches: Iterator[Chain],
    *,
    ahead: int,
    what: str,
    on_taken: Callable[[int, int], None] = lambda _number, _rows: None,
) -> Iterator[RemoteObject]:
    """Yield what the trunk lists, in its order, read from branches where they fit.

    `branches` come in the order of their first keys, and `ahead` of them are made before they are needed. `on_taken` is
    called for each branch that is used, with its number (from 0, in the order of the iterator) and how many rows of the
    chain before it were read.

    Raises:
        BrokenListing: the listing ends, and a branch has keys after its end.
        StoreError: the chain being read fails.
    """
    waiting: deque[_Branch] = deque()
    numbered = itertools.starmap(_Branch, enumerate(branches))
    chain, last, read = trunk, "", 0
    while True:
        waiting.extend(itertools.islice(numbered, ahead - len(waiting)))
        rows = next(chain, None)
        if rows is None:
            break
        read += len(rows)
        found = _next_branch(rows, waiting)
        if found is not None:
            cut, branch = found
            on_taken(branch.number, read - len(rows) + cut)
            chain, rows, read = branch.chain(), rows[:cut], 0
        yield from rows
        last = rows[-1].key if rows else last
    _check_end(last, waiting, what)


class _Branch:
    """A chain whose first page can be read ahead."""

    def __init__(self, number: int, chain: Chain) -> None:
        self.number = number
        self._rest = chain
        self._first: Rows | None = None

    def first(self) -> Rows:
        """Return the first page; empty if the branch has none or fails: the trunk will then raise the reason."""
        if self._first is None:
            try:
                self._first = next(self._rest, ())
            except StoreError:
                self._first, self._rest = (), iter(())
        return self._first

    def chain(self) -> Chain:
        """Return the whole branch."""
        return itertools.chain([self.first()], self._rest)


def _next_branch(rows: Rows, waiting: deque[_Branch]) -> tuple[int, _Branch] | None:
    """Return the first branch that can be taken within this page, and where. Branches that were missed are dropped."""
    if not rows:
        return None
    place = {row.key: index for index, row in enumerate(rows)}
    end = key_bytes(rows[-1].key)
    while waiting:
        first = waiting[0].first()
        cut = place.get(first[0].key) if first else None
        if cut is None and first and key_bytes(first[0].key) > end:
            return None  # it starts after this page
        branch = waiting.popleft()
        if cut is not None and _continues(rows, cut, first):
            return cut, branch
    return None


def _continues(rows: Rows, cut: int, first: Rows) -> bool:
    """Return whether the branch's first page begins with the rest of this one."""
    rest = len(rows) - cut
    return len(first) >= rest and all(rows[cut + n].key == first[n].key for n in range(rest))


def _check_end(last: str, waiting: deque[_Branch], what: str) -> None:
    """Check that no branch has keys after the end of the listing.

    A waiting branch is after it in byte order; in a tree's order (see `s3.listing_order`) it may be long past.
    """
    end = key_bytes(last).split(b"/")
    for branch in waiting:
        if (first := branch.first()) and key_bytes(first[0].key).split(b"/") > end:
            raise BrokenListing(f"{what}: the answers end at '{last}', but there is '{first[0].key}' after it.")

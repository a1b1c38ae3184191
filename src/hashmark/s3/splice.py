"""One listing, read in several places at once, and put together only where the places provably overlap.

A chain is the pages of one listing, each continued from the one before by the store's own token. The trunk begins at
the beginning: read to its end it is the whole listing. A branch begins further on, where a local file name suggests.
A branch is taken only where the chain that is being read comes upon the branch's first key itself, and the rest of
that page is, key by key, how the branch goes on. So two pages that follow each other always share a key, and nothing
is left out or repeated between them. A branch that does not meet this is dropped, and the chain is read on.

One thing is assumed of a store, and not seen here: what it lists after any name (`start-after`) is an end of its whole
listing, every key from the first one on, in the same order. Of a store that leaves out keys further on in such a
listing, they would be missing; `s3.probe` finds such stores out. Not assumed are the order itself, and that a listing
begins where it was asked to. Knows nothing of requests or names on disk.
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
    """What the trunk lists, in its order, read from branches where they fit.

    `branches` are made when they are asked for, `ahead` of them before they are needed, in the order in which they are
    expected. `on_taken` is told, for each branch that is taken, its number (from 0, in the order they were made in) and
    how many rows were read of the chain before it.

    Raises:
        BrokenListing: the listing ends, and a branch has keys after its end.
        StoreError: the chain that is being read can't be read on.
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
    """A chain whose first page may be looked at before it is read."""

    def __init__(self, number: int, chain: Chain) -> None:
        self.number = number
        self._rest = chain
        self._first: Rows | None = None

    def first(self) -> Rows:
        """The first page; empty where the branch has none, or can't be read: the trunk will then say why."""
        if self._first is None:
            try:
                self._first = next(self._rest, ())
            except StoreError:
                self._first, self._rest = (), iter(())
        return self._first

    def chain(self) -> Chain:
        """The whole branch."""
        return itertools.chain([self.first()], self._rest)


def _next_branch(rows: Rows, waiting: deque[_Branch]) -> tuple[int, _Branch] | None:
    """The first branch that can be taken within this page, and where. Those that were missed are dropped."""
    if not rows:
        return None
    place = {row.key: index for index, row in enumerate(rows)}
    end = key_bytes(rows[-1].key)
    while waiting:
        first = waiting[0].first()
        cut = place.get(first[0].key) if first else None
        if cut is None and first and key_bytes(first[0].key) > end:
            return None  # not come upon yet
        branch = waiting.popleft()
        if cut is not None and _goes_on(rows, cut, first):
            return cut, branch
    return None


def _goes_on(rows: Rows, cut: int, first: Rows) -> bool:
    """Whether the branch's first page begins with the rest of this one."""
    rest = len(rows) - cut
    return len(first) >= rest and all(rows[cut + n].key == first[n].key for n in range(rest))


def _check_end(last: str, waiting: deque[_Branch], what: str) -> None:
    """That nothing is known to come after the end.

    What still waits comes after it in byte order. In a tree's (see `s3.listing_order`) it may be long past.
    """
    end = key_bytes(last).split(b"/")
    for branch in waiting:
        if (first := branch.first()) and key_bytes(first[0].key).split(b"/") > end:
            raise BrokenListing(f"{what}: the answers end at '{last}', but there is '{first[0].key}' after it.")

"""`python memory.py COUNT`: run `hashmark status` on a synthetic dataset, in the library of the working directory.

The files are neither on disk nor in a store: the walk and the listing of COUNT files are generated, so memory can be
measured at sizes that would take hours to build. The measurement therefore excludes reading folders and everything
behind `Bucket.objects`: requests, parsing, waiting pages and splicing.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from typing import Any

from hashmark.actions import status
from hashmark.cli import main
from hashmark.core.model import Key, LocalFile, RemoteObject, Stamp
from hashmark.disk.walk import Walk
from hashmark.library.library import Library
from hashmark.s3.bucket import Bucket

NAME = "86_synthetic"
OLD_NS = 1_700_000_000_000_000_000
"""A modification time old enough for digests to be cached."""


def _key(number: int) -> Key:
    return Key(f"{number:08d}.png")


def _md5(number: int) -> str:
    return hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()


def _file(number: int, md5: str | None = None) -> LocalFile:
    return LocalFile(_key(number), Stamp(100, OLD_NS, OLD_NS, number + 1, 1), md5)


class _SyntheticWalk(Walk):
    count = 0

    def __iter__(self) -> Iterator[LocalFile]:
        return map(_file, range(self.count))


def fill(count: int) -> None:
    """Cache the digests of all files, as an earlier status would have done."""
    with Library.open() as library:
        for start in range(0, count, 10_000):
            some = range(start, min(start + 10_000, count))
            library.state.remember_digests(NAME, [_file(number, _md5(number)) for number in some])


def _objects(count: int, *_: Any) -> Iterator[RemoteObject]:
    return (RemoteObject(_key(n), 100, _md5(n), "2026-01-01T00:00:00.000Z") for n in range(count))


def _main() -> None:
    count = int(sys.argv[1])
    if sys.argv[2:] == ["fill"]:
        fill(count)
        return
    _SyntheticWalk.count = count
    vars(status)["Walk"] = _SyntheticWalk
    Bucket.objects = lambda _self, *_, **__: _objects(count)  # type: ignore[method-assign]
    sys.argv[1:] = ["status", NAME]
    main.main()


if __name__ == "__main__":
    _main()

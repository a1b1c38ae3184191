"""An opened state, and digests and bases to store in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from hashmark.core.model import Base, Key, LocalFile, Stamp
from hashmark.state.state import State

MD5 = "d41d8cd98f00b204e9800998ecf8427e"


@contextmanager
def opened(path: Path) -> Iterator[State]:
    with closing(State.open(path)) as state:
        yield state


def base(key: str, md5: str = MD5) -> Base:
    return Base(Key(key), md5, f"{md5}-2", 7)


def digest(key: str, **facts: int) -> LocalFile:
    return LocalFile(Key(key), Stamp(7, 1, 2, 3, 4)._replace(**facts), MD5)


def many(count: int) -> list[Base]:
    return [base(f"{n:06}") for n in range(count)]

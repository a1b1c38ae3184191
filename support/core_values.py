"""Constructors for the values of the core: files, objects, bases, statuses, and small worlds with both sides."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from hypothesis import strategies as st

from hashmark.core import etags
from hashmark.core.compare import Comparison, KeyState, compare_listed, judge
from hashmark.core.join import join
from hashmark.core.model import (
    Base,
    Content,
    Evidence,
    FileStatus,
    Key,
    Kind,
    LocalFile,
    RemoteObject,
    Stamp,
    Verdict,
)
from hashmark.core.pairs import Pairing
from hashmark.core.plan import Action, Plan, Verb

DATA = b"a stellar sketch\n"
TIME = "2024-05-06T07:08:09Z"
"""When every object was last modified."""

ONLY_LOCAL = frozenset({Verdict.LOCAL_ONLY, Verdict.DELETED_REMOTELY})
ONLY_REMOTE = frozenset({Verdict.REMOTE_ONLY, Verdict.DELETED_LOCALLY})


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def in_bytes(keys: Iterable[str]) -> list[str]:
    """Sort keys in S3's order, without the code under test."""
    return sorted(keys, key=lambda key: key.encode("utf-8", "surrogateescape"))


def tree_walk(listed: Iterable[str]) -> list[str]:
    """Sort keys as a store lists them that walks folder by folder: a folder follows a file of the same name."""

    def walk(rows: list[list[bytes]]) -> Iterator[list[bytes]]:
        below: defaultdict[bytes, list[list[bytes]]] = defaultdict(list)
        for first, *rest in rows:
            below[first].append(rest)
        for name in sorted(below):
            if [] in below[name]:
                yield [name]
            for rest in walk([rest for rest in below[name] if rest]):
                yield [name, *rest]

    split = [key.encode("utf-8", "surrogateescape").split(b"/") for key in listed]
    return [b"/".join(parts).decode("utf-8", "surrogateescape") for parts in walk(split)]


def local(key: str, data: bytes = DATA, *, trouble: str | None = None) -> LocalFile:
    """Return a file with this content, or an unreadable one."""
    return LocalFile(Key(key), Stamp(len(data), 1, 2, 3, 4), None if trouble else md5(data), trouble)


def remote(key: str, data: bytes = DATA, *, etag: str | None = None) -> RemoteObject:
    """Return an object after a plain PUT of this content, or with another ETag."""
    return RemoteObject(Key(key), len(data), md5(data) if etag is None else etag, TIME)


def base(key: str, data: bytes = DATA, *, etag: str | None = None) -> Base:
    """Return the base of content that was proven equal on both sides."""
    return Base(Key(key), md5(data), md5(data) if etag is None else etag, len(data), last_modified=TIME)


def joined(disk: bytes | None, bucket: bytes | None, proven: bytes | None, key: str = "a.txt") -> KeyState:
    """Return the state of a key from the contents of both sides and the base; None is a missing one."""
    return KeyState(
        Key(key),
        None if disk is None else local(key, disk),
        None if bucket is None else remote(key, bucket),
        None if proven is None else base(key, proven),
    )


def status(
    key: str,
    verdict: Verdict = Verdict.SYNCED,
    *,
    kind: Kind | None = None,
    evidence: Evidence | None = None,
    reason: str | None = None,
    remedy: str | None = None,
    data: bytes = DATA,
) -> FileStatus:
    """Return a status with sides that fit its verdict. The kind follows from the key unless given."""
    return FileStatus(
        key=Key(key),
        kind=Pairing().kind(key) if kind is None else kind,
        verdict=verdict,
        evidence=evidence,
        reason=reason,
        remedy=remedy,
        local=None if verdict in ONLY_REMOTE else local(key, data),
        remote=None if verdict in ONLY_LOCAL else remote(key, data),
    )


def known(row: KeyState) -> Comparison | None:
    """Compare both sides for a bucket whose ETags are known to be MD5s; None if a side is missing."""
    if row.local is None or row.remote is None:
        return None
    weighed = compare_listed(row.local, row.remote, row.base)
    if weighed.content is Content.UNKNOWN and etags.may_be_md5(row.remote.etag or ""):
        return Comparison(Content.DIFFERENT, Evidence.ETAG_MD5)
    return weighed


@dataclass
class Sides:
    """Disk, bucket and base in memory. The ETags of `opaque` keys are not MD5s."""

    disk: dict[str, bytes] = field(default_factory=dict)
    bucket: dict[str, bytes] = field(default_factory=dict)
    bases: dict[str, bytes] = field(default_factory=dict)
    opaque: frozenset[str] = frozenset()

    def etag(self, key: str, data: bytes) -> str:
        return f"opaque-{md5(data)}" if key in self.opaque else md5(data)

    def compare(self) -> list[FileStatus]:
        rows = join(
            [local(key, self.disk[key]) for key in in_bytes(self.disk)],
            [remote(key, data, etag=self.etag(key, data)) for key, data in self._in_order(self.bucket)],
            [base(key, data, etag=self.etag(key, data)) for key, data in self._in_order(self.bases)],
        )
        return [judge(row, Kind.OTHER, known(row)) for row in rows]

    def run(self, plan: Plan) -> None:
        for action in plan.actions:
            self._run(action)

    def _run(self, action: Action) -> None:
        key = action.key
        if action.verb is Verb.UPLOAD:
            self.bucket[key] = self.bases[key] = self.disk[key]
        elif action.verb is Verb.DOWNLOAD:
            self.disk[key] = self.bases[key] = self.bucket[key]
        else:
            del (self.bucket if action.verb is Verb.DELETE_REMOTE else self.disk)[key]
            self.bases.pop(key, None)

    @staticmethod
    def _in_order(side: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
        return ((key, side[key]) for key in in_bytes(side))


NAMES = ("a.png", "a.txt", "b-c.txt", "b/c.txt", "b.txt", "é.txt", "z.png")
CONTENTS = (None, b"", b"one", b"two", b"longer")


@st.composite
def worlds(draw: st.DrawFn) -> Sides:
    """Draw worlds with any mixture of present, absent, equal, edited and deleted files, with and without a base."""
    world = Sides(opaque=frozenset(draw(st.sets(st.sampled_from(NAMES), max_size=2))))
    for key in draw(st.sets(st.sampled_from(NAMES), min_size=1)):
        for side in (world.disk, world.bucket, world.bases):
            data = draw(st.sampled_from(CONTENTS))
            if data is not None:
                side[key] = data
    return world


keys = st.text(st.sampled_from("aAbBzé\u0301-./ 0~"), min_size=1, max_size=6)
"""Keys that are often neighbours or prefixes of each other, or collide."""

any_keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
"""Keys of any characters that UTF-8 can encode."""

verdicts = st.sampled_from(list(Verdict))

"""The nouns: keys, what the two sides hold, what we believe and why.

Plain values without behaviour beyond derived properties. They refuse to know how they were read, hashed,
listed or stored. Those made for each file of each side are named tuples, which are made in C, in a third of the time.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, NewType

Key = NewType("Key", str)
"""Path inside a dataset, `/`-separated. Bytes that are not UTF-8 are kept as lone surrogates
(`surrogateescape`), so that any name found on disk can be named, and refused, without loss."""

EMPTY_MD5 = "d41d8cd98f00b204e9800998ecf8427e"


def key_bytes(key: str) -> bytes:
    """The key as bytes: S3's sort order is the order of these."""
    return key.encode("utf-8", "surrogateescape")


class Kind(StrEnum):
    """What a file is for in a dataset."""

    IMAGE = "image"
    CAPTION = "caption"
    MASK = "mask"
    OTHER = "other"
    IGNORED = "ignored"


class Evidence(StrEnum):
    """Why a verdict is believed; cheap to dear (design section 2)."""

    SIZE = "size"
    ETAG_MD5 = "etag-md5"
    RECORDED = "recorded"
    ETAG_MULTIPART = "etag-multipart"
    CHECKSUM = "checksum"
    CLAIMED = "claimed"
    BODY = "body"
    NAME = "name"


class Content(StrEnum):
    """What the evidence says about the bytes of both sides."""

    SAME = "same"
    DIFFERENT = "different"
    UNKNOWN = "unknown"


class Verdict(StrEnum):
    """What is concluded about one key; `core.compare` has the table."""

    SYNCED = "synced"
    LOCAL_ONLY = "local-only"
    LOCAL_CHANGED = "local-changed"
    DIFFERS = "differs"
    REMOTE_CHANGED = "remote-changed"
    CONFLICT = "conflict"
    DELETED_REMOTELY = "deleted-remotely"
    DELETED_LOCALLY = "deleted-locally"
    REMOTE_ONLY = "remote-only"
    UNVERIFIED = "unverified"
    REFUSED = "refused"


NEEDS_SYNC = frozenset(
    {
        Verdict.LOCAL_ONLY,
        Verdict.LOCAL_CHANGED,
        Verdict.DIFFERS,
        Verdict.REMOTE_CHANGED,
        Verdict.CONFLICT,
        Verdict.DELETED_REMOTELY,
    }
)
"""Red: the bucket does not hold this file's bytes."""


class Stamp(NamedTuple):
    """What the file system says of a file; a cached digest is trusted only while all of it matches."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int


class LocalFile(NamedTuple):
    """A file on disk. `md5` is lower-case hex, or None where `trouble` says why it could not be read."""

    key: Key
    stamp: Stamp
    md5: str | None = None
    trouble: str | None = None

    @property
    def size(self) -> int:
        """Size in bytes."""
        return self.stamp.size


class RemoteObject(NamedTuple):
    """An object as listed. A saved listing of names alone leaves `size` and `etag` None; `etag` has no quotes.

    `encryption` and `checksum` are what an inventory says of it: how it is encrypted, such as `SSE-S3`, and the kinds
    of checksums that are kept beside it. Listings never say them.
    """

    key: Key
    size: int | None = None
    etag: str | None = None
    last_modified: str | None = None
    encryption: str | None = None
    checksum: str | None = None


class Base(NamedTuple):
    """What was last proven equal on both sides: this digest, under this ETag, of this size.

    With `common` False the disk never had these bytes: the object was read, and this is what it held.
    """

    key: Key
    md5: str
    etag: str
    size: int
    common: bool = True


class FileStatus(NamedTuple):
    """The verdict on one key, with its evidence; `detail` names it more closely, such as the checksum's kind.

    `settle` says what would settle an `unverified`.
    """

    key: Key
    kind: Kind
    verdict: Verdict
    evidence: Evidence | None = None
    reason: str | None = None
    settle: str | None = None
    local: LocalFile | None = None
    remote: RemoteObject | None = None
    base: Base | None = None
    detail: str | None = None


class Problem(NamedTuple):
    """Something that kept a file or folder from being judged, in words."""

    key: str
    code: str
    message: str

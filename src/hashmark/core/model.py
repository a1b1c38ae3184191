"""The nouns: keys, what both sides hold, and what is concluded from it.

Plain values without behaviour beyond derived properties. They do not know how they were read, hashed, listed or
stored. Values created for each file of each side are named tuples, which take a third of a dataclass's time.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, NewType

from hashmark.core.display import shortened

Key = NewType("Key", str)
"""A path inside a dataset, separated by `/`. Bytes that are not UTF-8 are lone surrogates (`surrogateescape`), so that
hashmark can name, and refuse, any name found on disk without loss."""

EMPTY_MD5 = "d41d8cd98f00b204e9800998ecf8427e"


def key_bytes(key: str) -> bytes:
    """Return the key as bytes, whose order is the order of S3 listings."""
    return key.encode("utf-8", "surrogateescape")


class Kind(StrEnum):
    """What a file is for in a dataset."""

    IMAGE = "image"
    CAPTION = "caption"
    MASK = "mask"
    OTHER = "other"
    IGNORED = "ignored"


class Evidence(StrEnum):
    """What a verdict rests on; cheapest first."""

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
    """What is concluded about one key, by the decision table of `core.compare`."""

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
    """What the file system reports about a file. A cached digest is valid only while all of it matches."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int


class LocalFile(NamedTuple):
    """A file on disk. `md5` is lower-case hex, or None; `trouble` says why the file could not be read."""

    key: Key
    stamp: Stamp
    md5: str | None = None
    trouble: str | None = None

    @property
    def size(self) -> int:
        """Size in bytes."""
        return self.stamp.size


class RemoteObject(NamedTuple):
    """An object as listed. `size` and `etag` are None in a saved listing of names; `etag` has no quotes.

    Only an inventory gives `encryption`, such as `SSE-S3`, and `checksum`, the kinds of checksums stored with it.
    """

    key: Key
    size: int | None = None
    etag: str | None = None
    last_modified: str | None = None
    encryption: str | None = None
    checksum: str | None = None


class Base(NamedTuple):
    """The content that was last proven equal on both sides: its digest, ETag and size.

    With `common` False the disk never had these bytes: they were read from the object. `last_modified` is the time that
    was listed with the object; until a listing shows it, the latest that it may be (`core.compare.written_by`).
    """

    key: Key
    md5: str
    etag: str
    size: int
    common: bool = True
    last_modified: str | None = None


class FileStatus(NamedTuple):
    """The verdict on one key, with its evidence; `detail` specifies the evidence, such as the kind of checksum.

    `remedy` says what would settle an `unverified`.
    """

    key: Key
    kind: Kind
    verdict: Verdict
    evidence: Evidence | None = None
    reason: str | None = None
    remedy: str | None = None
    local: LocalFile | None = None
    remote: RemoteObject | None = None
    base: Base | None = None
    detail: str | None = None

    def __repr__(self) -> str:
        by = f" by {self.evidence}" if self.evidence else ""
        return f"<FileStatus {shortened(self.key)}: {self.verdict}{by}>"


class Problem(NamedTuple):
    """What kept a file or folder from being judged, or what is wrong with how it is named."""

    key: str
    code: str
    message: str

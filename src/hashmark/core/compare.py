"""What follows from what is known about one key; and the three sides, joined in key order.

The decision table (B = base, what was last proven equal):

    local  object  content    base                       verdict
    yes    yes     same       any                        synced
    yes    yes     different  local = B, ETag ≠ B        remote-changed
    yes    yes     different  local ≠ B, ETag = B        local-changed
    yes    yes     different  both ≠ B                   conflict
    yes    yes     different  none                       differs
    yes    yes     unknown    any                        unverified
    yes    no      –          none                       local-only
    yes    no      –          local = B                  deleted-remotely
    yes    no      –          local ≠ B                  conflict
    no     yes     –          none                       remote-only
    no     yes     –          ETag = B                   deleted-locally
    no     yes     –          ETag ≠ B                   conflict
    unsafe or colliding key, unreadable file             refused

One row is missing from it on purpose: content that is proven different although both sides still equal the
base means that the base is wrong, so it counts as none. Knows nothing of where its three inputs come from,
and never asks for more evidence: it names what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

from hashmark.core import etags
from hashmark.core.keys import is_folder_marker, is_ours, unsafe_reason
from hashmark.core.model import (
    Base,
    Content,
    Evidence,
    FileStatus,
    Key,
    Kind,
    LocalFile,
    RemoteObject,
    Verdict,
    comes_before,
)
from hashmark.core.pairs import Pairing


class Weighed(NamedTuple):
    """What the listing alone proves about the bytes of both sides.

    Where it is not enough, `reason` says why and `settle` what would be. `detail` names what the evidence was, such
    as the checksum's kind or the parts' sizes.
    """

    content: Content
    evidence: Evidence | None = None
    reason: str | None = None
    settle: str | None = None
    detail: str | None = None


class Joined(NamedTuple):
    """One key on the three sides; at least one of them holds it."""

    key: Key
    local: LocalFile | None
    remote: RemoteObject | None
    base: Base | None


MD5_MISMATCH = "the ETag is not the file's MD5, but it may not be an MD5 at all"
MULTIPART = "uploaded in parts: its ETag depends on the part size"
OPAQUE = "the store's ETag is not an MD5"
NAME_ONLY = "the listing has names only"


_BY_MD5 = Weighed(Content.SAME, Evidence.ETAG_MD5)
_RECORDED = Weighed(Content.SAME, Evidence.RECORDED)


def weigh(local: LocalFile, remote: RemoteObject, base: Base | None) -> Weighed:
    """Evidence that costs nothing beyond the listing, cheapest first. `local.md5` must be known."""
    if remote.etag is None and remote.size is None:
        return Weighed(Content.UNKNOWN, Evidence.NAME, NAME_ONLY, "a listing with ETags: `hashmark ls-remote --json`")
    if remote.size is not None and remote.size != local.size:
        return Weighed(Content.DIFFERENT, Evidence.SIZE)
    if remote.size == 0 and local.size == 0:
        return Weighed(Content.SAME, Evidence.SIZE)
    known = base.md5 if base is not None and remote.etag == base.etag and remote.size == base.size else None
    matches = remote.etag is not None and remote.etag == local.md5
    if known is not None and known != local.md5:
        # Also where the ETag matches: it was read once, and what was read outweighs what an ETag claims.
        return Weighed(Content.DIFFERENT, Evidence.RECORDED, "its bytes were read and are others" if matches else None)
    if matches:
        return _BY_MD5
    if known is not None:
        return _RECORDED
    return _unsettled(remote.etag)


def _unsettled(etag: str | None) -> Weighed:
    if etag is None:
        return Weighed(Content.UNKNOWN, None, "the listing has no ETag for it", "`hashmark verify`")
    if etags.looks_like_md5(etag):
        return Weighed(Content.UNKNOWN, None, MD5_MISMATCH, "`hashmark verify`")
    if etags.part_count(etag):
        return Weighed(Content.UNKNOWN, None, MULTIPART, "`hashmark verify`")
    return Weighed(Content.UNKNOWN, None, OPAQUE, "`hashmark verify`")


def conclude(
    content: Content | None,
    *,
    has_local: bool,
    has_remote: bool,
    local_is_base: bool | None,
    remote_is_base: bool | None,
) -> Verdict:
    """The decision table. `content` is None unless both sides hold the key; `…_is_base` is None without a base."""
    if has_local and has_remote:
        return _both(content, local_is_base, remote_is_base)
    if has_local:
        return {None: Verdict.LOCAL_ONLY, True: Verdict.DELETED_REMOTELY, False: Verdict.CONFLICT}[local_is_base]
    return {None: Verdict.REMOTE_ONLY, True: Verdict.DELETED_LOCALLY, False: Verdict.CONFLICT}[remote_is_base]


def _both(content: Content | None, local_is_base: bool | None, remote_is_base: bool | None) -> Verdict:
    if content is Content.SAME:
        return Verdict.SYNCED
    if content is not Content.DIFFERENT:
        return Verdict.UNVERIFIED
    if local_is_base is None or remote_is_base is None:
        return Verdict.DIFFERS
    return _DIFFERENT[local_is_base, remote_is_base]


_DIFFERENT = {
    (True, False): Verdict.REMOTE_CHANGED,
    (False, True): Verdict.LOCAL_CHANGED,
    (False, False): Verdict.CONFLICT,
    (True, True): Verdict.DIFFERS,
}


def judge(joined: Joined, kind: Kind, weighed: Weighed | None = None) -> FileStatus:
    """The status of one key, by `weighed` where given, else by what the listing alone proves."""
    local, remote, base = joined.local, joined.remote, joined.base
    if local is not None and local.trouble:
        return _status(joined, kind, Verdict.REFUSED, Weighed(Content.UNKNOWN, None, local.trouble))
    if local is not None and remote is not None and weighed is None:
        weighed = weigh(local, remote, base)
    if base is not None and not base.common:
        base = None  # knowledge of an object, not a past of both sides
    verdict = conclude(
        weighed.content if weighed else None,
        has_local=local is not None,
        has_remote=remote is not None,
        local_is_base=local.md5 == base.md5 if local and base else None,
        remote_is_base=_remote_is_base(remote, base) if remote and base else None,
    )
    return _status(joined, kind, verdict, weighed)


def _remote_is_base(remote: RemoteObject, base: Base) -> bool:
    if remote.etag is None:
        return False
    return remote.etag == base.etag and remote.size in (None, base.size)


def _status(joined: Joined, kind: Kind, verdict: Verdict, weighed: Weighed | None) -> FileStatus:
    key, local, remote, base = joined
    if weighed is None:
        return FileStatus(key, kind, verdict, local=local, remote=remote, base=base)
    _, evidence, reason, settle, detail = weighed
    return FileStatus(key, kind, verdict, evidence, reason, settle, local, remote, base, detail)


def refuse_unsafe(joined: Joined, kind: Kind) -> FileStatus | None:
    """A `refused` status where the key must not become a path, else None."""
    reason = unsafe_reason(joined.key)
    return _status(joined, kind, Verdict.REFUSED, Weighed(Content.UNKNOWN, None, reason)) if reason else None


T = TypeVar("T", LocalFile, RemoteObject, Base)


def in_order(items: Iterable[T], side: str) -> Iterator[T]:
    """The items, once it is sure that their keys ascend strictly in byte order.

    Raises:
        ValueError: a key is not after the one before it; a join would silently miss keys.
    """
    last: Key | None = None
    for item in items:
        if last is not None and not comes_before(last, item.key):
            raise ValueError(f"{side} keys are out of order: {item.key!r} after {last!r}")
        last = item.key
        yield item


def join(
    locals_: Iterable[LocalFile],
    remotes: Iterable[RemoteObject],
    bases: Iterable[Base],
    on_gone: Callable[[Key], None] = lambda _key: None,
) -> Iterator[Joined]:
    """Merge three streams in ascending byte order of their keys into one, in constant memory.

    A key that only the base knows is gone from both sides: it is told to `on_gone` and left out.
    """
    left = in_order(locals_, "local")
    right = in_order(remotes, "remote")
    middle = in_order(bases, "base")
    local, remote, base = next(left, None), next(right, None), next(middle, None)
    while local is not None or remote is not None:
        key = _first(local, remote)
        while base is not None and comes_before(base.key, key):
            on_gone(base.key)
            base = next(middle, None)
        here = local if local is not None and local.key == key else None
        there = remote if remote is not None and remote.key == key else None
        own = base if base is not None and base.key == key else None
        base = next(middle, None) if own is not None else base
        yield Joined(key, here, there, own)
        local = next(left, None) if here is not None else local
        remote = next(right, None) if there is not None else remote
    while base is not None:
        on_gone(base.key)
        base = next(middle, None)


def _first(local: LocalFile | None, remote: RemoteObject | None) -> Key:
    """The key that comes first; at least one of both is there."""
    if local is None or (remote is not None and comes_before(remote.key, local.key)):
        assert remote is not None  # noqa: S101 - as said
        return remote.key
    return local.key


def relevant(joined: Iterable[Joined], pairing: Pairing) -> Iterator[tuple[Joined, Kind]]:
    """The joined keys that belong to the dataset, with their kind: no folder markers, litter or state."""
    for row in joined:
        if is_folder_marker(row.key) or is_ours(row.key):
            continue
        kind = pairing.kind(row.key)
        if kind is not Kind.IGNORED:
            yield row, kind

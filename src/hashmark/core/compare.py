"""What follows from what is known about one key.

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
base means that the base is wrong, so it counts as none. Knows nothing of where what is known comes from,
and never asks for more evidence: it names what is missing.
"""

from __future__ import annotations

from typing import NamedTuple

from hashmark.core import etags
from hashmark.core.keys import unsafe_reason
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
)


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

# Asked for each file: Python 3.11 takes ten times as long to look up a member in its Enum class as a module's own name.
_SAME, _SYNCED = Content.SAME, Verdict.SYNCED
_BY_MD5 = Weighed(Content.SAME, Evidence.ETAG_MD5)
_RECORDED = Weighed(Content.SAME, Evidence.RECORDED)
_NOTHING = Weighed(Content.UNKNOWN)


def weigh(local: LocalFile, remote: RemoteObject, base: Base | None) -> Weighed:
    """Evidence that costs nothing beyond the listing, cheapest first. `local.md5` must be known."""
    size, etag = remote.size, remote.etag
    if etag is None and size is None:
        return Weighed(Content.UNKNOWN, Evidence.NAME, NAME_ONLY, "a listing with ETags: `hashmark ls-remote --json`")
    if size is not None and size != local.size:
        return Weighed(Content.DIFFERENT, Evidence.SIZE)
    if size == 0 and local.size == 0:
        return Weighed(Content.SAME, Evidence.SIZE)
    known = base.md5 if base is not None and etag == base.etag and size == base.size else None
    matches = etag is not None and etag == local.md5
    if known is not None and known != local.md5:
        # Also where the ETag matches: it was read once, and what was read outweighs what an ETag claims.
        return Weighed(Content.DIFFERENT, Evidence.RECORDED, "its bytes were read and are others" if matches else None)
    if matches:
        return _BY_MD5
    if known is not None:
        return _RECORDED
    return _unsettled(etag)


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
    if local is not None and remote is not None:
        weighed = weighed or weigh(local, remote, base)
        if weighed.content is _SAME:
            return _status(joined, kind, _SYNCED, weighed)  # as the table says, whatever the base
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
    _, evidence, reason, settle, detail = weighed or _NOTHING
    return FileStatus(key, kind, verdict, evidence, reason, settle, local, remote, base, detail)


def refuse_unsafe(joined: Joined, kind: Kind) -> FileStatus | None:
    """A `refused` status where the key must not become a path, else None."""
    reason = unsafe_reason(joined.key)
    return _status(joined, kind, Verdict.REFUSED, Weighed(Content.UNKNOWN, None, reason)) if reason else None

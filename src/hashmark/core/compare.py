"""Decides the verdict on one key from what is known about it.

The decision table (B = base, what was last proven equal):

    local  object  content    base                       verdict
    yes    yes     same       any                        synced
    yes    yes     different  local = B, ETag ≠ B        remote-changed
    yes    yes     different  local ≠ B, ETag = B        local-changed
    yes    yes     different  both ≠ B                   conflict
    yes    yes     different  none                       differs
    yes    yes     unknown    local = B, object newer    remote-changed
    yes    yes     unknown    any other                  unverified
    yes    no      –          none                       local-only
    yes    no      –          local = B                  deleted-remotely
    yes    no      –          local ≠ B                  conflict
    no     yes     –          none                       remote-only
    no     yes     –          ETag = B                   deleted-locally
    no     yes     –          ETag ≠ B                   conflict
    unsafe or colliding key, unreadable file             refused

An object is newer if it has neither the ETag nor the time that it had when it was proven equal: then it was written
again, and whatever its bytes are, the file is what was there before.

One row is absent on purpose: content that is proven different although both sides still equal the base means that
the base is wrong, so it counts as none. Knows nothing about where its inputs come from, and never requests more
evidence: it names what is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
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


class Comparison(NamedTuple):
    """What is proven about the bytes of both sides.

    Where nothing is, `reason` says why and `remedy` what would settle it. `detail` specifies the evidence: the kind of
    checksum, or the sizes of the parts. `remote_md5` is the digest of the object's bytes, where they were read.
    """

    content: Content
    evidence: Evidence | None = None
    reason: str | None = None
    remedy: str | None = None
    detail: str | None = None
    remote_md5: str | None = None


class KeyState(NamedTuple):
    """One key on the disk, in the bucket and in the base; at least one of them holds it."""

    key: Key
    local: LocalFile | None
    remote: RemoteObject | None
    base: Base | None


MD5_MISMATCH = "the ETag is not the file's MD5, but it may not be an MD5 at all"
MULTIPART = "a multipart object: its ETag depends on the part size"
OPAQUE = "the store's ETag is not an MD5"
NAME_ONLY = "the listing has names only"
WRITTEN_AGAIN = (
    "it was written again after its bytes were proven, and this store may keep the ETag when a file is written through "
    "a mount"
)
REPLACED = "the object was replaced after it was last proven equal"

# Read for each file: Python 3.11 takes ten times as long to find a member of an Enum class as a module's own name.
_SAME, _SYNCED = Content.SAME, Verdict.SYNCED
_BY_MD5 = Comparison(Content.SAME, Evidence.ETAG_MD5)
_RECORDED = Comparison(Content.SAME, Evidence.RECORDED)
_NOTHING = Comparison(Content.UNKNOWN)
_new = tuple.__new__  # without the checks of a named tuple's own

LISTING_LAG = timedelta(minutes=10)
"""For so long a listing that contradicts what was written is doubted."""

RACY_FOR = timedelta(seconds=2)
"""For so long after an object's time, it may be written again at the same second; clocks are read in whole ones."""

SECONDS = len("2026-11-30T12:00:00")
"""Characters of a time without its fraction of a second."""


MAX_CLOCK_DIFFERENCE = timedelta(seconds=1)
"""By how much the time that is listed for an object may be later than that of the answer which confirmed its writing,
where the store's machines have clocks of their own."""


def written_by(answered: datetime | None) -> str | None:
    """Return the `last_modified` of a base whose object we wrote, by the time of the answer, in UTC."""
    return f"<{answered + MAX_CLOCK_DIFFERENCE:%Y-%m-%dT%H:%M:%S}Z" if answered else None


NO_TIME = "<"
"""The `last_modified` of a base whose ETag proves nothing: the store may still give it to other bytes."""


def is_provisional(base: Base) -> bool:
    """Return whether no listing has shown the time of the object yet, which we wrote."""
    return base.last_modified is not None and base.last_modified.startswith("<")


def is_deletion(base: Base) -> bool:
    """Return whether the base is of an object that we deleted, which a listing may still have for some time."""
    return not base.etag and is_provisional(base)


def is_as_proven(base: Base, remote: RemoteObject) -> bool:
    """Return whether the time listed with an object is the one that it had when its bytes were proven.

    Also where one of the times is not known, or has no fraction of a second. Times are in UTC, as S3 lists them.
    """
    proven, listed = base.last_modified, remote.last_modified
    if proven is None or listed is None or proven == listed:
        return True
    if is_provisional(base):
        return listed[:SECONDS] <= proven[1:][:SECONDS]
    has_fractions = "." in proven and "." in listed
    return not has_fractions and proven[:SECONDS] == listed[:SECONDS]


def is_racy(base: Base, now: datetime | None) -> bool:
    """Return whether other bytes may still be written at the time that is listed with the object, in whole seconds."""
    if now is None or base.last_modified is None:
        return True
    return base.last_modified.removeprefix("<")[:SECONDS] >= f"{now - RACY_FOR:%Y-%m-%dT%H:%M:%S}"


def is_recent(base: Base, now: datetime) -> bool:
    """Return whether the object was written in the last minutes before `now`, in UTC, as far as the base knows.

    A listing that lags behind may still show what was there before (Cloudflare R2's has).
    """
    written = (base.last_modified or "").removeprefix("<")
    return bool(written) and written[:SECONDS] >= f"{now - LISTING_LAG:%Y-%m-%dT%H:%M:%S}"


def compare_listed(
    local: LocalFile, remote: RemoteObject, base: Base | None, *, etags_follow: bool = False
) -> Comparison:
    """Compare by evidence that costs nothing beyond the listing, cheapest first. `local.md5` must be known.

    `etags_follow` says that the ETag changes whenever the bytes do. Where that is not known, the ETag of an object that
    was written again after it was proven shows nothing.
    """
    size, etag = remote.size, remote.etag
    if etag is None and size is None:
        remedy = "a listing with ETags: `hashmark ls-remote --json`"
        return Comparison(Content.UNKNOWN, Evidence.NAME, NAME_ONLY, remedy)
    if size is not None and size != local.size:
        return Comparison(Content.DIFFERENT, Evidence.SIZE)
    if size == 0 and local.size == 0:
        return Comparison(Content.SAME, Evidence.SIZE)
    known = None
    if base is not None and etag == base.etag and size == base.size:
        if not (etags_follow or is_as_proven(base, remote)):
            return Comparison(Content.UNKNOWN, None, WRITTEN_AGAIN, "`hashmark verify`")
        known = base.md5
    matches = etag is not None and local.md5 is not None and etags.is_md5(etag, local.md5)
    if known is not None and known != local.md5:
        # Even if the ETag matches: bytes that were read outweigh what an ETag claims.
        reason = "its bytes were read and differ" if matches else None
        return Comparison(Content.DIFFERENT, Evidence.RECORDED, reason)
    if matches:
        return _BY_MD5
    if known is not None:
        return _RECORDED
    if etag is None:
        reason = "the listing has no ETag for it"
    elif etags.may_be_md5(etag):
        reason = MD5_MISMATCH
    else:
        reason = MULTIPART if etags.part_count(etag) else OPAQUE
    return Comparison(Content.UNKNOWN, None, reason, "`hashmark verify`")


def conclude(
    content: Content | None,
    *,
    has_local: bool,
    has_remote: bool,
    local_is_base: bool | None,
    remote_is_base: bool | None,
) -> Verdict:
    """Apply the decision table. `content` is None unless both sides hold the key; `…_is_base`, without a base."""
    if has_local and has_remote:
        if content is Content.SAME:
            return Verdict.SYNCED
        if content is not Content.DIFFERENT:
            return Verdict.UNVERIFIED
        if local_is_base is None or remote_is_base is None:
            return Verdict.DIFFERS
        return _DIFFERENT[local_is_base, remote_is_base]
    if has_local:
        return {None: Verdict.LOCAL_ONLY, True: Verdict.DELETED_REMOTELY, False: Verdict.CONFLICT}[local_is_base]
    return {None: Verdict.REMOTE_ONLY, True: Verdict.DELETED_LOCALLY, False: Verdict.CONFLICT}[remote_is_base]


_DIFFERENT = {
    (True, False): Verdict.REMOTE_CHANGED,
    (False, True): Verdict.LOCAL_CHANGED,
    (False, False): Verdict.CONFLICT,
    (True, True): Verdict.DIFFERS,
}


def judge(state: KeyState, kind: Kind, compared: Comparison | None = None, *, etags_follow: bool = False) -> FileStatus:
    """Return the status of one key, by `compared` where given, else by what the listing proves (`compare_listed`)."""
    local, remote, base = state.local, state.remote, state.base
    is_final = compared is not None and compared.content is Content.UNKNOWN
    if local is not None and local.trouble:
        return _status(state, kind, Verdict.REFUSED, Comparison(Content.UNKNOWN, None, local.trouble))
    if local is not None and remote is not None:
        compared = compared or compare_listed(local, remote, base, etags_follow=etags_follow)
        if compared.content is _SAME:
            return _status(state, kind, _SYNCED, compared)  # whatever the base, as the table says
    if base is not None and not base.common:
        base = None  # it describes the object alone, and was never common to both sides
    if is_final and local and remote and base and local.md5 == base.md5 and _is_newer(remote, base):
        compared = Comparison(Content.UNKNOWN, Evidence.RECORDED, REPLACED)
        return _status(state, kind, Verdict.REMOTE_CHANGED, compared)
    verdict = conclude(
        compared.content if compared else None,
        has_local=local is not None,
        has_remote=remote is not None,
        local_is_base=local.md5 == base.md5 if local and base else None,
        remote_is_base=_is_base(remote, base, compared, etags_follow=etags_follow) if remote and base else None,
    )
    return _status(state, kind, verdict, compared)


def _is_newer(remote: RemoteObject, base: Base) -> bool:
    """Return whether the object has neither the ETag nor the time of the base."""
    has_time = base.last_modified is not None and remote.last_modified is not None and not is_provisional(base)
    return remote.etag is not None and remote.etag != base.etag and has_time and not is_as_proven(base, remote)


def _is_base(remote: RemoteObject, base: Base, compared: Comparison | None, *, etags_follow: bool) -> bool:
    if compared and compared.remote_md5 is not None:
        return compared.remote_md5 == base.md5
    same = remote.etag == base.etag and remote.size in {None, base.size}
    return same and (etags_follow or is_as_proven(base, remote))


def plainly_same(rows: Sequence[tuple[KeyState, Kind]]) -> list[FileStatus | None]:
    """Return the statuses of the rows that the listing alone shows to be the same, and None for all others.

    Without a base, the ETag is the file's MD5. With one, digest, ETag, size and time are still those of the base.
    These are the statuses that `judge` returns, without its questions, which most rows of most datasets need not be
    asked.
    """
    evidence = {True: Evidence.ETAG_MD5, False: Evidence.RECORDED}
    return [
        _new(
            FileStatus,
            (key, kind, _SYNCED, evidence[remote.etag == local.md5], None, None, local, remote, base, None),
        )
        if local is not None
        and remote is not None
        and local.md5 is not None
        and 0 < local.stamp.size == remote.size
        and (
            remote.etag == local.md5
            if base is None
            else local.md5 == base.md5
            and remote.etag == base.etag
            and remote.size == base.size
            and base.common
            and remote.last_modified == base.last_modified
        )
        and local.trouble is None
        else None
        for (key, local, remote, base), kind in rows
    ]


def _status(state: KeyState, kind: Kind, verdict: Verdict, compared: Comparison | None) -> FileStatus:
    key, local, remote, base = state
    _, evidence, reason, remedy, detail, _ = compared or _NOTHING
    return FileStatus(key, kind, verdict, evidence, reason, remedy, local, remote, base, detail)


def refuse_unsafe(state: KeyState, kind: Kind) -> FileStatus | None:
    """Return a `refused` status where the key must not become a path, else None."""
    reason = unsafe_reason(state.key)
    return _status(state, kind, Verdict.REFUSED, Comparison(Content.UNKNOWN, None, reason)) if reason else None

"""Settles what the listing leaves open with requests and reads, and spends none on anything else.

Small objects are read. For others, a mismatch of an ETag that may not be made of MD5s is never a difference by itself:
one HEAD request finds encryption that changes ETags, or a stored checksum, and the bucket must have shown what its
ETags are. What stays open is `unverified`, with the reason and what would settle it. `evidence.inspection` inspects;
`core.compare` has the verdicts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import NamedTuple, cast

from hashmark.core.blocks import blocks
from hashmark.core.compare import (
    SECONDS,
    WRITTEN_AGAIN,
    Comparison,
    KeyState,
    is_as_proven,
    is_deletion,
    is_provisional,
    is_recent,
    judge,
    plainly_same,
    refuse_unsafe,
)
from hashmark.core.errors import HashmarkError
from hashmark.core.etags import is_md5
from hashmark.core.keys import surely_safe, unsafe_reason
from hashmark.core.model import Base, Content, Evidence, FileStatus, Kind, RemoteObject, Verdict
from hashmark.evidence import inspection
from hashmark.evidence.inspection import (
    VERIFY,
    BodyComparison,
    DigestIsWrong,
    Inspected,
    Inspector,
    Mismatch,
    by_body,
    by_listing,
)
from hashmark.s3.bucket import Bucket
from hashmark.s3.store_capabilities import NOTHING_KNOWN, SUPPORTED, UNKNOWN, UNSUPPORTED, StoreCapabilities

WORKER_THREADS = 8
MAX_WAITING_ROWS = 512
"""Rows held back for the first match in the bucket, which may show what its ETags are."""
MAX_LISTING_CHECKS = 3
"""Objects that get a HEAD request to find out whether a store lists what it has, if they change meanwhile."""

_SYNCED = Verdict.SYNCED  # read once for each file, as in `core.compare`

_NOT_SHOWN = {
    Evidence.ETAG_MD5: "the ETag is not the file's MD5, and this bucket has not shown that its ETags are MD5s",
    Evidence.ETAG_MULTIPART: (
        "the ETag is not that of this file in these parts, and this bucket has not shown that such ETags are always "
        "made of MD5s"
    ),
}


class Current(NamedTuple):
    """A key whose listing contradicts what was just written, with its object looked up, and what that left open."""

    row: KeyState
    inspected: Inspected | None


class Settler:
    """Settles, for one dataset, what the listing leaves open.

    `trusted` is what the bucket's ETags are known to be: MD5s (ETAG_MD5), and for multipart objects, made of MD5s
    (ETAG_MULTIPART). A match adds to it unless the capability is unsupported, and one contradiction removes it:
    `withdrawn`. Without a `bucket` (a saved listing), no request is sent and only the listing counts. `on_body` is
    called with each row whose object was read, or with None in place of what was read where the file does not have the
    bytes of its remembered digest.

    `exact_listing` is what is known of the listing by now. Where it shows other sizes or ETags than a HEAD request, as
    by some gateways, each object gets one, and the statuses have what it shows.
    """

    def __init__(
        self,
        bucket: Bucket | None,
        root: Path,
        prefix: str,
        capabilities: StoreCapabilities = NOTHING_KNOWN,
        *,
        withdrawn: Collection[Evidence] = (),
        on_body: Callable[[KeyState, BodyComparison | None], None] = lambda _row, _body: None,
    ) -> None:
        self._bucket = bucket
        self._inspector = Inspector(bucket, root, prefix, capabilities) if bucket else None
        self._root = root
        self._on_body = on_body
        self._etags_follow = capabilities.etag_follows is SUPPORTED
        etags_known = {Evidence.ETAG_MD5: capabilities.etag_md5}
        if capabilities.etag_part_copy is SUPPORTED:
            # Otherwise no multipart object shows what the ETag of the next one is made of.
            etags_known[Evidence.ETAG_MULTIPART] = capabilities.etag_multipart
        self._earned = {kind for kind, known in etags_known.items() if known is SUPPORTED}
        self._may_earn = frozenset(kind for kind, known in etags_known.items() if known is not UNSUPPORTED)
        self.withdrawn: set[Evidence] = set(withdrawn)
        self.exact_listing = capabilities.exact_listing if bucket else SUPPORTED
        self._listing_checks = 0

    @property
    def trusted(self) -> frozenset[Evidence]:
        """What the bucket's ETags are known to be, by now."""
        return frozenset(self._earned - self.withdrawn)

    def settle(self, rows: Iterable[tuple[KeyState, Kind]]) -> Iterator[FileStatus]:
        """Yield a status for every row, in the same order.

        A mismatch that only trust can settle waits for a match that earns it, or a contradiction that withdraws it,
        for at most MAX_WAITING_ROWS rows.
        """
        waiting: deque[tuple[KeyState, Kind, FileStatus | Future[Inspected | Current]]] = deque()
        pool = ThreadPoolExecutor(WORKER_THREADS, thread_name_prefix="settle")
        try:
            for block in blocks(rows):
                known = self._plainly_same(block)
                if self.exact_listing is UNKNOWN and not all(known):
                    self._check_listing([row for (row, _), status in zip(block, known, strict=True) if not status])
                if self.exact_listing is UNSUPPORTED:
                    known = [None] * len(block)
                if not waiting and all(known):
                    yield from cast("list[FileStatus]", known)
                    continue
                for (joined, kind), status in zip(block, known, strict=True):
                    first = status or self._first(joined, kind, pool)
                    if not waiting and isinstance(first, FileStatus):
                        yield first
                        continue
                    waiting.append((joined, kind, first))
                    while waiting and (done := self._ready(*waiting[0], wait=len(waiting) > MAX_WAITING_ROWS)):
                        yield done
                        waiting.popleft()
            wait([found for _, _, found in waiting if isinstance(found, Future)])
            for _, _, found in waiting:
                self._earn(found)
            for joined, kind, found in waiting:
                yield found if isinstance(found, FileStatus) else self._final(joined, kind, found.result())
        finally:
            pool.shutdown(cancel_futures=True)

    def _plainly_same(self, rows: list[tuple[KeyState, Kind]]) -> list[FileStatus | None]:
        """Return the statuses of the rows that the listing alone shows to be the same, None for the others."""
        known = plainly_same(rows)
        if not surely_safe([row.key for row, _ in rows]):
            known = [None if status and unsafe_reason(status.key) else status for status in known]
        if Evidence.ETAG_MD5 in self._may_earn - self.trusted:
            match = next((status for status in known if status and status.evidence is Evidence.ETAG_MD5), None)
            if match:
                self._earn(match)
        return known

    def _check_listing(self, rows: Iterable[KeyState]) -> None:
        """Compare the listing of the first of these objects that is not empty with a HEAD request."""
        assert self._inspector is not None  # noqa: S101 - there is a bucket
        for key, _, listed, _ in rows:
            if listed is None or not listed.size or unsafe_reason(key):
                continue
            if self._listing_checks == MAX_LISTING_CHECKS:
                return
            self._listing_checks += 1
            there = listed if listed.etag is None else self._same_version(listed)
            if there is not None:
                is_exact = listed.etag is not None and (there.size, there.etag) == (listed.size, listed.etag)
                self.exact_listing = SUPPORTED if is_exact else UNSUPPORTED
                return

    def _same_version(self, listed: RemoteObject) -> RemoteObject | None:
        """Return the listed object as a HEAD request shows it; None if it changed meanwhile, or there is no answer."""
        assert self._inspector is not None  # noqa: S101 - there is a bucket
        try:
            there = self._inspector.current(listed.key)
        except HashmarkError as error:
            if error.fatal:
                raise
            return None
        return there if there and _is_of_same_time(listed, there) else None

    def _first(
        self, joined: KeyState, kind: Kind, pool: ThreadPoolExecutor
    ) -> FileStatus | Future[Inspected | Current]:
        status = refuse_unsafe(joined, kind) or judge(joined, kind, etags_follow=self._etags_follow)
        if self._is_doubtful(joined, status):
            return pool.submit(self._look_up, joined, kind)
        if status.verdict is _SYNCED and status.evidence in self.trusted:
            return status
        if self._is_rewritten(joined, status):
            return pool.submit(self._read_alone, joined, status)
        self._earn(status)
        if not _is_open(status):
            return status
        return pool.submit(self._inspect, joined, status)

    def _is_rewritten(self, joined: KeyState, status: FileStatus) -> bool:
        """Return whether it is a conflict only because the object was written again under the ETag of its base."""
        base, remote = joined.base, joined.remote
        if not self._bucket or base is None or remote is None or status.verdict is not Verdict.CONFLICT:
            return False
        return (remote.etag, remote.size) == (base.etag, base.size) and base.size <= inspection.MAX_SMALL_BYTES

    def _read_alone(self, joined: KeyState, status: FileStatus) -> Inspected:
        """Return what a small object holds, whatever the file does."""
        assert self._inspector is not None  # noqa: S101 - there is a bucket
        assert joined.remote is not None  # noqa: S101
        comparison = Comparison(Content.DIFFERENT, status.evidence, status.reason, status.remedy, status.detail)
        return self._inspector.read_alone(joined.remote) or comparison

    def _is_doubtful(self, joined: KeyState, status: FileStatus) -> bool:
        """Return whether a listing shows something else than what was written in the last minutes, or is inexact."""
        base, remote = joined.base, joined.remote
        if not self._bucket or status.verdict is Verdict.REFUSED:
            return False
        if remote is not None and (self.exact_listing is UNSUPPORTED or remote.etag is None):
            return True
        if base is None or not (base.common or is_deletion(base)):
            return False
        if remote is not None and remote.etag == base.etag:
            return False
        now = self._bucket.client.store_time()
        return now is not None and is_recent(base, now)

    def _look_up(self, joined: KeyState, kind: Kind) -> Inspected | Current:
        assert self._inspector is not None  # noqa: S101 - there is a bucket
        listed, local = joined.remote, joined.local
        try:
            row = joined._replace(remote=self._inspector.current(joined.key))
        except HashmarkError as error:
            if error.fatal:
                raise
            is_deleted = joined.base is not None and is_deletion(joined.base)
            if listed and local and (is_deleted or self.exact_listing is UNSUPPORTED):
                why = f"inspecting it failed: {error.message}"
                return Current(joined, Comparison(Content.UNKNOWN, None, why, VERIFY))
            row = joined  # as listed: nothing shows that the listing is wrong
        if row.local is None and row.remote is None:
            row = joined
            if listed and joined.base and is_deletion(joined.base):
                # Only the listing still has it: for who deleted it, it is gone.
                row = joined._replace(remote=listed._replace(etag=""), base=joined.base._replace(common=True))
        there = row.remote
        if listed and there and _is_of_same_time(listed, there):
            row = row._replace(remote=there._replace(last_modified=listed.last_modified))
            if local and local.md5 and there.size == local.size and is_md5(listed.etag or "", local.md5):
                return Current(row, Comparison(Content.SAME, Evidence.ETAG_MD5))
        status = judge(row, kind, etags_follow=self._etags_follow)
        return Current(row, self._inspect(row, status) if _is_open(status) else None)

    def _inspect(self, joined: KeyState, status: FileStatus) -> Inspected:
        local, remote, base = joined.local, joined.remote, joined.base
        assert local is not None  # noqa: S101 - unverified means that both sides hold the key
        assert remote is not None  # noqa: S101
        if self._inspector is None:
            return by_listing(self._root, local, remote)
        doubt = Comparison(Content.UNKNOWN, None, WRITTEN_AGAIN, VERIFY) if status.reason == WRITTEN_AGAIN else None
        inspected = self._inspector(local, remote, doubt=doubt)
        if isinstance(inspected, BodyComparison):
            md5_expected = Evidence.ETAG_MD5 in self._may_earn - self.withdrawn
            if md5_expected and doubt is None and self._inspector.is_contradiction(remote, inspected):
                self.withdrawn.add(Evidence.ETAG_MD5)
        elif isinstance(inspected, Mismatch) and base and _has_other_etag_only(remote, base):
            self.withdrawn.add(inspected.evidence)
        return inspected

    def _earn(self, found: FileStatus | Future[Inspected | Current]) -> None:
        """Trust the bucket for what a match shows of its ETags. Two empty files show nothing."""
        if isinstance(found, Future):
            inspected = found.result()
            evidence = None
            if isinstance(inspected, Comparison) and inspected.content is Content.SAME:
                evidence = inspected.evidence
        else:
            if found.evidence in self.trusted or found.evidence not in self._may_earn:
                return
            evidence = found.evidence if found.verdict is Verdict.SYNCED and found.local and found.local.size else None
        if evidence in self._may_earn:
            self._earned.add(evidence)

    def _ready(
        self, joined: KeyState, kind: Kind, found: FileStatus | Future[Inspected | Current], *, wait: bool
    ) -> FileStatus | None:
        if isinstance(found, FileStatus):
            return found
        if not wait and not found.done():
            return None
        self._earn(found)
        inspected = found.result()
        if isinstance(inspected, Mismatch) and not wait:
            return None
        return self._final(joined, kind, inspected)

    def _final(self, joined: KeyState, kind: Kind, inspected: Inspected | Current) -> FileStatus:
        if isinstance(inspected, Current):
            if inspected.inspected is not None:
                return self._final(inspected.row, kind, inspected.inspected)
            return judge(inspected.row, kind, etags_follow=self._etags_follow)
        conclusion = self._conclusion(joined, inspected)
        if isinstance(inspected, DigestIsWrong) and joined.local:
            joined = joined._replace(local=joined.local._replace(md5=None))
        return judge(joined, kind, conclusion, etags_follow=self._etags_follow)

    def _conclusion(self, joined: KeyState, inspected: Inspected) -> Comparison:
        if isinstance(inspected, Comparison):
            return inspected
        if isinstance(inspected, BodyComparison):
            self._on_body(joined, inspected)
            return by_body(inspected)
        if isinstance(inspected, DigestIsWrong):
            self._on_body(joined, None)
            return inspected.comparison
        if inspected.evidence in self.trusted:
            return Comparison(Content.DIFFERENT, inspected.evidence, detail=inspected.detail)
        return Comparison(Content.UNKNOWN, None, _NOT_SHOWN[inspected.evidence], f"`hashmark doctor`, or {VERIFY}")


def _is_of_same_time(listed: RemoteObject, there: RemoteObject) -> bool:
    """Return whether two answers show the same time of an object, in whole seconds."""
    if listed.last_modified is None or there.last_modified is None:
        return False
    return listed.last_modified[:SECONDS] == there.last_modified[:SECONDS]


def _is_open(status: FileStatus) -> bool:
    return status.verdict is Verdict.UNVERIFIED and status.evidence is not Evidence.NAME


def _has_other_etag_only(remote: RemoteObject, base: Base) -> bool:
    """Return whether the store gives another ETag to an object that has the time at which it was proven."""
    is_known = base.last_modified is not None and remote.last_modified is not None and not is_provisional(base)
    return is_known and is_as_proven(base, remote) and base.common and remote.etag != base.etag

"""Settles what the listing leaves open with requests and reads, and spends none on anything else.

A mismatch of an ETag that may not be made of MD5s is never a difference by itself: one HEAD request finds encryption
that changes ETags, or a stored checksum, and the bucket must have shown what its ETags are. What stays open is
`unverified`, with the reason and what would settle it. `evidence.inspection` inspects; `core.compare` has the verdicts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import cast

from hashmark.core.blocks import blocks
from hashmark.core.compare import Comparison, KeyState, judge, plainly_same, refuse_unsafe
from hashmark.core.keys import surely_safe, unsafe_reason
from hashmark.core.model import Content, Evidence, FileStatus, Kind, Verdict
from hashmark.evidence.inspection import VERIFY, Inspected, Inspector, Mismatch, by_listing
from hashmark.s3.bucket import Bucket
from hashmark.s3.store_capabilities import NOTHING_KNOWN, SUPPORTED, UNSUPPORTED, StoreCapabilities

WORKER_THREADS = 8
MAX_WAITING_ROWS = 512
"""Rows held back for the first match in the bucket, which may show what its ETags are."""

_SYNCED = Verdict.SYNCED  # read once for each file, as in `core.compare`

_NOT_SHOWN = {
    Evidence.ETAG_MD5: "the ETag is not the file's MD5, and this bucket has not shown that its ETags are MD5s",
    Evidence.ETAG_MULTIPART: (
        "the ETag is not that of this file in these parts, and this bucket has not shown that such ETags are always "
        "made of MD5s"
    ),
}


class Settler:
    """Settles, for one dataset, what the listing leaves open.

    `trusted` is what the bucket's ETags are known to be: MD5s (ETAG_MD5), and for multipart objects, made of MD5s
    (ETAG_MULTIPART). A match adds to it unless the capability is unsupported. Without a `bucket` (a saved listing), no
    request is sent and only the listing counts.
    """

    def __init__(
        self,
        bucket: Bucket | None,
        root: Path,
        prefix: str,
        capabilities: StoreCapabilities = NOTHING_KNOWN,
    ) -> None:
        self._inspector = Inspector(bucket, root, prefix, capabilities) if bucket else None
        self._root = root
        etags_known = {Evidence.ETAG_MD5: capabilities.etag_md5}
        if capabilities.etag_part_copy is SUPPORTED:
            # Otherwise no multipart object shows what the ETag of the next one is made of.
            etags_known[Evidence.ETAG_MULTIPART] = capabilities.etag_multipart
        self.trusted = frozenset(kind for kind, known in etags_known.items() if known is SUPPORTED)
        self._may_earn = frozenset(kind for kind, known in etags_known.items() if known is not UNSUPPORTED)

    def settle(self, rows: Iterable[tuple[KeyState, Kind]]) -> Iterator[FileStatus]:
        """Yield a status for every row, in the same order.

        A mismatch that only trust can settle waits for a match that earns it, for at most MAX_WAITING_ROWS rows.
        """
        waiting: deque[tuple[KeyState, Kind, FileStatus | Future[Inspected]]] = deque()
        pool = ThreadPoolExecutor(WORKER_THREADS, thread_name_prefix="settle")
        try:
            for block in blocks(rows):
                known = self._plainly_same(block)
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

    def _first(self, joined: KeyState, kind: Kind, pool: ThreadPoolExecutor) -> FileStatus | Future[Inspected]:
        status = refuse_unsafe(joined, kind) or judge(joined, kind)
        if status.verdict is _SYNCED and status.evidence in self.trusted:
            return status
        self._earn(status)
        if status.verdict is not Verdict.UNVERIFIED or status.evidence is Evidence.NAME:
            return status
        assert joined.local is not None  # noqa: S101 - unverified means that both sides hold the key
        assert joined.remote is not None  # noqa: S101
        if self._inspector:
            return pool.submit(self._inspector, joined.local, joined.remote)
        return pool.submit(by_listing, self._root, joined.local, joined.remote)

    def _earn(self, found: FileStatus | Future[Inspected]) -> None:
        """Trust the bucket for what a match shows of its ETags. Two empty files show nothing."""
        if isinstance(found, Future):
            inspected = found.result()
            same = isinstance(inspected, Comparison) and inspected.content is Content.SAME
            evidence = inspected.evidence if same else None
        else:
            if found.evidence in self.trusted or found.evidence not in self._may_earn:
                return
            evidence = found.evidence if found.verdict is Verdict.SYNCED and found.local and found.local.size else None
        if evidence in self._may_earn:
            self.trusted |= {evidence}

    def _ready(
        self, joined: KeyState, kind: Kind, found: FileStatus | Future[Inspected], *, wait: bool
    ) -> FileStatus | None:
        if isinstance(found, FileStatus):
            return found
        if not wait and not found.done():
            return None
        self._earn(found)
        inspected = found.result()
        if isinstance(inspected, Mismatch) and inspected.evidence not in self.trusted and not wait:
            return None
        return self._final(joined, kind, inspected)

    def _final(self, joined: KeyState, kind: Kind, inspected: Inspected) -> FileStatus:
        if isinstance(inspected, Comparison):
            return judge(joined, kind, inspected)
        if inspected.evidence in self.trusted:
            return judge(joined, kind, Comparison(Content.DIFFERENT, inspected.evidence, detail=inspected.detail))
        remedy = f"`hashmark doctor`, or {VERIFY}"
        return judge(joined, kind, Comparison(Content.UNKNOWN, None, _NOT_SHOWN[inspected.evidence], remedy))

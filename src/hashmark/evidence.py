"""Spends requests and reads on what the listing can't settle, and only on that.

A mismatch is never called different on the word of an ETag that may not be an MD5: one HEAD looks for
encryption that changes ETags and for a stored checksum, and the bucket must have shown that its ETags are
MD5s. A multipart ETag is computed anew from the parts' sizes. What still can't be told stays `unverified`, with
the reason and what would settle it. Verdicts are the business of `core.compare`.
"""

from __future__ import annotations

import base64
import os
import re
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hashmark.core import etags
from hashmark.core.compare import Joined, Weighed, judge, refuse_unsafe
from hashmark.core.errors import HashmarkError, NoSuchObject
from hashmark.core.model import Content, Evidence, FileStatus, Kind, LocalFile, RemoteObject, Verdict
from hashmark.disk.hashing import hash_file
from hashmark.disk.place import explain
from hashmark.s3.bucket import Bucket, Head
from hashmark.s3.checksums import file_checksum

WORKERS = 8
WINDOW = 512
MAX_PART_HEADS = 64
"""Parts whose sizes are asked one by one; beyond, reading the object is the better proof."""

_VERIFY = "`hashmark verify`"

_UUID4 = re.compile(r"[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}")
"""A version 4 UUID without dashes: what MinIO gives as ETag where it does not compute an MD5 (minio, cmd/etag). One
MD5 in 64 looks so too; a mismatch then stays grey."""


@dataclass(frozen=True, slots=True)
class _Mismatch:
    """The ETag looks like an MD5 and is not the file's; a difference if this bucket's ETags are MD5s."""


Looked = Weighed | _Mismatch


class Settler:
    """Settles, for one dataset, what the listing leaves open.

    `trusted`: this bucket's ETags are known to be MD5s; `may_earn`: a match in the listing may show that they are.
    Without a `bucket` (a saved listing) nothing can be asked, and only the listing counts.
    """

    def __init__(self, bucket: Bucket | None, root: Path, prefix: str, *, trusted: bool, may_earn: bool = True) -> None:
        self._bucket = bucket
        self._root = root
        self._prefix = prefix
        self.trusted = trusted
        self._may_earn = may_earn

    def settle(self, rows: Iterable[tuple[Joined, Kind]]) -> Iterator[FileStatus]:
        """A status for every row, in the same order.

        A mismatch that only trust can settle waits until a match earns it, but not for more than WINDOW rows.
        """
        waiting: deque[tuple[Joined, Kind, FileStatus | Future[Looked]]] = deque()
        pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="settle")
        try:
            for joined, kind in rows:
                waiting.append((joined, kind, self._first(joined, kind, pool)))
                while waiting and (status := self._ready(*waiting[0], wait=len(waiting) > WINDOW)) is not None:
                    yield status
                    waiting.popleft()
            while waiting:
                joined, kind, found = waiting.popleft()
                yield found if isinstance(found, FileStatus) else self._final(joined, kind, found.result())
        finally:
            pool.shutdown(cancel_futures=True)

    def _first(self, joined: Joined, kind: Kind, pool: ThreadPoolExecutor) -> FileStatus | Future[Looked]:
        status = refuse_unsafe(joined, kind) or judge(joined, kind)
        if self._may_earn and status.evidence is Evidence.ETAG_MD5 and joined.local and joined.local.size:
            self.trusted = True
        if status.verdict is not Verdict.UNVERIFIED or status.evidence is Evidence.NAME:
            return status
        assert joined.local is not None  # noqa: S101 - unverified means that both sides hold the key
        assert joined.remote is not None  # noqa: S101
        return pool.submit(self._look, joined.local, joined.remote)

    def _ready(
        self, joined: Joined, kind: Kind, found: FileStatus | Future[Looked], *, wait: bool
    ) -> FileStatus | None:
        if isinstance(found, FileStatus):
            return found
        if not wait and not found.done():
            return None
        looked = found.result()
        if isinstance(looked, _Mismatch) and not self.trusted and not wait:
            return None
        return self._final(joined, kind, looked)

    def _final(self, joined: Joined, kind: Kind, looked: Looked) -> FileStatus:
        if isinstance(looked, Weighed):
            return judge(joined, kind, looked)
        if self.trusted:
            return judge(joined, kind, Weighed(Content.DIFFERENT, Evidence.ETAG_MD5))
        reason = "the ETag is not the file's MD5, and this bucket has not shown that its ETags are MD5s"
        return judge(joined, kind, Weighed(Content.UNKNOWN, None, reason, f"`hashmark doctor`, or {_VERIFY}"))

    def _look(self, local: LocalFile, remote: RemoteObject) -> Looked:
        """What requests and reads can add; runs on a worker's thread."""
        try:
            if self._bucket is None:
                etag = remote.etag or ""
                return _Mismatch() if etags.looks_like_md5(etag) else self._by_parts(local, remote, None)
            head = self._bucket.head(self._prefix + remote.key)
            return self._by_head(local, remote, head)
        except NoSuchObject:
            return Weighed(
                Content.UNKNOWN, None, "it vanished from the bucket after it was listed", "`hashmark status`"
            )
        except HashmarkError as error:
            if error.fatal:
                raise
            return Weighed(Content.UNKNOWN, None, f"asking for its facts failed: {error.message}", _VERIFY)
        except OSError as error:
            return Weighed(Content.UNKNOWN, None, f"the file can't be read: {error.strerror or error}", _VERIFY)

    def _by_head(self, local: LocalFile, remote: RemoteObject, head: Head) -> Looked:
        if head.etag != remote.etag or head.size != remote.size:
            return Weighed(Content.UNKNOWN, None, "it changed in the bucket after it was listed", "`hashmark status`")
        if head.checksums and head.full_object:
            return self._by_checksum(local, head)
        if etags.part_count(head.etag or ""):
            return self._by_parts(local, remote, head)
        if head.encryption:
            return self._claimed(local, head, f"encrypted with {head.encryption}, so its ETag is not an MD5")
        if _UUID4.fullmatch(head.etag or "") and not self._bucket_is_aws():
            return self._claimed(local, head, "its ETag may be a random number, as MinIO makes them")
        if etags.looks_like_md5(head.etag or ""):
            return _Mismatch()
        return self._claimed(local, head, "the store's ETag is not an MD5")

    def _bucket_is_aws(self) -> bool:
        return self._bucket is not None and self._bucket.client.endpoint.is_aws

    def _by_checksum(self, local: LocalFile, head: Head) -> Weighed:
        name = min(head.checksums, key=("sha256", "sha1", "crc64nvme", "crc32c", "crc32").index)
        computed, md5 = file_checksum(self._root / local.key, name)
        if md5 != local.md5:
            return Weighed(Content.UNKNOWN, None, "the file changed after it was compared", "`hashmark status`")
        same = computed == head.checksums[name]
        return Weighed(Content.SAME if same else Content.DIFFERENT, Evidence.CHECKSUM)

    def _claimed(self, local: LocalFile, head: Head, reason: str) -> Weighed:
        """Unknown; but say what the uploader wrote beside the object (rclone: MD5 in base64 as `md5chksum`)."""
        claim = head.metadata.get("md5chksum")
        if claim is None or local.md5 is None:
            return Weighed(Content.UNKNOWN, None, reason, _VERIFY)
        same = claim == base64.b64encode(bytes.fromhex(local.md5)).decode()
        word = "the same" if same else "different"
        return Weighed(Content.UNKNOWN, Evidence.CLAIMED, f"{reason}; its uploader says it is {word}", _VERIFY)

    def _by_parts(self, local: LocalFile, remote: RemoteObject, head: Head | None) -> Weighed:
        parts = etags.part_count(remote.etag or "")
        if parts is None:
            return Weighed(Content.UNKNOWN, None, "the store's ETag is not an MD5", _VERIFY)
        true_cut = self._true_cut(remote, parts) if head else None
        cuts: list[etags.Cut] = [true_cut] if true_cut else [*etags.part_size_candidates(local.size, parts)]
        hasher = etags.MultipartHasher(cuts)
        md5, stamp = hash_file(f"{self._root}/{local.key}", hasher)
        if md5 != local.md5 or stamp != local.stamp:
            return Weighed(Content.UNKNOWN, None, "the file changed after it was compared", "`hashmark status`")
        if remote.etag in hasher.etags().values():
            return Weighed(Content.SAME, Evidence.ETAG_MULTIPART)
        if true_cut and not (head and head.encryption):
            return Weighed(Content.DIFFERENT, Evidence.ETAG_MULTIPART)
        reason = "uploaded in parts of unknown size"
        return self._claimed(local, head, reason) if head else Weighed(Content.UNKNOWN, None, reason, _VERIFY)

    def _true_cut(self, remote: RemoteObject, parts: int) -> tuple[int, ...] | None:
        """The sizes of all parts, as the store tells them, if they add up; None where it does not tell.

        Some stores answer a part's HEAD with the whole object's size, so nothing is believed that is not
        206, of this many parts, and in sum the object's size.
        """
        if parts > MAX_PART_HEADS or self._bucket is None:
            return None
        sizes = []
        for number in range(1, parts + 1):
            try:
                head = self._bucket.head(self._prefix + remote.key, part=number)
            except HashmarkError:
                return None
            if head.status != 206 or head.parts != parts or head.etag != remote.etag:
                return None
            sizes.append(head.size)
        return tuple(sizes) if sum(sizes) == remote.size else None


def body_digest(bucket: Bucket, key: str, remote: RemoteObject, scratch: Path) -> str:
    """Download the object and give the MD5 of its bytes: the dearest proof, and the last word.

    `scratch` is a folder for the temporary file.

    Raises:
        HashmarkError: the object can't be read.
    """
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        handle, path = tempfile.mkstemp(dir=scratch, prefix=f"verify-{os.getpid()}-")
        os.close(handle)
        try:
            bucket.download(key, path, remote.size, etag=remote.etag or "")
            md5, _ = hash_file(path)
        finally:
            Path(path).unlink(missing_ok=True)
    except OSError as error:
        raise explain(error, str(scratch)) from None
    return md5

"""Inspects one object, and reads one file again, to find out what the listing does not show.

A small object is read. For others, cheapest first: one HEAD request for a stored checksum, encryption and the
uploader's claim; then the sizes of the parts, from a HEAD request for the first part or from GetObjectAttributes; then
known uploaders' part sizes. Verdicts, and whether a bucket's ETags are MD5s, are not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from hashmark.core import etags
from hashmark.core.compare import Comparison
from hashmark.core.errors import FileChanged, HashmarkError, NoSuchObject, UnexpectedAnswer
from hashmark.core.model import Content, Evidence, Key, LocalFile, RemoteObject
from hashmark.core.uploader_claims import claimed_digest
from hashmark.disk.hashing import ChangedWhileReading, hash_file
from hashmark.s3.bucket import Bucket
from hashmark.s3.checksums import STRONGEST, composite_checksum, file_checksum
from hashmark.s3.requests import Head
from hashmark.s3.store_capabilities import SUPPORTED, UNSUPPORTED, StoreCapabilities

MAX_SMALL_BYTES = 256 << 10
"""Objects of up to this size are read. That takes about as long as a HEAD request."""

MAX_PART_HEADS = 64
"""Up to so many parts get a HEAD request each where a store does not list them; beyond, reading is the better proof."""

MD5_KEPT = frozenset({"NOT-SSE", "SSE-S3"})
"""Values of an inventory's encryption status with which an ETag is still an MD5."""

VERIFY = "`hashmark verify`"
AGAIN = "`hashmark status`"
PROBE = "`hashmark doctor`, which finds out whether this store checks the checksum it keeps"


class Mismatch(NamedTuple):
    """The ETag is not the one this file would have: a difference, if this bucket's ETags are made of MD5s."""

    evidence: Evidence
    detail: str | None = None


class BodyComparison(NamedTuple):
    """The MD5 of an object's bytes, and whether they are the same as the file's."""

    md5: str
    same: bool


class DigestIsWrong(NamedTuple):
    """The file has other bytes than those of its remembered digest."""

    comparison: Comparison


Inspected = Comparison | Mismatch | BodyComparison | DigestIsWrong


class Inspector:
    """Finds out what requests to `bucket` and reads of files under `root` can show. Safe to use from several threads.

    A stored checksum counts only where the store checks it against the bytes. One that only keeps it (as
    `rclone serve s3` does) repeats the uploader's claim, which proves nothing.
    """

    def __init__(self, bucket: Bucket, root: Path, prefix: str, capabilities: StoreCapabilities) -> None:
        self._checked = capabilities.checksum is SUPPORTED
        self._may_be_random = capabilities.random_etags is not UNSUPPORTED
        self._bucket = bucket
        self._root = root
        self._prefix = prefix
        self._explained = False
        """Whether encryption was seen, which changes ETags."""

    def __call__(self, local: LocalFile, remote: RemoteObject, *, doubt: Comparison | None = None) -> Inspected:
        """Inspect an object and a file of the same size, of which the listing shows no more.

        `doubt` is returned where only the object's bytes would show more, and they cannot be read here.

        Raises:
            HashmarkError: a fatal one, which every other file would meet as well.
        """
        return or_unknown(lambda: self._by_body(local, remote) or doubt or self._inspect(local, remote))

    def current(self, key: Key) -> RemoteObject | None:
        """Return the object as a HEAD request shows it, or None if there is none.

        Raises:
            HashmarkError: that cannot be found out.
        """
        try:
            head = self._bucket.head(self._prefix + key)
        except NoSuchObject:
            return None
        return RemoteObject(key, head.size, head.etag, head.last_modified_utc())

    def read_alone(self, remote: RemoteObject) -> BodyComparison | None:
        """Return the MD5 of an object, as one that differs from the file; None if it cannot be read.

        Raises:
            HashmarkError: a fatal one, which every other file would meet as well.
        """
        try:
            md5 = self._bucket.digest(self._prefix + remote.key, remote.size or 0, etag=remote.etag or "")
        except HashmarkError as error:
            if error.fatal:
                raise
            return None
        return BodyComparison(md5, same=False)

    def is_contradiction(self, remote: RemoteObject, body: BodyComparison) -> bool:
        """Return whether an object that was read shows that ETags which look like MD5s are none, even unencrypted."""
        etag = remote.etag or ""
        if self._explained or not etags.may_be_md5(etag) or etags.is_md5(etag, body.md5):
            return False
        try:
            self._explained = self._bucket.head(self._prefix + remote.key).encryption is not None
        except HashmarkError:
            return False
        return not self._explained

    def _by_body(self, local: LocalFile, remote: RemoteObject) -> Inspected | None:
        """Compare a small object's bytes; None if it is not small, or cannot be read."""
        if remote.size is None or remote.size > MAX_SMALL_BYTES:
            return None
        from hashmark.evidence.body import ChangingObject, WrongDigest, compare_body  # noqa: PLC0415 - seldom needed

        key, file = self._prefix + remote.key, self._root / local.key
        try:
            return compare_body(self._bucket, key, remote, file, local)
        except WrongDigest as error:
            return DigestIsWrong(_unknown(error.message, AGAIN))
        except FileChanged:
            return _changed()
        except ChangingObject as error:
            return _unknown(error.message, VERIFY)
        except HashmarkError as error:
            if error.fatal:
                raise
            return None

    def _inspect(self, local: LocalFile, remote: RemoteObject) -> Inspected:
        try:
            head = self._bucket.head(self._prefix + remote.key)
        except UnexpectedAnswer as error:
            if "HTTP 400" not in error.message:
                raise
            # AWS and SeaweedFS answer so to a HEAD request without the key that the object was encrypted with.
            reason = "the store answers only with a key: it may be encrypted with its uploader's own (SSE-C)"
            return _unknown(reason, "`hashmark push --take mine`, which replaces it,")
        return self._by_head(local, remote, head)

    def _by_head(self, local: LocalFile, remote: RemoteObject, head: Head) -> Inspected:
        if head.size != remote.size or (remote.etag and head.etag != remote.etag):
            return _unknown("it changed in the bucket after it was listed", AGAIN)
        if head.checksums and head.full_object and self._checked:
            return self._by_checksum(local, head)
        if remote.etag is None:
            return _claimed(local, head, "the listing has no ETag")
        if parts := etags.part_count(head.etag or ""):
            return self._by_parts(local, remote, head, parts)
        if head.encryption:
            return _claimed(local, head, f"encrypted with {head.encryption}, so its ETag is not an MD5")
        if self._may_be_random and etags.may_be_random(head.etag or ""):
            return _claimed(local, head, "its ETag may be a random number, as MinIO makes them")
        if etags.may_be_md5(head.etag or ""):
            return Mismatch(Evidence.ETAG_MD5)
        return _claimed(local, head, "the store's ETag is not an MD5")

    def _by_checksum(self, local: LocalFile, head: Head, sizes: tuple[int, ...] = ()) -> Comparison:
        """Compare the strongest stored checksum with the file's, or with that of parts of these sizes."""
        name, path = min(head.checksums, key=STRONGEST.index), self._root / local.key
        computed, md5 = composite_checksum(path, name, sizes) if sizes else file_checksum(path, name)
        if md5 != local.md5:
            return _changed()
        # AWS adds the number of parts after a "-"; other stores return the checksum alone.
        stored, _, count = head.checksums[name].partition("-")
        same = stored == computed.partition("-")[0] and count in {"", str(len(sizes))}
        return Comparison(Content.SAME if same else Content.DIFFERENT, Evidence.CHECKSUM, detail=name)

    def _by_parts(self, local: LocalFile, remote: RemoteObject, head: Head, parts: int) -> Inspected:
        known = self._first_part(remote, parts) or self._listed_parts(remote, parts)
        found = by_cuts(self._root, local, remote, [known] if known else etags.part_size_candidates(local.size, parts))
        if found is not None:
            return found
        # One size for all parts fits the arithmetic, but parts may vary: only all sizes together prove a difference.
        sizes = known if isinstance(known, tuple) else self._all_parts(remote, parts) if known else None
        if sizes is None:
            return _claimed(local, head, "multipart object with parts of unknown size")
        if sizes != known and (found := by_cuts(self._root, local, remote, [sizes])) is not None:
            return found
        if head.checksums and not head.full_object and self._checked:
            return self._by_checksum(local, head, sizes)
        if head.encryption:
            return _claimed(local, head, f"encrypted with {head.encryption}, so its ETag is not made of MD5s")
        return Mismatch(Evidence.ETAG_MULTIPART, etags.describe_cut(sizes))

    def _first_part(self, remote: RemoteObject, parts: int) -> etags.Cut | None:
        """Return how the object was cut, by the size of its first part; None if the store does not tell it.

        Some stores answer with the whole object's size, so an answer counts only if it has status 206 and this many
        parts, and fits the object's size. Of two parts, the second is what the first leaves.
        """
        size = remote.size or 0
        first = self._part(remote, parts, 1)
        if first is None:
            return None
        if parts == 2 and 0 < first < size:
            return (first, size - first)
        if not etags.fits(size, first, parts):
            return self._all_parts(remote, parts)
        return (first,) if parts == 1 else first

    def _part(self, remote: RemoteObject, parts: int, number: int) -> int | None:
        try:
            head = self._bucket.head(self._prefix + remote.key, part=number)
        except HashmarkError as error:
            if error.fatal:
                raise
            return None
        valid = head.status == 206 and head.parts == parts and head.etag == remote.etag
        return head.size if valid else None

    def _all_parts(self, remote: RemoteObject, parts: int) -> tuple[int, ...] | None:
        """Return the sizes of all parts, as the store lists them, or by a HEAD request for each, if they add up."""
        if (listed := self._listed_parts(remote, parts)) or parts > MAX_PART_HEADS:
            return listed
        sizes: list[int] = []
        for number in range(1, parts + 1):
            size = self._part(remote, parts, number)
            if size is None:
                return None
            sizes.append(size)
        return tuple(sizes) if sum(sizes) == remote.size else None

    def _listed_parts(self, remote: RemoteObject, parts: int) -> tuple[int, ...] | None:
        """Return the sizes of all parts by GetObjectAttributes, if the store lists them and they add up."""
        try:
            attributes = self._bucket.attributes(self._prefix + remote.key)
        except HashmarkError as error:
            if error.fatal:
                raise
            return None
        sizes = attributes.part_sizes
        valid = attributes.etag == remote.etag and len(sizes) == parts and sum(sizes) == remote.size
        return sizes if valid else None


def by_listing(root: Path, local: LocalFile, remote: RemoteObject) -> Inspected:
    """Find out what a saved listing and the file show, without any request."""
    return or_unknown(lambda: _by_listing(root, local, remote))


def _by_listing(root: Path, local: LocalFile, remote: RemoteObject) -> Inspected:
    remedy = f"a comparison with the bucket, which keeps its {remote.checksum}," if remote.checksum else VERIFY
    if parts := etags.part_count(remote.etag or ""):
        found = by_cuts(root, local, remote, etags.part_size_candidates(local.size, parts))
        return found or _unknown("multipart object with parts of unknown size", remedy)
    if remote.encryption and remote.encryption not in MD5_KEPT:
        return _unknown(f"encrypted with {remote.encryption}, so its ETag is not an MD5", remedy)
    if not etags.may_be_md5(remote.etag or ""):
        return _unknown("the store's ETag is not an MD5", remedy)
    # Only AWS makes inventories, and there an ETag under these encryptions is an MD5 (API reference, "Object").
    return Comparison(Content.DIFFERENT, Evidence.ETAG_MD5) if remote.encryption else Mismatch(Evidence.ETAG_MD5)


def by_cuts(root: Path, local: LocalFile, remote: RemoteObject, cuts: Sequence[etags.Cut]) -> Comparison | None:
    """Return SAME if the file, cut in one of these ways, has the object's ETag, else None. The file is read once."""
    hasher = etags.MultipartHasher(cuts)
    md5, stamp = hash_file(f"{root}/{local.key}", hasher)
    if md5 != local.md5 or stamp != local.stamp:
        return _changed()
    for cut, etag in hasher.etags().items():
        if etag == remote.etag:
            detail = etags.describe_cut(cut, local.size)
            return Comparison(Content.SAME, Evidence.ETAG_MULTIPART, detail=detail)
    return None


def by_body(body: BodyComparison) -> Comparison:
    """Return what reading an object has proven."""
    return Comparison(Content.SAME if body.same else Content.DIFFERENT, Evidence.BODY, remote_md5=body.md5)


def or_unknown(inspect: Callable[[], Inspected]) -> Inspected:
    """Return the result of `inspect`, or an unknown with the reason why it failed.

    Raises:
        HashmarkError: a fatal one, which every other file would meet as well.
    """
    try:
        return inspect()
    except NoSuchObject:
        return _unknown("it vanished from the bucket after it was listed", AGAIN)
    except HashmarkError as error:
        if error.fatal:
            raise
        return _unknown(f"inspecting it failed: {error.message}", VERIFY)
    except ChangedWhileReading:
        return _changed()
    except OSError as error:
        return _unknown(f"the file can't be read: {error.strerror or error}", VERIFY)


def _unknown(reason: str, remedy: str) -> Comparison:
    return Comparison(Content.UNKNOWN, None, reason, remedy)


def _changed() -> Comparison:
    return _unknown("the file changed after it was compared", AGAIN)


def _claimed(local: LocalFile, head: Head, reason: str) -> Comparison:
    """Return an unknown that says what the uploader wrote beside the object, or that a stored checksum might help."""
    claim = claimed_digest(head.metadata)
    if claim is None or local.md5 is None:
        return _unknown(reason, f"{PROBE}, or {VERIFY}" if head.checksums else VERIFY)
    word = "the same" if claim.md5 == local.md5 else "different"
    said = f"{reason}; its uploader says it is {word}"
    return Comparison(Content.UNKNOWN, Evidence.CLAIMED, said, VERIFY, claim.uploader)

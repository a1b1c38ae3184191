"""Carries out single actions of a plan so that nothing is lost and nothing is claimed without proof.

Each coroutine ends with the new content in its place and its proof in the result, or raises with both sides as
they were. What is replaced or deleted is in the trash first. Small requests are awaited as `s3.waiting` says, so that
few threads carry out many actions; a multipart upload blocks its thread. Retries and order are not known here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from hashmark.core import etags
from hashmark.core.compare import NO_TIME, is_as_proven, written_by
from hashmark.core.errors import (
    BadDigest,
    Interrupted,
    LocalError,
    NoSuchObject,
    PreconditionFailed,
    UnexpectedAnswer,
)
from hashmark.core.model import Base, Evidence, RemoteObject, Stamp
from hashmark.core.plan import Action, Verb
from hashmark.disk.durable import continued_name
from hashmark.disk.hashing import CHUNK_BYTES, ChangedWhileReading, ContentReader, read_whole
from hashmark.disk.place import Slot, open_slot
from hashmark.disk.unfinished import Unfinished
from hashmark.s3.bucket import MAX_OPEN_RANGES, RANGE_BYTES, Bucket, in_ranges
from hashmark.s3.multipart import INTERRUPTIONS
from hashmark.s3.store_capabilities import SUPPORTED, UNKNOWN, UNSUPPORTED, Capability, StoreCapabilities
from hashmark.s3.waiting import finish
from hashmark.state.state import OpenUpload
from hashmark.transfer.action_result import ActionResult
from hashmark.transfer.etag_samples import EtagSamples
from hashmark.transfer.guarded_writes import GuardedWrites
from hashmark.transfer.parts import (
    CancellableHasher,
    OnBytes,
    PartsUpload,
    as_compared,
    changed,
    read_back_differs,
    unreadable,
)
from hashmark.transfer.placing import Placing

MAX_SINGLE_PUT_BYTES = 64 << 20
"""A file up to this size is uploaded with one PUT, whose ETag is then an MD5."""


@dataclass(frozen=True)
class Destination:
    """Where a run reads and writes on each side, and the trash for what it replaces or deletes there.

    `prefix` and `remote_trash` are prefixes of keys in `bucket`, and end in `/`.
    """

    bucket: Bucket
    root: Path
    prefix: str
    trash: Path
    remote_trash: str


class Mover:
    """Carries out the actions of one run.

    `samples` are small objects that may show whether the store's ETags are MD5s; `probe` tries it out. `uploads` are
    the incomplete multipart uploads that an earlier run has left, by the whole key: they are continued.
    `on_upload` is called with the whole key of each when it begins, and with the key and None when it has ended.
    What `content_reader` returns for a key receives the bytes of its file, if that is small and read for the first
    time; what that makes of them is `ActionResult.from_content`.
    """

    def __init__(
        self,
        destination: Destination,
        capabilities: StoreCapabilities,
        *,
        uploads: Mapping[str, OpenUpload] = MappingProxyType({}),
        on_upload: Callable[[str, OpenUpload | None], None] = lambda _key, _upload: None,
        content_reader: ContentReader = lambda _key: None,
        samples: Sequence[RemoteObject] = (),
        probe: Callable[[], Capability] = lambda: UNKNOWN,
    ) -> None:
        self._samples = EtagSamples(destination.bucket, destination.prefix, capabilities.etag_md5, samples, probe)
        self._to = destination
        self._requests = destination.bucket.requests
        self._capabilities = capabilities
        self._guard = GuardedWrites(destination.bucket.requests, capabilities)
        self._uploads = dict(uploads)
        self._on_upload = on_upload
        self._content_reader = content_reader
        self._in_trash: set[str] = set()
        """Keys whose old object is already in the trash: a retry must not replace that copy with a newer object."""
        self._placing = Placing()
        self._doubted: set[str] = set()
        """Files for whose parts the store returned other ETags than their MD5s."""

    async def carry_out(self, action: Action, on_bytes: OnBytes, is_cancelled: Callable[[], bool]) -> ActionResult:
        """Carry out `action` and return what it has proven.

        Raises:
            HashmarkError: it was not carried out; both sides are as they were, or else the message says how they are.
        """
        try:
            if action.verb is Verb.UPLOAD:
                return await self.upload(action, on_bytes, is_cancelled)
            if action.verb is Verb.DOWNLOAD:
                return await self.download(action, on_bytes, is_cancelled)
        except Interrupted:
            raise Interrupted(f"The transfer of '{action.key}' was stopped.") from None
        if action.verb is Verb.DELETE_REMOTE:
            return await self.delete_remote(action)
        return self.delete_local(action)

    async def upload(self, action: Action, on_bytes: OnBytes, is_cancelled: Callable[[], bool]) -> ActionResult:
        """Write a file to the bucket: the bytes that are sent are the bytes that were compared.

        A new file was not read for the comparison; it must still have the stamp that it was compared by.

        Raises:
            FileChanged: the file is not the one that was compared.
            PreconditionFailed: the object is not the one that was compared.
            StoreError: the store refuses.
        """
        local, remote = action.status.local, action.status.remote
        assert local is not None  # noqa: S101 - a plan uploads only what was walked
        key = self._to.prefix + action.key
        if is_multipart(action):
            large = PartsUpload(
                self._to.bucket,
                self._to.root / local.key,
                local,
                self._capabilities,
                doubted=self._doubted,
                is_cancelled=is_cancelled,
            )
            file, md5 = large.hash()
            await self._keep_old(action)
            etag, evidence = large.send(
                key,
                expect=await self._guard.before_completion(key, remote),
                inspect=lambda: finish(self._guard.check(key, remote)),
                on_bytes=on_bytes,
                on_upload=lambda upload: self._note(key, upload),
                left=self._uploads.get(key),
            )
            return ActionResult(action, evidence, self._written(action, md5, etag, file.size), file)
        try:
            data, md5, stamp = read_whole(f"{self._to.root}/{local.key}", local.size)
        except ChangedWhileReading:
            raise changed(local) from None
        except OSError as error:
            raise unreadable(local, error) from None
        file = as_compared(local, md5, stamp)
        is_new = local.md5 is None and local.size <= CHUNK_BYTES
        receive = self._content_reader(action.key) if is_new else None
        from_content = receive(data) if receive else None
        try:
            await self._keep_old(action)
            etag = await self._guard.put(
                key,
                remote,
                lambda expect: self._requests.put(
                    key, data, md5=md5, expect=expect, on_bytes=on_bytes, is_cancelled=is_cancelled
                ),
            )
        except (PreconditionFailed, NoSuchObject):
            # It may be the echo of our own PUT, which was answered too late and sent again.
            there = await self._guard.head(key)
            if there is None or there.size != file.size or not etags.is_md5(there.etag or "", md5):
                message = f"'{key}' changed in the bucket after it was compared and was not overwritten."
                raise PreconditionFailed(message) from None
            etag = there.etag or md5
        is_answered = bool(etag)
        if not is_answered:
            now = await self._guard.head(key)
            if now is None:
                raise UnexpectedAnswer(f"'{key}' was written, but the answer has no ETag, and no object is there.")
            etag = now.etag or ""
        if etags.is_md5(etag, md5):
            evidence = Evidence.ETAG_MD5
        elif is_answered and self._capabilities.content_md5 is SUPPORTED:
            # The store compared the bytes with Content-MD5 and returned this ETag: the two belong together.
            evidence = Evidence.RECORDED
        else:
            body = await self._requests.get(key, etag=etag or None)
            if hashlib.md5(body, usedforsecurity=False).hexdigest() != md5:
                # Not a BadDigest: a retry would meet our own object.
                raise read_back_differs(key)
            evidence = Evidence.BODY
        return ActionResult(action, evidence, self._written(action, md5, etag, file.size), file, from_content)

    def _written(self, action: Action, md5: str, etag: str, size: int) -> Base:
        """Return the base of an object that was just written, with the latest time that a listing may show for it."""
        repeats = self._capabilities.etag_changes is UNSUPPORTED
        time = NO_TIME if repeats else written_by(self._to.bucket.client.store_time())
        return Base(action.key, md5, etag, size, last_modified=time)

    def _note(self, key: str, upload: OpenUpload | None) -> None:
        if upload is None:
            self._uploads.pop(key, None)
        else:
            self._uploads[key] = upload
        self._on_upload(key, upload)

    async def _keep_old(self, action: Action) -> None:
        """Copy the object that will be replaced or deleted to the trash.

        Raises:
            PreconditionFailed: the object is not the one that was compared.
        """
        key, remote = self._to.prefix + action.key, action.status.remote
        if remote is not None and key not in self._in_trash:
            await self._requests.copy(key, self._to.remote_trash + action.key, etag=remote.etag)
            self._in_trash.add(key)

    async def download(self, action: Action, on_bytes: OnBytes, is_cancelled: Callable[[], bool]) -> ActionResult:
        """Put an object's bytes in the file's place, checked, synced, and only over what was compared.

        Raises:
            BadDigest: what arrived is not what the ETag stands for.
            FileChanged: the place holds something that was not compared.
            ReadOnly: nothing can be written there; nothing was fetched.
            StoreError, LocalError: the store or the disk refuses.
        """
        remote, local = action.status.remote, action.status.local
        assert remote is not None  # noqa: S101 - a plan downloads only what was listed
        with open_slot(self._to.root, action.key, create=True) as slot:
            slot.check_writable()
            partial = partial_name(action)
            file = Unfinished(slot, partial or (slot.temporary() if local else None))
            try:
                md5, size, evidence = await self._fetch(action, file, on_bytes, is_cancelled)
                if local is None:
                    placed = await self._placing.put(file)
                else:
                    file.sync()
                    made = file.stamp()
                    slot.put(file.name or "", local.stamp, self._to.trash / action.key, local.md5, synced=True)
                    placed = _placed_stamp(slot, made)
            except BaseException as error:
                if partial and isinstance(error, INTERRUPTIONS):
                    file.close()
                else:
                    file.drop()
                raise
            file.drop()
        base = Base(action.key, md5, remote.etag or "", size, last_modified=remote.last_modified)
        return ActionResult(action, evidence, base, placed=placed)

    async def _fetch(
        self, action: Action, file: Unfinished, on_bytes: OnBytes, is_cancelled: Callable[[], bool]
    ) -> tuple[str, int, Evidence]:
        """Write the object's bytes to `file`. Return their MD5, their number, and what proves them."""
        remote, base = action.status.remote, action.status.base
        assert remote is not None  # noqa: S101 - as above
        etag = remote.etag or ""
        count = etags.part_count(etag)
        cuts = etags.part_size_candidates(remote.size or 0, count) if count else []
        key = self._to.prefix + action.key

        def stop_if_cancelled() -> None:
            if is_cancelled():
                raise Interrupted(f"The download of '{key}' was interrupted.")

        hasher, begun = etags.MultipartHasher(cuts), 0
        if in_ranges(remote.size):
            hasher = CancellableHasher(cuts, stop_if_cancelled)
            begun = file.begun(hasher, remote.size)
        size = await self._write(key, file, remote, hasher, on_bytes, is_cancelled, begun)
        md5 = hasher.md5()
        if remote.size is not None and size != remote.size:
            raise BadDigest(f"'{key}' has {remote.size} bytes in the listing, but {size} arrived.")
        if etags.is_md5(etag, md5):
            return md5, size, Evidence.ETAG_MD5
        if base is not None and base.common and base.etag == etag and base.md5 == md5:
            return md5, size, Evidence.RECORDED
        if etag in hasher.etags().values():
            return md5, size, Evidence.ETAG_MULTIPART
        if (
            etags.may_be_md5(etag)
            and not self._is_outdated(remote, base)
            and self._samples.show_md5s(etag)
            and not (await self._requests.head(key)).encryption
        ):
            raise BadDigest(
                f"The downloaded bytes of '{key}' do not match its ETag, though this store's ETags are MD5s.",
                "Pull again. If that fails too, the object is damaged: replace it with a push from a machine that has "
                "the file, or leave it out with `--select`.",
            )
        # The ETag says nothing about these bytes, so they are read twice: an error on the way does not repeat itself.
        file.drop()
        again = CancellableHasher((), stop_if_cancelled)
        await self._write(key, file, remote, again, None, is_cancelled)
        if again.md5() != md5:
            raise BadDigest(f"'{key}' gave different bytes when it was read twice.")
        return md5, size, Evidence.BODY

    def _is_outdated(self, remote: RemoteObject, base: Base | None) -> bool:
        """Return whether the object was written again under the ETag of what was proven before."""
        if base is None or self._capabilities.etag_follows is SUPPORTED:
            return False
        return remote.etag == base.etag and not is_as_proven(base, remote)

    async def _write(
        self,
        key: str,
        file: Unfinished,
        remote: RemoteObject,
        hasher: etags.MultipartHasher,
        on_bytes: OnBytes,
        is_cancelled: Callable[[], bool],
        begun: int = 0,
    ) -> int:
        """Write the object's bytes to `file`, which has the first `begun`, and hash them. Return its size."""
        etag = remote.etag or ""
        chunks: Iterable[bytes]
        if in_ranges(remote.size):
            if on_bytes and begun:
                on_bytes(begun)
            chunks = self._to.bucket.pieces(
                key, remote.size, etag=etag, begin=begun, on_bytes=on_bytes, is_cancelled=is_cancelled
            )
        else:
            chunks = await self._requests.chunks(
                key, etag=etag or None, size=remote.size, on_bytes=on_bytes, is_cancelled=is_cancelled
            )
        return file.fill(chunks, hasher, start=begun)

    async def delete_remote(self, action: Action) -> ActionResult:
        """Delete an object that was shown, after it is in the bucket's trash.

        Raises:
            PreconditionFailed: the object is not the one that was compared.
            StoreError: the store refuses.
        """
        remote = action.status.remote
        assert remote is not None  # noqa: S101 - a plan deletes only what was listed
        key = self._to.prefix + action.key
        try:
            await self._keep_old(action)
            await self._guard.delete(key, remote)
        except (PreconditionFailed, NoSuchObject):
            # It may be the echo of our own DELETE, which was answered too late and sent again: then nothing is there.
            if key not in self._in_trash or await self._guard.head(key) is not None:
                raise
        return ActionResult(action, None, None)

    def delete_local(self, action: Action) -> ActionResult:
        """Move a file that was shown to the trash.

        Raises:
            FileChanged: the file is not the one that was compared.
            LocalError: the disk refuses.
        """
        local = action.status.local
        assert local is not None  # noqa: S101 - a plan deletes only what was walked
        with open_slot(self._to.root, action.key) as slot:
            slot.remove(local.stamp, self._to.trash / action.key, local.md5)
        return ActionResult(action, None, None)


def is_multipart(action: Action) -> bool:
    """Return whether an action is a multipart upload."""
    return action.verb is Verb.UPLOAD and action.size > MAX_SINGLE_PUT_BYTES


def held_bytes(action: Action) -> int:
    """Return how many bytes of its content an action holds in memory at once, at most."""
    if is_multipart(action) or (action.verb is Verb.DOWNLOAD and in_ranges(action.size)):
        return MAX_OPEN_RANGES * RANGE_BYTES
    return action.size


def partial_name(action: Action) -> str | None:
    """Return the name of the file that an interrupted download leaves, for the next one to continue.

    None if it leaves none. The name stands for this version of this object; what it holds is proven like any download.
    """
    remote = action.status.remote
    if action.verb is not Verb.DOWNLOAD or remote is None or not remote.etag or not in_ranges(remote.size):
        return None
    return continued_name(f"{action.key}\0{remote.etag}\0{remote.size}")


def _placed_stamp(slot: Slot, made: Stamp | None) -> Stamp | None:
    """Return the stamp of a file just put in its place; None if more than the ctime differs from what was `made`."""
    try:
        there = slot.stamp()
    except (OSError, LocalError):
        return None
    return there if made and there and there._replace(ctime_ns=made.ctime_ns) == made else None

"""Compares one dataset with its folder in the bucket: what is in sync, what is not, and by which evidence.

`Scan` streams in constant memory; `status` collects it, with pairs. Both record what they prove.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from hashmark.core.blocks import blocks
from hashmark.core.compare import Comparison, KeyState, judge
from hashmark.core.errors import HashmarkError
from hashmark.core.ignored import IgnoredNames
from hashmark.core.join import join, relevant
from hashmark.core.keys import refuse_collisions
from hashmark.core.lint.health import CaptionHealth, health_of
from hashmark.core.model import (
    Base,
    Content,
    FileStatus,
    Key,
    Kind,
    LocalFile,
    Problem,
    RemoteObject,
    Verdict,
    key_bytes,
)
from hashmark.core.pairs import Pair, pair_up
from hashmark.core.report import DatasetStatus
from hashmark.disk.hashing import Hashed
from hashmark.disk.walk import SelectedWalk, Walk
from hashmark.evidence.inspection import BodyComparison, by_body
from hashmark.evidence.settler import Settler
from hashmark.library.capabilities import (
    capabilities,
    contradictions,
    lasting,
    record_contradictions,
    record_exact_listing,
    record_shown,
)
from hashmark.library.dataset import Dataset
from hashmark.library.digest_cache import (
    ROWS_PER_WRITE,
    caption_flags,
    hashed,
    remembered,
    remembered_files,
    unread,
    why_nothing_is_remembered,
)
from hashmark.library.remote_objects import objects_of
from hashmark.s3.store_capabilities import SUPPORTED

FILES_WALKED_FIRST = 4000
"""Files that are walked while the first page of the listing is on its way."""

_SYNCED = Verdict.SYNCED  # read for each file, as in `core.compare`

COLLISION = "collision"
"""Recorded in place of the MD5 if different bytes with the file's MD5 were read: no file has this one."""


@dataclass(frozen=True)
class Options:
    """How to compare.

    `rehash` reads every file again; `deep` downloads the objects that nothing else can settle; `against` is a saved
    listing used instead of the bucket. Without `read_new`, files that only the disk has are not read: their verdict
    follows from their names.
    """

    rehash: bool = False
    deep: bool = False
    against: tuple[RemoteObject, ...] | None = None
    read_new: bool = True


class Scan:
    """One comparison. Iterate it once for the statuses in key order; after that, the other attributes are final.

    `on_read` is told how many more files were read, and their bytes.

    Raises (while iterating):
        StoreError: the bucket can't be listed completely.
    """

    def __init__(
        self,
        dataset: Dataset,
        options: Options | None = None,
        on_read: Callable[[int, int], None] = lambda _files, _bytes: None,
    ) -> None:
        self.dataset = dataset
        self._on_read = on_read
        self.options = options or Options()
        self._walk: Walk = Walk(dataset.path, dataset.pairing.ignored)
        self.ignored_objects = IgnoredNames()
        self._problems: list[Problem] = []
        self._gone: list[Key] = []
        self._objects: Iterator[RemoteObject] | None = None
        self._read: dict[Key, Base] = {}
        """What was found by reading objects, until it is recorded."""

    def request(self) -> None:
        """Request the first page of the listing now, so that it is on its way while other datasets are compared."""
        if self.options.against is None:
            self._objects = objects_of(self.dataset)

    @property
    def problems(self) -> list[Problem]:
        """What kept files from being judged, and other things to know."""
        state = self.dataset.library.state.problem
        why = self._why_nothing_is_remembered
        slow = Problem("", "every-file-is-read", f"Each check reads every file: {why}.") if why else None
        general = [*self.dataset.library.warnings(), *([state] if state else []), *([slow] if slow else [])]
        return [*general, *self._walk.problems, *self._problems]

    @functools.cached_property
    def _why_nothing_is_remembered(self) -> str | None:
        return why_nothing_is_remembered(self.dataset)

    @property
    def complete(self) -> bool:
        """Whether both sides were read without any error."""
        return not self._walk.problems and not self._problems

    @property
    def ignored(self) -> IgnoredNames:
        """Local files and folders that were ignored."""
        return self._walk.ignored

    def __iter__(self) -> Iterator[FileStatus]:
        saved = self.options.against is not None
        remotes, bases, settler = self._other_side()
        states = join(self._locals(), remotes, bases, self._gone.append)
        rows = relevant(states, self.dataset.pairing, self.ignored_objects.add)
        statuses = settler.settle(self._hashed(rows))
        if self.options.deep and not saved:
            statuses = map(self._read_if_open, statuses)
        yield from statuses if saved else self._recorded(statuses, settler)

    def _other_side(self) -> tuple[Iterable[RemoteObject], Iterable[Base], Settler]:
        dataset, against = self.dataset, self.options.against
        if against is not None:
            return against, (), Settler(None, dataset.path, dataset.prefix)
        # Requested first: the listing is on its way while the disk is read.
        objects = self._objects or objects_of(dataset)
        return objects, dataset.library.state.bases(dataset.remote), self._settler()

    def _settler(self) -> Settler:
        dataset, library = self.dataset, self.dataset.library
        return Settler(
            library.bucket,
            dataset.path,
            dataset.prefix,
            capabilities(library),
            withdrawn=contradictions(library),
            on_body=self._note_body,
        )

    def _note_body(self, row: KeyState, body: BodyComparison | None) -> None:
        if body is None:
            self.dataset.library.state.forget_digests(self.dataset.name, [row.key])
        elif base := _base_of(row, body):
            self._read[row.key] = base

    def _read_if_open(self, status: FileStatus) -> FileStatus:
        if status.verdict is not Verdict.UNVERIFIED:
            return status
        found, base = read_body(self.dataset, status)
        if base:
            self._read[status.key] = base
        return found

    def _locals(self) -> Iterator[LocalFile]:
        """Return the files on disk with their remembered digests. The first are walked now."""
        if self.options.rehash:
            self.dataset.library.state.forget_digests(self.dataset.name)
        files = remembered_files(self._walk, self._digests())
        return itertools.chain(list(itertools.islice(files, FILES_WALKED_FIRST)), files)

    def _hashed(self, rows: Iterable[tuple[KeyState, Kind]]) -> Iterator[tuple[KeyState, Kind]]:
        """Yield the rows with their files' digests. Files without a remembered one are read if it matters."""
        lots = ((block, self._to_read(block)) for block in blocks(rows))
        for block, read in hashed(self.dataset, lots, self._problems.append, self._count_read):
            yield from (
                [
                    (KeyState(key, read.get(key, local), remote, base), kind)
                    for (key, local, remote, base), kind in block
                ]
                if read
                else block
            )

    def _count_read(self, files: Sequence[Hashed]) -> None:
        self._on_read(len(files), sum([read.file.size for read in files]))

    def _to_read(self, rows: list[tuple[KeyState, Kind]]) -> list[LocalFile]:
        if self.options.read_new:
            return unread(row.local for row, _ in rows)
        return unread(local for (_, local, remote, base), _ in rows if remote is not None or base is not None)

    def _digests(self) -> Iterator[LocalFile]:
        return self._remembered()

    def _remembered(self, keys: Collection[Key] | None = None) -> Iterator[LocalFile]:
        if self.options.rehash or self._why_nothing_is_remembered:
            return iter(())
        return self.dataset.library.state.digests(self.dataset.name, keys)

    def _recorded(self, statuses: Iterable[FileStatus], settler: Settler) -> Iterator[FileStatus]:
        """Yield the same statuses, and record as bases what they prove equal."""
        state, remote = self.dataset.library.state, self.dataset.remote
        trusted_before, withdrawn_before = settler.trusted, frozenset(settler.withdrawn)
        exact_before = settler.exact_listing
        proven: list[Base] = []
        for block in blocks(statuses):
            proven += lasting(self.dataset.library, new_bases(block) + self._read_different(block))
            if len(proven) >= ROWS_PER_WRITE:
                state.record_bases(remote, proven)
                proven = []
            yield from block
        state.record_bases(remote, proven)
        self._forget_gone()
        record_shown(self.dataset.library, settler.trusted - trusted_before)
        record_contradictions(self.dataset.library, settler.withdrawn - withdrawn_before)
        if settler.exact_listing is not exact_before:
            record_exact_listing(self.dataset.library, settler.exact_listing)

    def _read_different(self, statuses: list[FileStatus]) -> list[Base]:
        """Return bases for the objects that were read and differ."""
        read = ((status, self._read.pop(status.key, None)) for status in statuses)
        return [base for status, base in read if base and is_worth_recording(base, status)]

    def _forget_gone(self) -> None:
        if self.complete:
            # What is on disk by now is new: another process may have proven it in the meantime.
            gone = [key for key in self._gone if not os.path.lexists(self.dataset.path / key)]
            self.dataset.library.state.forget_bases(self.dataset.remote, gone)


def count_unread(dataset: Dataset, is_stopped: Callable[[], bool]) -> tuple[int, int] | None:
    """Return how many files on disk have no remembered digest, and their bytes; None if stopped."""
    walk = Walk(dataset.path, dataset.pairing.ignored)
    count = size = 0
    for block in blocks(remembered_files(walk, remembered(dataset))):
        if is_stopped():
            return None
        files = unread(block)
        count += len(files)
        size += sum([file.size for file in files])
    return count, size


def new_bases(statuses: Iterable[FileStatus]) -> list[Base]:
    """Return the bases that `synced` statuses prove, without those that are already recorded."""
    proven = (
        (Base(key, local.md5, remote.etag, local.size, True, remote.last_modified or _time_of(base)), base)
        for key, _, verdict, _, _, _, local, remote, base, _ in statuses
        if verdict is _SYNCED and local and remote and local.md5 is not None and remote.etag is not None
    )
    return [now for now, before in proven if now != before]


def is_worth_recording(read: Base, status: FileStatus) -> bool:
    """Return whether what was read of an object may replace its base.

    A conflict or a change keeps its base: the history of both sides says more than this one reading.
    """
    return read.common or status.verdict is Verdict.DIFFERS


def _time_of(base: Base | None) -> str | None:
    return base.last_modified if base else None


def read_body(dataset: Dataset, status: FileStatus) -> tuple[FileStatus, Base | None]:
    """Judge a status again by the object's bytes. Return it with the base that they prove.

    If they can't be read, the status stays open, with the reason, and there is no base.

    Raises:
        HashmarkError: a fatal one, which every other file would meet as well.
    """
    local, remote = status.local, status.remote
    if local is None or remote is None or local.md5 is None or remote.size != local.size:
        return status, None  # a different size is proof enough
    from hashmark.evidence.body import WrongDigest, compare_body  # noqa: PLC0415 - a comparison by listing reads no object

    row = KeyState(status.key, local, remote, None if status.verdict is Verdict.SYNCED else status.base)
    scratch = dataset.library.own_folder("tmp")
    file = dataset.path / status.key
    try:
        body = compare_body(dataset.library.bucket, dataset.prefix + status.key, remote, file, local, scratch)
    except HashmarkError as error:
        if error.fatal:
            raise
        if isinstance(error, WrongDigest):
            dataset.library.state.forget_digests(dataset.name, [status.key])
        why = Comparison(Content.UNKNOWN, None, f"reading it failed: {error.message}", "`hashmark verify` again")
        return judge(row._replace(base=None), status.kind, why), None  # no history takes the place of what was not read
    follows = capabilities(dataset.library).etag_follows is SUPPORTED
    (proven,) = lasting(dataset.library, [base]) if (base := _base_of(row, body)) else (None,)
    return judge(row, status.kind, by_body(body), etags_follow=follows), proven


def _base_of(row: KeyState, body: BodyComparison) -> Base | None:
    """Return the base that an object's bytes prove; None where it has no ETag that identifies them."""
    local, remote = row.local, row.remote
    if remote is None or remote.etag is None:
        return None
    if row.base and row.base.common and body.md5 == row.base.md5:
        return row.base._replace(etag=remote.etag, last_modified=remote.last_modified)
    if local is None:
        return None
    collides = body.md5 == local.md5 and not body.same
    md5 = COLLISION if collides else body.md5
    return Base(row.key, md5, remote.etag, local.size, common=body.same, last_modified=remote.last_modified)


class Rescan(Scan):
    """Compares some keys again, for edits on disk that have just happened, with objects listed earlier.

    `listed` are the objects of these keys. The conclusions are as old as that listing.
    """

    def __init__(self, dataset: Dataset, keys: Iterable[Key], listed: Iterable[RemoteObject]) -> None:
        super().__init__(dataset)
        self._keys = frozenset(keys)
        self._listed = sorted(listed, key=lambda item: key_bytes(item.key))
        self._walk = SelectedWalk(dataset.path, self._keys, dataset.pairing.ignored)

    def _other_side(self) -> tuple[Iterable[RemoteObject], Iterable[Base], Settler]:
        dataset = self.dataset
        return self._listed, dataset.library.state.bases(dataset.remote, self._keys), self._settler()

    def _digests(self) -> Iterator[LocalFile]:
        return self._remembered(self._keys)

    def _forget_gone(self) -> None:
        """Do nothing: an old listing can't show that a key is no longer in the bucket."""


def status(
    dataset: Dataset,
    options: Options | None = None,
    on_file: Callable[[FileStatus], None] = lambda _status: None,
    on_read: Callable[[int, int], None] = lambda _files, _bytes: None,
) -> DatasetStatus:
    """Compare a dataset with its folder in the bucket, file by file, and pair the files.

    `on_file` gets each status; `on_read` as in `Scan`.

    Raises:
        StoreError: the bucket can't be reached or listed completely.
    """
    return status_of(Scan(dataset, options, on_read), on_file)


def status_of(scan: Scan, on_file: Callable[[FileStatus], None] = lambda _status: None) -> DatasetStatus:
    """Return the result of a comparison that was not iterated yet, as `status` does."""
    dataset = scan.dataset
    files = refuse_collisions(_passed_on(scan, on_file))
    paired = pair_up(files, dataset.pairing)
    return DatasetStatus(
        id=dataset.id,
        name=dataset.name,
        complete=scan.complete,
        files=tuple(files),
        pairs=paired.pairs,
        problems=(*scan.problems, *paired.problems),
        ignored=scan.ignored,
        ignored_objects=scan.ignored_objects,
        health=caption_health(dataset, paired.pairs),
    )


def caption_health(dataset: Dataset, pairs: Iterable[Pair]) -> CaptionHealth:
    """Count the issues of the captions on disk by their remembered facts, without reading any file."""
    files = (pair.caption.local if pair.caption else None for pair in pairs if pair.image.local)
    return count_issues(dataset, [(file.key, file.md5) if file else None for file in files])


def count_issues(dataset: Dataset, captions: Sequence[tuple[Key, str | None] | None]) -> CaptionHealth:
    """Count the same, given for each image on disk the key and MD5 of its caption, or None if it has none on disk."""
    digests = [caption[1] for caption in captions if caption and caption[1]]
    return health_of(captions, caption_flags(dataset.library.state, digests))


def _passed_on(statuses: Iterable[FileStatus], on_file: Callable[[FileStatus], None]) -> Iterator[FileStatus]:
    for found in statuses:
        on_file(found)
        yield found

"""Digests of files, on all cores, with the rule that says when a digest may be remembered.

A digest is remembered only if the file was already settled when it was hashed: its newest timestamp is older
than the file system's own clock by more than the coarsest granularity in use (2 s, FAT). Otherwise a second
edit within the same tick would go unseen (git's "racy clean" problem: git, Documentation/technical/racy-git).
Where digests are kept is not known here.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice, starmap
from pathlib import Path
from typing import NamedTuple, TypeVar

from hashmark.core.etags import MultipartHasher
from hashmark.core.model import LocalFile, Stamp
from hashmark.disk import page_cache
from hashmark.disk.walk import stamp_of

GRANULARITY_NS = 2_000_000_000
"""The coarsest timestamp still in use: FAT's 2 seconds."""

CHUNK_BYTES = 1 << 20
"""Bytes read at a time; hashing releases the interpreter's lock for each."""

BATCH_FILES = 32
BATCH_BYTES = 8 << 20
"""A thread is given so many files at a time, or as few as hold so much, since handing over costs something too."""

BATCHES_AHEAD = 256
"""Batches that are begun while the first is read, so that the walk and the listing go on."""


T = TypeVar("T")


class Hashed(NamedTuple):
    """A file that was read, with its digest, and whether the digest may be remembered for its stamp.

    `result` is what the `on_content` of `hash_all` made of its bytes; None where it has more than `CHUNK_BYTES`.
    """

    file: LocalFile
    settled: bool
    result: object = None


def file_system_now(folder: Path) -> int | None:
    """The clock of the file system that holds `folder`, in ns, read off a file made for it; None if read-only.

    The machine's own clock may differ from a network file system's.
    """
    import tempfile  # noqa: PLC0415 - only where a file is read at all

    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            return os.fstat(probe.fileno()).st_mtime_ns
    except OSError:
        return None


def is_settled(stamp: Stamp, now_ns: int | None) -> bool:
    """Whether a file with this stamp, hashed at `now_ns` of its file system, can't change unseen any more."""
    return now_ns is not None and max(stamp.mtime_ns, stamp.ctime_ns) + GRANULARITY_NS < now_ns


_Batch = list[tuple[T, Hashed | None]] | Future[list[tuple[T, Hashed | None]]]
"""Rows with what was read of them, or that will be."""

OnContent = Callable[[str, bytes], object]
"""Gets a key and the bytes of that file, on one of many threads, and makes something of them."""


def hash_file(
    path: str,
    hasher: MultipartHasher | None = None,
    *,
    own: bool = False,
    on_content: Callable[[bytes], None] | None = None,
) -> tuple[str, Stamp]:
    """MD5 of the file in lower-case hex, with the stamp that held before and after reading.

    An `own` file is a temporary one of ours, whose digest is not remembered: its pages need not be on the disk yet.
    `on_content` is given the bytes of a file that has no more than `CHUNK_BYTES`, if there is no `hasher`.

    Raises:
        OSError: it can't be opened or read.
        ChangedWhileReading: its stamp was another one afterwards, or its size is not what was read.
    """
    with _opened(path) as descriptor:
        before = _first_stamp(descriptor, path, own=own)
        if hasher is None and before.size <= CHUNK_BYTES:
            data = _read(descriptor, before.size)
            digest, count = hashlib.md5(data, usedforsecurity=False).hexdigest(), len(data)
            if on_content:
                on_content(data)
        else:
            digest, count = _stream(descriptor, hasher or MultipartHasher())
        after = stamp_of(os.fstat(descriptor))
    if before != after or count != before.size:
        raise ChangedWhileReading(path)
    return digest, before


def read_whole(path: str, most: int) -> tuple[bytes, str, Stamp]:
    """The bytes of a file, their MD5 in lower-case hex, and the stamp that held before and after reading.

    Of a file that has grown meanwhile, `most` bytes and one are read.

    Raises:
        OSError: it can't be opened or read.
        ChangedWhileReading: its stamp was another one afterwards, or its size is not what was read.
    """
    with _opened(path) as descriptor:
        before = _first_stamp(descriptor, path)
        data = _read(descriptor, most)
        after = stamp_of(os.fstat(descriptor))
    if before != after or len(data) != before.size:
        raise ChangedWhileReading(path)
    return data, hashlib.md5(data, usedforsecurity=False).hexdigest(), before


class _opened:  # noqa: N801 - used as a function; contextlib's would cost a small file a tenth of its hashing
    """A file's descriptor, not buffered, and without waiting for a writer, should the file have become a pipe."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def __enter__(self) -> int:
        return self._descriptor

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def _first_stamp(descriptor: int, path: str, *, own: bool = False) -> Stamp:
    """The stamp of a regular file, once its mapped pages are on the disk if it is not ours."""
    if not own:
        page_cache.settle(descriptor)
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file", path)
    return stamp_of(facts)


def _read(descriptor: int, size: int) -> bytes:
    """The first `size` bytes, and one more if the file has grown. A read allocates what it asks for, so no more."""
    data = os.read(descriptor, size + 1)
    while len(data) < size and (more := os.read(descriptor, size + 1 - len(data))):
        data += more
    return data


def _stream(descriptor: int, hasher: MultipartHasher) -> tuple[str, int]:
    buffer = memoryview(bytearray(CHUNK_BYTES))
    total = 0
    while count := os.readv(descriptor, [buffer]):
        hasher.update(buffer[:count])
        total += count
    return hasher.md5(), total


class ChangedWhileReading(OSError):
    """The file was written to while it was read."""

    def __init__(self, path: str) -> None:
        super().__init__(None, "it changed while it was read", path)


def hash_all(
    root: Path,
    rows: Iterable[T],
    unread: Callable[[T], LocalFile | None],
    *,
    clock: Callable[[], int | None],
    workers: int | None = None,
    on_content: OnContent | None = None,
) -> Iterator[tuple[T, Hashed | None]]:
    """The rows in the same order, each with the digest of the file that is `unread` in it, on all cores.

    `unread` is asked once for each row; None where nothing is to be read. `clock` is asked once, before the first file
    is read, as `file_system_now`: by it a digest may be remembered. A file that can't be read, or that changes while it
    is read, comes with `trouble` instead of a digest. At most a few thousand rows are held at once, and no more than a
    batch where nothing is read. What is read is shown to `on_content` as well.
    """
    base = os.fspath(root)
    now_ns = functools.cache(clock)

    def begin(batch: list[T], files: list[LocalFile | None]) -> _Batch[T]:
        if not any(files):
            return [(row, None) for row in batch]
        return pool.submit(_hash_batch, base, batch, files, now_ns(), on_content)

    pool = ThreadPoolExecutor(workers or os.cpu_count() or 2, thread_name_prefix="hash")
    try:
        for batch in _ahead(starmap(begin, _batches(rows, unread)), BATCHES_AHEAD):
            yield from batch.result() if isinstance(batch, Future) else batch
    finally:
        pool.shutdown(cancel_futures=True)  # whoever gave up waits for no file that nobody has begun to read


def _batches(
    rows: Iterable[T], unread: Callable[[T], LocalFile | None]
) -> Iterator[tuple[list[T], list[LocalFile | None]]]:
    """The rows in batches, with the files that are to be read in them; a batch ends once it has enough to read."""
    source = iter(rows)
    while lot := list(islice(source, BATCH_FILES)):
        files = list(map(unread, lot))
        start = size = 0
        for end, file in enumerate(files, 1) if any(files) else ():
            size += file.size if file else 0
            if size >= BATCH_BYTES:
                yield lot[start:end], files[start:end]
                start, size = end, 0
        yield lot[start:], files[start:]


def _hash_batch(
    base: str, rows: list[T], files: list[LocalFile | None], now_ns: int | None, on_content: OnContent | None
) -> list[tuple[T, Hashed | None]]:
    read = (_hash_one(base, file, now_ns, on_content) if file else None for file in files)
    return list(zip(rows, read, strict=True))


def _hash_one(base: str, file: LocalFile, now_ns: int | None, on_content: OnContent | None) -> Hashed:
    results: list[object] = []
    receive = (lambda data: results.append(on_content(file.key, data))) if on_content else None
    try:
        digest, stamp = hash_file(f"{base}/{file.key}", on_content=receive)
    except OSError as error:
        why = f"can't be read: {error.strerror or error}"
        return Hashed(file._replace(trouble=why), settled=False)
    settled = is_settled(stamp, now_ns)
    return Hashed(LocalFile(file.key, stamp, digest), settled=settled, result=results[0] if results else None)


def _ahead(batches: Iterable[_Batch[T]], depth: int) -> Iterator[_Batch[T]]:
    """The same batches; while one is in work, up to `depth` more are taken, and so begun."""
    waiting: deque[_Batch[T]] = deque()
    for batch in batches:
        waiting.append(batch)
        while waiting and (len(waiting) > depth or not _in_work(waiting[0])):
            yield waiting.popleft()
    yield from waiting


def _in_work(batch: object) -> bool:
    return isinstance(batch, Future) and not batch.done()

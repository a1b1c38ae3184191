"""Hashes files on all cores, and decides when a digest may be cached.

A digest is cached only if the file was settled when it was hashed: its newest timestamp is older than the file system's
clock by more than the coarsest granularity in use (2 s, FAT). Otherwise a second edit within the same tick would be
missed (git's "racy clean" problem: git, Documentation/technical/racy-git). Does not know where digests are cached.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from hashmark.core.etags import MultipartHasher
from hashmark.core.model import Key, LocalFile, Stamp
from hashmark.disk import page_cache
from hashmark.disk.walk import stamp_of
from hashmark.native import kernel
from hashmark.native.kernel import CHANGED, COUNT, NOT_A_FILE

GRANULARITY_NS = 2_000_000_000
"""The coarsest timestamp in use: FAT's 2 seconds."""

CHUNK_BYTES = 1 << 20
"""Bytes read at a time; hashing them releases the interpreter lock."""

BATCH_FILES = 32
BATCH_BYTES = 8 << 20
"""A thread gets up to so many files or bytes at a time, since each handover takes time; and enough for all lanes."""

MAX_TOGETHER_BYTES = 64 << 20
"""A larger file is hashed alone: nobody waits for many of them when a run is stopped."""

MAX_KEPT_BYTES = 4096
"""The bytes of a larger file are not kept while it is hashed with others: if they are wanted, it is read alone."""

_REASONS = {CHANGED: "it changed while it was read", NOT_A_FILE: "it is not a regular file"}

FILES_AHEAD = 8192
"""Files that wait to be read or are read while the first of them is, so that the walk and the listing continue."""


T = TypeVar("T")


class Hashed(NamedTuple):
    """A file that was read, with its digest, and whether the digest may be cached for its stamp.

    `result` is what the `content_reader` of `hash_all` made of its bytes; None for a file larger than `CHUNK_BYTES`.
    """

    file: LocalFile
    settled: bool
    result: object = None


def file_system_now(folder: Path) -> int | None:
    """Return the clock of the file system of `folder` in ns, by creating a file there; None if it is read-only.

    The machine's clock can differ from that of a network file system.
    """
    import tempfile  # noqa: PLC0415 - only needed when a file is read

    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            return os.fstat(probe.fileno()).st_mtime_ns
    except OSError:
        return None


def is_settled(stamp: Stamp, now_ns: int | None) -> bool:
    """Return whether every later change of a file hashed at `now_ns` of its file system changes its stamp."""
    return now_ns is not None and max(stamp.mtime_ns, stamp.ctime_ns) + GRANULARITY_NS < now_ns


ContentReceiver = Callable[[bytes], object]

ContentReader = Callable[[str], ContentReceiver | None]
"""Returns what is to receive the bytes of a key's file, on any of several threads; its result is kept in `Hashed`."""


def hash_file(
    path: str,
    hasher: MultipartHasher | None = None,
    *,
    own: bool = False,
    on_content: Callable[[bytes], None] | None = None,
) -> tuple[str, Stamp]:
    """Return the MD5 of a file in lower-case hex, with its stamp, which is the same before and after reading.

    An `own` file is a temporary file of hashmark, whose digest is not cached, so its pages need not be written back.
    `on_content` receives the bytes of a file of at most `CHUNK_BYTES`, if there is no `hasher`.

    Raises:
        OSError: it cannot be opened or read.
        ChangedWhileReading: its stamp changed, or its size differs from what was read.
    """
    with _opened(path) as descriptor:
        before = _first_stamp(descriptor, path, own=own)
        if hasher is None and before.size <= CHUNK_BYTES:
            data = _read(descriptor, before.size)
            digest, count = hashlib.md5(data, usedforsecurity=False).hexdigest(), len(data)
            if on_content:
                on_content(data)
        else:
            hasher, count = hasher or MultipartHasher(), 0
            buffer = memoryview(bytearray(CHUNK_BYTES))
            while size := os.readv(descriptor, [buffer]):
                hasher.update(buffer[:size])
                count += size
            digest = hasher.md5()
        after = stamp_of(os.fstat(descriptor))
    if before != after or count != before.size:
        raise ChangedWhileReading(path)
    return digest, before


def read_whole(path: str, most: int) -> tuple[bytes, str, Stamp]:
    """Return the bytes of a file, their MD5 in lower-case hex, and the stamp, the same before and after reading.

    Reads at most `most` + 1 bytes, if the file has grown.

    Raises:
        OSError: it cannot be opened or read.
        ChangedWhileReading: its stamp changed, or its size differs from what was read.
    """
    with _opened(path) as descriptor:
        before = _first_stamp(descriptor, path)
        data = _read(descriptor, most)
        after = stamp_of(os.fstat(descriptor))
    if before != after or len(data) != before.size:
        raise ChangedWhileReading(path)
    return data, hashlib.md5(data, usedforsecurity=False).hexdigest(), before


class _opened:  # noqa: N801 - used as a function; contextlib's takes a tenth of the time to hash a small file
    """Opens a file unbuffered, and without waiting for a writer if it has become a pipe."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def __enter__(self) -> int:
        return self._descriptor

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def _first_stamp(descriptor: int, path: str, *, own: bool = False) -> Stamp:
    """Return the stamp of a regular file, after writing back its mapped pages unless it is `own`."""
    if not own:
        page_cache.write_back(descriptor)
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode):
        raise OSError(errno.EINVAL, _REASONS[NOT_A_FILE], path)
    return stamp_of(facts)


def _read(descriptor: int, size: int) -> bytes:
    """Read the first `size` bytes, plus one if the file has grown. A read allocates all that it requests."""
    data = os.read(descriptor, size + 1)
    while len(data) < size and (more := os.read(descriptor, size + 1 - len(data))):
        data += more
    return data


class ChangedWhileReading(OSError):
    """The file changed while it was read."""

    def __init__(self, path: str) -> None:
        super().__init__(None, _REASONS[CHANGED], path)


def hash_all(
    root: Path,
    lots: Iterable[tuple[T, list[LocalFile]]],
    *,
    clock: Callable[[], int | None],
    workers: int | None = None,
    content_reader: ContentReader = lambda _key: None,
    on_read: Callable[[Sequence[Hashed]], None] = lambda _files: None,
) -> Iterator[tuple[T, list[Hashed]]]:
    """Yield what comes with each lot of files, with these files hashed, in order and using all cores.

    `clock` is called once, before the first file is read (see `file_system_now`), and decides which digests may be
    cached. A file that cannot be read, or that changes meanwhile, has `trouble` instead of a digest. Further lots are
    taken until `FILES_AHEAD` files wait to be read; none is where nothing waits. What `content_reader` returns receives
    the bytes of small files. `on_read` gets the files as they are read, some at a time, before their lot is complete.
    """
    base = os.fspath(root)
    now_ns = functools.cache(clock)
    pool = ThreadPoolExecutor(workers or os.cpu_count() or 2, thread_name_prefix="hash")
    waiting: deque[_Lot[T]] = deque()
    ahead = 0
    try:
        for rest, files in lots:
            begun = [pool.submit(_hash_batch, base, batch, now_ns(), content_reader) for batch in _batches(files)]
            waiting.append(_Lot(rest, len(files), begun))
            ahead += len(files)
            while waiting and (ahead > FILES_AHEAD or waiting[0].is_done()):
                first = waiting.popleft()
                ahead -= first.size
                yield first.rest, first.result(on_read)
        for lot in waiting:
            yield lot.rest, lot.result(on_read)
    finally:
        pool.shutdown(cancel_futures=True)  # a caller that stops early does not wait for files that are not started


class _Lot(NamedTuple, Generic[T]):
    """What comes with a lot of files, their number, and the batches in which they are hashed."""

    rest: T
    size: int
    batches: list[Future[list[Hashed]]]

    def is_done(self) -> bool:
        return all(batch.done() for batch in self.batches)

    def result(self, on_read: Callable[[Sequence[Hashed]], None]) -> list[Hashed]:
        files: list[Hashed] = []
        for batch in self.batches:
            files += (read := batch.result())
            on_read(read)
        return files


def _batches(files: list[LocalFile]) -> Iterator[list[LocalFile]]:
    """Yield the files in batches. One that has enough for all lanes ends when it has `BATCH_BYTES` to read."""
    batch: list[LocalFile] = []
    size = 0
    for file in files:
        batch.append(file)
        size += file.size
        is_full = size >= BATCH_BYTES and (len(batch) >= COUNT or size > MAX_TOGETHER_BYTES)
        if is_full or len(batch) == BATCH_FILES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _hash_batch(base: str, files: list[LocalFile], now_ns: int | None, content_reader: ContentReader) -> list[Hashed]:
    readers = {file.key: content_reader(file.key) for file in files}
    together = [file for file in files if file.size <= (MAX_KEPT_BYTES if readers[file.key] else MAX_TOGETHER_BYTES)]
    done = _hash_together(base, together, now_ns, readers)
    return [done.get(file.key) or _hash_one(base, file, now_ns, readers[file.key]) for file in files]


def _hash_together(
    base: str, files: list[LocalFile], now_ns: int | None, readers: dict[Key, ContentReceiver | None]
) -> dict[Key, Hashed]:
    """Return the files with their digests by key; none without the hashing kernel."""
    native = kernel.loaded() if files else None
    if not native:
        return {}
    room = MAX_KEPT_BYTES if any(map(readers.get, [file.key for file in files])) else 0
    found = native.files([f"{base}/{file.key}" for file in files], room)
    done: dict[Key, Hashed] = {}
    for file, (*stamp, digest, error, content) in zip(files, found, strict=True):
        receive = readers[file.key]
        if error:
            done[file.key] = _unreadable(file, _REASONS.get(error) or os.strerror(error))
        elif not receive or content is not None:  # else it has grown
            read = LocalFile(file.key, Stamp(*stamp), digest.hex())
            result = receive(content) if receive and content is not None else None
            done[file.key] = Hashed(read, is_settled(read.stamp, now_ns), result)
    return done


def _hash_one(base: str, file: LocalFile, now_ns: int | None, receive: ContentReceiver | None) -> Hashed:
    results: list[object] = []
    on_content = (lambda data: results.append(receive(data))) if receive else None
    try:
        digest, stamp = hash_file(f"{base}/{file.key}", on_content=on_content)
    except OSError as error:
        return _unreadable(file, error.strerror or str(error))
    settled = is_settled(stamp, now_ns)
    return Hashed(LocalFile(file.key, stamp, digest), settled=settled, result=results[0] if results else None)


def _unreadable(file: LocalFile, why: str) -> Hashed:
    return Hashed(file._replace(trouble=f"cannot be read: {why}"), settled=False)

"""A digest is that of the bytes read, belongs to the stamp they had, and is remembered only once that is safe."""

from __future__ import annotations

import hashlib
import itertools
import mmap
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashmark.core.blocks import blocks
from hashmark.core.etags import MultipartHasher
from hashmark.core.model import EMPTY_MD5, Key, LocalFile, Stamp
from hashmark.disk import hashing
from hashmark.disk.hashing import (
    CHUNK_BYTES,
    FILES_AHEAD,
    GRANULARITY_NS,
    ChangedWhileReading,
    Hashed,
    file_system_now,
    hash_all,
    hash_file,
    is_settled,
)
from hashmark.disk.walk import Walk, stamp_of
from hashmark.native import kernel
from support.file_trees import mounted, open_folder, permissions_count, write_keys

SECOND = 1_000_000_000
TICK = 0.03
"""Longer than the coarsest clock tick of a kernel, so that two writes never share a time."""


@pytest.fixture(name="together", autouse=True, params=["together", "one by one"])
def fixture_together(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Run each test with the kernel that hashes many files at once, and without."""
    if request.param == "one by one":
        monkeypatch.setattr(kernel, "loaded", lambda: None)
    elif kernel.loaded() is None:
        pytest.skip("hashmark was built without its hashing kernel")
    return bool(request.param == "together")


ONE_BY_ONE = pytest.mark.parametrize("together", ["one by one"], indirect=True)
"""Runs a test only without the kernel: it replaces `hash_file`, which the kernel does not call."""


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def lots(files: Iterable[LocalFile], size: int = 32) -> Iterator[tuple[list[LocalFile], list[LocalFile]]]:
    return ((lot, lot) for lot in blocks(files, size))


def hashed(root: Path, **options: Any) -> list[Hashed]:
    return read(root, Walk(root), **options)


def read(root: Path, files: Iterable[LocalFile], **options: Any) -> list[Hashed]:
    """Every file, read."""
    results = hash_all(root, lots(files), **{"clock": lambda: None, **options})
    return [found for _, lot in results for found in lot]


def sized(size: int) -> bytes:
    return (b"0123456789abcdef" * (size // 16 + 1))[:size]


# --- one file ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 3 * CHUNK_BYTES + 5]
)
def test_a_digest_is_that_of_the_whole_file_around_every_buffer_edge(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(sized(size))
    expected = (md5(sized(size)), stamp_of(path.stat()))
    assert hash_file(str(path)) == expected
    assert hash_file(str(path), MultipartHasher()) == expected


@given(st.binary(max_size=300))
def test_any_content_has_hashlibs_digest(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.txt")
        path.write_bytes(data)
        assert hash_file(str(path))[0] == md5(data)


def test_one_read_gives_the_digest_and_the_multipart_etags(tmp_path: Path) -> None:
    data = sized(CHUNK_BYTES + 10)
    (tmp_path / "a").write_bytes(data)
    hasher = MultipartHasher([CHUNK_BYTES, 1000])
    assert hash_file(str(tmp_path / "a"), hasher)[0] == md5(data)
    parts = hashlib.md5(data[:CHUNK_BYTES]).digest() + hashlib.md5(data[CHUNK_BYTES:]).digest()
    assert hasher.etags()[CHUNK_BYTES] == f"{md5(parts)}-2"


def restored(path: Path) -> None:
    """An edit of the same size that puts the file's time back, as `touch -r` and `cp -p` do."""
    facts = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


EDITS: dict[str, Callable[[Path], object]] = {
    "grows": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "shrinks": lambda path: os.truncate(path, 3),
    "same size": lambda path: path.write_bytes(path.read_bytes()[::-1]),
    "same size, time put back": restored,
}


@pytest.mark.parametrize("size", [100, 2 * CHUNK_BYTES])
@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_a_file_that_changes_while_it_is_read_has_no_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edit: Callable[[Path], object], size: int
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(sized(size))
    _edit_once_while_hashing(monkeypatch, lambda: edit(path))
    with pytest.raises(ChangedWhileReading, match="changed while it was read"):
        hash_file(str(path))
    path.write_bytes(sized(size))
    assert hash_file(str(path))[0] == md5(sized(size)), "and once it is at rest, it has"


def _edit_once_while_hashing(monkeypatch: pytest.MonkeyPatch, edit: Callable[[], object]) -> None:
    """The digest begins between the two looks at the file's stamp: the moment for an edit."""
    plain, waiting = hashlib.md5, [edit]

    def begin(*values: bytes, **options: Any) -> Any:
        if waiting:
            time.sleep(TICK)
            waiting.pop()()
        return plain(*values, **options)

    monkeypatch.setattr(hashlib, "md5", begin)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_a_file_with_more_bytes_than_the_system_says_has_no_digest() -> None:
    with pytest.raises(ChangedWhileReading):
        hash_file("/proc/self/status")
    with pytest.raises(ChangedWhileReading):
        hash_file("/proc/self/status", MultipartHasher())


@pytest.mark.timeout(20)
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_any_more_is_an_error_and_never_waited_for(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "a.txt")
    with pytest.raises(OSError, match=r"regular file|directory"):
        hash_file(str(tmp_path / "a.txt"))


# --- all files ---------------------------------------------------------------------------------------------------


def test_every_file_has_its_digest_in_the_walks_order_whatever_its_size(tmp_path: Path) -> None:
    contents = {f"{n:03}": sized((n * 7919) % 5000) for n in range(200)}
    contents |= {"000": sized(6 * CHUNK_BYTES), "100": b"", "150": sized(CHUNK_BYTES + 1)}
    for key, data in contents.items():
        (tmp_path / key).write_bytes(data)
    found = hashed(tmp_path, workers=4)
    assert {item.file.key: item.file.md5 for item in found} == {key: md5(data) for key, data in contents.items()}
    assert [item.file.key for item in found] == sorted(contents)
    assert found[100].file.md5 == EMPTY_MD5
    assert all(item.file.stamp == stamp_of((tmp_path / item.file.key).stat()) for item in found)


def test_what_is_not_to_be_read_keeps_its_place_and_is_not_read(tmp_path: Path) -> None:
    """Whatever comes with a lot of files, which may be none."""
    write_keys(tmp_path, "a.txt", "b.txt", "c.txt")
    files = list(Walk(tmp_path))
    (tmp_path / "b.txt").unlink()
    rows = [("first", files[:1]), ("none", []), ("last", files[2:])]
    found = list(hash_all(tmp_path, rows, clock=lambda: None))
    assert [(rest, [read.file.md5 for read in lot]) for rest, lot in found] == [
        ("first", [md5(b"a.txt")]),
        ("none", []),
        ("last", [md5(b"c.txt")]),
    ]


def test_a_file_that_vanished_has_its_trouble_told_and_the_others_their_digests(tmp_path: Path) -> None:
    write_keys(tmp_path, "a.txt", "b.txt")
    files = list(Walk(tmp_path))
    (tmp_path / "a.txt").unlink()
    gone, there = read(tmp_path, files)
    why = "cannot be read: No such file or directory"
    assert gone == Hashed(files[0]._replace(trouble=why), settled=False)
    assert there.file.md5 == md5(b"b.txt")


def test_a_file_without_read_permission_has_its_trouble_told() -> None:
    with open_folder() as root:
        write_keys(root, "a.txt")
        (root / "a.txt").chmod(0)
        with permissions_count():
            (found,) = hashed(root)
    assert (found.file.md5, found.file.trouble) == (None, "cannot be read: Permission denied")


@ONE_BY_ONE
def test_a_file_that_changes_meanwhile_is_reported_and_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_keys(tmp_path, "a.txt")
    _edit_once_while_hashing(monkeypatch, lambda: (tmp_path / "a.txt").write_bytes(b"A.TXT"))
    (found,) = hashed(tmp_path, clock=lambda: 2**62)
    assert (found.file.md5, found.settled) == (None, False)
    assert found.file.trouble == "cannot be read: it changed while it was read"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_a_file_with_more_bytes_than_the_system_says_is_reported_and_not_recorded() -> None:
    (found,) = read(Path("/proc/self"), [LocalFile(Key("status"), Stamp(0, 0, 0, 0, 0))], clock=lambda: 2**62)
    assert (found.file.md5, found.settled) == (None, False)
    assert found.file.trouble == "cannot be read: it changed while it was read"


def test_what_is_no_file_any_more_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    (found,) = read(tmp_path, [LocalFile(Key("a.txt"), Stamp(0, 0, 0, 0, 0))])
    assert found.file.trouble == "cannot be read: it is not a regular file"


def test_captions_are_received_and_large_files_hashed_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_keys(tmp_path, "a.png", "a.txt", "b.png", "large.png")
    (tmp_path / "large.png").write_bytes(sized(1000))
    (tmp_path / "long.txt").write_bytes(b"long" * 20)
    monkeypatch.setattr(hashing, "MAX_TOGETHER_BYTES", 999)
    monkeypatch.setattr(hashing, "MAX_KEPT_BYTES", 79)
    alone: list[str] = []
    plain = hash_file

    def watched(path: str, **options: Any) -> tuple[str, Stamp]:
        alone.append(Path(path).name)
        return plain(path, **options)

    monkeypatch.setattr(hashing, "hash_file", watched)
    found = hashed(tmp_path, content_reader=lambda key: bytes.upper if key.endswith(".txt") else None)
    contents = [b"a.png", b"a.txt", b"b.png", sized(1000), b"long" * 20]
    assert [item.file.md5 for item in found] == list(map(md5, contents))
    assert [item.result for item in found] == [None, b"A.TXT", None, None, b"LONG" * 20]
    together = ["a.png", "a.txt", "b.png"]
    assert sorted(alone) == sorted([*([] if kernel.loaded() else together), "large.png", "long.txt"])


def test_a_caption_that_has_grown_since_the_walk_is_received_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "MAX_KEPT_BYTES", 9)
    write_keys(tmp_path, "a.txt")
    files = list(Walk(tmp_path))
    (tmp_path / "a.txt").write_bytes(b"longer than that")
    (found,) = read(tmp_path, files, content_reader=lambda _key: bytes.upper)
    assert (found.result, found.file.md5) == (b"LONGER THAN THAT", md5(b"longer than that"))


@pytest.mark.parametrize(
    ("sizes", "batches"),
    [
        ([0] * 70, [32, 32, 6]),
        ([2] * 20, [8, 8, 4]),  # enough for every lane, though four would have the bytes
        ([9] * 20, [7, 7, 6]),  # but not too many bytes
        ([100, 1, 1], [1, 2]),
    ],
)
def test_a_batch_has_enough_files_and_not_too_many_bytes(
    monkeypatch: pytest.MonkeyPatch, sizes: list[int], batches: list[int]
) -> None:
    monkeypatch.setattr(hashing, "BATCH_BYTES", 8)
    monkeypatch.setattr(hashing, "MAX_TOGETHER_BYTES", 60)
    files = [LocalFile(Key(f"{number}"), Stamp(size, 0, 0, 0, 0)) for number, size in enumerate(sizes)]
    assert list(map(len, hashing._batches(files))) == batches


def test_a_digest_goes_with_the_stamp_held_while_reading_not_with_the_walks(tmp_path: Path) -> None:
    write_keys(tmp_path, "a.txt")
    files = list(Walk(tmp_path))
    time.sleep(TICK)
    (tmp_path / "a.txt").write_bytes(b"edited")
    (found,) = read(tmp_path, files)
    assert found.file == LocalFile(Key("a.txt"), stamp_of((tmp_path / "a.txt").stat()), md5(b"edited"))
    assert found.file.stamp != files[0].stamp


def test_names_that_are_not_utf8_are_read_too(tmp_path: Path) -> None:
    write_keys(tmp_path, "caf\udce9.txt")
    (found,) = hashed(tmp_path)
    assert found.file.md5 == md5(b"caf\xe9.txt")


def endless(taken: Iterator[int]) -> Iterator[LocalFile]:
    for number in taken:
        yield LocalFile(Key(f"{number}"), Stamp(0, 0, 0, 0, 0))


@ONE_BY_ONE
def test_of_an_endless_dataset_a_bounded_number_is_in_work_and_stopping_ends_every_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More are begun while the first is read; it is not waited for before there are so many."""
    most, go = FILES_AHEAD, threading.Event()
    taken = itertools.count()

    def files() -> Iterator[LocalFile]:
        for file in endless(taken):
            yield file
            if file.key == f"{most - 1}":  # it must come to here by itself; whether it then stops is seen after a while
                threading.Timer(0.2, go.set).start()

    monkeypatch.setattr(hashing, "hash_file", lambda _path, **_: go.wait(60) and ("0" * 32, Stamp(0, 0, 0, 0, 0)))
    results = hash_all(tmp_path, lots(files()), clock=lambda: None, workers=2)
    assert [next(results)[0][0].key for _ in range(3)] == ["0", "32", "64"]
    assert isinstance(results, Generator)
    results.close()
    assert most <= next(taken) <= most + 4 * 32
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("hash")]


@ONE_BY_ONE
def test_whoever_gives_up_waits_for_the_files_under_way_and_for_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many, go, read = threading.Event(), threading.Event(), itertools.count()

    def files() -> Iterator[LocalFile]:
        for file in endless(itertools.count()):
            yield file
            if file.key == "100":
                many.set()

    class Pool(ThreadPoolExecutor):
        """Those under way end once the pool was told to stop."""

        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            super().shutdown(wait=False, cancel_futures=cancel_futures)
            go.set()
            super().shutdown(wait=wait)

    def hash_file(path: str, **_: Any) -> tuple[str, Stamp]:
        assert (many if next(read) == 0 else go).wait(60)
        return "0" * 32, Stamp(0, 0, 0, 0, 0)

    monkeypatch.setattr(hashing, "ThreadPoolExecutor", Pool)
    monkeypatch.setattr(hashing, "BATCH_FILES", 1)
    monkeypatch.setattr(hashing, "hash_file", hash_file)
    results = hash_all(tmp_path, lots(files(), 1), clock=lambda: None, workers=2)
    assert next(results)[0][0].key == "0"
    assert isinstance(results, Generator)
    results.close()
    assert next(read) <= 3


def test_where_nothing_is_to_be_read_nothing_is_held(tmp_path: Path) -> None:
    taken = itertools.count()
    nothing: list[LocalFile] = []
    results = hash_all(
        tmp_path, ((file, nothing) for file in endless(taken)), clock=lambda: pytest.fail("nothing is read")
    )
    assert [next(results)[0].key for _ in range(3)] == ["0", "1", "2"]
    assert next(taken) == 3


# --- when a digest may be remembered -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mtime", "ctime", "now", "settled"),
    [
        (0, 0, GRANULARITY_NS + 1, True),
        (0, 0, GRANULARITY_NS, False),
        (0, 1, GRANULARITY_NS + 1, False),  # ctime is the newer: its time was put back
        (1, 0, GRANULARITY_NS + 1, False),
        (10 * SECOND, 0, SECOND, False),  # from the future: never, until the clock has passed it
        (0, 0, None, False),
    ],
)
def test_a_file_is_settled_once_its_newest_time_is_older_than_the_coarsest_clock(
    mtime: int, ctime: int, now: int | None, settled: bool
) -> None:
    assert is_settled(Stamp(1, mtime, ctime, 1, 1), now) is settled


def test_a_file_just_written_is_hashed_but_not_settled_and_later_it_is(tmp_path: Path) -> None:
    write_keys(tmp_path, "a.txt")
    now = file_system_now(tmp_path)
    assert now is not None
    assert [item.settled for item in hashed(tmp_path, clock=lambda: now)] == [False]
    assert [item.settled for item in hashed(tmp_path, clock=lambda: now + 3 * SECOND)] == [True]
    assert [item.settled for item in hashed(tmp_path, clock=lambda: None)] == [False]


def test_a_file_whose_time_was_put_back_has_another_stamp_and_is_not_settled(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"1girl")
    os.utime(path, ns=(0, 0))
    before = hashed(tmp_path)[0]
    time.sleep(TICK)
    path.write_bytes(b"2girl")
    os.utime(path, ns=(0, 0))
    now = file_system_now(tmp_path)
    (after,) = hashed(tmp_path, clock=lambda: now)
    assert after.file.stamp.mtime_ns == before.file.stamp.mtime_ns == 0
    assert after.file.size == before.file.size
    assert after.file.stamp != before.file.stamp
    assert not after.settled


def test_the_file_systems_clock_is_read_off_it_and_no_file_stays(tmp_path: Path) -> None:
    write_keys(tmp_path, "a.txt")
    now = file_system_now(tmp_path)
    assert now is not None
    assert abs(now - (tmp_path / "a.txt").stat().st_mtime_ns) < 60 * SECOND
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_where_nothing_can_be_written_there_is_no_clock(tmp_path: Path) -> None:
    assert file_system_now(tmp_path / "missing") is None
    with mounted(tmp_path / "read-only", "-t", "tmpfs", "-o", "ro", "tmpfs") as folder:
        assert file_system_now(folder) is None


@pytest.mark.skipif(sys.platform != "linux", reason="the call that flushes mapped pages is Linux's")
def test_a_write_through_a_memory_map_is_stamped_after_a_hash() -> None:
    """The kernel stamps a mapped page's first write only, until the page was sent to the disk."""
    cache = Path.cwd() / ".pytest_cache"  # not tmpfs, which never sends pages anywhere
    cache.mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=cache) as file:
        file.write(b"Aaaa")
        file.flush()
        with mmap.mmap(file.fileno(), 0) as mapped:
            mapped[0:1] = b"B"
            digest, before = hash_file(file.name)
            time.sleep(0.05)
            mapped[0:1] = b"C"
            assert stamp_of(Path(file.name).stat()) != before
            assert hash_file(file.name)[0] != digest

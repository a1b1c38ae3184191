"""What is written: every byte, in order, in writes of a bounded size, hashed as it is written."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hashmark.core.etags import MultipartHasher
from hashmark.disk import durable, page_cache
from hashmark.disk.durable import write_all


@pytest.fixture(name="writes")
def fixture_writes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list of the sizes of all writes; at most 10 bytes are to be written at a time."""
    sizes: list[int] = []
    write = os.write

    def counted(descriptor: int, data: memoryview) -> int:
        sizes.append(len(data))
        return write(descriptor, data)

    monkeypatch.setattr(durable, "WRITE_BYTES", 10)
    monkeypatch.setattr(os, "write", counted)
    return sizes


@given(chunks=st.lists(st.binary(max_size=35), max_size=12), start=st.integers(0, 3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_byte_is_written_and_hashed_in_order(
    writes: list[int], tmp_path: Path, chunks: list[bytes], start: int
) -> None:
    writes.clear()
    hasher = MultipartHasher([7])
    content = b"".join(chunks)
    with (tmp_path / "file").open("wb", buffering=0) as file:
        file.seek(start)
        assert write_all(file.fileno(), chunks, hasher, start=start) == start + len(content)
    assert (tmp_path / "file").read_bytes()[start:] == content
    assert hasher.md5() == hashlib.md5(content, usedforsecurity=False).hexdigest()
    assert all(size <= 10 for size in writes)


def test_a_large_chunk_is_written_in_several_writes(writes: list[int], tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb", buffering=0) as file:
        write_all(file.fileno(), [b"a chunk of 25 bytes, split", b"end"])
    assert writes == [10, 10, 6, 3]


def test_large_content_begins_to_reach_the_disk_while_it_is_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    begun: list[tuple[int, int]] = []
    monkeypatch.setattr(durable, "CHUNK_BYTES", 100)
    monkeypatch.setattr(page_cache, "start_write_back", lambda _fd, start, count: begun.append((start, count)))
    with (tmp_path / "file").open("wb", buffering=0) as file:
        write_all(file.fileno(), [b"x" * 60] * 5, start=1000)
    assert begun == [(1000, 120), (1120, 120)]

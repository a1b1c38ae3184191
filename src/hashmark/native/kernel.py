"""MD5s of many files or streams at once, by C code that computes them in the lanes of vector registers (`md5.c`).

Where no compiler was there when hashmark was built, or the kernel does not load or computes wrong digests, `loaded`
returns None, and hashlib does the same, one stream after another. What is hashed, and why, is not known here.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

LIBRARY = Path(__file__).with_name("md5.so")

CHANGED, NOT_A_FILE = -1, -2
"""In place of an errno: the file changed while it was read, or has another size than the system says; it is none."""

INTERFACE = 3
"""The interface of `md5.c`: a kernel of another build would read its arguments wrongly."""

COUNT = 8
"""Streams that advance together."""

_FILE = struct.Struct("=qqqQQ16sq")
"""`struct file` of `md5.c`."""

_SAMPLE = (0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 1000, 5000)
"""Sizes of the streams that are hashed to see whether the kernel works: around every edge of a block."""


class FoundFile(NamedTuple):
    """What was found out about one file: its stamp, MD5 and content (None: too large), or only an `error`.

    That is an errno or one of the above.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int
    digest: bytes
    error: int
    content: bytes | None


class Kernel:
    """The loaded kernel. Any thread may call it; calls release the interpreter lock.

    Raises:
        OSError: it cannot be loaded, or is of another build.
        AttributeError: it is something else.
    """

    def __init__(self, path: Path) -> None:
        import ctypes  # noqa: PLC0415 - it takes as long as the check of a small dataset, in which no file is read

        self._ctypes = ctypes
        library = ctypes.CDLL(os.fspath(path))
        if library.hashmark_md5_interface() != INTERFACE:
            raise OSError("the hashing kernel is of another build")
        library.hashmark_md5_lanes.restype = ctypes.c_char_p
        library.hashmark_md5_bytes.restype = ctypes.c_size_t
        self._files = library.hashmark_md5_files
        self._files.argtypes = (ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t)
        self._stamps = library.hashmark_md5_stamps
        self._stamps.argtypes = (ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int)
        self._start = library.hashmark_md5_start
        self._update = library.hashmark_md5_update
        self._digest = library.hashmark_md5_digest
        for function in (self._files, self._stamps, self._start, self._update, self._digest):
            function.restype = None
        self._stream_bytes = int(library.hashmark_md5_bytes())
        self.instructions: str = library.hashmark_md5_lanes().decode()
        """What the lanes are made of, such as AVX2."""

    def digests(self, contents: Sequence[bytes]) -> list[bytes]:
        """Return the MD5 (16 bytes) of each content."""
        ctypes, count = self._ctypes, len(contents)
        streams = [ctypes.create_string_buffer(self._stream_bytes) for _ in contents]
        for stream in streams:
            self._start(stream)
        pointers = (ctypes.c_void_p * count)(*map(ctypes.addressof, streams))
        sizes = (ctypes.c_size_t * count)(*map(len, contents))
        self._update(pointers, (ctypes.c_char_p * count)(*contents), sizes, count)
        found = ctypes.create_string_buffer(16)
        digests = []
        for stream in streams:
            self._digest(stream, found)
            digests.append(found.raw)
        return digests

    def files(self, paths: Sequence[str], room: int = 0) -> list[FoundFile]:
        """Hash files, and keep the contents of those with at most `room` bytes. No path may contain a zero byte.

        Each is opened without waiting, must be a regular file, and is looked at before and after it is read.
        """
        count = len(paths)
        found = self._ctypes.create_string_buffer(_FILE.size * count)
        copies = self._ctypes.create_string_buffer(room * count)
        self._files(os.fsencode("\0".join(paths)), found, count, copies, room)
        kept = memoryview(copies)
        return [
            FoundFile(*file, kept[at : at + file[0]].tobytes() if file[0] <= room else None)  # type: ignore[call-arg]
            for at, file in zip(itertools.count(0, room), _FILE.iter_unpack(found), strict=False)
        ]

    def stamps(self, paths: Sequence[str]) -> list[tuple[int, ...]] | None:
        """Return the sizes of these files, and the other fields of their stamps, as columns, without opening any.

        None if one of them cannot be looked at or is no regular file, or there are none.
        """
        found = self._ctypes.create_string_buffer(_FILE.size * len(paths))
        self._stamps(os.fsencode("\0".join(paths)), found, len(paths))
        columns = list(zip(*_FILE.iter_unpack(found), strict=True))
        return columns[:-2] if columns and not any(columns[-1]) else None


BY_HASHLIB = "hashlib"


def describe() -> str:
    """Return what files are hashed with: the instructions of the kernel, such as AVX2, or BY_HASHLIB."""
    found = loaded()
    return found.instructions if found else BY_HASHLIB


@functools.cache
def loaded() -> Kernel | None:
    """Return the kernel, unless it is absent, broken, or turned off by HASHMARK_KERNEL=off."""
    if os.environ.get("HASHMARK_KERNEL") == "off":
        return None
    try:
        kernel = Kernel(LIBRARY)
    except (OSError, AttributeError):
        return None
    sample = [bytes(range(256)) * (size // 256 + 1) for size in _SAMPLE]
    sample = [content[:size] for content, size in zip(sample, _SAMPLE, strict=True)]
    right = [hashlib.md5(content, usedforsecurity=False).digest() for content in sample]
    return kernel if kernel.digests(sample) == right else None

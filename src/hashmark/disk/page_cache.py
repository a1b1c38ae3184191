"""Has a file's pages sent to the disk, on Linux; other systems have no such call. Nothing here makes them durable.

Which files, and why, is not known here.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable

_BEGIN, _WAIT = 2, 7
"""Flags of sync_file_range(2): begin to write; wait for what is under way, write, and wait for that."""


def settle(descriptor: int) -> None:
    """Have pages written through a memory map sent to the disk, and wait for it.

    Until then the kernel does not see, nor stamp, further writes through the same map: a remembered digest would
    outlive them (Linux stamps a mapped page when it is first made writable). It costs nothing where no page is
    dirty, unlike fsync, which flushes the device. Elsewhere `--rehash` reads everything.
    """
    if call := _sync_file_range():
        call(descriptor, 0, 0, _WAIT)


def begin(descriptor: int, start: int, count: int) -> None:
    """Begin to send these bytes to the disk, so that an fsync later finds less to do."""
    if call := _sync_file_range():
        call(descriptor, start, count, _BEGIN)


@functools.cache
def _sync_file_range() -> Callable[..., int] | None:
    if sys.platform != "linux":
        return None
    import ctypes  # noqa: PLC0415 - only where a file is read or written at all

    call = getattr(ctypes.CDLL(None, use_errno=True), "sync_file_range", None)
    if call is not None:
        call.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return call

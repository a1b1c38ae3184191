"""Writes a file's dirty pages back to the disk, on Linux; other systems have no such call. Makes nothing durable."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable

_BEGIN, _WAIT = 2, 7
"""Flags of sync_file_range(2): start writing; wait for writes in progress, write, and wait."""


def write_back(descriptor: int) -> None:
    """Write dirty pages of memory maps back to the disk, and wait for it.

    Until then the kernel does not notice further writes through the same map, nor change the file's stamp, so a cached
    digest would be wrong (Linux stamps a mapped page when it first becomes writable). It takes no time where no page is
    dirty, unlike fsync, which flushes the device. On other systems `--rehash` reads everything.
    """
    if call := _sync_file_range():
        call(descriptor, 0, 0, _WAIT)


def start_write_back(descriptor: int, start: int, count: int) -> None:
    """Start writing these bytes back, so that a later fsync has less to do."""
    if call := _sync_file_range():
        call(descriptor, start, count, _BEGIN)


@functools.cache
def _sync_file_range() -> Callable[..., int] | None:
    if sys.platform != "linux":
        return None
    import ctypes  # noqa: PLC0415 - only needed when a file is read or written

    call = getattr(ctypes.CDLL(None, use_errno=True), "sync_file_range", None)
    if call is not None:
        call.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return call

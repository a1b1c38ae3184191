"""A part of a file as the body of a request: read as it is sent, and never held in memory whole.

What the file is, and what its digest was compared with, is not known here.
"""

from __future__ import annotations

import hashlib
import os

import pycurl


class FileBody:
    """`size` bytes of an open file from `offset` on. The file must stay open until the request has ended.

    With `md5`, the bytes must have that digest (16 bytes): where they have another, or where the file is shorter, the
    request fails before its last byte, and `is_changed` is True.
    """

    def __init__(self, descriptor: int, offset: int, size: int, md5: bytes | None = None) -> None:
        self._descriptor = descriptor
        self._offset = offset
        self._size = size
        self._md5 = md5
        self.is_changed = False
        self.seek(0)

    def __len__(self) -> int:
        return self._size

    def seek(self, position: int, _origin: int = os.SEEK_SET) -> int:
        """Go to the beginning, the only place to which libcurl returns to send a body again."""
        if position != 0:
            return pycurl.SEEKFUNC_FAIL
        self._sent = 0
        self._hash = hashlib.md5(usedforsecurity=False) if self._md5 else None
        return pycurl.SEEKFUNC_OK

    def read(self, count: int) -> bytes | int:
        """Return the next bytes, at most `count`, or the number that makes libcurl end the request."""
        wanted = min(count, self._size - self._sent)
        try:
            data = os.pread(self._descriptor, wanted, self._offset + self._sent)
        except OSError:
            data = b""
        self._sent += len(data)
        if self._hash:
            self._hash.update(data)
        is_short = wanted > 0 and not data
        is_other = self._sent == self._size and self._hash is not None and self._hash.digest() != self._md5
        if is_short or is_other:
            self.is_changed = True
            return pycurl.READFUNC_ABORT
        return data

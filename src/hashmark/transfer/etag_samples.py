"""Finds out during a download whether a store's ETags are MD5s, where that is not known: by other objects, or a probe.

What follows for a file is not known here.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Sequence

from hashmark.core.errors import StoreError
from hashmark.core.etags import is_md5, may_be_random
from hashmark.core.model import Key, RemoteObject
from hashmark.s3.requests import Requests
from hashmark.s3.store_capabilities import SUPPORTED, UNKNOWN, Capability


class EtagSamples:
    """Small objects, under `prefix`, that are read when an ETag is not the MD5 of what arrived.

    `probe` finds the capability out by writing. Credentials may forbid that; then it stays unknown.
    """

    def __init__(
        self,
        requests: Requests,
        prefix: str,
        known: Capability,
        samples: Sequence[RemoteObject],
        probe: Callable[[], Capability],
    ) -> None:
        self._requests = requests
        self._prefix = prefix
        self._known = known
        self._samples = samples
        self._probe = probe

    async def show_md5s(self, etag: str, key: Key) -> bool:
        """Return whether this object's ETag should be an MD5, as others' are, or as the store's are known to be."""
        if self._known is UNKNOWN:
            if may_be_random(etag):
                return False
            for other in self._samples:
                if other.key != key and await self._is_md5(other):
                    return True
            with contextlib.suppress(StoreError):
                self._known = self._probe()
        return self._known is SUPPORTED

    async def _is_md5(self, other: RemoteObject) -> bool:
        with contextlib.suppress(StoreError):
            body = await self._requests.get(self._prefix + other.key, etag=other.etag)
            return is_md5(other.etag or "", hashlib.md5(body, usedforsecurity=False).hexdigest())
        return False

"""Finds out during a download whether a store's ETags are MD5s, where that is not known: by other objects, or a probe.

What follows for a file is not known here.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import threading
from collections.abc import Callable, Sequence

from hashmark.core.errors import StoreError
from hashmark.core.etags import is_md5, may_be_random
from hashmark.core.model import RemoteObject
from hashmark.s3.bucket import Bucket
from hashmark.s3.store_capabilities import SUPPORTED, UNKNOWN, Capability


class EtagSamples:
    """Small objects, under `prefix`, that are read once when an ETag is not the MD5 of what arrived.

    `probe` finds the capability out by writing. Credentials may forbid that; then it stays unknown. Blocks its thread.
    """

    def __init__(
        self,
        bucket: Bucket,
        prefix: str,
        known: Capability,
        samples: Sequence[RemoteObject],
        probe: Callable[[], Capability],
    ) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._known = known
        self._samples = samples
        self._probe = probe
        self._lock = threading.Lock()

    def show_md5s(self, etag: str) -> bool:
        """Return whether this ETag should be an MD5, as those of the samples are, or as the store's are known to be."""
        if self._known is not UNKNOWN:
            return self._known is SUPPORTED
        if may_be_random(etag):
            return False
        with self._lock:  # hundreds of objects may ask at once
            return self._one_is_md5 or self._probed is SUPPORTED

    @functools.cached_property
    def _one_is_md5(self) -> bool:
        return any(map(self._is_md5, self._samples))

    @functools.cached_property
    def _probed(self) -> Capability:
        try:
            return self._probe()
        except StoreError:
            return UNKNOWN

    def _is_md5(self, sample: RemoteObject) -> bool:
        with contextlib.suppress(StoreError):
            body = self._bucket.get(self._prefix + sample.key, etag=sample.etag)
            return is_md5(sample.etag or "", hashlib.md5(body, usedforsecurity=False).hexdigest())
        return False

"""Makes thumbnails and reads facts of images in the background: a queue, processes with limits, and a cache.

Takes bytes and returns futures. Does not know where the bytes come from, nor how `images.decode` decodes them, except
that it runs in another process.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from hashmark.core.errors import ImageRefused
from hashmark.core.lint.facts import ImageFacts
from hashmark.images import decode
from hashmark.images.cache import Cache
from hashmark.images.decode import Facts
from hashmark.images.processes import Died, Limits, WorkerProcesses

HEAD_BYTES = 64 << 10
"""`Renderer.facts` reads at most this much of the beginning of a file."""

MAX_IMAGE_BYTES = 256 << 20
"""The largest file that is sent to a worker."""


class Renderer:
    """Worker processes with limits. Use it as a context manager or call `close`.

    `cache` is the folder for finished thumbnails, `workers` the number of processes. Both are created when first
    needed. All methods may be called from any thread.
    """

    def __init__(self, cache: Path, workers: int | None = None, *, limits: Limits | None = None) -> None:
        count = workers or min(4, os.cpu_count() or 1)
        self._cache = Cache(cache)
        self._workers = WorkerProcesses(count, limits or Limits(), decode.prepare)
        # One thread waits for each process. Tasks in this queue have not started, so they can still be cancelled.
        self._queue = ThreadPoolExecutor(count, thread_name_prefix="image")

    def cached(self, digest: str, side: int) -> bytes | None:
        """Return the finished WebP, or None. A damaged one is deleted.

        Raises:
            ValueError: as `render`.
        """
        return self._cache.read(digest, side)

    def render(self, data: bytes, digest: str, side: int) -> Future[bytes]:
        """Return a WebP of the image's first frame that fits in `side` x `side` pixels, and cache it.

        It is upright, keeps alpha, is never enlarged, and has no metadata. The future fails with `ImageRefused` if the
        image cannot be decoded. A future cancelled in the queue never starts.

        Raises:
            ValueError: `digest` is not 8 to 80 of `0-9a-f-`, or `side` is not 1 to 4096 pixels.
            RuntimeError: it is closed.
        """
        self._cache.path(digest, side)
        return self._queue.submit(self._render, data, digest, side)

    def facts(self, heads: Sequence[bytes]) -> Future[list[Facts | str]]:
        """Return the facts of each image from its first `HEAD_BYTES` bytes, or why they cannot be read.

        Raises:
            RuntimeError: it is closed.
        """
        return self._queue.submit(self._facts, [bytes(head[:HEAD_BYTES]) for head in heads])

    def examine(self, data: bytes) -> Future[ImageFacts]:
        """Return the facts of the decoded image; its `trouble` says why damaged data cannot be decoded.

        The future fails with `ImageRefused` if a limit is exceeded, which may not happen on a retry.

        Raises:
            RuntimeError: it is closed.
        """
        return self._queue.submit(self._examine, data)

    def close(self) -> None:
        """End the processes at once. Queued tasks are cancelled; running ones fail with `ImageRefused`."""
        self._queue.shutdown(wait=False, cancel_futures=True)
        self._workers.close()
        self._queue.shutdown(wait=True)

    def __enter__(self) -> Renderer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _render(self, data: bytes, digest: str, side: int) -> bytes:
        if len(data) > MAX_IMAGE_BYTES:
            raise ImageRefused(f"It is larger than {MAX_IMAGE_BYTES >> 20} MiB.")
        try:
            thumbnail = self._workers.run(decode.thumbnail, data, side)
        except Died as why:
            raise ImageRefused(f"It cannot be decoded within the limits. {why}") from None
        self._cache.write(digest, side, thumbnail)
        return thumbnail

    def _examine(self, data: bytes) -> ImageFacts:
        try:
            return self._workers.run(decode.examine, data)
        except Died as why:
            raise ImageRefused(f"It cannot be decoded within the limits. {why}") from None

    def _facts(self, heads: list[bytes]) -> list[Facts | str]:
        try:
            return self._workers.run(decode.facts, heads)
        except Died as why:
            if len(heads) == 1:
                return [f"It cannot be read within the limits. {why}"]
        # One of them broke its worker, so retry each by itself.
        return [found for head in heads for found in self._facts([head])]

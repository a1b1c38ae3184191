"""Thumbnails and facts of images, in the background: one queue, a few processes with limits, a cache on the disk.

It takes bytes and gives futures. Where the bytes come from, and who looks at the result, is not known here; nor how
an image is decoded (`images.decode`), except that this happens in another process.
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
"""How much of a file's beginning `Renderer.facts` reads; more is cut off."""

MAX_IMAGE_BYTES = 256 << 20
"""The largest file that is sent to a worker."""


class Renderer:
    """Worker processes with limits. A context manager; or call `close`.

    `cache` is a folder for finished thumbnails, and `workers` the number of processes. Nothing is started, and no
    folder made, until it is needed. All methods may be called from any thread.
    """

    def __init__(self, cache: Path, workers: int | None = None, *, limits: Limits | None = None) -> None:
        count = workers or min(4, os.cpu_count() or 1)
        self._cache = Cache(cache)
        self._workers = WorkerProcesses(count, limits or Limits(), decode.prepare)
        # One thread waits for each process. What is queued here has not begun, so that it can still be cancelled.
        self._queue = ThreadPoolExecutor(count, thread_name_prefix="image")

    def cached(self, digest: str, side: int) -> bytes | None:
        """The finished WebP, or None where there is none yet, or only a damaged one (which is dropped).

        Raises:
            ValueError: as `render`.
        """
        return self._cache.read(digest, side)

    def render(self, data: bytes, digest: str, side: int) -> Future[bytes]:
        """A WebP of the image (its first frame) that fits in `side` x `side` pixels, also kept in the cache.

        It is upright, has alpha where the image has it, is never enlarged, and carries no metadata. The future fails
        with `ImageRefused` where no thumbnail can be made; cancelled before its turn, it is never begun.

        Raises:
            ValueError: `digest` is not 8 to 80 of `0-9a-f-`, or `side` is not 1 to 4096 pixels.
            RuntimeError: it is closed.
        """
        self._cache.path(digest, side)
        return self._queue.submit(self._render, data, digest, side)

    def facts(self, heads: Sequence[bytes]) -> Future[list[Facts | str]]:
        """The facts of each image from its first `HEAD_BYTES` bytes, or why they can't be told, in words.

        Raises:
            RuntimeError: it is closed.
        """
        return self._queue.submit(self._facts, [bytes(head[:HEAD_BYTES]) for head in heads])

    def examine(self, data: bytes) -> Future[ImageFacts]:
        """What the image is once it is decoded; what the data is to blame for is told in its `trouble`.

        The future fails with `ImageRefused` where a limit was met, which another try may not meet.

        Raises:
            RuntimeError: it is closed.
        """
        return self._queue.submit(self._examine, data)

    def close(self) -> None:
        """End the processes at once. What is queued is cancelled; what is being decoded fails with `ImageRefused`."""
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
            raise ImageRefused(f"It can't be decoded within the limits. {why}") from None
        self._cache.write(digest, side, thumbnail)
        return thumbnail

    def _examine(self, data: bytes) -> ImageFacts:
        try:
            return self._workers.run(decode.examine, data)
        except Died as why:
            raise ImageRefused(f"It can't be decoded within the limits. {why}") from None

    def _facts(self, heads: list[bytes]) -> list[Facts | str]:
        try:
            return self._workers.run(decode.facts, heads)
        except Died as why:
            if len(heads) == 1:
                return [f"It can't be read within the limits. {why}"]
        # One of them broke its worker; the others are not to suffer for it.
        return [found for head in heads for found in self._facts([head])]

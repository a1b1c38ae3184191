"""Pictures for the page: re-encoded from the file on disk or the object in the bucket, within limits, and cached.

No byte of a user's file is ever served as it is. Decoding happens in separate processes (`hashmark.images`);
which item is meant is decided by the routes.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

from hashmark.core.display import printable
from hashmark.core.errors import HashmarkError, ImageRefused
from hashmark.core.model import FileStatus, Kind
from hashmark.disk.read import read_file
from hashmark.images.renderer import HEAD_BYTES, MAX_IMAGE_BYTES, Renderer
from hashmark.library.library import Library
from hashmark.search.items import Item
from hashmark.web.session.background import Background
from hashmark.web.session.live_dataset import LiveDataset
from hashmark.web.session.updates import Updates

SIDES_PX = (320, 2048)
"""The sizes of pictures, in a grid and alone: pixels of the longer side."""

MAX_OBJECT_BYTES = 64 << 20
"""The largest object that is downloaded to show it."""

MAX_CONCURRENT = 4
BATCH = 128


class NotWanted(Exception):
    """The client disconnected before its picture was rendered."""


class Pictures:
    """Renders pictures and measures images. `close` ends the worker processes."""

    def __init__(self, library: Library, background: Background, updates: Updates) -> None:
        self._background = background
        self._updates = updates
        self._renderer = Renderer(library.own_folder("thumbnails"))
        self._slots = asyncio.Semaphore(MAX_CONCURRENT)
        self._fetching = ThreadPoolExecutor(MAX_CONCURRENT, thread_name_prefix="picture")
        self._measuring: dict[str, asyncio.Task[None]] = {}

    async def close(self) -> None:
        """End the worker processes."""
        for task in self._measuring.values():
            task.cancel()
        await asyncio.gather(*self._measuring.values(), return_exceptions=True)
        await asyncio.to_thread(self._fetching.shutdown, cancel_futures=True)
        await asyncio.to_thread(self._renderer.close)

    async def picture(
        self,
        live: LiveDataset,
        row: FileStatus,
        *,
        remote: bool,
        side: int,
        disconnected: Callable[[], Awaitable[bool]],
    ) -> tuple[bytes, str]:
        """Return a WebP that fits in `side` pixels, and the version of the bytes it shows.

        `disconnected` is called when it is this picture's turn: whether the client is gone.

        Raises:
            NotWanted: the client has disconnected.
            ImageRefused: the picture can't be shown; the message says why.
            HashmarkError: the file or object can't be read.
        """
        known = remote_version(row) if remote else (row.local.md5 if row.local else None)
        if known is None:
            raise ImageRefused(f"{'The bucket' if remote else 'The disk'} has no picture '{printable(row.key)}'.")
        if (cached := await self._background.run_short(self._renderer.cached, known, side)) is not None and remote:
            return cached, known
        if cached is not None and await self._background.run_short(_unchanged, live, row):
            return cached, known
        async with self._slots:
            if await disconnected():
                raise NotWanted
            # In a separate thread pool: a slow bucket must not delay captions.
            loop = asyncio.get_running_loop()
            data = await loop.run_in_executor(self._fetching, _fetch if remote else _read, live, row)
            version = known if remote else hashlib.md5(data, usedforsecurity=False).hexdigest()
            return await asyncio.wrap_future(self._renderer.render(data, version, side)), version

    def measure(self, live: LiveDataset) -> None:
        """Start to measure all images on disk whose size is not known yet; pages are notified as sizes come in."""
        running = self._measuring.get(live.dataset.name)
        if running is None or running.done():
            self._measuring[live.dataset.name] = asyncio.get_running_loop().create_task(self._measure(live))

    async def _measure(self, live: LiveDataset) -> None:
        missing = [i for i in live.items if i.kind == "pair" and i.lead.local and i.lead.local.md5 not in live.sizes]
        for start in range(0, len(missing), BATCH):
            batch = missing[start : start + BATCH]
            heads = await self._background.run_short(_heads, live, batch)
            facts = await asyncio.wrap_future(self._renderer.facts(heads))
            for item, found in zip(batch, facts, strict=True):
                md5 = item.lead.local.md5 if item.lead.local else None
                if md5:
                    live.sizes[md5] = None if isinstance(found, str) else (found.width, found.height)
            self._updates.everything_changed(live)

    async def facts(self, live: LiveDataset, row: FileStatus) -> dict[str, object] | str:
        """Return the facts of an image on disk, or a message why there are none."""
        try:
            found = await self._background.run_short(read_file, live.dataset.path, row.key, HEAD_BYTES, head=True)
        except HashmarkError as error:
            return str(error)
        if found is None:
            return "Not on this disk."
        facts = (await asyncio.wrap_future(self._renderer.facts([found[0]])))[0]
        return facts if isinstance(facts, str) else asdict(facts)


def _unchanged(live: LiveDataset, row: FileStatus) -> bool:
    """Whether the file still is the one whose digest is known; otherwise the cached picture is outdated."""
    assert row.local is not None  # noqa: S101 - called only for files on disk
    try:
        found = read_file(live.dataset.path, row.key, 0, head=True)
    except HashmarkError:
        return False
    return found is not None and found[1] == row.local.stamp


def _read(live: LiveDataset, row: FileStatus) -> bytes:
    found = read_file(live.dataset.path, row.key, MAX_IMAGE_BYTES)
    if found is None:
        raise ImageRefused(f"'{printable(row.key)}' is no longer on disk.")
    return found[0]


def _fetch(live: LiveDataset, row: FileStatus) -> bytes:
    remote, dataset = row.remote, live.dataset
    if remote is None or remote.size is None or remote.size > MAX_OBJECT_BYTES:
        limit = f"{MAX_OBJECT_BYTES >> 20} MiB"
        raise ImageRefused(f"The bucket's '{printable(row.key)}' is too large to be shown (limit {limit}).")
    return dataset.library.bucket.get(dataset.prefix + row.key, etag=remote.etag)


def _heads(live: LiveDataset, items: list[Item]) -> list[bytes]:
    """Read the beginning of each image; it is empty where the image can't be read."""
    heads: list[bytes] = []
    for item in items:
        found = None
        with contextlib.suppress(HashmarkError):
            found = read_file(live.dataset.path, item.lead.key, HEAD_BYTES, head=True)
        heads.append(found[0] if found else b"")
    return heads


def is_picture(row: FileStatus) -> bool:
    """Whether a file is an image by its name."""
    return row.kind in {Kind.IMAGE, Kind.MASK}


def picture_version(row: FileStatus) -> str | None:
    """Return a name for the picture's bytes, on disk or else in the bucket."""
    if not is_picture(row):
        return None
    return row.local.md5 if row.local else remote_version(row)


def remote_version(row: FileStatus) -> str | None:
    """Return a name for the bytes of an object: a digest of its key and ETag."""
    if row.remote is None or not row.remote.etag:
        return None
    return hashlib.sha256(f"{printable(row.key)}\0{row.remote.etag}".encode()).hexdigest()[:40]

"""Pictures for the page: re-encoded from the disk's file or the bucket's object, within limits, and kept by content.

No byte of a user's file is ever served as it is. Decoding happens in processes of their own (`hashmark.images`);
which item is meant is decided by the routes.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from hashmark.core.errors import HashmarkError, ImageRefused
from hashmark.core.model import FileStatus, Kind
from hashmark.disk.read import read_file
from hashmark.images.renderer import HEAD_BYTES, MAX_BYTES, Renderer
from hashmark.search.items import Item
from hashmark.web.session.board import Board
from hashmark.web.session.desk import Desk
from hashmark.web.views.shapes import remote_version

SIDES = (320, 2048)
"""The sizes a picture can be asked for: in a grid, and alone. Pixels of the longer side."""

MAX_REMOTE = 64 << 20
"""Bytes of the largest object that is fetched to be looked at."""

AT_ONCE = 4
BATCH = 128


class NotWanted(Exception):
    """Whoever asked has gone, before anything was done."""


class Pictures:
    """Renders pictures for a desk. `close` ends its processes."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._renderer = Renderer(desk.library.state_folder / "thumbnails")
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._fetching = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="picture")
        self._measuring: dict[str, asyncio.Task[None]] = {}

    async def close(self) -> None:
        """End the processes."""
        for task in self._measuring.values():
            task.cancel()
        await asyncio.gather(*self._measuring.values(), return_exceptions=True)
        await asyncio.to_thread(self._fetching.shutdown, cancel_futures=True)
        await asyncio.to_thread(self._renderer.close)

    async def picture(
        self, board: Board, row: FileStatus, *, remote: bool, side: int, gone: Callable[[], Awaitable[bool]]
    ) -> tuple[bytes, str]:
        """A WebP that fits in `side` pixels, and the name of the bytes it shows.

        `gone` is asked, when it is this picture's turn, whether anybody still wants it.

        Raises:
            NotWanted: nobody does.
            ImageRefused: it can't be shown, in words.
            HashmarkError: the file or object can't be read.
        """
        known = remote_version(row) if remote else (row.local.md5 if row.local else None)
        if known is None:
            raise ImageRefused(f"'{row.key}' has no picture there.")
        if (kept := await self._desk.read(self._renderer.cached, known, side)) is not None and remote:
            return kept, known
        if kept is not None and await self._desk.read(_unchanged, board, row):
            return kept, known
        async with self._turn:
            if await gone():
                raise NotWanted
            # On threads of their own: a slow bucket must not keep captions waiting.
            loop = asyncio.get_running_loop()
            data = await loop.run_in_executor(self._fetching, _fetch if remote else _read, board, row)
            name = known if remote else _md5(data)
            return await asyncio.wrap_future(self._renderer.render(data, name, side)), name

    def measure(self, board: Board) -> None:
        """Find out the sizes of all images on disk that are not known yet; the page hears of it."""
        running = self._measuring.get(board.dataset.name)
        if running is None or running.done():
            self._measuring[board.dataset.name] = asyncio.get_running_loop().create_task(self._measure(board))

    async def _measure(self, board: Board) -> None:
        missing = [i for i in board.items if i.kind == "pair" and i.lead.local and i.lead.local.md5 not in board.sizes]
        for start in range(0, len(missing), BATCH):
            batch = missing[start : start + BATCH]
            heads = await self._desk.read(_heads, board, batch)
            facts = await asyncio.wrap_future(self._renderer.facts(heads))
            for item, found in zip(batch, facts, strict=True):
                md5 = item.lead.local.md5 if item.lead.local else None
                if md5:
                    board.sizes[md5] = None if isinstance(found, str) else (found.width, found.height)
            self._desk.news.structure(board)

    async def facts(self, board: Board, row: FileStatus) -> dict[str, object] | str:
        """What an image on disk is, or in words why that can't be told."""
        try:
            found = await self._desk.read(read_file, board.dataset.path, row.key, HEAD_BYTES, head=True)
        except HashmarkError as error:
            return str(error)
        if found is None:
            return "It is not on disk."
        facts = (await asyncio.wrap_future(self._renderer.facts([found[0]])))[0]
        if isinstance(facts, str):
            return facts
        return {
            "width": facts.width,
            "height": facts.height,
            "format": facts.format,
            "mode": facts.mode,
            "orientation": facts.orientation,
            "frames": facts.frames,
            "alpha": facts.alpha,
        }


def _unchanged(board: Board, row: FileStatus) -> bool:
    """Whether the file still is the one whose digest is known: else its picture is another."""
    assert row.local is not None  # noqa: S101 - asked only of files on disk
    try:
        found = read_file(board.dataset.path, row.key, 0, head=True)
    except HashmarkError:
        return False
    return found is not None and found[1] == row.local.stamp


def _read(board: Board, row: FileStatus) -> bytes:
    found = read_file(board.dataset.path, row.key, MAX_BYTES)
    if found is None:
        raise ImageRefused(f"'{row.key}' is not on disk any more.")
    return found[0]


def _fetch(board: Board, row: FileStatus) -> bytes:
    remote, dataset = row.remote, board.dataset
    if remote is None or remote.size is None or remote.size > MAX_REMOTE:
        raise ImageRefused(f"'{row.key}' is too large in the bucket to be shown here.")
    return dataset.library.bucket.read(dataset.prefix + row.key, etag=remote.etag)


def _heads(board: Board, items: list[Item]) -> list[bytes]:
    return [_head(board, item.lead) for item in items]


def _head(board: Board, row: FileStatus) -> bytes:
    try:
        found = read_file(board.dataset.path, row.key, HEAD_BYTES, head=True)
    except HashmarkError:
        return b""
    return found[0] if found else b""


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def is_picture(row: FileStatus) -> bool:
    """Whether a file is an image by its name."""
    return row.kind in {Kind.IMAGE, Kind.MASK}

"""Reads the beginning of captions on disk, so that they can be searched and shown in a list."""

from __future__ import annotations

import contextlib

from hashmark.core.encoding import decode
from hashmark.core.errors import HashmarkError
from hashmark.core.lint.texts import caption_facts
from hashmark.core.model import FileStatus, Key
from hashmark.disk.read import read_file
from hashmark.library.dataset import Dataset
from hashmark.web.session.background import Background
from hashmark.web.session.live_dataset import LiveDataset, LoadedCaption
from hashmark.web.session.updates import Updates

MAX_CAPTION_BYTES = 1 << 16
"""Bytes of a caption that are searched and shown in a list."""

BATCH = 2000


class CaptionReader:
    """Keeps the texts of a dataset's captions up to date."""

    def __init__(self, background: Background, updates: Updates) -> None:
        self._background = background
        self._updates = updates

    async def read(self, live: LiveDataset) -> None:
        """Read the captions that changed since they were read last."""
        structure = live.structure
        missing = live.unread()
        for start in range(0, len(missing), BATCH):
            live.texts |= await self._background.run_short(read_captions, live.dataset, missing[start : start + BATCH])
            if live.structure != structure:
                return  # the check that changed it reads the rest
        live.health = await self._background.run_short(live.count_health)
        if missing:
            self._updates.everything_changed(live)  # rows and searches lacked these texts until now


def read_captions(dataset: Dataset, rows: list[FileStatus]) -> dict[Key, LoadedCaption]:
    """Read the beginning of each of these captions on disk."""
    texts: dict[Key, LoadedCaption] = {}
    for row in rows:
        md5 = row.local.md5 if row.local else None
        texts[row.key] = LoadedCaption(md5, "")
        with contextlib.suppress(HashmarkError):  # its badge says why
            if found := read_file(dataset.path, row.key, MAX_CAPTION_BYTES, head=True):
                texts[row.key] = LoadedCaption(md5, decode(found[0])[0], caption_facts(found[0]).flags)
    return texts

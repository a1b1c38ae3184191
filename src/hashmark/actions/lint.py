"""Finds out how each trainer will read a dataset's folder: collects the facts on disk and hands them to `core.lint`.

Reads only the disk, no bucket. Facts are remembered by content, so a second lint reads only names and changed files.
Does not know which facts are problems.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeVar

from hashmark.core.blocks import blocks
from hashmark.core.encoding import MAX_CAPTION_BYTES
from hashmark.core.errors import HashmarkError, Interrupted, NoDecoder
from hashmark.core.lint.facts import CaptionFacts, File, Folder, ImageFacts, PairFacts, Trainer
from hashmark.core.lint.findings import LintReport
from hashmark.core.lint.findings import lint as judge
from hashmark.core.lint.texts import caption_facts
from hashmark.core.model import FileStatus, Kind, LocalFile, Problem, Verdict
from hashmark.core.pairs import Paired, pair_up, split_suffix
from hashmark.disk.read import read_file
from hashmark.disk.walk import Walk
from hashmark.images.renderer import MAX_IMAGE_BYTES, Renderer
from hashmark.library.dataset import Dataset
from hashmark.library.digest_cache import (
    CAPTIONS,
    ROWS_PER_WRITE,
    hashed,
    remember_captions,
    remembered,
    remembered_files,
    unread,
)
from hashmark.state.state import State

IMAGES = "image-1"
"""The kind under which the state keeps facts of images. Its number changes when their meaning does."""

MAX_READ_AHEAD = 8
"""Images to read ahead while others are decoded."""

T = TypeVar("T")


def lint(
    dataset: Dataset,
    trainers: Iterable[Trainer] = Trainer,
    on_image: Callable[[int, int], None] = lambda _done, _of: None,
    cancel: threading.Event | None = None,
) -> LintReport:
    """Return how these trainers will read the dataset on disk. `on_image` gets how many images of how many are decoded.

    Raises:
        Interrupted: `cancel` was set; the facts found so far are remembered.
        NoDecoder: no image can be decoded.
    """
    found = _FilesOnDisk(dataset)
    captions = _caption_facts(found)
    images = _image_facts(found, on_image, cancel or threading.Event())
    return judge(found.folder(captions, images), trainers, found.problems)


@dataclass
class _FilesOnDisk:
    """The files of a dataset on disk, paired."""

    dataset: Dataset
    problems: list[Problem] = field(default_factory=list)

    def __post_init__(self) -> None:
        dataset = self.dataset
        walk = Walk(dataset.path, dataset.pairing.ignored)
        known = remembered_files(walk, remembered(dataset))
        lots = ((block, unread(block)) for block in blocks(known))
        read = hashed(dataset, lots, self.problems.append)
        files = [found.get(file.key, file) for block, found in read for file in block]
        self.problems += walk.problems
        self.files: dict[str, LocalFile] = {file.key: file for file in files}
        # Nothing was compared, so no verdict is claimed.
        rows = [FileStatus(f.key, dataset.pairing.kind(f.key), Verdict.UNVERIFIED, local=f) for f in files]
        self.paired: Paired = pair_up(rows, dataset.pairing)
        self.kinds: dict[str, Kind] = {row.key: row.kind for row in rows}

    def of_kind(self, kind: Kind) -> Iterator[LocalFile]:
        return (file for file in self.files.values() if self.kinds[file.key] is kind and not file.trouble)

    def folder(self, captions: dict[str, CaptionFacts], images: dict[str, ImageFacts]) -> Folder:
        odd = {p.key: p.code for p in self.paired.problems if p.code in {"double-suffix", "inexact-match"}}
        return Folder(
            name=self.dataset.name,
            pairs=tuple(self._pairs()),
            orphans=tuple(p.key for p in self.paired.problems if p.code == "orphan-caption"),
            extras=tuple(key for key, kind in self.kinds.items() if kind is Kind.OTHER),
            decoys=dict(self._decoys()),
            odd=odd,
            huge={file.key: file.size for file in self.of_kind(Kind.CAPTION) if file.size > MAX_CAPTION_BYTES},
            captions=captions,
            images=images,
        )

    def _pairs(self) -> Iterator[PairFacts]:
        stems: dict[str, list[str]] = {}
        for key, kind in self.kinds.items():
            if kind is Kind.CAPTION:
                stems.setdefault(split_suffix(key)[0], []).append(key)
        for pair in self.paired.pairs:
            caption = pair.caption.key if pair.caption else None
            others = [key for key in stems.get(split_suffix(pair.image.key)[0], ()) if key != caption]
            yield PairFacts(
                _file(self.files[pair.image.key]), _file(self.files[caption]) if caption else None, tuple(others)
            )

    def _decoys(self) -> Iterator[tuple[str, str]]:
        """Yield images without a caption for which a folder has the caption's name, with that name."""
        for pair in self.paired.pairs:
            names = (split_suffix(pair.image.key)[0] + suffix for suffix in self.dataset.pairing.captions)
            if pair.caption is None:
                yield from ((pair.image.key, name) for name in names if os.path.isdir(self.dataset.path / name))  # noqa: PTH112


def _file(file: LocalFile) -> File:
    return File(file.key, file.size, file.md5)


def _caption_facts(found: _FilesOnDisk) -> dict[str, CaptionFacts]:
    """Return the facts of captions by MD5: taken when they were hashed, and read here only if the state lacks them."""
    state = found.dataset.library.state
    known = _parsed(state.contents(CAPTIONS), CaptionFacts.from_text)
    facts: dict[str, CaptionFacts] = {}
    fresh: list[tuple[str, CaptionFacts]] = []
    for file in found.of_kind(Kind.CAPTION):
        if not file.md5 or file.size > MAX_CAPTION_BYTES:
            continue
        if file.md5 not in known:
            data = _read(found, file, MAX_CAPTION_BYTES)
            if data is None:
                continue
            known[file.md5] = caption_facts(data)
            fresh.append((file.md5, known[file.md5]))
        facts[file.md5] = known[file.md5]
    remember_captions(state, fresh)
    return facts


def _image_facts(
    found: _FilesOnDisk, on_image: Callable[[int, int], None], cancel: threading.Event
) -> dict[str, ImageFacts]:
    """Return the facts of images by MD5. Unknown images are decoded in separate processes."""
    state = found.dataset.library.state
    wanted = {file.md5: file for file in found.of_kind(Kind.IMAGE) if file.md5}
    known = _parsed(state.contents(IMAGES), ImageFacts.from_text)
    facts = {md5: known[md5] for md5 in wanted if md5 in known}
    missing = {md5: file for md5, file in wanted.items() if md5 not in facts}
    if not missing:
        return facts
    fresh: dict[str, ImageFacts] = {}
    with Renderer(found.dataset.library.own_folder("thumbnails")) as renderer:
        for done, (md5, seen, lasting) in enumerate(_examined(found, renderer, missing, cancel), 1):
            facts[md5] = seen
            if lasting:
                fresh[md5] = seen
            if len(fresh) >= ROWS_PER_WRITE // 20:
                _remember(state, fresh)
                fresh = {}
            on_image(done, len(missing))
    _remember(state, fresh)
    if cancel.is_set():
        raise Interrupted("Lint cancelled; the facts found so far are remembered.")
    return facts


def _parsed(texts: dict[str, str], make: Callable[[str], T]) -> dict[str, T]:
    """Return the remembered facts; values that can't be parsed are left out."""
    facts: dict[str, T] = {}
    for md5, text in texts.items():
        with contextlib.suppress(ValueError, TypeError):
            facts[md5] = make(text)
    return facts


def _remember(state: State, facts: dict[str, ImageFacts]) -> None:
    state.remember_contents(IMAGES, ((md5, "trouble" if f.trouble else "", f.to_text()) for md5, f in facts.items()))


def _examined(
    found: _FilesOnDisk, renderer: Renderer, files: dict[str, LocalFile], cancel: threading.Event
) -> Iterator[tuple[str, ImageFacts, bool]]:
    """Yield MD5, facts, and whether a next time would find the same. Reads a few images ahead."""
    waiting: deque[tuple[str, Future[ImageFacts]]] = deque()
    for md5, file in files.items():
        if cancel.is_set():
            break
        data = _read(found, file, MAX_IMAGE_BYTES)
        if data is not None:
            waiting.append((md5, renderer.examine(data)))
        if len(waiting) > MAX_READ_AHEAD:
            yield _settled(*waiting.popleft())
    while waiting and not cancel.is_set():
        yield _settled(*waiting.popleft())


def _settled(md5: str, facts: Future[ImageFacts]) -> tuple[str, ImageFacts, bool]:
    try:
        return md5, facts.result(), True
    except NoDecoder:
        raise
    except HashmarkError as error:  # a limit of time or memory, which a less busy machine may not reach
        return md5, ImageFacts(trouble=error.message), False


def _read(found: _FilesOnDisk, file: LocalFile, limit: int) -> bytes | None:
    """Return the bytes of a file if they are still those that were hashed; else None, and add a problem."""
    try:
        read = read_file(found.dataset.path, file.key, limit)
    except HashmarkError as error:
        found.problems.append(Problem(file.key, error.code, error.message))
        return None
    if read is None or read[1] != file.stamp:
        found.problems.append(Problem(file.key, "file-changed", "changed while it was read; lint again"))
        return None
    return read[0]

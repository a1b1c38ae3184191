"""A dataset's files on disk with their digests: read where they must be, remembered where they may.

The facts of captions are taken in the same read. What is in the bucket, and what the facts mean, is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, cast

from hashmark.core.model import Kind, LocalFile, Problem, comes_before
from hashmark.disk.hashing import file_system_now, hash_all
from hashmark.library import Dataset
from hashmark.state import State

if TYPE_CHECKING:
    from hashmark.core.lint.facts import CaptionFacts

BATCH = 2000
CAPTIONS = "caption-1"
"""The kind under which the facts of captions are remembered; another number when what they say changes."""


def local_files(
    dataset: Dataset,
    walk: Iterable[LocalFile],
    remembered: Iterator[LocalFile],
    on_problem: Callable[[Problem], None] = lambda _problem: None,
    wanted: Callable[[LocalFile], bool] = lambda _file: True,
) -> Iterator[LocalFile]:
    """The files of a walk in key order, each with its digest, or `trouble`, of which `on_problem` is told.

    `remembered` are the digests of these keys, in the same order. Of the others, those that are `wanted` are read.
    """
    state = dataset.library.state
    known = _Remembered(remembered)
    fresh: list[LocalFile] = []
    facts: list[tuple[str, CaptionFacts]] = []

    def now() -> int | None:
        return clock(dataset) if state.persistent else None

    for hashed in hash_all(dataset.path, walk, known, clock=now, look=caption_look(dataset), wanted=wanted):
        file = hashed.file
        if file.trouble and file.stamp.inode:  # without one the walk has said so
            on_problem(Problem(file.key, "unreadable", file.trouble))
        if hashed.fresh and hashed.settled:
            fresh.append(file)
        if hashed.seen is not None and file.md5:
            facts.append((file.md5, cast("CaptionFacts", hashed.seen)))
        if max(len(fresh), len(facts)) >= BATCH:
            _remember(state, dataset.name, fresh, facts)
            fresh, facts = [], []
        yield file
    _remember(state, dataset.name, fresh, facts)


def caption_look(dataset: Dataset) -> Callable[[str, bytes], CaptionFacts | None]:
    """Makes facts of a key and its bytes, if it is a caption's."""
    kind = dataset.pairing.kind

    def look(key: str, data: bytes) -> CaptionFacts | None:
        if kind(key) is not Kind.CAPTION:
            return None
        from hashmark.core.lint.texts import caption_facts  # noqa: PLC0415 - not where all captions are known

        return caption_facts(data)

    return look


def _remember(state: State, name: str, files: list[LocalFile], facts: list[tuple[str, CaptionFacts]]) -> None:
    state.remember_digests(name, files)
    remember_captions(state, facts)


def remember_captions(state: State, facts: Iterable[tuple[str, CaptionFacts]]) -> None:
    """Remember what is known of captions, by their MD5."""
    state.remember_contents(CAPTIONS, ((md5, ",".join(found.flags), found.to_text()) for md5, found in facts))


def caption_flags(state: State, digests: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The flags of the captions of these MD5s, as far as they were looked into."""
    known = state.content_flags(CAPTIONS, digests)
    return {md5: tuple(flags.split(",")) if flags else () for md5, flags in known.items()}


def clock(dataset: Dataset) -> int | None:
    """The clock of the file system that holds the dataset, which may be another than the library's, in ns.

    None where it can't be told, so that no digest may be remembered.
    """
    here = dataset.library.state_folder
    try:
        same = dataset.path.stat().st_dev == here.stat().st_dev
    except OSError:
        return None
    return file_system_now(here if same else dataset.path)


class _Remembered:
    """Looks up digests for files that come in key order, in a stream of remembered ones in the same order."""

    def __init__(self, digests: Iterator[LocalFile]) -> None:
        self._digests = digests
        self._next = next(digests, None)

    def __call__(self, file: LocalFile) -> str | None:
        while self._next is not None and comes_before(self._next.key, file.key):
            self._next = next(self._digests, None)
        if self._next is not None and self._next.key == file.key and self._next.stamp == file.stamp:
            return self._next.md5
        return None

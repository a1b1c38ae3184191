"""Digests of a dataset's files on disk: remembered ones where they still hold, else by reading the file.

Facts about captions are taken in the same read. What is in the bucket, and what the facts mean, is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from hashmark.core.blocks import blocks
from hashmark.core.join import SortedSource
from hashmark.core.model import Key, Kind, LocalFile, Problem, key_bytes
from hashmark.disk.file_system import why_changes_may_hide
from hashmark.disk.hashing import Hashed, file_system_now, hash_all
from hashmark.library.dataset import Dataset
from hashmark.state.state import State

if TYPE_CHECKING:
    from hashmark.core.lint.facts import CaptionFacts

T = TypeVar("T")

ROWS_PER_WRITE = 2000
"""Digests, facts or proofs written to the state in one transaction, which has a cost of its own. A kill loses at most
these."""

CAPTIONS = "caption-2"
"""The kind under which caption facts are remembered. The number changes when the facts do."""


def remembered_files(walk: Iterable[LocalFile], remembered: Iterable[LocalFile]) -> Iterator[LocalFile]:
    """Yield the files of a walk in key order, with the remembered digests of those whose stamps are unchanged.

    `remembered` are digests in the same order.
    """
    side = SortedSource(remembered, "remembered")
    for block in blocks(walk):
        known = side.take(key_bytes(block[-1].key)).get
        yield from [
            file if (found := known(file.key)) is None or found.stamp != file.stamp or file.trouble else found
            for file in block
        ]


def unread(files: Iterable[LocalFile | None]) -> list[LocalFile]:
    """Return the files that exist, are not known to be unreadable, and have no digest yet."""
    return [file for file in files if file is not None and file.md5 is None and file.trouble is None]


def hashed(
    dataset: Dataset,
    lots: Iterable[tuple[T, list[LocalFile]]],
    on_problem: Callable[[Problem], None] = lambda _problem: None,
    on_read: Callable[[Sequence[Hashed]], None] = lambda _files: None,
) -> Iterator[tuple[T, dict[Key, LocalFile]]]:
    """Yield what comes with each lot of files, in the same order, with these files by key.

    Each now has its digest, or `trouble`, which is passed to `on_problem`. Digests and caption facts that were read are
    remembered. `on_read` is that of `hash_all`.
    """
    state = dataset.library.state
    fresh: list[LocalFile] = []
    facts: list[tuple[str, CaptionFacts]] = []

    def now() -> int | None:
        return clock(dataset) if state.persistent else None

    read = hash_all(dataset.path, lots, clock=now, content_reader=caption_reader(dataset), on_read=on_read)
    for rest, found in read:
        for file, settled, result in found:
            if file.trouble:
                on_problem(Problem(file.key, "unreadable", file.trouble))
            if settled:
                fresh.append(file)
            if result is not None and file.md5:
                facts.append((file.md5, cast("CaptionFacts", result)))
        if max(len(fresh), len(facts)) >= ROWS_PER_WRITE:
            _remember(state, dataset.name, fresh, facts)
            fresh, facts = [], []
        yield rest, {file.key: file for file, _, _ in found}
    _remember(state, dataset.name, fresh, facts)


def caption_reader(dataset: Dataset) -> Callable[[str], Callable[[bytes], CaptionFacts] | None]:
    """Return a function of a key, which returns what takes facts from the bytes of its file if it is a caption."""
    kind, suffixes = dataset.pairing.kind, {suffix.casefold() for suffix in dataset.pairing.captions}

    def reader(key: str) -> Callable[[bytes], CaptionFacts] | None:
        if key[key.rfind(".") :].casefold() not in suffixes or kind(key) is not Kind.CAPTION:
            return None
        from hashmark.core.lint.texts import caption_facts  # noqa: PLC0415 - not needed if no caption is read

        return caption_facts

    return reader


def _remember(state: State, name: str, files: list[LocalFile], facts: list[tuple[str, CaptionFacts]]) -> None:
    state.remember_digests(name, files)
    remember_captions(state, facts)


def remember_captions(state: State, facts: Iterable[tuple[str, CaptionFacts]]) -> None:
    """Remember facts about captions by their MD5."""
    state.remember_contents(CAPTIONS, ((md5, ",".join(found.flags), found.to_text()) for md5, found in facts))


def caption_flags(state: State, digests: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the flags of the captions with these MD5s, for those that were read."""
    known = state.content_flags(CAPTIONS, digests)
    return {md5: tuple(flags.split(",")) if flags else () for md5, flags in known.items()}


def remembered(dataset: Dataset) -> Iterator[LocalFile]:
    """Yield the remembered digests in key order; none where changes may hide."""
    return iter(()) if why_nothing_is_remembered(dataset) else dataset.library.state.digests(dataset.name)


def why_nothing_is_remembered(dataset: Dataset) -> str | None:
    """Return why no digest of this dataset may be remembered: its file system hides changes. Else None."""
    scratch = _scratch(dataset)
    return why_changes_may_hide(dataset.path, scratch) if scratch else None


def clock(dataset: Dataset) -> int | None:
    """Return the time, in ns, by the clock of the file system that holds the dataset (not always the library's).

    None if no digest may be remembered: the time is not known, or the file system hides changes.
    """
    scratch = _scratch(dataset)
    return None if scratch is None or why_changes_may_hide(dataset.path, scratch) else file_system_now(scratch)


def _scratch(dataset: Dataset) -> Path | None:
    """Return a folder for temporary files on the dataset's file system: the library's own, if that is the same one."""
    try:
        device = dataset.path.stat().st_dev
        here = dataset.library.own_folder()  # created, which a folder that was moved away must not be
        return here if here.stat().st_dev == device else dataset.path
    except OSError:
        return None

"""Cleans the captions of a dataset by rules: first a preview, then exactly what it shows, as one batch.

The rules are the business of `core.cleaning`, batches that of `trash`. A preview keeps the bytes it was made from, and
only a file that still holds them is written. Progress is reported as events.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hashmark.core.cleaning import RULES, Flag, Pipeline, count_tags
from hashmark.core.display import printable, shortened
from hashmark.core.encoding import MAX_CAPTION_BYTES, decode, undecodable
from hashmark.core.errors import Interrupted, LocalError, SettingsError
from hashmark.core.events import Ended, Failure, FileDone, FileFailed, Started
from hashmark.core.model import FileStatus, Key, Kind, Verdict
from hashmark.core.pairs import pair_up
from hashmark.core.plan import Selection, no_match
from hashmark.core.word_diff import Piece, word_diff
from hashmark.disk.read import read_file
from hashmark.disk.rewrite import Rewrite
from hashmark.disk.walk import Walk
from hashmark.library.dataset import Dataset
from hashmark.library.settings import SETTINGS
from hashmark.trash.batch_rewrite import BatchOutcome, OnEvent, ignore_event, rewrite_as_batch


def pipeline_of(
    dataset: Dataset, changes: Mapping[str, Any] | None = None, *, only: Sequence[str] | None = None
) -> Pipeline:
    """Return the pipeline that cleans this dataset: its table in `hashmark.toml`, updated with `changes`.

    `only` names the rules to run instead of all others, in this order.

    Raises:
        SettingsError: the table (the message names the file) or the changes are invalid.
    """
    own = dataset.cleaning
    try:
        Pipeline.parse(own)
    except SettingsError as error:
        where = f'{dataset.library.root / SETTINGS}: [datasets."{dataset.name}".clean]'
        raise SettingsError(f"{where}: {error.message}", error.hint) from None
    changes = changes or {}
    table = {**own, **changes}
    if only is not None:
        added = changes["add"] if isinstance(changes.get("add"), list) else []
        # The file's parameters of other rules are left out: a parameter would turn its rule on.
        wanted = {*only, *added, *(name for name, rule in RULES.items() if rule.parameter in changes)}
        table = {name: value for name, value in table.items() if name in changes or name not in {"preset", "add"}}
        table |= {"rules": list(only), "skip": [name for name in RULES if name not in wanted]}
    return Pipeline.parse(table)


@dataclass(frozen=True, slots=True)
class CaptionChange:
    """One caption that cleaning changes. `after` is None where the rules delete its file."""

    key: str
    before: bytes
    after: bytes | None
    rules: tuple[str, ...]

    @property
    def pieces(self) -> list[Piece]:
        """The difference from the old text to the new one, word by word."""
        return word_diff(decode(self.before)[0], "" if self.after is None else decode(self.after)[0])

    @property
    def note(self) -> str | None:
        """What the difference in the text does not show."""
        if self.after is None:
            return "nothing would be left, so the file would be deleted"
        old, new = decode(self.before)[1], decode(self.after)[1]
        return None if old == new else f"encoded as {old}, becomes {new}"

    def to_json(self) -> dict[str, Any]:
        """Return plain data, the word diff included."""
        pieces = [{"change": piece.change, "text": printable(piece.text)} for piece in self.pieces]
        head = {"key": printable(self.key), "rules": list(self.rules), "remove": self.after is None, "note": self.note}
        return {**head, "pieces": pieces}


@dataclass(frozen=True)
class Preview:
    """What cleaning would do to some captions of a dataset. Nothing was written.

    `captions` were read. `flags` ask a person to review a caption, whether or not it changes. `skipped` captions could
    not be read or can't be written. `orphans` are captions without an image, left alone unless selected.
    """

    dataset: Dataset
    pipeline: Pipeline
    captions: int
    changes: tuple[CaptionChange, ...]
    flags: tuple[tuple[str, Flag], ...]
    skipped: tuple[Failure, ...]
    orphans: tuple[str, ...]

    def __repr__(self) -> str:
        where = shortened(self.dataset.name)
        return f"<Preview of {where}: {len(self.changes)} of {self.captions} captions would change>"

    @property
    def counts(self) -> dict[str, int]:
        """How many captions each rule of the pipeline changes, zeros included, in the order in which the rules run."""
        counts = Counter(rule for change in self.changes for rule in change.rules)
        decode = ["decode"] if "decode" in self.pipeline.options.rules else []
        return {name: counts[name] for name in (*decode, *self.pipeline.names, "empty")}

    @property
    def flag_counts(self) -> dict[str, int]:
        """How many captions each rule flags."""
        return dict(Counter(rule for _, rule in {(key, flag.rule) for key, flag in self.flags}))

    def to_json(self, start: int = 0, count: int | None = None) -> dict[str, Any]:
        """Return plain data, with `count` of the changes from `start` on."""
        end = None if count is None else start + count
        return {
            "dataset": self.dataset.name,
            "profile": str(self.pipeline.options.profile),
            "looked": self.captions,
            "changed": len(self.changes),
            "counts": self.counts,
            "changes": [change.to_json() for change in self.changes[start:end]],
            "flagCounts": self.flag_counts,
            "flags": [{"key": printable(key), "rule": flag.rule, "message": flag.message} for key, flag in self.flags],
            "skipped": [failure.to_json() for failure in self.skipped],
            "orphans": [printable(key) for key in self.orphans],
        }


@dataclass(frozen=True)
class Applied:
    """A preview, and what was written of it."""

    preview: Preview
    outcome: BatchOutcome

    def __repr__(self) -> str:
        counts = f"{len(self.outcome.done)} captions cleaned, {len(self.failures)} failed"
        return f"<Applied to {shortened(self.preview.dataset.name)}: {counts}>"

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Every file that was skipped or failed, and why."""
        return (*self.preview.skipped, *self.outcome.failures)

    def to_json(self, start: int = 0, count: int | None = None) -> dict[str, Any]:
        """Return plain data, the preview included."""
        return {**self.preview.to_json(start, count), **self.outcome.to_json()}


def preview(
    dataset: Dataset,
    pipeline: Pipeline,
    *,
    select: tuple[str, ...] = (),
    keys: frozenset[str] | None = None,
    on_event: OnEvent = ignore_event,
    cancel: threading.Event | None = None,
) -> Preview:
    """Read captions and return what the pipeline makes of them. `select` and `keys` narrow as in `Selection`.

    Raises:
        UsageError: a glob of `select` matches no caption.
        Interrupted: `cancel` was set.
        LocalError: the dataset's folder can't be read.
    """
    selection, stop = Selection(select, keys), cancel or threading.Event()
    found = _find_captions(dataset)
    chosen, orphans = [key for key in found.paired if selection.selects(key)], found.orphans
    if selection != Selection():
        chosen = sorted([*chosen, *filter(selection.selects, orphans)], key=os.fsencode)
        orphans = []
    if select and not chosen:
        raise no_match(f"No caption of {dataset.name}", select, [*found.paired, *found.orphans])
    on_event(Started(len(chosen), sum(found.sizes.get(key, 0) for key in chosen), time.time()))
    changes: list[CaptionChange] = []
    flags: list[tuple[str, Flag]] = []
    skipped = found.failures
    try:
        if pipeline.needs_counts:
            pipeline = _with_tag_counts(dataset, pipeline, found, stop)
        for key in chosen:
            data = _read(dataset, key, found, stop)
            change = data if isinstance(data, Failure) else _clean_caption(dataset, pipeline, key, data, flags)
            if isinstance(change, Failure):
                skipped.append(change)
                on_event(FileFailed(key, "read", change.code, change.message, time.time()))
                continue
            if change is not None:
                changes.append(change)
            on_event(FileDone(key, "read", found.sizes.get(key, 0), None, time.time()))
    except Interrupted:
        on_event(Ended(interrupted=True, at=time.time()))
        raise
    on_event(Ended(interrupted=False, at=time.time()))
    return Preview(dataset, pipeline, len(chosen), tuple(changes), tuple(flags), tuple(skipped), tuple(orphans))


def apply(found: Preview, on_event: OnEvent = ignore_event, cancel: threading.Event | None = None) -> Applied:
    """Write what a preview shows, as one batch that `trash.undo` takes back.

    A file that no longer holds the previewed bytes is left alone and reported. When `cancel` is set, the files under
    way are finished; the batch has what was done.

    Raises:
        Busy: another process holds the dataset's lock.
        LocalError: the library can't be written; no caption was changed.
    """
    rewrites = [Rewrite(change.key, change.before, change.after) for change in found.changes]
    what = f"{found.pipeline.options.profile}: {', '.join(name for name, count in found.counts.items() if count)}"
    outcome = rewrite_as_batch(found.dataset, rewrites, kind="clean", what=what, on_event=on_event, cancel=cancel)
    return Applied(found, outcome)


@dataclass(frozen=True)
class _Captions:
    """The captions of a dataset in key order: `paired` with an image, or `orphans`.

    `folders` are folders that are named like captions; they count as captions that can't be read.
    """

    paired: list[str]
    orphans: list[str]
    sizes: dict[str, int]
    folders: set[str]
    failures: list[Failure]


def _find_captions(dataset: Dataset) -> _Captions:
    pairing = dataset.pairing
    folders: set[str] = set()

    def ignored(keys: Sequence[str]) -> Collection[str]:
        folders.update(key[:-1] for key in keys if key.endswith("/") and pairing.kind(key[:-1]) is Kind.CAPTION)
        return pairing.ignored(keys)

    walk = Walk(dataset.path, ignored)
    sizes = {str(file.key): file.size for file in walk}
    failures = [Failure(p.key, p.code, p.message) for p in walk.problems if not p.key or p.key.endswith("/")]
    keys = sorted([*sizes, *folders], key=os.fsencode)
    rows = [FileStatus(Key(key), pairing.kind(key), Verdict.UNVERIFIED) for key in keys]
    alone = {p.key for p in pair_up(rows, pairing).problems if p.code == "orphan-caption"}
    captions = [row.key for row in rows if row.kind is Kind.CAPTION]
    paired = [str(key) for key in captions if key not in alone]
    return _Captions(paired, [k for k in captions if k in alone and k not in folders], sizes, folders, failures)


def _with_tag_counts(dataset: Dataset, pipeline: Pipeline, found: _Captions, stop: threading.Event) -> Pipeline:
    """Return the pipeline with the number of captions that have each tag, in the whole dataset once it is clean."""
    unordered = pipeline.without_order()

    def texts() -> Iterator[str]:
        for key in found.paired:
            data = _read(dataset, key, found, stop)
            if isinstance(data, bytes):
                yield unordered.clean(decode(data)[0]).text

    return pipeline.with_counts(count_tags(texts()).counts)


def _clean_caption(
    dataset: Dataset, pipeline: Pipeline, key: str, data: bytes, flags: list[tuple[str, Flag]]
) -> CaptionChange | Failure | None:
    """Return how the caption changes, if at all, or why the change can't be written. Adds to `flags`."""
    after, cleaned = pipeline.clean_bytes(data)
    flags.extend((key, flag) for flag in cleaned.flags)
    if after == data and not cleaned.remove:
        return None
    path = dataset.path / key
    try:
        facts = path.lstat()
    except OSError:
        return Failure(key, "vanished", f"'{key}' was deleted while it was read.")
    if stat.S_ISLNK(facts.st_mode):
        return Failure(key, "unsafe-path", f"'{key}' is a symlink and is left as it is.")
    if not facts.st_mode & 0o222 or not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        return Failure(key, "read-only", f"'{key}' is read-only and is left as it is.")
    return CaptionChange(key, data, None if cleaned.remove else after, cleaned.by or ("empty",))


def _read(dataset: Dataset, key: str, found: _Captions, stop: threading.Event) -> bytes | Failure:
    """Return the bytes of a caption, or why they can't be read.

    Raises:
        Interrupted: `stop` is set.
    """
    if stop.is_set():
        raise Interrupted("Preview cancelled; nothing was written.")
    if key in found.folders:
        return Failure(key, "not-a-file", f"'{key}' is a folder, not a caption.")
    try:
        read = read_file(dataset.path, key, MAX_CAPTION_BYTES)
    except LocalError as error:
        return Failure(key, error.code, str(error))
    if read is None:
        return Failure(key, "vanished", f"'{key}' was deleted before it could be read.")
    why = undecodable(read[0])
    return Failure(key, "undecodable", f"'{key}' {why}.") if why else read[0]

"""Cleaning the captions of a dataset by rules: first what would change, then exactly that, as one undoable batch.

The rules are `core.cleaning`'s, and what a batch is, `trash.batches`'. A preview keeps the bytes it was made from,
and only a file that still holds them is written. Progress is told in events; nothing is printed here.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hashmark.core.cleaning import RULES, Cleaned, Flag, Pipeline, count_tags
from hashmark.core.display import printable
from hashmark.core.encoding import MAX_CAPTION, decode, undecodable
from hashmark.core.errors import Interrupted, LocalError, SettingsError, UsageError
from hashmark.core.events import Ended, Failure, FileDone, FileFailed, Started
from hashmark.core.model import FileStatus, Key, Kind, Verdict
from hashmark.core.pairs import pair_up
from hashmark.core.plan import Selection
from hashmark.core.word_diff import Piece, word_diff
from hashmark.disk.read import read_file
from hashmark.disk.rewrite import Rewrite
from hashmark.disk.walk import Walk
from hashmark.library.library import Dataset
from hashmark.library.settings import SETTINGS
from hashmark.trash.batches import BatchOutcome, OnEvent, failure_json, rewrite, silent


def pipeline_of(
    dataset: Dataset, changes: Mapping[str, Any] | None = None, *, only: Sequence[str] | None = None
) -> Pipeline:
    """What cleans this dataset: its table in `hashmark.toml`, with `changes` put over it.

    `only` names the rules to run in place of all others, in this order.

    Raises:
        SettingsError: the table (the message names the file) or the changes can't be understood.
    """
    own = dataset.cleaning
    try:
        Pipeline.parse(own)
    except SettingsError as error:
        where = f'{dataset.library.root / SETTINGS}: [datasets."{dataset.name}".clean]'
        raise SettingsError(f"{where}: {error.message}", error.hint) from None
    told = changes or {}
    table = {**own, **told}
    if only is not None:
        added = told["add"] if isinstance(told.get("add"), list) else []
        # What the file tells rules that are not named stays unsaid: a parameter would turn them on.
        wanted = {*only, *added, *(name for name, rule in RULES.items() if rule.parameter in told)}
        table = {name: value for name, value in table.items() if name in told or name not in {"preset", "add"}}
        table |= {"rules": list(only), "skip": [name for name in RULES if name not in wanted]}
    return Pipeline.parse(table)


@dataclass(frozen=True, slots=True)
class CaptionChange:
    """One caption that cleaning changes. `after` is None where the rules say to delete its file."""

    key: str
    before: bytes
    after: bytes | None
    rules: tuple[str, ...]

    @property
    def pieces(self) -> list[Piece]:
        """The way from the old text to the new one, word by word."""
        return word_diff(decode(self.before)[0], "" if self.after is None else decode(self.after)[0])

    @property
    def note(self) -> str | None:
        """What the text alone does not show."""
        if self.after is None:
            return "its file would be deleted, for nothing would be left in it"
        old, new = decode(self.before)[1], decode(self.after)[1]
        return None if old == new else f"encoded as {old}, becomes {new}"

    def to_json(self) -> dict[str, Any]:
        """Plain data; the diff is made here."""
        pieces = [{"change": piece.change, "text": printable(piece.text)} for piece in self.pieces]
        head = {"key": printable(self.key), "rules": list(self.rules), "remove": self.after is None, "note": self.note}
        return {**head, "pieces": pieces}


@dataclass(frozen=True)
class Preview:
    """What cleaning would do to some captions of a dataset. Nothing was written.

    `looked` captions were read. `flags` are for a person to look at, whether or not the caption changes. `skipped`
    could not be judged, or can't be written; `orphans` are captions without an image, left alone unless selected.
    """

    dataset: Dataset
    pipeline: Pipeline
    looked: int
    changes: tuple[CaptionChange, ...]
    flags: tuple[tuple[str, Flag], ...]
    skipped: tuple[Failure, ...]
    orphans: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many captions each rule of the pipeline changes, in the order in which they run; 0 included."""
        counts = Counter(rule for change in self.changes for rule in change.rules)
        return {name: counts[name] for name in rule_names(self.pipeline)}

    @property
    def flag_counts(self) -> dict[str, int]:
        """How many captions each rule flags."""
        return dict(Counter(rule for _, rule in {(key, flag.rule) for key, flag in self.flags}))

    def to_json(self, start: int = 0, count: int | None = None) -> dict[str, Any]:
        """Plain data, with `count` of the changes from `start` on."""
        end = None if count is None else start + count
        return {
            "dataset": self.dataset.name,
            "profile": str(self.pipeline.options.profile),
            "looked": self.looked,
            "changed": len(self.changes),
            "counts": self.counts,
            "changes": [change.to_json() for change in self.changes[start:end]],
            "flagCounts": self.flag_counts,
            "flags": [{"key": printable(key), "rule": flag.rule, "message": flag.message} for key, flag in self.flags],
            "skipped": [failure_json(failure) for failure in self.skipped],
            "orphans": [printable(key) for key in self.orphans],
        }


def rule_names(pipeline: Pipeline) -> tuple[str, ...]:
    """The rules that may change a caption, in the order in which they run."""
    rules = pipeline.options.rules
    return (*(["decode"] if "decode" in rules else []), *pipeline.names, "empty")


@dataclass(frozen=True)
class Applied:
    """What was written of a preview."""

    preview: Preview
    outcome: BatchOutcome

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Every file that was skipped or not done, and why."""
        return (*self.preview.skipped, *self.outcome.failures)

    def to_json(self, start: int = 0, count: int | None = None) -> dict[str, Any]:
        """Plain data, the preview included."""
        return {**self.preview.to_json(start, count), **self.outcome.to_json()}


def preview(
    dataset: Dataset,
    pipeline: Pipeline,
    *,
    select: tuple[str, ...] = (),
    keys: frozenset[str] | None = None,
    on_event: OnEvent = silent,
    cancel: threading.Event | None = None,
) -> Preview:
    """Read captions and say what the pipeline makes of them. `select` and `keys` narrow as in `Selection`.

    Raises:
        UsageError: a glob of `select` matches no caption.
        Interrupted: `cancel` was set.
        LocalError: the dataset's folder can't be read.
    """
    return _Look(dataset, pipeline, Selection(select, keys), on_event, cancel or threading.Event()).run()


def apply(found: Preview, on_event: OnEvent = silent, cancel: threading.Event | None = None) -> Applied:
    """Write what a preview shows, as one batch that `trash.undoing` takes back.

    A file that does not hold the previewed bytes any more is left as it is, and named. Where `cancel` is set, what is
    under way is finished; what was done is in the batch.

    Raises:
        Busy: another hashmark is changing this dataset.
        LocalError: the library can't be written; no caption was changed.
    """
    rewrites = [Rewrite(change.key, change.before, change.after) for change in found.changes]
    what = f"{found.pipeline.options.profile}: {', '.join(name for name, count in found.counts.items() if count)}"
    return Applied(found, rewrite(found.dataset, rewrites, kind="clean", what=what, on_event=on_event, cancel=cancel))


class _Look:
    """One preview being made."""

    def __init__(
        self, dataset: Dataset, pipeline: Pipeline, selection: Selection, on_event: OnEvent, cancel: threading.Event
    ) -> None:
        self._dataset, self._pipeline, self._selection = dataset, pipeline, selection
        self._on_event, self._cancel = on_event, cancel
        self._path = dataset.path
        self._root = os.fspath(self._path)
        self._sizes: dict[str, int] = {}
        self._writable: dict[str, bool] = {}
        self._folders: set[str] = set()
        self._changes: list[CaptionChange] = []
        self._flags: list[tuple[str, Flag]] = []
        self._skipped: list[Failure] = []

    def run(self) -> Preview:
        captions, orphans = self._captions()
        chosen = [key for key in captions if self._selection.selects(key)]
        if self._selection != Selection():
            chosen = sorted([*chosen, *filter(self._selection.selects, orphans)], key=os.fsencode)
            orphans = []
        if self._selection.select and not chosen:
            globs = ", ".join(f"'{glob}'" for glob in self._selection.select)
            raise UsageError(f"No caption of {self._dataset.name} matches --select {globs}.", "A * also matches /.")
        self._on_event(Started(len(chosen), sum(self._sizes.get(key, 0) for key in chosen), time.time()))
        pipeline = self._counted(captions) if self._pipeline.needs_counts else self._pipeline
        for key in chosen:
            self._one(pipeline, key)
        self._on_event(Ended(interrupted=False, at=time.time()))
        kept = (tuple(self._changes), tuple(self._flags), tuple(self._skipped))
        return Preview(self._dataset, pipeline, len(chosen), *kept, tuple(orphans))

    def _captions(self) -> tuple[list[str], list[str]]:
        """The keys of captions that belong to an image, and of those that do not, in key order."""
        pairing = self._dataset.pairing

        def ignores(key: str) -> bool:
            if key.endswith("/") and pairing.kind(key[:-1]) is Kind.CAPTION:
                self._folders.add(key[:-1])
            return pairing.ignores(key)

        walk = Walk(self._path, ignores)
        for file in walk:
            self._sizes[file.key] = file.size
        for problem in walk.problems:
            if not problem.key or problem.key.endswith("/"):
                self._skipped.append(Failure(problem.key, problem.code, problem.message))
        keys = sorted([*self._sizes, *self._folders], key=os.fsencode)
        rows = [FileStatus(Key(key), pairing.kind(key), Verdict.UNVERIFIED) for key in keys]
        alone = {p.key for p in pair_up(rows, pairing).problems if p.code == "orphan-caption"}
        captions = [row.key for row in rows if row.kind is Kind.CAPTION]
        return (
            [key for key in captions if key not in alone],
            [key for key in captions if key in alone and key not in self._folders],
        )

    def _counted(self, captions: Iterable[str]) -> Pipeline:
        """The pipeline that knows how common each tag is in the whole dataset, clean as it will be."""
        bare = self._pipeline.without_order()

        def texts() -> Iterator[str]:
            for key in captions:
                self._check_stop()
                data = self._read(key)
                if isinstance(data, bytes):
                    yield bare.clean(decode(data)[0]).text

        return self._pipeline.with_counts(count_tags(texts()).counts)

    def _one(self, pipeline: Pipeline, key: str) -> None:
        self._check_stop()
        data = self._read(key)
        if isinstance(data, bytes):
            after, cleaned = pipeline.clean_bytes(data)
            self._flags.extend((key, flag) for flag in cleaned.flags)
            failure = self._note(key, data, after, cleaned)
        else:
            failure = data
        if failure is None:
            self._on_event(FileDone(key, "read", self._sizes.get(key, 0), None, time.time()))
        else:
            self._skipped.append(failure)
            self._on_event(FileFailed(key, "read", failure.code, failure.message, time.time()))

    def _note(self, key: str, data: bytes, after: bytes, cleaned: Cleaned) -> Failure | None:
        """Note a change; or why it could not be written."""
        if after == data and not cleaned.remove:
            return None
        why = self._unwritable(key)
        if why is None:
            self._changes.append(CaptionChange(key, data, None if cleaned.remove else after, cleaned.by or ("empty",)))
        return why

    def _read(self, key: str) -> bytes | Failure:
        """The bytes of a caption, or why they are not to be had."""
        if key in self._folders:
            return Failure(key, "not-a-file", f"'{key}' is a folder, not a caption.")
        try:
            found = read_file(self._path, key, MAX_CAPTION)
        except LocalError as error:
            return Failure(key, error.code, str(error))
        if found is None:
            return Failure(key, "vanished", f"'{key}' vanished before it could be read.")
        why = undecodable(found[0])
        return Failure(key, "undecodable", f"'{key}' {why}.") if why else found[0]

    def _unwritable(self, key: str) -> Failure | None:
        """Why a caption that would change can't be."""
        path = f"{self._root}/{key}"
        try:
            facts = os.lstat(path)
        except OSError:
            return Failure(key, "vanished", f"'{key}' vanished while it was read.")
        if stat.S_ISLNK(facts.st_mode):
            return Failure(key, "unsafe-path", f"'{key}' is a symlink and is left as it is.")
        if not facts.st_mode & 0o222 or not os.access(path, os.W_OK) or not self._takes_files(path.rpartition("/")[0]):
            return Failure(key, "read-only", f"'{key}' is read-only and is left as it is.")
        return None

    def _takes_files(self, folder: str) -> bool:
        if folder not in self._writable:
            self._writable[folder] = os.access(folder, os.W_OK)
        return self._writable[folder]

    def _check_stop(self) -> None:
        if self._cancel.is_set():
            self._on_event(Ended(interrupted=True, at=time.time()))
            raise Interrupted("It was stopped while looking; nothing was written.")

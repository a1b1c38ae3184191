"""What the page shows of one dataset: its files, items, caption texts and image sizes, at one revision.

It is changed only on the event loop's thread, so it needs no lock: worker threads return what they found, and the
loop applies it. How things are found out, and which pages hear of it, is not known here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from hashmark.core.cleaning import TagCounts
from hashmark.core.errors import HashmarkError
from hashmark.core.ignored import IgnoredNames
from hashmark.core.keys import refuse_collisions
from hashmark.core.lint.findings import LintReport
from hashmark.core.lint.health import CaptionHealth, health_of
from hashmark.core.model import FileStatus, Key, Kind, LocalFile, Problem, Verdict, key_bytes
from hashmark.core.pairs import Pairing, pair_up
from hashmark.core.report import DatasetStatus
from hashmark.library.dataset import Dataset
from hashmark.search.items import Item, colours_of, count_colours, make_items

NOT_COMPARED = "it was not compared with the bucket yet"


@dataclass(frozen=True, slots=True)
class LastCheck:
    """The last finished check: when it started (seconds since the epoch); `kind` is listing, bytes or saved listing."""

    at: float
    kind: str


@dataclass(slots=True)
class CheckProgress:
    """A running check: when it started (seconds since the epoch), and how many files were compared so far."""

    since: float
    files: int = 0


class LoadedCaption(NamedTuple):
    """The beginning of a caption: the MD5 of the file it is from, its text, and its issues."""

    md5: str | None
    text: str
    flags: tuple[str, ...] = ()


@dataclass
class LintState:
    """The last lint of a dataset (started at `at`, seconds since the epoch), and the progress of a running one.

    `progress` is how many images of how many were decoded; None while no lint runs. `found` has the names of the
    findings of each key, as the search language spells them.
    """

    report: LintReport | None = None
    found: dict[str, set[str]] = field(default_factory=dict)
    at: float = 0.0
    progress: tuple[int, int] | None = None
    error: HashmarkError | None = None

    def set_report(self, report: LintReport, at: float) -> None:
        """Replace the report by that of a lint that started `at`."""
        found: dict[str, set[str]] = {}
        for finding in (*report.findings, *report.notes):
            names = {finding.code, *([finding.trainer, f"{finding.trainer}/{finding.code}"] if finding.trainer else [])}
            for key in finding.keys:
                found.setdefault(key, set()).update(names)
        self.report, self.found, self.at, self.error = report, found, at, None


class LiveDataset:
    """One dataset, kept up to date. `revision` grows with every change, `structure` when items appear or disappear."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.revision = 0
        self.structure = 0
        self.files: dict[Key, FileStatus] = {}
        self.items: list[Item] = []
        self.counts: Counter[tuple[str, str]] = Counter()
        self.bytes = 0
        self.problems: tuple[Problem, ...] = ()
        self.ignored, self.ignored_objects = IgnoredNames(), IgnoredNames()
        """What the last check left out, on disk and in the bucket."""
        self.complete = False
        self.last_check: LastCheck | None = None
        self.check_progress: CheckProgress | None = None
        self.error: HashmarkError | None = None
        """Why the last check failed, if it did."""
        self.dirty: dict[Key, int] = {}
        """Keys that changed on disk and were not compared since, each with the number of its last change."""
        self._edits = 0
        self.texts: dict[Key, LoadedCaption] = {}
        self.health = CaptionHealth()
        """How many captions have which issue, counted when captions were last read."""
        self.tag_counts: tuple[int, str, TagCounts] | None = None
        """The last tag counts: at which revision, and beside which trigger."""
        self.lint = LintState()
        self.sizes: dict[str, tuple[int, int] | None] = {}
        """Width and height in pixels by MD5 of the image; None for an image that can't be read."""
        self._index_by_id: dict[str, int] = {}
        self._indexes_by_key: dict[Key, list[int]] = {}

    def item(self, item_id: str) -> Item | None:
        """Return the item with that id."""
        index = self._index_by_id.get(item_id)
        return None if index is None else self.items[index]

    def items_of(self, keys: Iterable[Key]) -> list[Item]:
        """Return the items that any of these keys belongs to, in order."""
        indexes = {index for key in keys for index in self._indexes_by_key.get(key, ())}
        return [self.items[index] for index in sorted(indexes)]

    def text(self, key: Key) -> str | None:
        """Return a caption's text; None where it was not read."""
        found = self.texts.get(key)
        return found.text if found else None

    def text_of(self, item: Item) -> str | None:
        """Return the text of an item's caption; None where it has none or it was not read."""
        row = item.lead if item.kind == "caption" else item.caption
        return self.text(row.key) if row else None

    def pixels_of(self, item: Item) -> tuple[int, int] | None:
        """Return the width and height of the image on disk; None where they were not measured."""
        md5 = item.lead.local.md5 if item.lead.local else None
        return self.sizes.get(md5) if md5 else None

    def is_unmeasured(self, item: Item) -> bool:
        """Return whether it is an image on disk that was not measured yet."""
        local = item.lead.local
        return item.kind == "pair" and local is not None and local.md5 is not None and local.md5 not in self.sizes

    def issues_of(self, item: Item) -> tuple[str, ...]:
        """Return the issues of an item's caption, of `core.vocabulary.CAPTION_ISSUES`, worst first."""
        row = item.lead if item.kind == "caption" else item.caption
        if row is None or row.local is None:
            return ("missing",) if item.kind == "pair" and item.lead.local else ()
        if row.local.size == 0:
            return ("zero-byte",)
        found = self.texts.get(row.key)
        return found.flags if found else ()

    def lint_of(self, item: Item) -> set[str]:
        """Return the names of what the last lint found in an item's files."""
        return set().union(*(self.lint.found.get(key, ()) for key in item.keys))

    def count_health(self) -> CaptionHealth:
        """Count the issues of the captions of images on disk. Only reads; may be called from any thread."""
        flags = {read.md5: read.flags for read in list(self.texts.values()) if read.md5}
        images = [item for item in list(self.items) if item.kind == "pair" and item.lead.local]
        captions = (item.caption.local if item.caption else None for item in images)
        return health_of(((file.key, file.md5) if file else None for file in captions), flags)

    def unread(self) -> list[FileStatus]:
        """Return the captions on disk whose text was not read, or was read from other bytes."""
        rows = [row for row in self.files.values() if row.kind is Kind.CAPTION and row.local]
        return [r for r in rows if r.key not in self.texts or (r.local and self.texts[r.key].md5 != r.local.md5)]

    @property
    def unchecked(self) -> bool:
        """Whether it was never compared with the bucket."""
        return self.last_check is None

    def show_unchecked(self, files: Iterable[LocalFile], pairing: Pairing) -> None:
        """Show the files on disk before they were compared: every badge is grey."""
        rows = [
            FileStatus(f.key, pairing.kind(f.key), Verdict.UNVERIFIED, reason=NOT_COMPARED, remedy="a check", local=f)
            for f in files
        ]
        self._set_rows(rows, ())

    def show(self, status: DatasetStatus, items: list[Item], check: LastCheck) -> None:
        """Show the result of a check; `items` were made from `status`."""
        self.last_check, self.complete, self.error = check, status.complete, None
        self.problems, self.health = status.problems, status.health
        self.ignored, self.ignored_objects = status.ignored, status.ignored_objects
        self.files = {row.key: row for row in status.files}
        self._set_items(items)

    def mark_edited(self, keys: Iterable[Key]) -> None:
        """Record that these keys may have changed on disk."""
        for key in keys:
            self._edits += 1
            self.dirty[key] = self._edits

    def mark_compared(self, edits: Mapping[Key, int]) -> None:
        """Record that these entries of `dirty` were compared; a key that changed again meanwhile stays dirty."""
        for key, edit in edits.items():
            if self.dirty.get(key) == edit:
                del self.dirty[key]

    def apply(self, changed: Mapping[Key, FileStatus | None]) -> list[Item]:
        """Set the status of some keys (None: neither side has it any more) and return the items that changed.

        The list is empty where items appeared or disappeared: then everything has to be requested again.
        """
        if any(now is None or key not in self.files for key, now in changed.items()):
            for key, now in changed.items():
                if now is None:
                    self.files.pop(key, None)
                else:
                    self.files[key] = now
            # Pairing finds its own problems again.
            kept = tuple(p for p in self.problems if not p.key or p.key not in self.files)
            self._set_rows(sorted(self.files.values(), key=lambda row: key_bytes(row.key)), kept)
            return []
        touched = sorted({index for key in changed for index in self._indexes_by_key.get(key, ())})
        for index in touched:
            old = self.items[index]
            lead = changed.get(old.lead.key) or old.lead
            caption = (changed.get(old.caption.key) or old.caption) if old.caption else None
            self.counts.subtract(colours_of(old))
            self.items[index] = replace(old, lead=lead, caption=caption)
            self.counts.update(colours_of(self.items[index]))
        self.files.update({key: now for key, now in changed.items() if now is not None})
        self.revision += 1
        return [self.items[index] for index in touched]

    def _set_rows(self, rows: list[FileStatus], problems: tuple[Problem, ...]) -> None:
        rows = refuse_collisions(rows)
        paired = pair_up(rows, self.dataset.pairing)
        self.problems = (*problems, *paired.problems)
        self.files = {row.key: row for row in rows}
        self._set_items(make_items(rows, paired.pairs, paired.problems))

    def _set_items(self, items: list[Item]) -> None:
        self.items = items
        self._index_by_id = {item.id: index for index, item in enumerate(items)}
        self._indexes_by_key = {}
        for index, item in enumerate(items):
            for key in item.keys:
                self._indexes_by_key.setdefault(key, []).append(index)
        self.counts = count_colours(items)
        self.bytes = sum(row.local.size for row in self.files.values() if row.local)
        self.revision += 1
        self.structure += 1

    def status(self) -> DatasetStatus:
        """Return the same as a value, for JSON. Only reads; may be called from any thread."""
        files = tuple(self.files.values())
        pairs = pair_up(files, self.dataset.pairing).pairs
        complete = self.complete and self.last_check is not None
        return DatasetStatus(
            self.dataset.id,
            self.dataset.name,
            complete,
            files,
            pairs,
            self.problems,
            self.ignored,
            self.ignored_objects,
            self.health,
        )

    def fail(self, error: HashmarkError) -> None:
        """Show why a check failed, beside what was known before."""
        self.error = error
        self.revision += 1

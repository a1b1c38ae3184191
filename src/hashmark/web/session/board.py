"""One dataset as the page shows it: its files, items, captions' texts and image sizes, at one revision.

Changed only on the event loop's thread, so it needs no lock; what takes long is made elsewhere and handed over.
How things are found out, and who is told, is not known here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from hashmark.core.cleaning import TagCounts
from hashmark.core.errors import HashmarkError
from hashmark.core.keys import refuse_collisions
from hashmark.core.lint.findings import LintReport
from hashmark.core.lint.health import CaptionHealth, health_of
from hashmark.core.model import FileStatus, Key, Kind, LocalFile, Problem, Verdict, key_bytes
from hashmark.core.pairs import Pairing, pair_up
from hashmark.core.report import DatasetStatus
from hashmark.library.library import Dataset
from hashmark.search.items import Item, colours_of, count_colours, make_items

NOT_COMPARED = "it was not compared with the bucket yet"


@dataclass(frozen=True, slots=True)
class Checked:
    """A look at both sides: when it began (seconds of the epoch); its kind is listing, bytes or saved listing."""

    at: float
    kind: str


class Read(NamedTuple):
    """A caption as far as it was read: the MD5 of the file it is from, its text, and what is not well with it."""

    md5: str | None
    text: str
    flags: tuple[str, ...] = ()


@dataclass
class Lint:
    """What trainers will make of the files, as of the last look (`at`, seconds of the epoch); `looking` while one runs.

    `looking` is how many images of how many were decoded; `found` has what was found by key, as the search names it.
    """

    report: LintReport | None = None
    found: dict[str, set[str]] = field(default_factory=dict)
    at: float = 0.0
    looking: tuple[int, int] | None = None
    error: HashmarkError | None = None

    def take(self, report: LintReport, at: float) -> None:
        """Take in a report."""
        found: dict[str, set[str]] = {}
        for finding in (*report.findings, *report.notes):
            names = {finding.code, *([finding.trainer, f"{finding.trainer}/{finding.code}"] if finding.trainer else [])}
            for key in finding.keys:
                found.setdefault(key, set()).update(names)
        self.report, self.found, self.at, self.error = report, found, at, None


@dataclass(slots=True)
class Checking:
    """A look under way: how many files were compared so far."""

    since: float
    seen: int = 0


class Board:
    """What is known of one dataset. `revision` grows with every change, `structure` when items come or go."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.revision = 0
        self.structure = 0
        self.files: dict[Key, FileStatus] = {}
        self.items: list[Item] = []
        self.counts: Counter[tuple[str, str]] = Counter()
        self.bytes = 0
        self.problems: tuple[Problem, ...] = ()
        self.complete = False
        self.checked: Checked | None = None
        self.checking: Checking | None = None
        self.error: HashmarkError | None = None
        self.dirty: dict[Key, int] = {}
        """Keys that changed on disk and were not looked at since, each with the number of its last change."""
        self._edits = 0
        self.texts: dict[Key, Read] = {}
        """Captions as far as they were read."""
        self.health = CaptionHealth()
        """How the captions are, counted when they were read last."""
        self.counted: tuple[int, str, TagCounts] | None = None
        """The tags as they were counted last: at which revision, with which trigger."""
        self.lint: Lint = Lint()
        self.sizes: dict[str, tuple[int, int] | None] = {}
        """Pixels by MD5 of the image; None where they can't be told."""
        self._at: dict[str, int] = {}
        self._where: dict[Key, list[int]] = {}

    def item(self, item_id: str) -> Item | None:
        """The item of that id."""
        at = self._at.get(item_id)
        return None if at is None else self.items[at]

    def position(self, item_id: str) -> int:
        """Its place in key order.

        Raises:
            KeyError: there is none of that id.
        """
        return self._at[item_id]

    def items_of(self, keys: Iterable[Key]) -> list[Item]:
        """The items that any of these keys belongs to, in order."""
        return [self.items[at] for at in sorted({at for key in keys for at in self._where.get(key, ())})]

    def text(self, key: Key) -> str | None:
        """A caption's text, None where it was not read."""
        found = self.texts.get(key)
        return found.text if found else None

    def text_of(self, item: Item) -> str | None:
        """The caption's text, None where it was not read."""
        row = item.lead if item.kind == "caption" else item.caption
        return self.text(row.key) if row else None

    def pixels_of(self, item: Item) -> tuple[int, int] | None:
        """Width and height of the image on disk, None where they were not measured."""
        md5 = item.lead.local.md5 if item.lead.local else None
        return self.sizes.get(md5) if md5 else None

    def is_unmeasured(self, item: Item) -> bool:
        """Whether it is an image on disk that was not measured yet."""
        local = item.lead.local
        return item.kind == "pair" and local is not None and local.md5 is not None and local.md5 not in self.sizes

    def issues_of(self, item: Item) -> tuple[str, ...]:
        """What is not well with the caption of an item, of `core.vocabulary.CAPTION_ISSUES`; the worst first."""
        row = item.lead if item.kind == "caption" else item.caption
        if row is None or row.local is None:
            return ("missing",) if item.kind == "pair" and item.lead.local else ()
        if row.local.size == 0:
            return ("zero-byte",)
        found = self.texts.get(row.key)
        return found.flags if found else ()

    def lint_of(self, item: Item) -> set[str]:
        """What the last lint found in the files of an item."""
        return set().union(*(self.lint.found.get(key, ()) for key in item.keys))

    def count_health(self) -> CaptionHealth:
        """Count what is not well with the captions of the images on disk. May be called from any thread."""
        flags = {read.md5: read.flags for read in list(self.texts.values()) if read.md5}
        images = [item for item in list(self.items) if item.kind == "pair" and item.lead.local]
        return health_of((_digest(item.caption) for item in images), flags)

    def unread(self) -> list[FileStatus]:
        """The captions on disk whose text is not known, or is that of other bytes."""
        rows = [row for row in self.files.values() if row.kind is Kind.CAPTION and row.local]
        return [r for r in rows if r.key not in self.texts or (r.local and self.texts[r.key].md5 != r.local.md5)]

    @property
    def stale(self) -> bool:
        """Whether it was never compared with the bucket."""
        return self.checked is None

    def show_unchecked(self, files: Iterable[LocalFile], pairing: Pairing) -> None:
        """Show what the disk has before anything was compared: every badge grey."""
        rows = [
            FileStatus(f.key, pairing.kind(f.key), Verdict.UNVERIFIED, reason=NOT_COMPARED, settle="a check", local=f)
            for f in files
        ]
        self._adopt(rows, ())

    def show(self, status: DatasetStatus, items: list[Item], checked: Checked) -> None:
        """Show the outcome of a look; `items` were made of it."""
        self.checked, self.complete, self.error = checked, status.complete, None
        self.problems, self.health = status.problems, status.health
        self.files = {row.key: row for row in status.files}
        self._index(items)

    def edited(self, keys: Iterable[Key]) -> None:
        """These keys may have changed on disk."""
        for key in keys:
            self._edits += 1
            self.dirty[key] = self._edits

    def looked_at(self, edits: Mapping[Key, int]) -> None:
        """These edits, of `dirty`, were looked at; a key that changed again meanwhile stays dirty."""
        for key, edit in edits.items():
            if self.dirty.get(key) == edit:
                del self.dirty[key]

    def apply(self, changed: Mapping[Key, FileStatus | None]) -> list[Item]:
        """Take in the new status of some keys (None: on neither side any more); returns the items that changed.

        An empty list where items came or went: then everything is to be asked anew.
        """
        if any(now is None or key not in self.files for key, now in changed.items()):
            for key, now in changed.items():
                if now is None:
                    self.files.pop(key, None)
                else:
                    self.files[key] = now
            self._adopt(sorted(self.files.values(), key=lambda row: key_bytes(row.key)), self._kept_problems())
            return []
        touched = sorted({at for key in changed for at in self._where.get(key, ())})
        for at in touched:
            self._patch(at, changed)
        self.files.update({key: now for key, now in changed.items() if now is not None})
        self.revision += 1
        return [self.items[at] for at in touched]

    def _patch(self, at: int, changed: Mapping[Key, FileStatus | None]) -> None:
        old = self.items[at]
        lead = changed.get(old.lead.key) or old.lead
        caption = (changed.get(old.caption.key) or old.caption) if old.caption else None
        self.counts.subtract(colours_of(old))
        self.items[at] = replace(old, lead=lead, caption=caption)
        self.counts.update(colours_of(self.items[at]))

    def _kept_problems(self) -> tuple[Problem, ...]:
        """The problems that don't come from pairing, which is done anew."""
        return tuple(p for p in self.problems if not p.key or p.key not in self.files)

    def _adopt(self, rows: list[FileStatus], problems: tuple[Problem, ...]) -> None:
        rows = refuse_collisions(rows)
        paired = pair_up(rows, self.dataset.pairing)
        self.problems = (*problems, *paired.problems)
        self.files = {row.key: row for row in rows}
        self._index(make_items(rows, paired.pairs, paired.problems))

    def _index(self, items: list[Item]) -> None:
        self.items = items
        self._at = {item.id: n for n, item in enumerate(items)}
        self._where = {}
        for n, item in enumerate(items):
            for key in item.keys:
                self._where.setdefault(key, []).append(n)
        self.counts = count_colours(items)
        self.bytes = sum(row.local.size for row in self.files.values() if row.local)
        self.revision += 1
        self.structure += 1

    def status(self) -> DatasetStatus:
        """The same as a value, for JSON."""
        files = tuple(self.files.values())
        pairs = pair_up(files, self.dataset.pairing).pairs
        complete = self.complete and self.checked is not None
        return DatasetStatus(
            self.dataset.id, self.dataset.name, complete, files, pairs, self.problems, health=self.health
        )

    def fail(self, error: HashmarkError) -> None:
        """A look came to nothing: what was known stays, with the error beside it."""
        self.error = error
        self.revision += 1


def _digest(caption: FileStatus | None) -> tuple[str, str | None] | None:
    """A caption's key and MD5, None where the disk has none."""
    return (caption.key, caption.local.md5) if caption and caption.local else None

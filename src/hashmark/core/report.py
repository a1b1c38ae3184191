"""The result of a comparison, and its shape as JSON (`status --json` and the HTTP API).

`DatasetStatus` holds everything; `Summary` folds a stream and keeps only what the command line prints.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hashmark.core.blocks import blocks
from hashmark.core.display import printable, shortened
from hashmark.core.ignored import IgnoredNames
from hashmark.core.keys import Collisions, as_collision
from hashmark.core.lint.health import CaptionHealth
from hashmark.core.model import NEEDS_SYNC, Evidence, FileStatus, Kind, Problem, Verdict, key_bytes
from hashmark.core.pairs import Pair
from hashmark.core.vocabulary import grade, reason_of


class Files(tuple[FileStatus, ...]):
    """Statuses of files in key order: a tuple that says how many there are of each verdict when it is printed."""

    __slots__ = ()

    @property
    def counts(self) -> dict[str, int]:
        """Number of files by verdict, without the verdicts that no file has."""
        return dict(Counter(str(f.verdict) for f in self))

    def __repr__(self) -> str:
        return f"<{len(self)} files{': ' if self else ''}{_listed(self.counts)}>"


@dataclass(frozen=True)
class DatasetStatus:
    """Everything known about one dataset at one time. `complete`: both sides were read without error.

    `ignored` are files and folders on disk that were left out, `ignored_objects` those in the bucket.
    """

    id: str
    name: str
    complete: bool
    files: tuple[FileStatus, ...]
    pairs: tuple[Pair, ...]
    problems: tuple[Problem, ...]
    ignored: IgnoredNames = field(default_factory=IgnoredNames)
    ignored_objects: IgnoredNames = field(default_factory=IgnoredNames)
    health: CaptionHealth = field(default_factory=CaptionHealth)

    def __post_init__(self) -> None:
        object.__setattr__(self, "files", Files(self.files))

    def __repr__(self) -> str:
        incomplete = "" if self.complete else ", not everything could be read"
        return f"<DatasetStatus {shortened(self.name)}: {_listed(self.counts) or 'empty'}{incomplete}>"

    @property
    def counts(self) -> dict[str, int]:
        """Number of files by verdict, without the verdicts that no file has."""
        return Files(self.files).counts

    @property
    def in_sync(self) -> bool:
        """Whether there are files, all proven equal on both sides, and both sides were read completely."""
        return self.complete and bool(self.files) and all(f.verdict is Verdict.SYNCED for f in self.files)

    def of(self, *verdicts: Verdict) -> Iterator[FileStatus]:
        """Yield the files with one of these verdicts, in key order."""
        return (f for f in self.files if f.verdict in verdicts)

    def to_json(self) -> dict[str, Any]:
        """Return plain data, as documented for `status --json`."""
        return {
            "id": self.id,
            "name": self.name,
            "complete": self.complete,
            "inSync": self.in_sync,
            "counts": self.counts,
            "captionHealth": self.health.to_json(),
            "files": [file_json(f) for f in self.files],
            "pairs": [pair_json(p) for p in self.pairs],
            "problems": [problem_json(p) for p in self.problems],
            "ignored": {"disk": self.ignored.to_json(), "bucket": self.ignored_objects.to_json()},
        }


def _listed(counts: Mapping[str, int]) -> str:
    return shortened(", ".join(f"{count} {verdict}" for verdict, count in counts.items()), 100)


def file_json(status: FileStatus) -> dict[str, Any]:
    """Return one file as plain data."""
    local, remote = status.local, status.remote
    return {
        "key": printable(status.key),
        "kind": status.kind,
        "verdict": status.verdict,
        "evidence": status.evidence,
        "detail": status.detail,
        "grade": grade(status),
        "reason": reason_of(status),
        "local": {"size": local.size, "md5": local.md5} if local else None,
        "remote": {"size": remote.size, "etag": remote.etag, "lastModified": remote.last_modified} if remote else None,
    }


def pair_json(pair: Pair) -> dict[str, Any]:
    """Return one pair as plain data."""
    return {
        "image": printable(pair.image.key),
        "caption": printable(pair.caption.key) if pair.caption else None,
        "isInS3": pair.is_in_s3,
        "captionInS3": pair.caption_in_s3,
    }


def problem_json(problem: Problem) -> dict[str, str]:
    """Return one problem as plain data."""
    return {"key": printable(problem.key), "code": problem.code, "message": printable(problem.message)}


_IMAGE, _SYNCED = Kind.IMAGE, Verdict.SYNCED  # read for each file, as in `core.compare`


@dataclass
class Summary:
    """Folds a stream of statuses in constant memory: counts, and the first `keep` files of each verdict."""

    keep: int = 20
    counts: Counter[Verdict] = field(default_factory=Counter)
    evidence: Counter[str] = field(default_factory=Counter)
    images: int = 0
    bytes: int = 0
    attention: dict[Verdict, list[FileStatus]] = field(default_factory=dict)
    _watch: Collisions[list[FileStatus]] = field(default_factory=Collisions, repr=False)
    """The current status of each counted file, in a list of one: a later file can collide with it."""

    def add(self, statuses: Sequence[FileStatus]) -> None:
        """Count more files."""
        kinds = [status.kind for status in statuses]
        self.images += kinds.count(_IMAGE)
        self.bytes += sum([status.local.stamp.size for status in statuses if status.local])
        if self._watch.surely_none([status.key for status in statuses]):
            self._count_synced([status.evidence for status in statuses if status.verdict is _SYNCED])
            statuses = [status for status in statuses if status.verdict is not _SYNCED]
        for status in statuses:
            self._add(status)

    def _count_synced(self, evidence: list[Evidence | None]) -> None:
        """Count files by their evidence. There is little of it, and an Enum's hash is slow."""
        while evidence:
            first, count = evidence[0], len(evidence)
            evidence = [other for other in evidence if other is not first]
            self.counts[_SYNCED] += count - len(evidence)
            if first:
                self.evidence[first] += count - len(evidence)

    def _add(self, status: FileStatus) -> None:
        seen = [status]
        for key, earlier in self._watch.add(status.key, seen):
            self._uncount(earlier[0])
            earlier[0] = as_collision(earlier[0], status.key)
            self._count(earlier[0])
            seen[0] = as_collision(seen[0], key)
        self._count(seen[0])

    def _count(self, status: FileStatus) -> None:
        self.counts[status.verdict] += 1
        if status.evidence:
            self.evidence[status.evidence] += 1
        if status.verdict is not _SYNCED:
            kept = self.attention.setdefault(status.verdict, [])
            insort(kept, status, key=lambda f: key_bytes(f.key))
            del kept[self.keep :]

    def _uncount(self, status: FileStatus) -> None:
        """Remove a file that turned out to collide."""
        _take_one(self.counts, status.verdict)
        if status.evidence:
            _take_one(self.evidence, status.evidence)
        kept = self.attention.get(status.verdict, [])
        kept[:] = [f for f in kept if f.key != status.key]

    @property
    def total(self) -> int:
        """Number of files on either side."""
        return sum(self.counts.values())

    @property
    def red(self) -> int:
        """Number of files that are out of sync."""
        return sum(self.counts[v] for v in NEEDS_SYNC)

    @property
    def in_sync(self) -> bool:
        """Whether there are files, and all are proven equal."""
        return 0 < self.total == self.counts[Verdict.SYNCED]

    @classmethod
    def of(cls, statuses: Iterable[FileStatus], keep: int = 20) -> Summary:
        """Return the summary of these."""
        summary = cls(keep)
        for block in blocks(statuses):
            summary.add(block)
        return summary


def _take_one(counts: Counter[Any], name: str) -> None:
    counts[name] -= 1
    if not counts[name]:
        del counts[name]

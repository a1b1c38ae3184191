"""Joins the hits of checks with their claims into findings, in the shape of `lint --json`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hashmark.core.display import printable, shortened
from hashmark.core.lint.checks import CHECKS, Hits
from hashmark.core.lint.claim import Claim, Severity
from hashmark.core.lint.claims import CLAIMS
from hashmark.core.lint.facts import Folder, Trainer
from hashmark.core.lint.health import CaptionHealth, health_of
from hashmark.core.lint.sources import SOURCES
from hashmark.core.model import Problem, key_bytes
from hashmark.core.report import problem_json


@dataclass(frozen=True, slots=True)
class Finding:
    """One issue of some files, for one trainer, or for every trainer if `trainer` is None.

    `keys` are in key order; `details` adds information about some of them.
    """

    code: str
    trainer: Trainer | None
    keys: tuple[str, ...]
    claim: Claim
    details: Hits = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<Finding {self.code}, {self.trainer or 'every trainer'}: {len(self.keys)} files>"

    @property
    def severity(self) -> Severity:
        """The severity of the claim."""
        return self.claim.severity

    @property
    def source(self) -> str:
        """Where the claim is documented."""
        return SOURCES[self.claim.source]

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "code": self.code,
            "severity": self.severity,
            "trainer": self.trainer,
            "count": len(self.keys),
            "keys": [printable(key) for key in self.keys],
            "details": {printable(key): printable(said) for key, said in self.details.items() if said},
            "what": self.claim.what,
            "why": self.claim.why,
            "do": self.claim.do,
            "source": self.source,
        }


@dataclass(frozen=True)
class LintReport:
    """The result of a lint. Notes are information, not findings; `problems` kept files from being checked."""

    name: str
    trainers: tuple[Trainer, ...]
    findings: tuple[Finding, ...]
    notes: tuple[Finding, ...]
    health: CaptionHealth
    problems: tuple[Problem, ...] = ()

    def __repr__(self) -> str:
        return f"<LintReport {shortened(self.name)}: {len(self.findings)} findings, {len(self.notes)} notes>"

    def to_json(self) -> dict[str, Any]:
        """Return plain data, as documented for `lint --json`."""
        return {
            "dataset": self.name,
            "trainers": list(self.trainers),
            "complete": not self.problems,
            "captionHealth": self.health.to_json(),
            "findings": [finding.to_json() for finding in self.findings],
            "notes": [note.to_json() for note in self.notes],
            "problems": [problem_json(problem) for problem in self.problems],
        }


def lint(folder: Folder, trainers: Iterable[Trainer] = Trainer, problems: Iterable[Problem] = ()) -> LintReport:
    """Return the findings in a folder for these trainers, and those that do not depend on the trainer."""
    wanted = tuple(dict.fromkeys(trainers))
    found = [*_of(folder, None), *(finding for trainer in wanted for finding in _of(folder, trainer))]
    return LintReport(
        name=folder.name,
        trainers=wanted,
        findings=tuple(f for f in found if f.severity is not Severity.NOTE),
        notes=tuple(f for f in found if f.severity is Severity.NOTE),
        health=health_of(
            ((pair.caption.key, pair.caption.md5) if pair.caption else None for pair in folder.pairs),
            {md5: facts.flags for md5, facts in folder.captions.items()},
        ),
        problems=tuple(problems),
    )


def _of(folder: Folder, trainer: Trainer | None) -> Iterator[Finding]:
    for code, check in CHECKS.items():
        claim = CLAIMS[code].get(trainer)
        hits = check(folder, trainer) if claim else {}
        if claim and hits:
            keys = tuple(sorted(hits, key=key_bytes))
            yield Finding(code, trainer, keys, claim, hits)

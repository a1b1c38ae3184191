"""Words, signs, colours and orders of verdicts, evidence and caption issues, for the command line, API and page alike.

Decides nothing: `core.compare` has the verdicts, and `core.lint` finds the caption issues.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from hashmark.core.display import printable
from hashmark.core.model import Evidence, FileStatus, Verdict


class Colour(NamedTuple):
    """The colour of a badge: what it says, its sign in a terminal, and the terminal's colour."""

    label: str
    sign: str
    terminal: str


COLOURS: Mapping[str, Colour] = {
    "conflict": Colour("conflict", "⚠", "red"),
    "red": Colour("out of sync", "✗", "red"),
    "grey": Colour("unverified", "?", "bright_black"),
    "refused": Colour("refused", "⊘", "yellow"),
    "cloud": Colour("only in the bucket", "☁", "blue"),
    "green": Colour("synced", "✓", "green"),
}
"""Colours by name, worst first: a pair has the colour of its worse half."""


class VerdictTerms(NamedTuple):
    """The colour of a verdict, a name in `COLOURS`, and what the verdict means."""

    colour: str
    meaning: str


VERDICTS: Mapping[Verdict, VerdictTerms] = {
    Verdict.CONFLICT: VerdictTerms("conflict", "changed on both sides since last in sync"),
    Verdict.REFUSED: VerdictTerms("refused", "the name is unsafe or ambiguous, or the file cannot be read"),
    Verdict.LOCAL_CHANGED: VerdictTerms("red", "edited on disk since last in sync"),
    Verdict.DIFFERS: VerdictTerms("red", "disk and bucket hold different bytes"),
    Verdict.REMOTE_CHANGED: VerdictTerms("red", "changed in the bucket since last in sync"),
    Verdict.LOCAL_ONLY: VerdictTerms("red", "not in the bucket"),
    Verdict.DELETED_REMOTELY: VerdictTerms("red", "deleted from the bucket since last in sync"),
    Verdict.UNVERIFIED: VerdictTerms("grey", "not proven equal, nor different"),
    Verdict.DELETED_LOCALLY: VerdictTerms("cloud", "deleted from the disk since last in sync"),
    Verdict.REMOTE_ONLY: VerdictTerms("cloud", "not on the disk"),
    Verdict.SYNCED: VerdictTerms("green", "proven equal on both sides"),
}
"""Verdicts, those that most need a person first."""

ATTENTION = tuple(verdict for verdict in VERDICTS if verdict is not Verdict.SYNCED)
"""Verdicts other than `synced`, in the order of `VERDICTS`."""


EMPTY = "empty: no files on disk or in the bucket"
"""What is said of a dataset without files, which is neither in sync nor out of sync."""


class EvidenceTerms(NamedTuple):
    """What one kind of evidence says, and its grade: how much that proves. None where it never gives that verdict."""

    same: str | None = None
    same_grade: str | None = None
    different: str | None = None
    different_grade: str | None = None
    unverified_grade: str | None = None


_CERTAIN = "certain"
_EVERY_BYTE = "certain: every byte was compared"
_MD5 = "rules out accidents; two files with the same MD5 can be crafted on purpose"
_CRC32 = "rules out accidents but 1 in 2^32 changes that keep the size; a match can be crafted on purpose"

CHECKSUM_GRADES: Mapping[str, str] = {
    "sha256": "rules out accidents and crafted files",
    "sha1": "rules out accidents; two files with the same SHA-1 can be crafted on purpose",
    "crc64nvme": "rules out accidents but 1 in 2^64 changes; a match can be crafted on purpose",
    "crc32c": _CRC32,
    "crc32": _CRC32,
}
"""How much the equality of a stored checksum proves, by its kind."""

EVIDENCE: Mapping[Evidence, EvidenceTerms] = {
    Evidence.SIZE: EvidenceTerms("Both files are empty.", _CERTAIN, "the sizes differ", _CERTAIN),
    Evidence.ETAG_MD5: EvidenceTerms(
        "The bucket's ETag is this file's MD5.",
        _MD5,
        "the bucket's ETag is an MD5, but not this file's",
        "certain: this bucket's ETags are known to be MD5s",
    ),
    Evidence.RECORDED: EvidenceTerms(
        "These bytes were proven equal before, under the ETag that the bucket still has.",
        "as strong as the recorded proof, if the store changes the ETag with the bytes",
        "the bucket's ETag was recorded for other bytes",
        "as strong as the recorded proof",
    ),
    Evidence.ETAG_MULTIPART: EvidenceTerms(
        "The bucket's multipart ETag is that of this file.",
        _MD5,
        "with these part sizes, this file has another multipart ETag",
        "certain: this bucket's multipart ETags are known to be made of MD5s",
    ),
    Evidence.CHECKSUM: EvidenceTerms(
        "The checksum stored with the object is this file's.",
        None,  # by its kind: CHECKSUM_GRADES
        "the checksum stored with the object is not this file's",
        "certain, if the stored checksum is that of the object's bytes",
    ),
    Evidence.CLAIMED: EvidenceTerms(unverified_grade="no proof: only the uploader's claim, which nobody checked"),
    Evidence.BODY: EvidenceTerms(
        "The object was downloaded; its bytes are the same.",
        _EVERY_BYTE,
        "the object was downloaded; its bytes differ",
        _EVERY_BYTE,
    ),
    Evidence.NAME: EvidenceTerms(unverified_grade="no proof: a name says nothing about the content"),
}
"""Kinds of evidence, in the order of `Evidence`."""


class CaptionIssue(NamedTuple):
    """One thing that can be wrong with an image's caption. `in_text`: found by reading it, not by its name or size."""

    label: str
    meaning: str
    in_text: bool


CAPTION_ISSUES: Mapping[str, CaptionIssue] = {
    "missing": CaptionIssue("without caption", "The image has no caption on disk.", False),
    "zero-byte": CaptionIssue("zero-byte", "The caption file has zero bytes.", False),
    "blank": CaptionIssue("blank", "The caption contains only whitespace.", True),
    "multi-line": CaptionIssue("multi-line", "The caption has more than one line.", True),
    "wrong-encoding": CaptionIssue("wrong encoding", "The caption is not plain UTF-8.", True),
    "suspect": CaptionIssue("suspect", "The caption reads like a model's refusal.", True),
}
"""Caption issues by code, worst first. `is:CODE` finds them in a search."""

CAPTION_FLAGS = tuple(code for code, issue in CAPTION_ISSUES.items() if issue.in_text)
"""The issues that `core.lint.facts.CaptionFacts.flags` may hold, worst first."""

_RANKS = {verdict: tuple(COLOURS).index(terms.colour) for verdict, terms in VERDICTS.items()}


def pair_colour(image: Verdict | None, caption: Verdict | None) -> str:
    """Return the colour of a pair's badge: that of its worse half. None stands for a half that does not exist."""
    ranks = [_RANKS[verdict] for verdict in (image, caption) if verdict is not None]
    return tuple(COLOURS)[min(ranks)] if ranks else "green"


def why(status: FileStatus) -> str:
    """Explain a verdict in one or two sentences, with its evidence.

    Raises:
        ValueError: the file is `synced` without evidence that proves it, which must not happen.
    """
    verdict, reason = status.verdict, reason_of(status)
    terms = EVIDENCE[status.evidence] if status.evidence else EvidenceTerms()
    if verdict is Verdict.SYNCED:
        if terms.same is None:
            raise ValueError(f"{printable(status.key)!r} is synced without proof")
        return f"{terms.same[:-1]} ({status.detail})." if status.detail else terms.same
    if verdict is Verdict.UNVERIFIED:
        return f"Cannot tell whether the bytes are equal: {reason}." if reason else "Not compared yet."
    if verdict is Verdict.REFUSED:
        return f"Refused: {reason}."
    if verdict is Verdict.CONFLICT and status.local is None:
        return "Deleted on disk, but changed in the bucket since last in sync."
    if verdict is Verdict.CONFLICT and status.remote is None:
        return "Deleted from the bucket, but edited on disk since last in sync."
    meaning = VERDICTS[verdict].meaning.capitalize()
    if verdict is Verdict.CONFLICT:
        return f"{meaning}. Nothing is overwritten until you choose a side."
    proof = reason or terms.different
    return f"{meaning}: {proof}." if proof else f"{meaning}."


def grade(status: FileStatus) -> str | None:
    """Return how much the evidence of a verdict proves; None without evidence, as where one side lacks the file."""
    if status.evidence is None:
        return None
    terms = EVIDENCE[status.evidence]
    if status.verdict is Verdict.SYNCED:
        by_checksum = status.evidence is Evidence.CHECKSUM
        return CHECKSUM_GRADES.get(status.detail or "", _CRC32) if by_checksum else terms.same_grade
    return terms.unverified_grade if status.verdict is Verdict.UNVERIFIED else terms.different_grade


def reason_of(status: FileStatus) -> str | None:
    """Return why a file is refused or unverified, with what would settle it, as `printable` text."""
    if not status.reason:
        return None
    return printable(f"{status.reason}; {status.remedy} would settle it" if status.remedy else status.reason)

"""Verdicts in words: why a file is green, red or grey, as one would say it to a colleague.

Words only: what a verdict is and what proves it is decided in `core.compare`.
"""

from __future__ import annotations

from hashmark.core.model import Evidence, FileStatus, Verdict
from hashmark.core.report import reason_of

_SAME = {
    Evidence.SIZE: "Both are empty.",
    Evidence.ETAG_MD5: "The bucket's ETag is the MD5 of this file.",
    Evidence.RECORDED: "The bucket's ETag is the one under which these very bytes were proven before.",
    Evidence.ETAG_MULTIPART: "The bucket's ETag is what this file gives when it is uploaded in those parts.",
    Evidence.CHECKSUM: "The checksum that the store keeps is this file's.",
    Evidence.BODY: "The object was downloaded and its bytes are the same.",
}

_DIFFERENT = {
    Evidence.SIZE: "the sizes differ",
    Evidence.ETAG_MD5: "the bucket's ETag is an MD5, and not this file's",
    Evidence.RECORDED: "the bucket's ETag stands for other bytes, proven before",
    Evidence.ETAG_MULTIPART: "with these part sizes this file would have another ETag",
    Evidence.CHECKSUM: "the checksum that the store keeps is another",
    Evidence.BODY: "the object was downloaded and its bytes are others",
}

_WHAT = {
    Verdict.LOCAL_ONLY: "The bucket does not have this file.",
    Verdict.LOCAL_CHANGED: "Edited on disk since both sides were last equal",
    Verdict.DIFFERS: "Disk and bucket hold different bytes",
    Verdict.REMOTE_CHANGED: "Changed in the bucket since both sides were last equal",
    Verdict.DELETED_REMOTELY: "It was in sync, and has since been deleted from the bucket.",
    Verdict.REMOTE_ONLY: "Only the bucket has this file.",
    Verdict.DELETED_LOCALLY: "It was in sync, and has since been deleted from the disk.",
}


def why(status: FileStatus) -> str:
    """One sentence or two: what is believed of this file, and the evidence for it."""
    verdict, reason = status.verdict, reason_of(status)
    if verdict is Verdict.SYNCED and status.evidence:
        said = _SAME[status.evidence]
        return f"{said[:-1]} ({status.detail})." if status.detail else said
    if verdict is Verdict.UNVERIFIED:
        return f"It can't be told whether the bytes are the same: {reason}." if reason else "Not compared yet."
    if verdict is Verdict.REFUSED:
        return f"Refused: {reason}."
    if verdict is Verdict.CONFLICT:
        return _conflict(status)
    said = _WHAT[verdict]
    proof = _DIFFERENT.get(status.evidence) if status.evidence else None
    if said.endswith("."):
        return said
    return f"{said}: {reason or proof}." if reason or proof else f"{said}."


def _conflict(status: FileStatus) -> str:
    if status.local is None:
        return "Deleted on disk, but changed in the bucket since both sides were last equal."
    if status.remote is None:
        return "Deleted from the bucket, but edited on disk since both sides were last equal."
    return "Both sides changed since they were last equal. Nothing is overwritten until you say whose content wins."

"""How strong each kind of evidence is, in words: what a verdict rests on, and what could fool it.

Words only: what is concluded from evidence is decided in `core.compare`.
"""

from __future__ import annotations

from hashmark.core.model import Evidence, FileStatus, Verdict

_MD5 = "proof against accidents; two files with one MD5 can be made on purpose"
_CERTAIN = "certain"

_SAME = {
    Evidence.SIZE: _CERTAIN,
    Evidence.ETAG_MD5: _MD5,
    Evidence.RECORDED: "as strong as the proof that was recorded; a store gives other bytes another ETag",
    Evidence.ETAG_MULTIPART: _MD5,
    Evidence.BODY: "certain: every byte was compared",
}

_BY_CHECKSUM = {
    "sha256": "proof, also against files made to deceive",
    "sha1": "proof against accidents; two files with one SHA-1 can be made on purpose",
    "crc64nvme": "proof against accidents: one change in 2^64 would go unseen",
    "crc32c": "proof against accidents: one change in 2^32 that keeps the size would go unseen",
    "crc32": "proof against accidents: one change in 2^32 that keeps the size would go unseen",
}
"""What equality of a stored checksum proves. CRCs are easily met on purpose."""

_DIFFERENT = {
    Evidence.SIZE: _CERTAIN,
    Evidence.ETAG_MD5: "certain, as this bucket has shown that its ETags are MD5s",
    Evidence.RECORDED: "as strong as the proof that was recorded",
    Evidence.ETAG_MULTIPART: "certain, as this bucket has shown that its ETags of parts are made of MD5s",
    Evidence.CHECKSUM: "certain, if the store's checksum is that of the bytes it holds",
    Evidence.BODY: "certain: every byte was compared",
}

_NONE = {
    Evidence.CLAIMED: "a claim: the uploader's word, which nobody has checked",
    Evidence.NAME: "no proof: a name says nothing of the content",
}


def grade(status: FileStatus) -> str | None:
    """How much the evidence of a verdict proves; None where there is none, as where one side lacks the file."""
    if status.evidence is None:
        return None
    if status.verdict is Verdict.SYNCED:
        if status.evidence is Evidence.CHECKSUM:
            return _BY_CHECKSUM.get(status.detail or "", _BY_CHECKSUM["crc32"])
        return _SAME.get(status.evidence)
    if status.verdict is Verdict.UNVERIFIED:
        return _NONE.get(status.evidence)
    return _DIFFERENT.get(status.evidence)

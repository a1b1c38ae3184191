"""What a completed action has proven. How anything is moved is not known here."""

from __future__ import annotations

from dataclasses import dataclass

from hashmark.core.etags import is_md5
from hashmark.core.model import Base, Evidence, LocalFile, Stamp
from hashmark.core.plan import Action


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What one action has proven: the new base, or (None) that the key is deleted.

    `sent` is an uploaded file with its digest, and `from_content` what the run's `content_reader` made of its bytes.
    `placed` is the stamp of a downloaded file in its place; None where another program changed it at once.
    """

    action: Action
    evidence: Evidence | None
    base: Base | None
    sent: LocalFile | None = None
    from_content: object = None
    placed: Stamp | None = None

    @property
    def etag_is_md5(self) -> bool:
        """Whether the object's ETag was seen to be the MD5 of its bytes."""
        return self.base is not None and is_md5(self.base.etag, self.base.md5)

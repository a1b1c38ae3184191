"""The shape of a claim: what an issue of a folder means, and its severity."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """An error stops training or loses a file; a warning changes what is trained; a note is good to know."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Claim:
    """What happens, why it matters, what to do, and the name of its source in `sources.SOURCES`.

    `what` continues a sentence that begins with the file's name. A note is not a finding.
    """

    severity: Severity
    what: str
    why: str
    do: str
    source: str

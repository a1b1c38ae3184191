"""The shape of a claim: what something in a folder means, and how bad that is. The claims are not known here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """An error stops training or loses a file; a warning trains on other than it seems; a note is to be known."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Claim:
    """What happens, why it matters, what to do, and the source's name in `sources.SOURCES`.

    `what` reads on after the file's name. A note is no finding.
    """

    severity: Severity
    what: str
    why: str
    do: str
    source: str

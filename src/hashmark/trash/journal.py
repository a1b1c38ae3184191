"""What a batch of rewritten files was, as a value and as bytes: enough to take it back, or to see that one can't.

It is written before the first file changes and never altered, so it says what was meant, not what came to pass: which
files it reached is seen by their digests. Refuses to know where it is kept and how files are put back.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Noted:
    """One file of a batch: the MD5 of what it held and of what it was to hold, in hex; None stands for no file."""

    key: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Journal:
    """A batch: what was done (`kind`, and `what` in words) to which dataset, and when (UTC, ISO 8601)."""

    kind: str
    dataset: str
    at: str
    what: str
    files: tuple[Noted, ...]

    def to_bytes(self) -> bytes:
        """As ASCII JSON, in which also a name that is no Unicode comes back as it was."""
        files = [[noted.key, noted.before, noted.after] for noted in self.files]
        head = {"format": FORMAT, "kind": self.kind, "dataset": self.dataset, "at": self.at, "what": self.what}
        return json.dumps({**head, "files": files}, separators=(",", ":")).encode("ascii")

    @classmethod
    def parse(cls, data: bytes) -> Journal:
        """Read what `to_bytes` wrote.

        Raises:
            ValueError: it is something else, or of a later format.
        """
        try:
            found = json.loads(data)
            if found["format"] != FORMAT:
                raise ValueError(f"it has format {found['format']}, and {FORMAT} is what is known here")
            kind, dataset, at, what = (_text(found[name]) for name in ("kind", "dataset", "at", "what"))
            files = tuple(Noted(_text(key), _digest(before), _digest(after)) for key, before, after in found["files"])
        except (KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"it is no journal ({type(error).__name__})") from None
        return cls(kind, dataset, at, what, files)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _digest(value: Any) -> str | None:
    return None if value is None else _text(value)

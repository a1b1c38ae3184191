"""The journal of a batch: the digest of each file before and after, enough to undo the batch or to see that one can't.

It is written before the first file changes and never altered. So it says what was intended; which files the batch
reached shows in their digests. Does not know how files are put back.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hashmark.core.errors import Unreadable

FORMAT = 1

MAX_JOURNAL_BYTES = 1 << 28
"""A larger journal is not read. This is enough for a million files."""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One file of a batch: the MD5 of its bytes before and after, in hex; None stands for no file."""

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
    files: tuple[JournalEntry, ...]

    def to_bytes(self) -> bytes:
        """Return ASCII JSON, in which names that are not valid Unicode survive too."""
        files = [[entry.key, entry.before, entry.after] for entry in self.files]
        head = {"format": FORMAT, "kind": self.kind, "dataset": self.dataset, "at": self.at, "what": self.what}
        return json.dumps({**head, "files": files}, separators=(",", ":")).encode("ascii")

    @classmethod
    def parse(cls, data: bytes) -> Journal:
        """Parse what `to_bytes` returned.

        Raises:
            ValueError: the data is something else, or has a later format.
        """
        try:
            found = json.loads(data)
            if found["format"] != FORMAT:
                raise ValueError(f"format {found['format']} is not supported, only {FORMAT}")
            kind, dataset, at, what = (_text(found[name]) for name in ("kind", "dataset", "at", "what"))
            files = tuple(
                JournalEntry(_text(key), _text_or_none(before), _text_or_none(after))
                for key, before, after in found["files"]
            )
        except (KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"not a journal ({type(error).__name__})") from None
        return cls(kind, dataset, at, what, files)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)


def read_journal(path: Path) -> Journal | None:
    """Read the journal at `path`; return None where there is none.

    Raises:
        Unreadable, ValueError: it can't be read, or is not a journal.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, no path
            data = file.read(MAX_JOURNAL_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unreadable(f"Cannot read {path}: {error.strerror}.") from None
    return Journal.parse(data)


def digest(data: bytes | None) -> str | None:
    """Return the MD5 of a file's bytes as journals have it: lower-case hex, None for no file."""
    return None if data is None else hashlib.md5(data, usedforsecurity=False).hexdigest()

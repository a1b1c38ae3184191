"""A bucket's listing as JSON, as `ls-remote --json` and the HTTP API write it and `--against` reads it.

Shape: `{"files": [names], "fileMap": {name: {"etag", "size", "lastModified"}}, "count": n}`. `fileMap` is
optional: a listing of names shows only which files exist. This module does not open files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hashmark.core.display import printable
from hashmark.core.errors import UsageError
from hashmark.core.etags import normal_etag
from hashmark.core.model import Key, RemoteObject, key_bytes


@dataclass(frozen=True, slots=True)
class SavedListing:
    """A saved listing in place of a bucket: its objects in key order, what it is, and when it was taken."""

    objects: tuple[RemoteObject, ...]
    what: str
    taken: datetime | None

    def age(self, now: datetime) -> str:
        """Describe what it is and how old."""
        if self.taken is None:
            return f"{self.what} of unknown age"
        hours = max(0, int((now - self.taken).total_seconds() // 3600))
        old = f"{hours // 24} days old" if hours >= 48 else f"{hours} hours old" if hours >= 2 else "new"
        return f"{self.what} of {self.taken.astimezone(UTC):%Y-%m-%d %H:%M} UTC, {old}"

    def to_json(self) -> dict[str, Any]:
        """Return what it is and when it was taken, as plain data."""
        return {"source": self.what, "takenAt": self.taken.astimezone(UTC).isoformat() if self.taken else None}


def to_json(objects: Iterable[RemoteObject]) -> dict[str, Any]:
    """Return the listing as plain data; ETags without quotes, `lastModified` in ISO 8601.

    Names that are not UTF-8 are `printable`, since JSON cannot hold them; hashmark refuses either form.
    """
    rows = [(printable(row.key), row) for row in objects]
    return {
        "files": [name for name, _ in rows],
        "fileMap": {n: {"etag": row.etag, "size": row.size, "lastModified": row.last_modified} for n, row in rows},
        "count": len(rows),
    }


def parse(text: str, name: str) -> list[RemoteObject]:
    """Return the objects of a saved listing in key order.

    Raises:
        UsageError: it does not have this shape, or its `count` contradicts its `files`.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name} is not JSON: {error}.", _HINT) from None
    if not isinstance(data, dict) or not isinstance(data.get("files"), list):
        raise UsageError(f"{name} has no list called 'files'.", _HINT)
    names = data["files"]
    if not all(isinstance(key, str) and _is_text(key) for key in names):
        raise UsageError(f"{name} has a name in 'files' that is not text.", _HINT)
    if len(set(names)) != len(names) or data.get("count", len(names)) != len(names):
        raise UsageError(f"{name} is damaged: 'files' repeats a name or contradicts 'count'.", _HINT)
    details = data.get("fileMap")
    if details is not None and not isinstance(details, dict):
        raise UsageError(f"'fileMap' in {name} is not an object.", _HINT)
    return [_object(key, (details or {}).get(key), name) for key in sorted(names, key=key_bytes)]


def _is_text(key: str) -> bool:
    try:
        key.encode()
    except UnicodeEncodeError:  # half a character: JSON can say "\\ud83d" alone
        return False
    return True


_HINT = "Save one with `hashmark ls-remote DATASET --json > listing.json`."


def _object(key: str, detail: Any, name: str) -> RemoteObject:
    if detail is None:
        return RemoteObject(Key(key))
    if not isinstance(detail, dict):
        raise UsageError(f"The entry of '{key}' in {name} is not an object.", _HINT)
    etag, size, modified = detail.get("etag"), detail.get("size"), detail.get("lastModified")
    size_ok = size is None or (isinstance(size, int) and not isinstance(size, bool) and size >= 0)
    if not size_ok or not isinstance(etag, str | None) or not isinstance(modified, str | None):
        raise UsageError(f"The entry of '{key}' in {name} has an invalid etag, size or lastModified.", _HINT)
    return RemoteObject(Key(key), size, (normal_etag(etag) or None) if etag else None, modified)

"""What is left out of a comparison: how many files and folders, the first of their names, and why. Reads no folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hashmark.core.display import printable, reveal

NAMES_SHOWN = 3


@dataclass
class IgnoredNames:
    """A number of files and folders, and the first few of their names. A folder has a final `/` and counts once."""

    count: int = 0
    names: list[str] = field(default_factory=list)

    def add(self, names: Iterable[str]) -> None:
        """Count more, and keep their names while there are few."""
        found = list(names)
        self.count += len(found)
        self.names += found[: NAMES_SHOWN - len(self.names)]

    def __str__(self) -> str:
        """Return the names in one line of visible text, with an ellipsis where more are ignored."""
        listed = [reveal(printable(name)).replace("\n", "") for name in self.names]
        return ", ".join([*listed, "…"] if self.count > len(listed) else listed)

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {"count": self.count, "names": [printable(name) for name in self.names]}


class _Reason(NamedTuple):
    one: str
    several: str


ROOT_REASONS: Mapping[str, _Reason] = {
    "file": _Reason("file beside the datasets", "files beside the datasets"),
    "hidden-folder": _Reason("hidden folder", "hidden folders"),
    "hidden-folder-in-bucket": _Reason("hidden folder of the bucket", "hidden folders of the bucket"),
    "object": _Reason("object beside the datasets in the bucket", "objects beside the datasets in the bucket"),
    "settings": _Reason("folder by `ignore` in hashmark.toml", "folders by `ignore` in hashmark.toml"),
    "cache-folder": _Reason(
        "folder named like a trainer's cache, without an image directly in it",
        "folders named like a trainer's cache, without an image directly in them",
    ),
}
"""Why something in a library's root, or in its folder of the bucket, belongs to no dataset."""


def root_text(ignored: Mapping[str, IgnoredNames]) -> str:
    """Return in one line what belongs to no dataset, as `2 files beside the datasets (a.png, a.txt) · …`."""
    parts = []
    for reason, words in ROOT_REASONS.items():
        if found := ignored.get(reason):
            parts.append(f"{found.count} {words.one if found.count == 1 else words.several} ({found})")
    return " · ".join(parts)


def root_json(ignored: Mapping[str, IgnoredNames]) -> list[dict[str, Any]]:
    """Return the same as plain data."""
    return [{"reason": reason, **ignored[reason].to_json()} for reason in ROOT_REASONS if reason in ignored]

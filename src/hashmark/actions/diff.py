"""Compares captions on disk with captions in the bucket, word by word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from hashmark.actions.status import Options, status
from hashmark.core.display import printable
from hashmark.core.encoding import decode
from hashmark.core.errors import UsageError
from hashmark.core.model import FileStatus, Kind, Verdict
from hashmark.core.report import DatasetStatus
from hashmark.core.word_diff import Piece, word_diff
from hashmark.library.dataset import Dataset

MAX_DIFF_BYTES = 1 << 20
"""Larger captions are not compared word by word."""


@dataclass(frozen=True)
class CaptionDiff:
    """One caption on both sides. `pieces` are the changes from bucket to disk; `note` says what else differs."""

    status: FileStatus
    pieces: tuple[Piece, ...]
    note: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "key": printable(self.status.key),
            "verdict": self.status.verdict,
            "note": self.note,
            "pieces": [{"change": p.change, "text": p.text} for p in self.pieces],
        }


def diff(dataset: Dataset, keys: Iterable[str] = ()) -> Iterator[CaptionDiff]:
    """Yield the captions that are not in sync, or those of `keys` that are not, with the changes from bucket to disk.

    Raises:
        UsageError: a key is not a caption of this dataset.
        StoreError: the bucket can't be listed or read.
    """
    found = status(dataset, Options())
    for row in _chosen(found, list(keys)):
        if row.verdict is not Verdict.SYNCED:
            yield compare_caption(dataset, row)


def _chosen(found: DatasetStatus, keys: list[str]) -> list[FileStatus]:
    captions: dict[str, FileStatus] = {f.key: f for f in found.files if f.kind is Kind.CAPTION}
    if not keys:
        return list(captions.values())
    by_image: dict[str, FileStatus] = {p.image.key: p.caption for p in found.pairs if p.caption}
    chosen = []
    for key in keys:
        row = captions.get(key) or by_image.get(key)
        if row is None:
            raise UsageError(
                f"'{key}' is not a caption of {found.name}, nor an image with one.", "See `hashmark status`."
            )
        chosen.append(row)
    return chosen


def compare_caption(dataset: Dataset, row: FileStatus) -> CaptionDiff:
    """Compare one caption, whether or not it is in sync.

    Raises:
        UsageError: it can't be read on disk.
        StoreError: it can't be read in the bucket.
    """
    if row.verdict is Verdict.REFUSED:
        return CaptionDiff(row, (), row.reason)
    size = max(row.local.size if row.local else 0, (row.remote.size or 0) if row.remote else 0)
    if size > MAX_DIFF_BYTES:
        return CaptionDiff(row, (), f"too large to compare word by word ({size} bytes)")
    try:
        disk = (dataset.path / row.key).read_bytes() if row.local else b""
    except OSError as error:
        raise UsageError(f"Cannot read '{row.key}': {error.strerror}.") from None
    etag = row.remote.etag if row.remote else None
    bucket = dataset.library.bucket.get(dataset.prefix + row.key, etag=etag) if row.remote else b""
    (new, new_encoding), (old, old_encoding) = decode(disk), decode(bucket)
    pieces = tuple(word_diff(old, new))
    return CaptionDiff(row, pieces, _note(row, old_encoding, new_encoding, same=disk == bucket))


def _note(row: FileStatus, old: str, new: str, *, same: bool) -> str | None:
    if row.local is None:
        return "only in the bucket"
    if row.remote is None:
        return "only on disk"
    if old != new:
        return f"encoded as {old} in the bucket, {new} on disk"
    return "the same bytes" if same else None

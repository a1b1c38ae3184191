"""What the HTTP API says of datasets and items: plain data, made from boards.

The shapes of `images` and `s3` are those that older pages speak (`isInS3`, `captionInS3`, `fileMap`). Nothing is
fetched or changed here.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

from hashmark.core.display import printable
from hashmark.core.errors import HashmarkError
from hashmark.core.model import FileStatus, Kind
from hashmark.core.pairs import Pair
from hashmark.core.report import problem_json
from hashmark.core.vocabulary import VERDICTS, grade, reason_of, why
from hashmark.search.items import Item
from hashmark.web.session.board import Board
from hashmark.web.session.desk import Desk

PREVIEW = 240
"""Characters of a caption in a list."""


def library_json(desk: Desk) -> dict[str, Any]:
    """`GET /api/datasets`."""
    return {
        "library": printable(str(desk.library.root)),
        "remote": remote_name(desk),
        "error": error_json(desk.trouble),
        "unwatched": error_json(desk.unwatched),
        "datasets": [summary_json(desk, board) for board in desk.boards.values()],
    }


def remote_name(desk: Desk) -> str:
    """The bucket as the settings name it."""
    remote = desk.library.settings.remote
    return f"s3://{remote.bucket}/{remote.prefix}".rstrip("/")


def summary_json(desk: Desk, board: Board) -> dict[str, Any]:
    """One dataset without its files. Times in seconds of the epoch; `counts` by verdict, of files."""
    job = desk.jobs.running(board.dataset)
    checking, checked = board.checking, board.checked
    kinds = Counter(row.kind for row in board.files.values())
    return {
        "id": printable(board.dataset.id),
        "name": printable(board.dataset.name),
        "revision": board.revision,
        "items": len(board.items),
        "pairs": sum(item.kind == "pair" for item in board.items),
        "images": kinds[Kind.IMAGE],
        "captions": kinds[Kind.CAPTION],
        "bytes": board.bytes,
        "counts": dict(Counter(str(row.verdict) for row in board.files.values())),
        "captionHealth": board.health.to_json(),
        "complete": board.complete,
        "checkedAt": checked.at if checked else None,
        "checkKind": checked.kind if checked else None,
        "checking": {"since": checking.since, "seen": checking.seen} if checking else None,
        "job": job.id if job else None,
        "error": error_json(board.error),
        "problems": [problem_json(problem) for problem in board.problems],
    }


def error_json(error: HashmarkError | None) -> dict[str, str] | None:
    """An error as the API gives it."""
    if error is None:
        return None
    return {"code": error.code, "message": printable(error.message), "hint": printable(error.hint)}


def images_json(pairs: tuple[Pair, ...]) -> dict[str, Any]:
    """`GET /api/datasets/{id}/images`: every image with its caption's digest, and whether the bucket has both."""
    return {"images": [_image(pair) for pair in pairs]}


def _image(pair: Pair) -> dict[str, Any]:
    image, caption = pair.image, pair.caption
    held = image.local or image.remote
    row: dict[str, Any] = {
        "filename": printable(image.key),
        "md5": image.local.md5 if image.local else None,
        "size": held.size if held else None,
        "hasCaption": caption is not None and caption.local is not None,
    }
    if caption is not None:
        row["captionFile"] = printable(caption.key)
        if caption.local:
            row["captionMd5"] = caption.local.md5
    return row | {
        "isInS3": pair.is_in_s3,
        "captionInS3": pair.caption_in_s3,
        "verdict": image.verdict,
        "captionVerdict": caption.verdict if caption else None,
    }


def row_json(board: Board, item: Item) -> dict[str, Any]:
    """One item as a list shows it. `version` changes when its picture does; None where it has none."""
    text = board.text_of(item)
    return {
        "id": item.id,
        "kind": item.kind,
        "name": printable(item.lead.key),
        "colour": item.colour,
        "lead": badge_json(item.lead),
        "caption": badge_json(item.caption) if item.caption else None,
        "text": None if text is None else printable(text[:PREVIEW]),
        "version": picture_version(item.lead),
        "odd": [printable(problem.message) for problem in item.odd],
        "health": board.issues_of(item),
    }


def badge_json(row: FileStatus) -> dict[str, Any]:
    """A file's verdict with its colour, its evidence, both in words, and how much that proves."""
    return {
        "verdict": row.verdict,
        "colour": VERDICTS[row.verdict].colour,
        "evidence": row.evidence,
        "why": why(row),
        "grade": grade(row),
    }


def picture_version(row: FileStatus) -> str | None:
    """A name for the picture's bytes, on disk or else in the bucket."""
    if row.kind not in {Kind.IMAGE, Kind.MASK}:
        return None
    if row.local:
        return row.local.md5
    return remote_version(row)


def remote_version(row: FileStatus) -> str | None:
    """A name for the bytes of an object: a digest of its key and ETag."""
    if row.remote is None or not row.remote.etag:
        return None
    return hashlib.sha256(f"{printable(row.key)}\0{row.remote.etag}".encode()).hexdigest()[:40]


def detail_json(board: Board, item: Item) -> dict[str, Any]:
    """Everything known about an item."""
    files = [item.lead, *([item.caption] if item.caption else [])]
    return row_json(board, item) | {"files": [_file(row) for row in files]}


def _file(row: FileStatus) -> dict[str, Any]:
    local, remote = row.local, row.remote
    return {
        "key": printable(row.key),
        "kind": row.kind,
        **badge_json(row),
        "reason": reason_of(row),
        "local": {"size": local.size, "md5": local.md5, "mtime": local.stamp.mtime_ns / 1e9} if local else None,
        "remote": {"size": remote.size, "etag": remote.etag, "lastModified": remote.last_modified} if remote else None,
    }

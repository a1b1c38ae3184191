"""Datasets, items, tags and findings as the HTTP API sends them: plain data. Nothing is fetched or changed here.

The shapes of `images` and `s3` are those that older pages use (`isInS3`, `captionInS3`, `fileMap`).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from hashmark.core.cleaning import TagCounts, tag_key
from hashmark.core.display import printable
from hashmark.core.errors import HashmarkError
from hashmark.core.ignored import root_json
from hashmark.core.lint.facts import Trainer
from hashmark.core.lint.findings import Finding
from hashmark.core.model import FileStatus, Kind
from hashmark.core.pairs import Pair
from hashmark.core.plan import Action, local_time, remote_time
from hashmark.core.report import problem_json
from hashmark.core.vocabulary import VERDICTS, grade, reason_of, why
from hashmark.search.items import Item, item_id
from hashmark.search.query import tag_search
from hashmark.web.session.live_dataset import LiveDataset
from hashmark.web.session.pictures import picture_version
from hashmark.web.session.services import Services

EXCERPT_CHARS = 240
"""Characters of a caption in a list."""

MAX_KEYS = 20
"""How many files of a finding are named; a search finds all of them."""


def library_json(services: Services) -> dict[str, Any]:
    """Return the answer of `GET /api/datasets`."""
    live_library = services.library
    return {
        "library": printable(str(live_library.library.root)),
        "remote": live_library.library.settings.remote.url,
        "error": error_json(live_library.error),
        "unwatched": error_json(live_library.watch_error),
        "datasets": [summary_json(services, live) for live in live_library.datasets.values()],
        "ignored": root_json(live_library.ignored),
    }


def summary_json(services: Services, live: LiveDataset) -> dict[str, Any]:
    """Return one dataset without its files. Times in seconds since the epoch; `counts` are files by verdict."""
    job = services.jobs.running(live.dataset)
    progress, check = live.check_progress, live.last_check
    kinds = Counter(row.kind for row in live.files.values())
    return {
        "id": printable(live.dataset.id),
        "name": printable(live.dataset.name),
        "revision": live.revision,
        "items": len(live.items),
        "pairs": sum(item.kind == "pair" for item in live.items),
        "images": kinds[Kind.IMAGE],
        "captions": kinds[Kind.CAPTION],
        "bytes": live.bytes,
        "counts": dict(Counter(str(row.verdict) for row in live.files.values())),
        "captionHealth": live.health.to_json(),
        "complete": live.complete,
        "checkedAt": check.at if check else None,
        "checkKind": check.kind if check else None,
        "checking": {"since": progress.since, "seen": progress.files} if progress else None,
        "job": job.id if job else None,
        "error": error_json(live.error),
        "problems": [problem_json(problem) for problem in live.problems],
        "ignored": {"disk": live.ignored.to_json(), "bucket": live.ignored_objects.to_json()},
    }


def error_json(error: HashmarkError | None) -> dict[str, str] | None:
    """Return an error as the API sends it."""
    if error is None:
        return None
    return {"code": error.code, "message": printable(error.message), "hint": printable(error.hint)}


def images_json(pairs: tuple[Pair, ...]) -> dict[str, Any]:
    """Return the answer of `GET /api/datasets/{id}/images`: images, their captions, and whether the bucket has both."""
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


def row_json(live: LiveDataset, item: Item) -> dict[str, Any]:
    """Return one item as a list shows it. `version` changes when its picture does; None where it has none."""
    text = live.text_of(item)
    return {
        "id": item.id,
        "kind": item.kind,
        "name": printable(item.lead.key),
        "colour": item.colour,
        "lead": badge_json(item.lead),
        "caption": badge_json(item.caption) if item.caption else None,
        "text": None if text is None else printable(text[:EXCERPT_CHARS]),
        "version": picture_version(item.lead),
        "odd": [printable(problem.message) for problem in item.odd],
        "health": live.issues_of(item),
    }


def badge_json(row: FileStatus) -> dict[str, Any]:
    """Return a file's verdict with its colour, its evidence, both in words, and how much that proves."""
    return {
        "verdict": row.verdict,
        "colour": VERDICTS[row.verdict].colour,
        "evidence": row.evidence,
        "why": why(row),
        "grade": grade(row),
    }


def detail_json(live: LiveDataset, item: Item) -> dict[str, Any]:
    """Return everything known about an item."""
    files = [item.lead, *([item.caption] if item.caption else [])]
    return row_json(live, item) | {"files": [_file(row) for row in files]}


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


def offered_json(action: Action) -> dict[str, Any]:
    """Return a file that a plan offers to move, with the times of both sides in seconds since the epoch."""
    here, there = local_time(action.status), remote_time(action.status)
    return {
        "id": item_id(action.key),
        "action": action.verb,
        "key": printable(action.key),
        "verdict": action.status.verdict,
        "size": action.size,
        "mtime": here.timestamp() if here else None,
        "lastModified": there.timestamp() if there else None,
    }


def tags_json(counts: TagCounts, trigger: str, names: list[str], start: int, count: int) -> dict[str, Any]:
    """Return a page of these tags, each with the search that finds its captions."""
    own = tag_key(trigger)
    return {
        "captions": counts.captions,
        "distinct": len(counts.counts),
        "singletons": len(counts.singletons),
        "trigger": trigger,
        "withTrigger": counts.counts[own] if trigger else None,
        "total": len(names),
        "tags": [
            {
                "tag": name,
                "count": counts.counts[name],
                "together": counts.together[name] if trigger and name != own else None,
                "search": tag_search(name),
            }
            for name in names[start : start + count]
        ],
    }


def lint_json(live: LiveDataset) -> dict[str, Any]:
    """Return what the last lint found; `at` is when it started, null where there was none."""
    state = live.lint
    progress = {"images": state.progress[0], "of": state.progress[1]} if state.progress else None
    report = state.report
    found = {
        "findings": [_finding(finding) for finding in report.findings] if report else [],
        "notes": [_finding(note) for note in report.notes] if report else [],
        "problems": [problem_json(problem) for problem in report.problems] if report else [],
        "trainers": list(Trainer),
    }
    return {"at": state.at or None, "looking": progress, "error": error_json(state.error), **found}


def _finding(finding: Finding) -> dict[str, Any]:
    data = finding.to_json()
    keys = [printable(key) for key in finding.keys[:MAX_KEYS]]
    details = {key: data["details"][key] for key in keys if key in data["details"]}
    name = f"{finding.trainer}/{finding.code}" if finding.trainer else finding.code
    return {**data, "keys": keys, "details": details, "search": f"lint:{name}"}

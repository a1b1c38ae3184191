"""Folders as values, for table tests of `lint`."""

from __future__ import annotations

from dataclasses import replace

from hashmark.core.lint.facts import CaptionFacts, File, Folder, ImageFacts, PairFacts, Trainer
from hashmark.core.lint.findings import LintReport, lint
from hashmark.core.model import EMPTY_MD5

WELL = ImageFacts("PNG", 1024, 1024, None, 1, alpha=False, hash=None)


def folder(*images: str, name: str = "82_stellar_sketch", **changes: object) -> Folder:
    """Return a folder without findings: each image has a caption of its stem, and facts of both."""
    pairs = tuple(
        PairFacts(File(key, 9, f"i-{key}"), File(_text(key), 9, f"c-{key}")) for key in images or ("a.png", "b.png")
    )
    whole = Folder(
        name,
        pairs,
        captions={pair.caption.md5 or "": CaptionFacts(tokens=9) for pair in pairs if pair.caption},
        images={pair.image.md5 or "": WELL for pair in pairs},
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def _text(key: str) -> str:
    return key.rsplit(".", 1)[0] + ".txt"


def with_caption(**facts: object) -> Folder:
    """Return a folder whose only caption, `a.txt`, has these facts."""
    return folder("a.png", captions={"c-a.png": replace(CaptionFacts(), **facts)})  # type: ignore[arg-type]


def with_image(key: str = "a.png", **facts: object) -> Folder:
    """Return a folder whose only image has these facts."""
    return folder(key, images={f"i-{key}": replace(WELL, **facts)})  # type: ignore[arg-type]


def without_caption(*images: str) -> Folder:
    """Return a folder of images without captions."""
    whole = folder(*images)
    return replace(whole, pairs=tuple(replace(pair, caption=None) for pair in whole.pairs))


def zero_byte() -> Folder:
    whole = folder("a.png")
    return replace(whole, pairs=(replace(whole.pairs[0], caption=File("a.txt", 0, EMPTY_MD5)),))


def found(given: Folder, *trainers: Trainer) -> dict[str, set[Trainer | None]]:
    """Return the codes of the findings, each with its trainers."""
    report: LintReport = lint(given, trainers or Trainer)
    result: dict[str, set[Trainer | None]] = {}
    for finding in report.findings:
        result.setdefault(finding.code, set()).add(finding.trainer)
    return result

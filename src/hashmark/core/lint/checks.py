"""Selects the files of each issue: a function per code of `core.lint.claims`, from a folder to keys with details.

Some depend on the trainer, since trainers read different suffixes. Does not know what an issue means.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeVar

from hashmark.core.lint.alike import near_groups
from hashmark.core.lint.facts import UNMARKED, CaptionFacts, File, Folder, ImageFacts, PairFacts, Trainer
from hashmark.core.pairs import AGGREGATES, split_suffix

Hits = dict[str, str | None]
"""Keys, each with a detail or None."""

Check = Callable[[Folder, Trainer | None], Hits]
T = TypeVar("T")

MAX_PROMPT_TOKENS = 75
MIN_SIDE_PX = 256
MAX_ASPECT = 4.0

_KOHYA = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"})
READS: Mapping[Trainer, frozenset[str]] = MappingProxyType(
    {
        Trainer.KOHYA: _KOHYA,
        Trainer.MUSUBI: _KOHYA | {".avif"},
        Trainer.AI_TOOLKIT: frozenset({".jpg", ".jpeg", ".png", ".webp"}),
        Trainer.ONETRAINER: frozenset({".bmp", ".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp"}),
    }
)
"""Suffixes of images that a trainer reads; diffusion-pipe and SimpleTuner try whatever Pillow opens.

With plugins installed, kohya also reads .avif and .jxl, and musubi .jxl.
"""

_CONTENT = MappingProxyType(
    {
        ".png": "PNG",
        ".jpg": "JPEG",
        ".jpeg": "JPEG",
        ".webp": "WEBP",
        ".bmp": "BMP",
        ".gif": "GIF",
        ".tif": "TIFF",
        ".tiff": "TIFF",
        ".avif": "AVIF",
    }
)
_ODD = {
    "double-suffix": "its name is the image's with its suffix",
    "inexact-match": "letter case or accents differ",
}


def _captioned(folder: Folder) -> Iterator[tuple[File, CaptionFacts]]:
    """Yield captions that were read, each once."""
    seen: set[str] = set()
    for pair in folder.pairs:
        caption = pair.caption
        facts = folder.captions.get(caption.md5 or "") if caption else None
        if caption is None or facts is None or caption.key in seen or caption.empty:
            continue
        seen.add(caption.key)
        yield caption, facts


def _decoded(folder: Folder) -> Iterator[tuple[File, ImageFacts]]:
    """Yield images that decode."""
    for pair in folder.pairs:
        facts = folder.images.get(pair.image.md5 or "")
        if facts is not None and not facts.trouble:
            yield pair.image, facts


def _paired(folder: Folder) -> Iterator[tuple[File, PairFacts]]:
    return ((pair.image, pair) for pair in folder.pairs)


def _missing(folder: Folder, trainer: Trainer | None) -> Hits:
    """Select images without a caption of exactly their name. kohya can borrow another image's caption."""
    kohya = trainer is Trainer.KOHYA
    elsewhere = _borrowed(folder, trainer) if kohya else folder.decoys
    found: Hits = {p.image.key: None for p in folder.pairs if p.caption is None and p.image.key not in elsewhere}
    return found | {key: f"the one found here: {_ODD[code]}" for key, code in folder.odd.items()}


def _borrowed(folder: Folder, _: Trainer | None) -> Hits:
    captions = {split_suffix(p.caption.key)[0]: p.caption.key for p in folder.pairs if p.caption}
    captions |= {split_suffix(key)[0]: key for key in folder.orphans}
    found: Hits = {}
    for pair in folder.pairs:
        stem = split_suffix(pair.image.key)[0]
        parts = stem.rsplit("/", 1)[-1].split("_")
        if pair.caption is None and len(parts) >= 5 and stem.rsplit("_", 4)[0] in captions:
            found[pair.image.key] = f"'{captions[stem.rsplit('_', 4)[0]]}'"
    return found


def _several_lines(folder: Folder, trainer: Trainer | None) -> Hits:
    return {
        f.key: f"{facts.lines} lines"
        for f, facts in _captioned(folder)
        if facts.lines > 1 and not (trainer is Trainer.KOHYA and facts.starts_blank)
    }


def _not_read(folder: Folder, _: Trainer | None) -> Hits:
    found: Hits = {}
    for pair in folder.pairs:
        names = (pair.caption.key if pair.caption else "", *pair.others)
        if pair.caption and not any(split_suffix(name)[1].lower() == ".txt" for name in names):
            found[pair.caption.key] = None
    return found


def _cached_as_one(folder: Folder, trainer: Trainer | None) -> Hits:
    """Select images of one stem; for a trainer, only those that it reads and that have the same size."""
    groups: dict[tuple[str, object], list[str]] = defaultdict(list)
    for pair in folder.pairs:
        stem, suffix = split_suffix(pair.image.key)
        facts = folder.images.get(pair.image.md5 or "") if trainer else None
        if trainer is None or suffix.lower() in READS[trainer]:
            groups[stem, (facts.width, facts.height) if facts else None].append(pair.image.key)
    return _in_groups(groups.values())


def _image_not_read(folder: Folder, trainer: Trainer | None) -> Hits:
    wanted = READS[trainer] if trainer else frozenset()
    return {p.image.key: None for p in folder.pairs if split_suffix(p.image.key)[1].lower() not in wanted}


def _suffix_case(folder: Folder, trainer: Trainer | None) -> Hits:
    wanted = READS[trainer] if trainer else frozenset()
    found: Hits = {}
    for pair in folder.pairs:
        suffix = split_suffix(pair.image.key)[1]
        if suffix.lower() in wanted and suffix not in {suffix.lower(), suffix.upper()}:
            found[pair.image.key] = f"'{suffix}'"
    return found


def _wrong_suffix(folder: Folder, _: Trainer | None) -> Hits:
    found: Hits = {}
    for image, facts in _decoded(folder):
        suffix = split_suffix(image.key)[1].lower()
        if facts.format != _CONTENT.get(suffix, facts.format):
            found[image.key] = f"is {'an' if facts.format[0] == 'A' else 'a'} {facts.format}"
    return found


def _undecodable(folder: Folder, _: Trainer | None) -> Hits:
    """Select only formats that hashmark decodes, so that a JPEG XL is not called damaged."""
    seen = ((p.image.key, folder.images.get(p.image.md5 or "")) for p in folder.pairs)
    return {
        key: facts.trouble
        for key, facts in seen
        if facts is not None and facts.trouble and (facts.format or split_suffix(key)[1].lower() in _CONTENT)
    }


def _animated(folder: Folder, trainer: Trainer | None) -> Hits:
    return {
        image.key: f"{facts.frames} frames"
        for image, facts in _decoded(folder)
        if facts.frames > 1 and (trainer is None or (facts.format == "WEBP" and image.key.endswith(".webp")))
    }


def _duplicates(folder: Folder, _: Trainer | None) -> Hits:
    digests: dict[str, list[str]] = defaultdict(list)
    for pair in folder.pairs:
        if pair.image.md5:
            digests[pair.image.md5].append(pair.image.key)
    return _in_groups(digests.values())


def _near_duplicates(folder: Folder, _: Trainer | None) -> Hits:
    one_each = {image.md5: (image.key, facts.hash) for image, facts in reversed([*_decoded(folder)])}
    return _in_groups(near_groups({key: value for key, value in one_each.values() if value is not None}))


def _in_groups(groups: Iterable[list[str]]) -> Hits:
    """Return every key of each group of several, with the names of the others."""
    found: Hits = {}
    for group in groups:
        for key in group if len(group) > 1 else ():
            others = [f"'{other}'" for other in group if other != key]
            more = f" and {len(others) - 3} more" if len(others) > 3 else ""
            found[key] = f"{', '.join(others[:3])}{more}"
    return found


def _aggregates(folder: Folder, trainer: Trainer | None) -> Hits:
    names = {"captions.json"} if trainer else AGGREGATES.keys() - {"captions.json"}
    return {key: None for key in folder.extras if key in names}


def _repeats(folder: Folder, trainer: Trainer | None) -> Hits:
    number, name = _number(folder.name)
    if number is None:
        return {}
    if trainer is Trainer.SIMPLETUNER:
        return {folder.name: f"repeats: {number - 1}"}
    unseen = {*_image_not_read(folder, trainer), *_suffix_case(folder, trainer)}
    count = sum(1 for p in folder.pairs if "/" not in p.image.key and p.image.key not in unseen)
    return {folder.name: f"{count} images x {number} = {count * number:,} samples per epoch, class token '{name}'"}


def _number(folder: str) -> tuple[int | None, str]:
    head, _, rest = folder.partition("_")
    return (int(head), rest) if head.isascii() and head.isdigit() else (None, folder)


def _where(rows: Callable[[Folder], Iterable[tuple[File, T]]], wanted: Callable[[T], str | bool | None]) -> Check:
    """Return a check that selects the files for which `wanted` returns True or a detail."""

    def check(folder: Folder, _: Trainer | None) -> Hits:
        said = ((file.key, wanted(fact)) for file, fact in rows(folder))
        return {key: text if isinstance(text, str) else None for key, text in said if text}

    return check


def _aspect(facts: ImageFacts) -> str | None:
    long, short = max(facts.width, facts.height), max(1, min(facts.width, facts.height))
    return f"{facts.width} x {facts.height}" if long / short > MAX_ASPECT else None


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "missing-caption": _missing,
        "borrowed-caption": _borrowed,
        "zero-byte-caption": lambda folder, _: {
            p.caption.key: None for p in folder.pairs if p.caption and p.caption.empty
        },
        "blank-caption": _where(_captioned, lambda facts: not facts.lines),
        "blank-first-line": _where(_captioned, lambda facts: facts.starts_blank),
        "several-lines": _several_lines,
        "byte-order-mark": _where(_captioned, lambda facts: facts.encoding == "utf-8-sig"),
        "not-utf-8": _where(
            _captioned, lambda facts: f"read as {facts.encoding}" if facts.encoding in {"cp1252", "utf-16"} else None
        ),
        "unmarked-utf-16": _where(_captioned, lambda facts: facts.encoding == UNMARKED),
        "caption-not-read": _not_read,
        "caption-name": lambda folder, _: {key: _ODD[code] for key, code in folder.odd.items()},
        "several-captions": _where(_paired, lambda pair: ", ".join(f"'{key}'" for key in pair.others)),
        "orphan-caption": lambda folder, _: dict.fromkeys(folder.orphans),
        "caption-is-folder": lambda folder, _: {key: f"'{name}'" for key, name in folder.decoys.items()},
        "huge-caption": lambda folder, _: {key: f"{size:,} bytes" for key, size in folder.huge.items()},
        "long-caption": _where(
            _captioned, lambda facts: facts.tokens > MAX_PROMPT_TOKENS and f"at least {facts.tokens} tokens"
        ),
        "suspect-caption": _where(_captioned, lambda facts: facts.suspect),
        "aggregate-captions": _aggregates,
        "image-not-read": _image_not_read,
        "suffix-case": _suffix_case,
        "subfolder": _where(_paired, lambda pair: "/" in pair.image.key),
        "shared-stem": _cached_as_one,
        "unreadable-image": _undecodable,
        "wrong-suffix": _wrong_suffix,
        "exif-rotation": _where(
            _decoded, lambda facts: (facts.orientation or 1) > 1 and f"EXIF orientation {facts.orientation}"
        ),
        "animated": _animated,
        "alpha": _where(_decoded, lambda facts: facts.alpha),
        "tiny": _where(
            _decoded, lambda facts: min(facts.width, facts.height) < MIN_SIDE_PX and f"{facts.width} x {facts.height}"
        ),
        "extreme-aspect": _where(_decoded, _aspect),
        "duplicate": _duplicates,
        "near-duplicate": _near_duplicates,
        "repeats": _repeats,
        "no-repeats": lambda folder, _: {} if _number(folder.name)[0] is not None else {folder.name: None},
        "caption-extension": lambda folder, _: dict.fromkeys(
            sorted({split_suffix(p.caption.key)[1] for p in folder.pairs if p.caption} - {".caption"})
        ),
    }
)
"""By code, in the order of the report."""

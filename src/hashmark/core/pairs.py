"""Decides which files are images, which caption belongs to each, and which files are ignored.

The rules follow the sources of trainers and caption tools (sd-scripts, musubi-tuner, ai-toolkit, OneTrainer,
SimpleTuner, diffusion-pipe). Only names decide: this module does not know what is inside a file, nor whether it is in
sync.
"""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from hashmark.core.keys import is_ours
from hashmark.core.model import Evidence, FileStatus, Kind, Problem, Verdict

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".heic", ".jxl"}
)
DEFAULT_CAPTIONS = (".txt", ".caption")

IGNORED_NAMES = (
    # written by trainers
    "*.npz",
    "*_te.safetensors",
    "_latent_cache/",
    "_t_e_cache/",
    "_clip_vision_cache/",
    "cache/",
    ".aitk_size.json",
    "metadata_cache.json",
    "aspect_ratio_bucket_*",
    # written by desktops, notebooks and viewers
    ".DS_Store",
    "._*",
    "Thumbs.db",
    "desktop.ini",
    ".ipynb_checkpoints/",
    ".thumbs/",
    "__MACOSX/",
)
"""Ignored by default. A name with a final `/` is a folder at any depth; others match a file's own name."""

AGGREGATES = {
    "captions.json": "diffusion-pipe reads it instead of the .txt files",
    "metadata.jsonl": "Hugging Face ImageFolder and kohya's metadata mode read it instead of the .txt files",
    "metadata.csv": "Hugging Face ImageFolder reads it instead of the .txt files",
    "metadata.parquet": "Hugging Face ImageFolder reads it instead of the .txt files",
}

_MASK = ("-masklabel", "-condlabel")
_MASK_FOLDERS = frozenset({"masks", "mask"})
_CONTROL_FOLDERS = frozenset({"_controls", "controls", "control"})


def split_suffix(key: str) -> tuple[str, str]:
    """Return the stem with its folder, and the suffix from the last dot of the name (`a.b.png` → `a.b`, `.png`)."""
    slash = key.rfind("/")
    dot = key.rfind(".")
    return (key[:dot], key[dot:]) if dot > slash + 1 else (key, "")


@dataclass(frozen=True)
class Pairing:
    """How a library names its captions, and what it ignores. Suffixes include the dot, preferred ones first."""

    captions: tuple[str, ...] = DEFAULT_CAPTIONS
    ignore: tuple[str, ...] = ()
    _ignored: _Globs = field(init=False, repr=False, compare=False)
    _ranks: dict[str, int] = field(init=False, repr=False, compare=False)
    _kinds: dict[str, Kind] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ignored", _Globs((*IGNORED_NAMES, *self.ignore)))
        ranks = {c.casefold(): rank for rank, c in reversed(list(enumerate(self.captions)))}
        object.__setattr__(self, "_ranks", ranks)
        kinds = dict.fromkeys(IMAGE_SUFFIXES, Kind.IMAGE) | dict.fromkeys(ranks, Kind.CAPTION)
        object.__setattr__(self, "_kinds", kinds)

    def ignores(self, key: str) -> bool:
        """Return whether `key` (with a final `/` for a folder) is ignored, by default or by the library's settings."""
        return self._ignored.match(key)

    def kind(self, key: str) -> Kind:
        """Return what the file named `key` is for."""
        if self._ignored.match(key) or is_ours(key):
            return Kind.IGNORED
        slash, dot = key.rfind("/"), key.rfind(".")
        suffix = key[dot:] if dot > slash + 1 else ""
        kind = self._kinds.get(suffix) or self._kinds.get(suffix.casefold(), _OTHER)
        if kind is not _IMAGE:
            return kind
        if key.endswith(_MASK, 0, dot):
            return Kind.MASK
        if slash < 0:
            return _IMAGE
        folders = set(key.split("/")[:-1])
        if not _MASK_FOLDERS.isdisjoint(folders):
            return Kind.MASK
        return _IMAGE if _CONTROL_FOLDERS.isdisjoint(folders) else _OTHER

    def preference(self, key: str) -> int:
        """Return the rank of a caption's suffix; 0 is preferred."""
        return self._ranks.get(split_suffix(key)[1].casefold(), len(self.captions))


_IMAGE, _OTHER = Kind.IMAGE, Kind.OTHER  # read for each file, as in `core.compare`


class _Globs:
    """Names and folders to ignore. Every key is tested, so most globs avoid a regular expression."""

    def __init__(self, globs: Iterable[str]) -> None:
        names: set[str] = set()
        beginnings: list[str] = []
        endings: list[str] = []
        others: list[str] = []
        folders: list[str] = []
        for glob in globs:
            if not glob.strip("/"):
                continue  # it would match every folder
            bare = glob.strip("*")
            if glob.endswith("/"):
                folders.append(rf"(?:^|/){_GLOB.sub(_translate, glob.rstrip('/'))}/")
            elif not bare or any(char in bare for char in "*?[/"):
                others.append(rf"(?:^|/){_GLOB.sub(_translate, glob)}\Z")
            elif bare == glob:
                names.add(glob)
            elif glob.startswith("*") and glob.endswith("*"):
                others.append(rf"(?:^|/){_GLOB.sub(_translate, glob)}\Z")
            elif glob.startswith("*"):
                endings.append(bare)
            else:
                beginnings.append(bare)
        self._names = names
        self._beginnings = tuple(beginnings)
        self._endings = tuple(endings)
        self._others = re.compile("|".join(others)) if others else None
        self._folders = re.compile("|".join(folders)) if folders else None

    def match(self, key: str) -> bool:
        """Return whether the key of a file, or of a folder with its final `/`, matches or is in a matching folder."""
        name = key
        if "/" in key:
            if self._folders is not None and self._folders.search(key):
                return True
            name = key[key.rindex("/") + 1 :]
        if name in self._names or name.startswith(self._beginnings) or name.endswith(self._endings):
            return True
        return self._others is not None and self._others.search(key) is not None


_GLOB = re.compile(r"(?P<any>\*+)|(?P<one>\?)|(?P<set>\[!?\]?[^\]]*\])|.", re.DOTALL)


def _translate(token: re.Match[str]) -> str:
    """Translate one token of a glob into a regular expression; unlike in `fnmatch`, only `/` matches `/`."""
    if token["any"]:
        return "[^/]*"
    if token["one"]:
        return "[^/]"
    if token["set"]:
        return "(?!/)" + fnmatch.translate(token["set"]).removesuffix(r"\z").removesuffix(r"\Z")
    return re.escape(token[0])


class Pair(NamedTuple):
    """An image and the caption that a trainer would read with it, each with its status."""

    image: FileStatus
    caption: FileStatus | None

    @property
    def is_in_s3(self) -> bool:
        """Whether the bucket is known to hold the image's bytes; by its name where only names are known."""
        return in_bucket(self.image)

    @property
    def caption_in_s3(self) -> bool:
        """Whether the bucket is known to hold the caption's bytes; False where there is no caption at all."""
        return self.caption is not None and in_bucket(self.caption)

    @property
    def green(self) -> bool:
        """Whether both are proven: the image is synced, and the caption is synced or exists on neither side."""
        return self.image.verdict is Verdict.SYNCED and (self.caption is None or self.caption.verdict is Verdict.SYNCED)


def in_bucket(status: FileStatus) -> bool:
    """Return `isInS3` of the HTTP API: proven, or only in the bucket, or present in a listing of names."""
    if status.verdict in {Verdict.SYNCED, Verdict.REMOTE_ONLY, Verdict.DELETED_LOCALLY}:
        return True
    return status.verdict is Verdict.UNVERIFIED and status.evidence is Evidence.NAME


class Paired(NamedTuple):
    """All pairs in key order of their images, and their problems."""

    pairs: tuple[Pair, ...]
    problems: tuple[Problem, ...]


def pair_up(statuses: Iterable[FileStatus], pairing: Pairing) -> Paired:
    """Pair images with captions: by exact stem first, then `a.jpg.txt`, then ignoring letter case and accents.

    A caption can serve several images of one stem. `problems` has these captions, captions without an image, images
    with several captions, and every match that is not exact.
    """
    rows = [s for s in statuses if s.kind is not Kind.IGNORED]
    images = [s for s in rows if s.kind is Kind.IMAGE]
    finder = _Captions([s for s in rows if s.kind is Kind.CAPTION], pairing)
    pairs = [Pair(image, finder.claim(image)) for image in images]
    problems = [*finder.problems, *finder.left_over()]
    problems.extend(
        Problem(row.key, "aggregate-captions", f"holds captions for many images: {why}")
        for row in rows
        if (why := AGGREGATES.get(row.key.rsplit("/", 1)[-1]))
    )
    return Paired(tuple(pairs), tuple(sorted(problems, key=lambda p: (p.key, p.code))))


def _loose(stem: str) -> str:
    if stem.isascii():
        return stem.lower()
    return unicodedata.normalize("NFC", stem).casefold()


class _Captions:
    """Assigns captions to images by stem, and collects the problems."""

    def __init__(self, captions: list[FileStatus], pairing: Pairing) -> None:
        self._all = captions
        self.problems: list[Problem] = []
        self._exact: dict[str, list[FileStatus]] = defaultdict(list)
        self._claimed: dict[str, str] = {}
        self._by_preference = sorted(captions, key=lambda s: pairing.preference(s.key))
        for caption in self._by_preference:
            self._exact[split_suffix(caption.key)[0]].append(caption)

    @cached_property
    def _loosely(self) -> dict[str, list[FileStatus]]:
        """Captions by their loose stem, which most folders never need."""
        found: dict[str, list[FileStatus]] = defaultdict(list)
        for caption in self._by_preference:
            found[_loose(split_suffix(caption.key)[0])].append(caption)
        return found

    def claim(self, image: FileStatus) -> FileStatus | None:
        found, odd = self._find(image.key)
        if not found:
            return None
        chosen = found[0]
        if odd:
            self.problems.append(Problem(image.key, *odd))
        if len(found) > 1:
            others = ", ".join(f"'{c.key}'" for c in found[1:])
            text = f"has several captions; '{chosen.key}' is used here, {others} may be read by some trainers"
            self.problems.append(Problem(image.key, "several-captions", text))
        first = self._claimed.get(chosen.key)
        if first is not None:
            text = f"shares the caption '{chosen.key}' with '{first}'; trainers' caches, named by stem, would collide"
            self.problems.append(Problem(image.key, "shared-caption", text))
        for caption in found:
            self._claimed.setdefault(caption.key, image.key)
        return chosen

    def _find(self, image: str) -> tuple[list[FileStatus], tuple[str, str] | None]:
        stem = split_suffix(image)[0]
        if found := self._exact.get(stem):
            return found, None
        if found := self._exact.get(image):
            text = f"is captioned by '{found[0].key}', which no trainer reads; rename it to the image's stem"
            return found, ("double-suffix", text)
        if found := self._loosely.get(_loose(stem)):
            text = f"matches '{found[0].key}' only when letter case or accents are ignored; trainers may not find it"
            return found, ("inexact-match", text)
        return [], None

    def left_over(self) -> Iterator[Problem]:
        for caption in self._all:
            if caption.key not in self._claimed:
                yield Problem(caption.key, "orphan-caption", "is a caption without an image")

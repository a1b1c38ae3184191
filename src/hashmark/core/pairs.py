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
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import methodcaller
from typing import NamedTuple

from hashmark.core.keys import is_ours
from hashmark.core.model import Evidence, FileStatus, Key, Kind, Problem, Verdict

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
_SPECIAL_FOLDERS = _MASK_FOLDERS | _CONTROL_FOLDERS

_ODD_NAME = re.compile(r"(?:^|[/\0])\.|\.hashmark|-(?:mask|cond)label")
"""Is found in joined keys if the kind of one may not follow from its suffix: a hidden name has none, for example."""


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
    _ignored_by_settings: _Globs = field(init=False, repr=False, compare=False)
    _ranks: dict[str, int] = field(init=False, repr=False, compare=False)
    _kinds: dict[str, Kind] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ignored", _Globs((*IGNORED_NAMES, *self.ignore)))
        object.__setattr__(self, "_ignored_by_settings", _Globs(self.ignore))
        ranks = {c.casefold(): rank for rank, c in reversed(list(enumerate(self.captions)))}
        object.__setattr__(self, "_ranks", ranks)
        kinds = dict.fromkeys(IMAGE_SUFFIXES, Kind.IMAGE) | dict.fromkeys(ranks, Kind.CAPTION)
        object.__setattr__(self, "_kinds", kinds)

    def ignores(self, key: str) -> bool:
        """Return whether `key` (with a final `/` for a folder) is ignored, by default or by the library's settings."""
        return self._ignored.match(key)

    def ignores_by_settings(self, key: str) -> bool:
        """Return the same for the library's settings alone."""
        return self._ignored_by_settings.match(key)

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

    def ignored(self, keys: Sequence[str]) -> Collection[str]:
        """Return those of these keys (folders with a final `/`) that are ignored, as `ignores` does."""
        return () if self._ignored.matches_none(*_split(keys)) else set(filter(self._ignored.match, keys))

    def kinds(self, keys: Sequence[str]) -> list[Kind]:
        """Return what each of the files with these keys is for, as `kind` does."""
        names, folders = _split(keys)
        special = any(not _SPECIAL_FOLDERS.isdisjoint(folder.split("/")) for folder in folders)
        if special or _ODD_NAME.search("\0".join(keys)) or not self._ignored.matches_none(names, folders):
            return list(map(self.kind, keys))
        known = self._kinds.get
        return [known(name[name.rfind(".") :]) or self.kind(key) for name, key in zip(names, keys, strict=True)]

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

    def matches_none(self, names: Iterable[str], folders: Iterable[str]) -> bool:
        """Return True only if surely no file with one of these names, in one of these folders, matches."""
        return (
            self._others is None
            and self._names.isdisjoint(names)
            and not any(map(methodcaller("startswith", self._beginnings), names))
            and not any(map(methodcaller("endswith", self._endings), names))
            and not (self._folders and any(map(self._folders.search, folders)))
        )

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


def _split(keys: Sequence[str]) -> tuple[Sequence[str], Collection[str]]:
    """Return the name of each key, and the folders that they are in, with a final `/`."""
    if "/" not in "".join(keys):
        return keys, ()
    cuts = [key.rfind("/") + 1 for key in keys]
    names = [key[cut:] for key, cut in zip(keys, cuts, strict=True)]
    return names, {key[:cut] for key, cut in zip(keys, cuts, strict=True)}


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
    """Pair the images with their captions, as `pair_names` does with their keys."""
    rows = [s for s in statuses if s.kind is not Kind.IGNORED]
    images = [s for s in rows if s.kind is _IMAGE]
    captions = {s.key: s for s in rows if s.kind is Kind.CAPTION}
    chosen, problems = pair_names([s.key for s in images], list(captions), pairing)
    pairs = [Pair(image, captions[key] if key else None) for image, key in zip(images, chosen, strict=True)]
    problems += aggregate_captions([s.key for s in rows])
    return Paired(tuple(pairs), in_order(problems))


def pair_names(
    images: Sequence[str], captions: Sequence[Key], pairing: Pairing
) -> tuple[list[Key | None], list[Problem]]:
    """Return the caption of each image: by exact stem first, then `a.jpg.txt`, then ignoring letter case and accents.

    A caption can serve several images of one stem. The problems, returned as well, are these captions, captions without
    an image, images with several captions, and every match that is not exact.
    """
    finder = _Captions(captions, pairing)
    chosen = list(map(finder.claim, images))
    return chosen, [*finder.problems, *finder.left_over()]


def aggregate_captions(keys: Sequence[str]) -> list[Problem]:
    """Return a problem for each of these keys that is of a file with the captions of many images."""
    if AGGREGATES.keys().isdisjoint(_split(keys)[0]):
        return []
    return [
        Problem(key, "aggregate-captions", f"holds captions for many images: {why}")
        for key in keys
        if (why := AGGREGATES.get(key.rsplit("/", 1)[-1]))
    ]


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return problems of pairing in the order in which they are shown."""
    return tuple(sorted(problems, key=lambda p: (p.key, p.code)))


def _loose(stem: str) -> str:
    if stem.isascii():
        return stem.lower()
    return unicodedata.normalize("NFC", stem).casefold()


class _Captions:
    """Assigns captions to images by stem, and collects the problems."""

    def __init__(self, captions: Sequence[Key], pairing: Pairing) -> None:
        self._all = captions
        self.problems: list[Problem] = []
        self._exact: dict[str, list[Key]] = defaultdict(list)
        self._claimed: dict[Key, str] = {}
        self._by_preference = sorted(captions, key=pairing.preference)
        for caption in self._by_preference:
            self._exact[split_suffix(caption)[0]].append(caption)

    @cached_property
    def _loosely(self) -> dict[str, list[Key]]:
        """Captions by their loose stem, which most folders never need."""
        found: dict[str, list[Key]] = defaultdict(list)
        for caption in self._by_preference:
            found[_loose(split_suffix(caption)[0])].append(caption)
        return found

    def claim(self, image: str) -> Key | None:
        found, odd = self._find(image)
        if not found:
            return None
        chosen = found[0]
        if odd:
            self.problems.append(Problem(image, *odd))
        if len(found) > 1:
            others = ", ".join(f"'{caption}'" for caption in found[1:])
            text = f"has several captions; '{chosen}' is used here, {others} may be read by some trainers"
            self.problems.append(Problem(image, "several-captions", text))
        first = self._claimed.get(chosen)
        if first is not None:
            text = f"shares the caption '{chosen}' with '{first}'; trainers' caches, named by stem, would collide"
            self.problems.append(Problem(image, "shared-caption", text))
        for caption in found:
            self._claimed.setdefault(caption, image)
        return chosen

    def _find(self, image: str) -> tuple[list[Key], tuple[str, str] | None]:
        stem = split_suffix(image)[0]
        if found := self._exact.get(stem):
            return found, None
        if found := self._exact.get(image):
            text = f"is captioned by '{found[0]}', which no trainer reads; rename it to the image's stem"
            return found, ("double-suffix", text)
        if found := self._loosely.get(_loose(stem)):
            text = f"matches '{found[0]}' only when letter case or accents are ignored; trainers may not find it"
            return found, ("inexact-match", text)
        return [], None

    def left_over(self) -> Iterator[Problem]:
        for caption in self._all:
            if caption not in self._claimed:
                yield Problem(caption, "orphan-caption", "is a caption without an image")

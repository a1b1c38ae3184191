"""Decides which keys are safe as paths on any machine, and which two keys would become one file.

Keys are hostile until checked. Nothing here rewrites a key: a key is used as it is, or refused by name. Sources: s5cmd
issue 872 (`../` written outside), aws-cli issue 3370 (`//`), CVE-2023-2780 (backslash), Microsoft's "Naming Files,
Paths, and Namespaces" for the reserved names.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

from hashmark.core.model import FileStatus, Verdict

MAX_KEY_BYTES = 1024
"""S3's limit for a whole key, including the prefix (Amazon S3 user guide, "Naming Amazon S3 objects")."""

MAX_NAME_BYTES = 255
"""The longest file name on ext4, XFS, APFS and NTFS (the last two count characters; bytes are stricter)."""

STATE_FOLDER = ".hashmark"
"""hashmark's own folder in a library and in a bucket; never part of a dataset."""

SETTINGS_FILE = "hashmark.toml"
"""A file of this name makes its folder a library, whose settings decide where signed requests go."""

TEMPORARY = re.compile(r"\.hashmark-[0-9]+-[0-9a-f]+\.part")
"""Names of unfinished downloads."""

_STATE = f"{STATE_FOLDER}/"
_UNFINISHED = f"{STATE_FOLDER}-"

T = TypeVar("T")

# Without possessive quantifiers: of a group, they match too much in Python 3.11.2, which Debian 12 has.
_PLAIN_NAME = (
    r"(?!(?:con|prn|aux|nul|com[0-9]|lpt[0-9]) *(?:[./\0]|\Z)|(?:conin|conout)\$|hashmark\.toml(?:[/\0]|\Z))"
    r"[a-z0-9_(\[][a-z0-9_.,;+=!@#$%&()\[\]{} '-]*(?<![ .])"
)
_PLAIN_KEY = rf"{_PLAIN_NAME}(?:/{_PLAIN_NAME})*"
_PLAIN_KEYS = re.compile(rf"{_PLAIN_KEY}(?:\0{_PLAIN_KEY})*", re.IGNORECASE | re.ASCII)
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(\..*)?", re.IGNORECASE)
_SHORT_OWN_NAME = re.compile(r"hashma~[0-9]+(\.tom)?")
_ASCII_TWINS = {"\u037e": ";", "\u1fef": "`", "\u212a": "K"}
"""Characters outside ASCII whose canonical form is ASCII; macOS treats them as equal to it."""


def is_folder_marker(key: str) -> bool:
    """Return whether an object stands for a folder in a console (`name/`) and is not a file.

    The marker of the dataset's own folder has an empty key, since keys begin after the folder's name.
    """
    return not key or key.endswith("/")


def is_ours(key: str) -> bool:
    """Return whether a key belongs to hashmark: its state folder, or a download in progress."""
    return STATE_FOLDER in key and (key.startswith(_STATE) or is_unfinished(key))


def is_unfinished(key: str) -> bool:
    """Return whether a key is that of a download in progress."""
    return _UNFINISHED in key and TEMPORARY.fullmatch(key.rsplit("/", 1)[-1]) is not None


def unsafe_reason(key: str) -> str | None:
    """Return why `key` must not become a path, or None where it is safe.

    >>> unsafe_reason("a/../b.png")
    "has a '..' segment"
    """
    return None if surely_safe((key,)) else _whole_reason(key) or _segments_reason(key)


def surely_safe(keys: Sequence[str]) -> bool:
    """Return whether all of these keys are in ordinary ASCII and safe. If not, `unsafe_reason` knows about each."""
    if not keys or max(map(len, keys)) > MAX_NAME_BYTES:
        return not keys
    joined = "\0".join(keys)
    return joined.count("\0") == len(keys) - 1 and _PLAIN_KEYS.fullmatch(joined) is not None


def _whole_reason(key: str) -> str | None:
    try:
        size = len(key.encode("utf-8"))
    except UnicodeEncodeError:
        return "is not valid UTF-8"
    if not key:
        return "is empty"
    if size > MAX_KEY_BYTES:
        return f"is longer than {MAX_KEY_BYTES} bytes"
    if key.startswith("/"):
        return "is an absolute path"
    if "\\" in key:
        return "contains a backslash"
    for char in key:
        if unicodedata.category(char) == "Cc" or char in "\u2028\u2029":
            return f"contains the control character U+{ord(char):04X}"
        if char in _ASCII_TWINS:
            return f"contains U+{ord(char):04X}, which macOS treats as '{_ASCII_TWINS[char]}'"
    return None


def _segments_reason(key: str) -> str | None:
    for part in key.split("/"):
        reason = _segment_reason(part)
        if reason:
            return reason
    return None


def _segment_reason(part: str) -> str | None:
    if part == "":
        return "has an empty segment ('//')"
    if part in {".", ".."}:
        return f"has a '{part}' segment"
    if len(part.encode("utf-8")) > MAX_NAME_BYTES:
        return f"has a name longer than {MAX_NAME_BYTES} bytes"
    if _is_own_name(part):
        return f"has the name '{part}', which is hashmark's own"
    if re.match(r"[A-Za-z]:", part):
        return "begins like a Windows drive letter"
    if part[-1] in " .":
        return f"has the name '{part}', which Windows would shorten"
    if _RESERVED.fullmatch(part):
        return f"has the name '{part}', which Windows reserves"
    return None


def _is_own_name(part: str) -> bool:
    """Return whether some disk takes this name for one of hashmark's own, as with git's (CVE-2014-9390, CVE-2019-1352).

    APFS and NTFS ignore letter case, HFS+ ignores invisible characters as well, and NTFS has short names.
    """
    if part.isascii():
        plain = part.lower()
    else:
        visible = (char for char in unicodedata.normalize("NFKC", part) if unicodedata.category(char) != "Cf")
        plain = "".join(visible).casefold()
    return plain in {STATE_FOLDER, SETTINGS_FILE} or _SHORT_OWN_NAME.fullmatch(plain) is not None


def fold(key: str) -> str:
    """Return the form in which macOS and Windows file systems compare names: NFC, lower case.

    Folds letter by letter, and letters that share a capital (`ς` and `σ`, `µ` and `μ`) into one, since `str.lower`
    treats a sigma at the end of a word differently.
    """
    if key.isascii():
        return key.lower()
    return unicodedata.normalize("NFC", "".join(map(_fold_letter, unicodedata.normalize("NFC", key))))


def _fold_letter(char: str) -> str:
    folded = char.casefold()
    return folded if len(folded) == 1 and not folded.isascii() else char.lower()


class Collisions(Generic[T]):
    """Finds keys that are the same file on a disk that ignores letter case or normalisation.

    Keys must arrive in byte order. Only keys that differ from their own fold are stored, so names in lower-case ASCII
    take no memory: in byte order a capital precedes its small letter, and every other key that folds into ASCII is
    refused as unsafe.
    """

    def __init__(self) -> None:
        self._seen: dict[str, list[tuple[str, T]]] = {}

    def surely_none(self, keys: Iterable[str]) -> bool:
        """Return True only if adding these keys would store nothing and find nothing."""
        joined = "\0".join(keys)
        return not self._seen and joined.isascii() and joined == joined.lower()

    def add(self, key: str, value: T) -> list[tuple[str, T]]:
        """Store `key` and return the earlier (key, value) pairs that collide with it."""
        form = fold(key)
        earlier = list(self._seen.get(form, ()))
        if form != key or earlier or not key.isascii():
            self._seen.setdefault(form, []).append((key, value))
        return earlier


def refuse_collisions(statuses: Iterable[FileStatus]) -> list[FileStatus]:
    """Return the same statuses in order, with `refused` for every key that collides."""
    rows = list(statuses)
    watch: Collisions[int] = Collisions()
    if watch.surely_none([row.key for row in rows]):
        return rows
    for index, row in enumerate(rows):
        earlier = watch.add(row.key, index)
        for key, at in earlier:
            rows[at] = as_collision(rows[at], row.key)
            rows[index] = as_collision(rows[index], key)
    return rows


def as_collision(status: FileStatus, other: str) -> FileStatus:
    """Return `status` as refused because its key and `other` are the same file on some disks."""
    return status._replace(
        verdict=Verdict.REFUSED,
        evidence=None,
        remedy=None,
        reason=f"is the same file as '{other}' on macOS and Windows (letter case or accents); rename one of them, "
        "by `hashmark rename` if the disk has one name and the bucket the other",
    )

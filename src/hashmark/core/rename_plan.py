"""Plans how names that differ only in letter case or accents become one again, after a rename on one side.

The file is under one name on disk, the object under another in the bucket, and many disks take the two for one. Knows
nothing about how a rename is carried out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from hashmark.core.display import printable
from hashmark.core.errors import RefusedPlan
from hashmark.core.keys import fold, unsafe_reason
from hashmark.core.model import FileStatus, Key
from hashmark.core.plan import LeftAlone


class Match(StrEnum):
    """Whose names stay: the other side's are changed to match them."""

    DISK = "disk"
    BUCKET = "bucket"


class Rename(NamedTuple):
    """A file on disk, and its object under another name in the bucket. One gets the name of the other.

    A side may have both names already, if a rename there was interrupted before the old name was removed.
    """

    file: FileStatus
    object: FileStatus

    def names(self, match: Match) -> tuple[Key, Key]:
        """Return the old name and the new one, on the side that is changed."""
        pair = (self.object.key, self.file.key)
        return pair if match is Match.DISK else (pair[1], pair[0])


@dataclass(frozen=True, slots=True)
class RenamePlan:
    """The renames in the order of the new names, and the colliding names that are left alone."""

    match: Match
    renames: tuple[Rename, ...]
    left_alone: tuple[LeftAlone, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        pairs = [rename.names(self.match) for rename in self.renames]
        return {
            "match": self.match,
            "renames": [{"from": printable(old), "to": printable(new)} for old, new in pairs],
            "leftAlone": [{"key": printable(left.status.key), "reason": left.reason} for left in self.left_alone],
        }


def make_rename_plan(statuses: Iterable[FileStatus], match: Match, *, complete: bool) -> RenamePlan:
    """Decide which names change on the side that does not `match`.

    Raises:
        RefusedPlan: a side was not read completely, so that other names may collide.
    """
    groups: defaultdict[str, list[FileStatus]] = defaultdict(list)
    for row in statuses:
        groups[fold(row.key)].append(row)
    renames: list[Rename] = []
    left: list[LeftAlone] = []
    for rows in groups.values():
        if len(rows) > 1:
            decided = _decide_group(rows, match)
            if isinstance(decided, Rename):
                renames.append(decided)
            else:
                left += [LeftAlone(row, decided) for row in rows]
    if renames and not complete:
        planned = "1 rename was" if len(renames) == 1 else f"{len(renames)} renames were"
        raise RefusedPlan(
            f"{planned} planned, but a side could not be read completely.",
            "Nothing was done. Fix what `hashmark status` reports.",
        )
    return RenamePlan(match, tuple(renames), tuple(left))


def _is_one_file(one: FileStatus, other: FileStatus) -> bool:
    return bool(one.local and other.local and one.local.stamp == other.local.stamp and not one.local.trouble)


def _decide_group(rows: list[FileStatus], match: Match) -> Rename | str:
    """Return the rename of names that collide, or why there is none."""
    files = [row for row in rows if row.local]
    objects = [row for row in rows if row.remote and not row.local]
    if match is Match.BUCKET and len(rows) == len(files) == 2 and _is_one_file(*files):
        one, other = files if not files[0].remote else reversed(files)
        if not one.remote and other.remote:  # the new name was linked, and the old one not yet removed
            return Rename(one, other)
    if len(files) > 1:
        return "the disk has several of these names: rename or remove all but one of them"
    if not files or len(objects) != 1:
        return "the bucket has several of these names: download what you need, and delete all but one of them there"
    rename = Rename(files[0], objects[0])
    if files[0].local and files[0].local.trouble:
        return files[0].local.trouble
    if files[0].remote and match is Match.BUCKET:
        return "the bucket has both names: run without `--match bucket`"
    new = rename.names(match)[1]
    unsafe = unsafe_reason(new)
    return f"'{new}' {unsafe}" if unsafe else rename

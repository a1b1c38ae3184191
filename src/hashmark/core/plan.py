"""From statuses and a policy to a frozen plan, or a refusal.

A plan says exactly what will be done, what is left alone and why. It runs once: afterwards the world has
changed. Deletes are refused on any doubt (design promise 4). Knows nothing of how an action is carried out.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from hashmark.core.errors import RefusedPlan, UsageError
from hashmark.core.model import FileStatus, Key, Verdict


class Direction(StrEnum):
    """Which side is to become like the other."""

    PUSH = "push"
    PULL = "pull"
    DELETE = "delete"
    """Neither: what was chosen goes to the trash, on one side or on both (`make_delete_plan`)."""


class Side(StrEnum):
    """Whose content wins a conflict: the disk's (`mine`) or the bucket's (`theirs`)."""

    MINE = "mine"
    THEIRS = "theirs"


class Location(StrEnum):
    """The side or sides that a delete empties."""

    DISK = "disk"
    BUCKET = "bucket"
    BOTH = "both"


class Verb(StrEnum):
    """What one action does."""

    UPLOAD = "upload"
    DOWNLOAD = "download"
    DELETE_REMOTE = "delete-remote"
    DELETE_LOCAL = "delete-local"


DELETES = frozenset({Verb.DELETE_REMOTE, Verb.DELETE_LOCAL})


@dataclass(frozen=True, slots=True)
class Selection:
    """Which keys are meant: `select` are globs over whole keys (`*` also matches `/`), `keys` are keys themselves.

    What both allow is selected; one that is not given (no glob, None) allows everything.
    """

    select: tuple[str, ...] = ()
    keys: frozenset[str] | None = None

    def selects(self, key: str) -> bool:
        """Whether `key` is within the selection."""
        if self.keys is not None and key not in self.keys:
            return False
        return not self.select or any(fnmatch.fnmatchcase(key, glob) for glob in self.select)

    def check(self, keys: Iterable[Key], where: str) -> None:
        """See that the globs select one of the keys that `where` has: a glob without a match is a slip of the pen.

        Raises:
            UsageError: they do not.
        """
        if self.select and not any(self.selects(key) for key in keys):
            globs = ", ".join(f"'{glob}'" for glob in self.select)
            raise UsageError(f"Nothing in {where} matches --select {globs}.", "A * also matches /.")


@dataclass(frozen=True, slots=True)
class Policy:
    """What the user asked for: a push or a pull, and of what (`select` and `keys` as in `Selection`).

    `max_delete` is the number of deletes that is agreed to, else the cap is a tenth of the side that loses files.

    Raises:
        ValueError: the direction is a delete, which has no side to follow: `make_delete_plan` takes a `Selection`.
    """

    direction: Direction
    take: Side | None = None
    delete: bool = False
    max_delete: int | None = None
    select: tuple[str, ...] = ()
    keys: frozenset[str] | None = None

    def __post_init__(self) -> None:
        if self.direction is Direction.DELETE:
            raise ValueError("a delete is planned by make_delete_plan, from a Selection")

    def selects(self, key: str) -> bool:
        """Whether `key` is within the selection; everything is where none was given."""
        return Selection(self.select, self.keys).selects(key)


@dataclass(frozen=True, slots=True)
class Action:
    """One change to one key. The status is what the user was shown: its ETag and digest are the conditions."""

    verb: Verb
    status: FileStatus

    @property
    def key(self) -> Key:
        """The key it is about."""
        return self.status.key

    @property
    def size(self) -> int:
        """Bytes to move; deletes move none."""
        if self.verb is Verb.UPLOAD and self.status.local:
            return self.status.local.size
        if self.verb is Verb.DOWNLOAD and self.status.remote:
            return self.status.remote.size or 0
        return 0

    @property
    def replaces(self) -> bool:
        """Whether content that exists is overwritten (it goes to the trash first)."""
        there = self.status.remote if self.verb is Verb.UPLOAD else self.status.local
        return self.verb not in DELETES and there is not None


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """A key that is not in sync and that this plan does not touch."""

    status: FileStatus
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done, in order: transfers by key, then deletes by key."""

    direction: Direction
    actions: tuple[Action, ...]
    left_alone: tuple[LeftAlone, ...]

    @property
    def total_bytes(self) -> int:
        """Bytes to move."""
        return sum(action.size for action in self.actions)

    @property
    def deletes(self) -> int:
        """How many actions delete."""
        return sum(action.verb in DELETES for action in self.actions)


_PUSHED = frozenset(
    {Verdict.LOCAL_ONLY, Verdict.LOCAL_CHANGED, Verdict.DIFFERS, Verdict.DELETED_REMOTELY},
)
_PULLED = frozenset(
    {Verdict.REMOTE_ONLY, Verdict.REMOTE_CHANGED, Verdict.DIFFERS, Verdict.DELETED_LOCALLY},
)
_NEEDS_A_SIDE = {
    Direction.PUSH: frozenset({Verdict.REMOTE_CHANGED, Verdict.CONFLICT, Verdict.UNVERIFIED}),
    Direction.PULL: frozenset({Verdict.LOCAL_CHANGED, Verdict.CONFLICT, Verdict.UNVERIFIED}),
}
_EXTRA = {
    Direction.PUSH: frozenset({Verdict.REMOTE_ONLY, Verdict.DELETED_LOCALLY}),
    Direction.PULL: frozenset({Verdict.LOCAL_ONLY, Verdict.DELETED_REMOTELY}),
}
WINNER = {Direction.PUSH: Side.MINE, Direction.PULL: Side.THEIRS}
"""The side that a direction can take."""

_WHY_LEFT = {
    Verdict.REMOTE_CHANGED: "the bucket's version is newer than what was last in sync",
    Verdict.LOCAL_CHANGED: "the version on disk was edited since it was last in sync",
    Verdict.CONFLICT: "both sides changed",
    Verdict.UNVERIFIED: "it can't be told whether it differs",
}


def make_plan(statuses: Iterable[FileStatus], policy: Policy, *, complete: bool) -> Plan:
    """Decide for every status; nothing is done yet.

    `complete` says that both sides were read without any error: without it there are no deletes.

    Raises:
        RefusedPlan: deletes were asked for and are not safe: a side was not read completely, the side that
            is copied from is empty, or there are more than the cap.
    """
    rows = list(statuses)
    moves: list[Action] = []
    deletes: list[Action] = []
    left: list[LeftAlone] = []
    for row in rows:
        if row.verdict is Verdict.SYNCED or not policy.selects(row.key):
            continue
        decided = _decide(row, policy)
        if isinstance(decided, LeftAlone):
            left.append(decided)
        elif decided.verb in DELETES:
            deletes.append(decided)
        else:
            moves.append(decided)
    if deletes:
        _check_deletes(rows, deletes, policy, complete=complete)
    return Plan(policy.direction, (*moves, *deletes), tuple(left))


def _decide(row: FileStatus, policy: Policy) -> Action | LeftAlone:
    push = policy.direction is Direction.PUSH
    verdict = row.verdict
    if verdict is Verdict.REFUSED:
        return LeftAlone(row, row.reason or "refused")
    if verdict in (_PUSHED if push else _PULLED):
        return Action(Verb.UPLOAD if push else Verb.DOWNLOAD, row)
    if verdict in _EXTRA[policy.direction]:
        if policy.delete:
            return Action(Verb.DELETE_REMOTE if push else Verb.DELETE_LOCAL, row)
        where = "only in the bucket" if push else "only on disk"
        return LeftAlone(row, f"{where}; --delete would remove it")
    if verdict in _NEEDS_A_SIDE[policy.direction] and policy.take is WINNER[policy.direction]:
        return _take(row, policy)
    winner = WINNER[policy.direction]
    return LeftAlone(row, f"{_why(row)}; --take {winner} would overwrite it")


def _take(row: FileStatus, policy: Policy) -> Action | LeftAlone:
    """A conflict, decided: the winner's content goes over; a winner that deleted the file deletes it."""
    push = policy.direction is Direction.PUSH
    if (row.local if push else row.remote) is not None:
        return Action(Verb.UPLOAD if push else Verb.DOWNLOAD, row)
    if policy.delete:
        return Action(Verb.DELETE_REMOTE if push else Verb.DELETE_LOCAL, row)
    return LeftAlone(row, "deleted on the side that wins, changed on the other; --delete would remove it there too")


def _why(row: FileStatus) -> str:
    reason = _WHY_LEFT[row.verdict]
    return f"{reason} ({row.reason})" if row.reason else reason


def _check_deletes(rows: list[FileStatus], deletes: list[Action], policy: Policy, *, complete: bool) -> None:
    push = policy.direction is Direction.PUSH
    count = len(deletes)
    if not complete:
        raise RefusedPlan(
            f"{count} deletes were planned, but not everything could be read, so nothing was done.",
            "Mend what `hashmark status` reports, or run without --delete.",
        )
    source = sum((row.local if push else row.remote) is not None for row in rows)
    target = sum((row.remote if push else row.local) is not None for row in rows)
    if source == 0:
        where = "The folder on disk" if push else "The bucket's folder"
        raise RefusedPlan(
            f"{where} is empty, and {count} deletes would empty the other side too; nothing was done.",
            "Check that the right folder is mounted and that `url` is right.",
        )
    cap = target // 10 if policy.max_delete is None else policy.max_delete
    if count > cap:
        raise RefusedPlan(
            f"{count} of {target} files would be deleted, more than the limit of {cap}; nothing was done.",
            f"If that is meant, run again with --max-delete {count}.",
            deletes=count,
        )


def make_delete_plan(statuses: Iterable[FileStatus], chosen: Selection, where: Location, *, complete: bool) -> Plan:
    """Every selected file that `where` holds is deleted there, whatever its verdict; refused names are left alone.

    The number is for the user to confirm: no cap stands in for that.

    Raises:
        RefusedPlan: a side was not read completely, so it is not known what would be deleted.
    """
    remote: list[Action] = []
    local: list[Action] = []
    left: list[LeftAlone] = []
    for row in statuses:
        there, here = where is not Location.DISK and row.remote, where is not Location.BUCKET and row.local
        if not chosen.selects(row.key) or not (there or here):
            continue
        if row.verdict is Verdict.REFUSED:
            left.append(LeftAlone(row, row.reason or "refused"))
            continue
        if there:
            remote.append(Action(Verb.DELETE_REMOTE, row))
        if here:
            local.append(Action(Verb.DELETE_LOCAL, row))
    if not complete:
        raise RefusedPlan(
            f"{len(remote) + len(local)} deletes were planned, but not everything could be read, so nothing was done.",
            "Mend what `hashmark status` reports.",
        )
    # The bucket first: should it refuse, the disk still has everything.
    return Plan(Direction.DELETE, (*remote, *local), tuple(left))

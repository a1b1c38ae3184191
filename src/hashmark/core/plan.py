"""Turns statuses and a policy into a frozen plan, or refuses.

A plan lists exactly what will be done, what is left alone and why. It runs once, since running it changes both sides.
Deletes are refused on any doubt. Knows nothing about how an action is carried out.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from hashmark.core.errors import RefusedPlan, UsageError
from hashmark.core.model import FileStatus, Key, Verdict, key_bytes


class Direction(StrEnum):
    """Which side becomes like the other."""

    PUSH = "push"
    PULL = "pull"
    DELETE = "delete"
    """Neither: the selected files go to the trash, on one side or on both (`make_delete_plan`)."""


class Side(StrEnum):
    """Whose content wins where both sides differ: the disk's (`mine`), the bucket's (`theirs`), or the one that was
    written later, by the file's time and the object's (`newer`)."""

    MINE = "mine"
    THEIRS = "theirs"
    NEWER = "newer"


class Location(StrEnum):
    """The side or sides that a delete removes files from."""

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
    """The selected keys: those that match a glob of `select` (`*` also matches `/`) and are in `keys`.

    Without a glob, or with `keys` None, that condition allows every key.
    """

    select: tuple[str, ...] = ()
    keys: frozenset[str] | None = None

    def selects(self, key: str) -> bool:
        """Return whether `key` is selected."""
        if self.keys is not None and key not in self.keys:
            return False
        return not self.select or any(fnmatch.fnmatchcase(key, glob) for glob in self.select)

    def check(self, keys: Iterable[Key], where: str) -> None:
        """Require that the globs select a key of `where`, since a glob without a match is a typing error.

        Raises:
            UsageError: they select none.
        """
        present = list(keys)
        if self.select and not any(map(self.selects, present)):
            raise no_match(f"Nothing in {where}", self.select, present)


def no_match(what: str, globs: Sequence[str], keys: Iterable[str]) -> UsageError:
    """Return the error for globs that select none of these keys, with the globs that may be meant."""
    present, given = list(keys), ", ".join(f"'{glob}'" for glob in globs)
    near = [f"'{near}'" for glob in globs if (near := _near(glob, present))]
    hint = f"Did you mean {' and '.join(near)}?" if near else _WHOLE_KEY
    return UsageError(f"{what} matches --select {given}.", hint)


_WHOLE_KEY = "A glob must match the whole key, such as '*.txt', '0001.*' or 'folder/*'; * also matches /."


def _near(glob: str, keys: Sequence[str]) -> str | None:
    """Return a glob like this one that selects something: a suffix may be missing, or a folder before or after it."""
    name = glob.rstrip("/")
    candidates = (f"{name}.*", f"{name}/*", f"*/{name}", f"*/{name}.*")
    return next((near for near in candidates if any(fnmatch.fnmatchcase(key, near) for key in keys)), None)


@dataclass(frozen=True, slots=True)
class Policy:
    """What the user requested: a push or a pull, and of which keys (`select` and `keys` as in `Selection`).

    Files that differ without a common past are replaced only by `take`, or where the user accepts what the plan offers
    (`Plan.accepting`). `max_delete` is the number of deletes that the user allows; the default is a tenth of the
    side that loses files.

    Raises:
        ValueError: the direction is a delete, which has no source: `make_delete_plan` takes a `Selection`.
    """

    direction: Direction
    take: Side | None = None
    delete: bool = False
    max_delete: int | None = None
    select: tuple[str, ...] = ()
    keys: frozenset[str] | None = None

    def __post_init__(self) -> None:
        if self.direction is Direction.DELETE:
            raise ValueError("make_delete_plan plans deletes, from a Selection")

    def selects(self, key: str) -> bool:
        """Return whether `key` is selected; every key is without a selection."""
        return Selection(self.select, self.keys).selects(key)


@dataclass(frozen=True, slots=True)
class Action:
    """One change to one key. Its conditions are the ETag and digest of the status that the user saw."""

    verb: Verb
    status: FileStatus

    @property
    def key(self) -> Key:
        """The key to change."""
        return self.status.key

    @property
    def size(self) -> int:
        """Bytes to transfer; deletes transfer none."""
        if self.verb is Verb.UPLOAD and self.status.local:
            return self.status.local.size
        if self.verb is Verb.DOWNLOAD and self.status.remote:
            return self.status.remote.size or 0
        return 0

    @property
    def replaces(self) -> bool:
        """Whether it overwrites content, which goes to the trash first."""
        there = self.status.remote if self.verb is Verb.UPLOAD else self.status.local
        return self.verb not in DELETES and there is not None


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """A key that is out of sync and that this plan does not change."""

    status: FileStatus
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The actions in order: transfers by key, then deletes by key.

    `offered` are the transfers that would resolve files of `left_alone` and that only the user can decide: they run
    only if they are accepted.
    """

    direction: Direction
    actions: tuple[Action, ...]
    left_alone: tuple[LeftAlone, ...]
    offered: tuple[Action, ...] = ()

    def __repr__(self) -> str:
        return f"<Plan: {self.direction}, {len(self.actions)} actions, {len(self.left_alone)} left alone>"

    def accepting(self, accepts: Callable[[Action], bool]) -> Plan:
        """Return the plan with those of the `offered` actions that the user accepts; the others stay left alone."""
        accepted = {action.key: action for action in self.offered if accepts(action)}
        moves = [action for action in self.actions if action.verb not in DELETES]
        deletes = [action for action in self.actions if action.verb in DELETES]
        return replace(
            self,
            actions=(*sorted([*moves, *accepted.values()], key=lambda action: key_bytes(action.key)), *deletes),
            left_alone=tuple(left for left in self.left_alone if left.status.key not in accepted),
            offered=tuple(action for action in self.offered if action.key not in accepted),
        )

    @property
    def unresolved(self) -> tuple[LeftAlone, ...]:
        """The keys left alone that keep the destination from holding what the source holds.

        Files that only the destination has are not among them: without `delete`, nobody asked for anything about them.
        """
        extra = _EXTRA.get(self.direction, frozenset())
        return tuple(left for left in self.left_alone if left.status.verdict not in extra)

    @property
    def total_bytes(self) -> int:
        """Bytes to transfer."""
        return sum(action.size for action in self.actions)

    @property
    def deletes(self) -> int:
        """Number of deletes."""
        return sum(action.verb in DELETES for action in self.actions)


_PUSHED = frozenset({Verdict.LOCAL_ONLY, Verdict.LOCAL_CHANGED})
_PULLED = frozenset({Verdict.REMOTE_ONLY, Verdict.REMOTE_CHANGED})
_NEVER_ALONE = {Verdict.DIFFERS, Verdict.CONFLICT, Verdict.UNVERIFIED}
_NEEDS_A_SIDE = {
    Direction.PUSH: frozenset(_NEVER_ALONE | {Verdict.REMOTE_CHANGED, Verdict.DELETED_REMOTELY}),
    Direction.PULL: frozenset(_NEVER_ALONE | {Verdict.LOCAL_CHANGED, Verdict.DELETED_LOCALLY}),
}
_EXTRA = {
    Direction.PUSH: frozenset({Verdict.REMOTE_ONLY, Verdict.DELETED_LOCALLY}),
    Direction.PULL: frozenset({Verdict.LOCAL_ONLY, Verdict.DELETED_REMOTELY}),
}
WINNER = {Direction.PUSH: Side.MINE, Direction.PULL: Side.THEIRS}
"""The side whose content a direction can take."""

_DELETED = frozenset({Verdict.DELETED_REMOTELY, Verdict.DELETED_LOCALLY})

_WHY_LEFT = {
    Verdict.DELETED_REMOTELY: "deleted from the bucket since last in sync",
    Verdict.DELETED_LOCALLY: "deleted from the disk since last in sync",
    Verdict.DIFFERS: "both sides differ, and nothing shows which one is newer",
    Verdict.REMOTE_CHANGED: "the bucket's version changed since last in sync",
    Verdict.LOCAL_CHANGED: "the version on disk was edited since last in sync",
    Verdict.CONFLICT: "both sides changed",
    Verdict.UNVERIFIED: "not proven equal, nor different",
}


def make_plan(statuses: Iterable[FileStatus], policy: Policy, *, complete: bool) -> Plan:
    """Decide what to do about every status; do nothing yet.

    `complete` says that both sides were read without any error; otherwise the plan cannot delete.

    Raises:
        RefusedPlan: the plan would delete and is unsafe: a side was not read completely, the source is empty, or the
            deletes exceed the limit.
    """
    rows = list(statuses)
    moves: list[Action] = []
    deletes: list[Action] = []
    left: list[LeftAlone] = []
    offered: list[Action] = []
    for row in rows:
        if row.verdict is Verdict.SYNCED or not policy.selects(row.key):
            continue
        decided = _decide(row, policy)
        if isinstance(decided, LeftAlone):
            left.append(decided)
            offered += _offers(row, policy)
        elif decided.verb in DELETES:
            deletes.append(decided)
        else:
            moves.append(decided)
    if deletes:
        _check_deletes(rows, deletes, policy, complete=complete)
    return Plan(policy.direction, (*moves, *deletes), tuple(left), tuple(offered))


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
    winner = WINNER[policy.direction]
    if verdict in _NEEDS_A_SIDE[policy.direction]:
        newer = newer_side(row) if policy.take is Side.NEWER else None
        if winner in {policy.take, newer}:
            return _take(row, policy)
        if newer:
            return LeftAlone(row, f"{_WHY_LEFT[verdict]}; by their times, the other side is newer")
    why = f"{_WHY_LEFT[verdict]} ({row.reason})" if row.reason else _WHY_LEFT[verdict]
    effect = "bring it back" if verdict in _DELETED else "overwrite it"
    return LeftAlone(row, f"{why}; --take {winner} would {effect}")


def _offers(row: FileStatus, policy: Policy) -> Iterable[Action]:
    """Yield the transfer that would resolve a file that was left alone, if the user may decide it. Never a delete."""
    if row.verdict in _NEEDS_A_SIDE[policy.direction]:
        taken = _take(row, replace(policy, delete=False))
        if isinstance(taken, Action):
            yield taken


def newer_side(row: FileStatus) -> Side | None:
    """Return the side that was written later, by the file's time and the object's; None where that is not known."""
    mine, theirs = local_time(row), remote_time(row)
    if mine is None or theirs is None:
        return None
    return Side.MINE if mine > theirs else Side.THEIRS


def local_time(row: FileStatus) -> datetime | None:
    """Return when the file was last modified; None without one, or with a time that no calendar has."""
    try:
        return datetime.fromtimestamp(row.local.stamp.mtime_ns / 1e9, UTC) if row.local else None
    except (ValueError, OverflowError):
        return None


def remote_time(row: FileStatus) -> datetime | None:
    """Return when the object was last modified, by the listing; None where it does not say."""
    try:
        found = datetime.fromisoformat(row.remote.last_modified) if row.remote and row.remote.last_modified else None
    except ValueError:
        return None
    return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)


def _take(row: FileStatus, policy: Policy) -> Action | LeftAlone:
    """Resolve a conflict: transfer the winner's content or, where the winner deleted the file, delete it."""
    push = policy.direction is Direction.PUSH
    if (row.local if push else row.remote) is not None:
        return Action(Verb.UPLOAD if push else Verb.DOWNLOAD, row)
    if policy.delete:
        return Action(Verb.DELETE_REMOTE if push else Verb.DELETE_LOCAL, row)
    return LeftAlone(row, "deleted on the side that wins, changed on the other; --delete would remove it there too")


def _check_deletes(rows: list[FileStatus], deletes: list[Action], policy: Policy, *, complete: bool) -> None:
    push = policy.direction is Direction.PUSH
    count = len(deletes)
    if not complete:
        raise RefusedPlan(
            f"{count} deletes were planned, but a side could not be read completely.",
            "Nothing was done. Fix what `hashmark status` reports, or run without --delete.",
        )
    source = sum((row.local if push else row.remote) is not None for row in rows)
    target = sum((row.remote if push else row.local) is not None for row in rows)
    if source == 0:
        where = "The folder on disk" if push else "The bucket's folder"
        raise RefusedPlan(
            f"{where} is empty, and {count} deletes would also empty the other side.",
            "Nothing was done. Check that the right folder is mounted and that `url` is right.",
        )
    limit = target // 10 if policy.max_delete is None else policy.max_delete
    if count > limit:
        raise RefusedPlan(
            f"This would delete {count} of {target} files (limit {limit}).",
            f"Nothing was done. To allow it, run again with --max-delete {count}.",
            deletes=count,
        )


def make_delete_plan(statuses: Iterable[FileStatus], chosen: Selection, where: Location, *, complete: bool) -> Plan:
    """Plan to delete every selected file in `where`, whatever its verdict. Refused names are left alone.

    There is no limit, since the user confirms the number.

    Raises:
        RefusedPlan: a side was not read completely, so that the deletes are not known.
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
            f"{len(remote) + len(local)} deletes were planned, but a side could not be read completely.",
            "Nothing was done. Fix what `hashmark status` reports.",
        )
    # The bucket first: if it refuses, the disk still has everything.
    return Plan(Direction.DELETE, (*remote, *local), tuple(left))

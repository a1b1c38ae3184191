"""The events of a running plan, and the state that they add up to.

The command line and the page fold the same events with the same `reduce`, so they cannot disagree. Time is a field of
each event (seconds, any epoch): nothing here reads a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from hashmark.core.display import printable


class Started(NamedTuple):
    """The plan begins, with this many files and bytes."""

    files: int
    bytes: int
    at: float
    notes: tuple[str, ...] = ()


class Counted(NamedTuple):
    """What was begun without knowing how much it is has this many files and bytes, those that are done included."""

    files: int
    bytes: int
    at: float


class FilesRead(NamedTuple):
    """A comparison has read so many more files, with so many bytes."""

    files: int
    bytes: int
    at: float


class FilesCompared(NamedTuple):
    """A comparison has judged so many more files."""

    files: int
    at: float


class ProbeStarted(NamedTuple):
    """The store is probed before the first change. The run begins after that."""

    at: float


class FileStarted(NamedTuple):
    """Work on one key begins or, after a retry, begins again. Moves report only large files, `verify` reports all."""

    key: str
    verb: str
    at: float


class FileProgress(NamedTuple):
    """The number of bytes of one key moved so far. A retry starts again from a smaller number."""

    key: str
    moved: int
    at: float


class FileDone(NamedTuple):
    """One key is done, proven by `evidence`."""

    key: str
    verb: str
    size: int
    evidence: str | None
    at: float


class FileFailed(NamedTuple):
    """One key failed; both sides are as they were."""

    key: str
    verb: str
    code: str
    message: str
    at: float


class Ended(NamedTuple):
    """The run has ended; `interrupted` if the user stopped it."""

    interrupted: bool
    at: float


Event = (
    Started
    | Counted
    | FilesRead
    | FilesCompared
    | ProbeStarted
    | FileStarted
    | FileProgress
    | FileDone
    | FileFailed
    | Ended
)

_NAMES = {
    Started: "started",
    Counted: "counted",
    FilesRead: "files-read",
    FilesCompared: "files-compared",
    ProbeStarted: "probe-started",
    FileStarted: "file-started",
    FileProgress: "file-progress",
    FileDone: "file-done",
    FileFailed: "file-failed",
    Ended: "ended",
}


class Failure(NamedTuple):
    """One key that failed, and why."""

    key: str
    code: str
    message: str

    def to_json(self) -> dict[str, str]:
        """Return plain data."""
        return {"key": printable(self.key), "code": self.code, "message": printable(self.message)}


class JobState(NamedTuple):
    """Everything a progress bar or a summary needs.

    `active` maps keys in progress to the bytes moved so far; `rate` is bytes per second since the start. A comparison
    counts the files that it reads as done, and in `compared` those that it has judged. `probing` is true while the
    store is probed, before a run begins.
    """

    files: int = 0
    bytes: int = 0
    files_done: int = 0
    bytes_done: int = 0
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()
    active: Mapping[str, int] = MappingProxyType({})
    by_verb: Mapping[str, int] = MappingProxyType({})
    started_at: float = 0.0
    now: float = 0.0
    ended: bool = False
    interrupted: bool = False
    compared: int = 0
    probing: bool = False

    @property
    def bytes_moved(self) -> int:
        """Bytes of finished files and of those in progress."""
        return self.bytes_done + sum(self.active.values())

    @property
    def rate(self) -> float:
        """Average bytes per second; 0.0 before anything moved."""
        seconds = self.now - self.started_at
        return self.bytes_moved / seconds if seconds > 0 else 0.0

    @property
    def eta(self) -> float | None:
        """Seconds left at that rate; None before anything moved, or where it is not known how much there is."""
        if self.rate <= 0 or not self.files:
            return None
        return max(0, self.bytes - self.bytes_moved) / self.rate


def reduce(state: JobState, event: Event) -> JobState:
    """Return the state after one more event."""
    match event:
        case FileDone():
            return _one_more_done(state, event)
        case Started(files, size, at, notes):
            return JobState(files=files, bytes=size, notes=notes, started_at=at, now=at)
        case Counted(files, size, at):
            return state._replace(files=files, bytes=size, now=at)
        case FilesRead(files, size, at):
            return state._replace(files_done=state.files_done + files, bytes_done=state.bytes_done + size, now=at)
        case FilesCompared(files, at):
            return state._replace(compared=state.compared + files, now=at)
        case ProbeStarted(at):
            return state._replace(probing=True, now=at)
        case FileStarted(key, _, at):
            return state._replace(active=_with(state.active, key, 0), now=at)
        case FileProgress(key, moved, at):
            return state._replace(active=_with(state.active, key, moved), now=at)
        case FileFailed(key, _, code, message, at):
            failures = (*state.failures, Failure(key, code, message))
            return state._replace(active=_without(state.active, key), failures=failures, now=at)
        case Ended(interrupted, at):
            return state._replace(active=MappingProxyType({}), ended=True, interrupted=interrupted, now=at)


def _one_more_done(state: JobState, event: FileDone) -> JobState:
    """Return the state after a file. There may be thousands a second, and `_replace` takes twice as long."""
    key, verb, size, _, at = event
    files, size_of_all, done, bytes_done, failures, notes, active, by_verb, started_at, *_ = state
    by_verb = MappingProxyType({**by_verb, verb: by_verb.get(verb, 0) + 1})
    left = _without(active, key)
    return JobState(files, size_of_all, done + 1, bytes_done + size, failures, notes, left, by_verb, started_at, at)


def _with(old: Mapping[str, int], key: str, value: int) -> Mapping[str, int]:
    return MappingProxyType({**old, key: value})


def _without(old: Mapping[str, int], key: str) -> Mapping[str, int]:
    if key not in old:
        return old
    return MappingProxyType({k: v for k, v in old.items() if k != key})


def to_json(event: Event) -> dict[str, object]:
    """Return the event as plain data; `event` names its kind."""
    fields: dict[str, object] = event._asdict()
    if "key" in fields:
        fields["key"] = printable(str(fields["key"]))
    return {"event": _NAMES[type(event)], **fields}


def state_json(state: JobState) -> dict[str, object]:
    """Return the state as plain data; `rate` in bytes per second, `eta` in seconds or None."""
    return {
        "files": state.files,
        "bytes": state.bytes,
        "filesDone": state.files_done,
        "bytesDone": state.bytes_done,
        "bytesMoved": state.bytes_moved,
        "failures": [failure.to_json() for failure in state.failures],
        "notes": list(state.notes),
        "active": {printable(key): moved for key, moved in state.active.items()},
        "byVerb": dict(state.by_verb),
        "rate": state.rate,
        "eta": state.eta,
        "startedAt": state.started_at,
        "now": state.now,
        "interrupted": state.interrupted,
    }

"""Whatever fails, and at whichever call: a path holds the old or the new content, and the old is never lost."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hashmark.core.errors import DiskFull, LocalError, ReadOnly
from hashmark.core.keys import TEMPORARY
from hashmark.disk.durable import replace_file
from hashmark.disk.leftovers import leftovers
from support.file_trees import AFTER, BEFORE, NEW, OLD, change, tree, write_keys

CALLS = ("open", "fsync", "link", "rename", "replace", "unlink", "chmod", "mkdir", "stat")
"""What `disk.place` asks of the system."""

VERBS = pytest.mark.parametrize("verb", AFTER)
NAMED = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="descriptors are named by Linux's /proc")


class Killed(BaseException):
    """The process is gone: nothing runs any more, not even cleaning up."""


class System:
    """The operating system, each of `CALLS` written down, and one of them made to go wrong.

    `mode` says how at call number `at`: `fault` (it fails), `killed before`, `killed after` (no later call works
    either), `interrupted` (by Ctrl-C, once it was done). `refusal` is the error of the first call of a name.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log: list[tuple[str, str]] = []
        self.refusal: dict[str, int] = {}
        self.mode, self.at, self.calls = "", 0, 0
        for name in CALLS:
            monkeypatch.setattr(os, name, self._watched(name, getattr(os, name)))

    def attempt(self, act: Callable[[], None], mode: str = "", at: int = 0) -> int:
        """Do it; returns how many calls it took to the end, or to its failure."""
        self.mode, self.at, self.calls = mode, at, 0
        self.log.clear()
        try:
            act()
        except (LocalError, Killed, KeyboardInterrupt):
            assert mode, "nothing was to go wrong"
        finally:
            self.mode = ""
        return self.calls

    def _watched(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*values: Any, **options: Any) -> Any:
            self.calls += 1
            here = self.calls == self.at
            if number := self.refusal.pop(name, 0) or (here and self.mode == "fault" and errno.EIO):
                raise OSError(number, os.strerror(number))
            if self.mode.startswith("killed") and self.calls >= self.at + (self.mode == "killed after"):
                raise Killed
            self.log.append((name, self._subject(values[0])))
            result = call(*values, **options)
            if here and self.mode == "interrupted":
                raise KeyboardInterrupt
            return result

        return watched

    @staticmethod
    def _subject(value: Any) -> str:
        path = os.fspath(Path(f"/proc/self/fd/{value}").readlink()) if isinstance(value, int) else os.fspath(value)
        name = Path(path).name
        return "PART" if TEMPORARY.fullmatch(name) else name


@pytest.fixture(name="root")
def fixture_root(tmp_path: Path) -> Path:
    write_keys(tmp_path / "set", "a.txt")
    return tmp_path / "set"


@pytest.fixture(name="trash")
def fixture_trash(tmp_path: Path) -> Path:
    return tmp_path / "trash/batch/set/a.txt"


@pytest.fixture(name="system")
def fixture_system(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    yield System(monkeypatch)
    monkeypatch.undo()


def each_call(tmp_path: Path) -> Iterator[int]:
    """1, 2, 3 …, each time with the dataset as it was in the beginning."""
    for number in range(1, 100):
        for folder in ("set", "trash"):
            shutil.rmtree(tmp_path / folder, ignore_errors=True)
        write_keys(tmp_path / "set", "a.txt")
        yield number
    pytest.fail("it never came to an end")


# --- one call fails ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, DiskFull),
        (errno.EDQUOT, DiskFull),
        (errno.EROFS, ReadOnly),
        (errno.EACCES, ReadOnly),
        (errno.EIO, LocalError),
    ],
)
@pytest.mark.parametrize(
    ("verb", "call"),
    [
        ("new", "fsync"),
        ("new", "link"),
        ("replace", "fsync"),
        ("replace", "rename"),
        ("remove", "link"),
    ],
)
def test_a_refusal_is_told_in_our_words_and_everything_is_as_it_was(
    root: Path, trash: Path, system: System, verb: str, call: str, number: int, kind: type[LocalError]
) -> None:
    act = change(verb, root, trash)
    system.refusal = {call: number}
    with pytest.raises(LocalError, match=r"[ab]\.txt") as raised:
        act()
    assert type(raised.value) is kind
    assert tree(root.parent) == BEFORE


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_refusal_while_writing_a_whole_file_leaves_the_old(root: Path, system: System, call: str) -> None:
    system.refusal = {call: errno.ENOSPC}
    with pytest.raises(DiskFull, match=r"a\.txt"):
        replace_file(root / "a.txt", NEW)
    assert tree(root.parent) == BEFORE


@VERBS
def test_at_whichever_call_the_disk_fails_the_change_is_made_in_full_or_not_at_all(
    tmp_path: Path, root: Path, trash: Path, system: System, verb: str
) -> None:
    for number in each_call(tmp_path):
        calls = system.attempt(change(verb, root, trash), "fault", number)
        # Only where removing the unfinished file is what fails can it stay.
        left = {key: data for key, data in tree(tmp_path).items() if not key.endswith(".part")}
        assert left in (BEFORE, AFTER[verb]), f"after call {number}: {system.log[-3:]}"
        if calls < number:
            assert left == AFTER[verb]
            return


@VERBS
@pytest.mark.parametrize("mode", ["killed before", "killed after"])
def test_killed_at_whichever_call_a_path_is_whole_and_the_next_run_finishes(
    tmp_path: Path, root: Path, trash: Path, system: System, verb: str, mode: str
) -> None:
    for number in each_call(tmp_path):
        calls = system.attempt(change(verb, root, trash), mode, number)
        found = tree(tmp_path)
        assert found.get("set/a.txt") in {OLD, NEW, None}
        assert OLD in found.values(), f"the old content is lost at call {number}: {system.log[-3:]}"
        for unfinished in leftovers(root):
            unfinished.unlink()
        if tree(root) == {"a.txt": OLD}:
            system.attempt(change(verb, root, trash))
        assert tree(tmp_path) == AFTER[verb]
        if calls < number:
            return


@VERBS
def test_interrupted_after_whichever_call_the_change_is_made_in_full_or_not_at_all(
    tmp_path: Path, root: Path, trash: Path, system: System, verb: str
) -> None:
    for number in each_call(tmp_path):
        calls = system.attempt(change(verb, root, trash), "interrupted", number)
        assert tree(tmp_path) in (BEFORE, AFTER[verb]), f"after call {number}: {system.log[-3:]}"
        if calls < number:
            return


# --- what survives a loss of power -------------------------------------------------------------------------------

CHANGING = {"fsync", "link", "rename", "replace"}


@NAMED
@pytest.mark.parametrize(
    ("verb", "expected"),
    [
        ("new", ["fsync PART", "link PART", "fsync set"]),
        ("replace", ["fsync PART", "link a.txt", "fsync kept", "rename PART", "fsync set"]),
        ("remove", ["link a.txt", "fsync kept", "unlink a.txt", "fsync set"]),
    ],
)
def test_row_4_bytes_are_on_the_device_before_their_name_and_the_trash_before_what_it_replaces(
    root: Path, system: System, verb: str, expected: list[str]
) -> None:
    """Guard: without the fsync of the temporary file, its name becomes durable first."""
    system.attempt(change(verb, root, root.parent / "kept/a.txt"))
    begin = system.log.index(("link", "a.txt")) if verb == "remove" else 0
    changing = CHANGING | ({"unlink"} if verb == "remove" else set())
    assert [f"{name} {subject}" for name, subject in system.log[begin:] if name in changing] == expected


@NAMED
def test_without_hard_links_the_copy_in_the_trash_is_on_the_device_before_what_it_replaces(
    root: Path, system: System
) -> None:
    act = change("replace", root, root.parent / "kept/a.txt")
    system.refusal = {"link": errno.EPERM}
    system.attempt(act)
    changing = [f"{name} {subject}" for name, subject in system.log if name in CHANGING]
    kept = ["replace PART", "fsync a.txt", "fsync kept"]
    assert changing == ["fsync PART", *kept, "rename PART", "fsync set"]


@NAMED
def test_a_file_written_whole_is_on_the_device_before_its_name(root: Path, system: System) -> None:
    replace_file(root / "a.txt", NEW)
    changing = [f"{name} {subject}" for name, subject in system.log if name in CHANGING]
    assert changing == ["fsync PART", "replace PART", "fsync set"]

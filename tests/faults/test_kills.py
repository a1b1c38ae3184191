"""SIGKILL at random steps and times of every command that changes files, repeatedly in one library.

After each kill every file and object is whole, and every content that was there before the command is still in a file,
an object or the trash. Every few kills all is run to its end: both machines and the bucket are equal, and doing it
again does nothing.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hashmark.s3.bucket import Bucket
from support.command import Shell, library
from support.faults.killing import Killer
from support.faults.world import NAME
from support.file_trees import tree
from support.stores import Store

FILES = [f"{n}.txt" for n in range(6)]
SCRATCH = ".hashmark/probe-"
"""List the objects that a killed probe leaves until the next one removes them."""
Words = tuple[object, ...]


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


@dataclass
class Machine:
    """A library to run commands in. `lengths` holds how many steps each command took last."""

    root: Path
    run: Killer
    lengths: dict[str, int] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.root / NAME

    def __call__(self, *words: object) -> Any:
        """Run to the end; return its JSON."""
        end = self.run(*words, "--json")
        assert end.status in {0, 1}, (words, end.out)
        return json.loads(end.out)

    def kill(self, words: Words, chance: random.Random) -> bool:
        """Kill the run at a random step, or sometimes after a random time; return whether it was killed."""
        length = self.lengths.get(str(words[0]), 60)
        if chance.random() < 0.75:
            end = self.run(*words, at=chance.randint(1, length))
        else:
            end = self.run(*words, after=chance.random() / 2)
        assert "Traceback" not in end.out, end.out
        assert self.run.environment["AWS_SECRET_ACCESS_KEY"] not in end.out
        if end.steps:
            self.lengths[str(words[0])] = len(end.steps)
        return end.status == -9


@dataclass
class Yard:
    """Two machines on one bucket. `written` has every content a key ever had, unchanged and cleaned."""

    here: Machine
    there: Machine
    bucket: Bucket
    prefix: str
    chance: random.Random
    written: dict[str, set[str]] = field(default_factory=dict)
    count: int = 0

    def edit(self, machine: Machine) -> None:
        for key in self.chance.sample(FILES, 3):
            self.count += 1
            data = f"content  {self.count} of {key}\n".encode() * self.chance.choice([1, 300])
            (machine.folder / key).write_bytes(data)
            self.written[key] |= {md5(data), md5(data.replace(b"  ", b" "))}

    def objects(self) -> list[str]:
        """List the dataset's objects in key order."""
        return [row.key for row in self.bucket.objects(f"{self.prefix}/{NAME}/")]

    def reachable(self) -> set[str]:
        """Return the digests of all files, objects (their ETags) and both trashes, without scratch objects."""
        objects = self.bucket.objects(f"{self.prefix}/")
        digests = {str(row.etag) for row in objects if not row.key.startswith(SCRATCH)}
        for machine in (self.here, self.there):
            for folder in (machine.folder, machine.root / ".hashmark/trash"):
                digests |= {md5(data) for key, data in tree(folder).items() if not key.endswith(".part")}
        return digests

    def torn(self) -> list[str]:
        """Return files and objects with content that they were never given."""
        found = [
            f"object {r.key}" for r in self.bucket.objects(f"{self.prefix}/{NAME}/") if r.etag not in self.of(r.key)
        ]
        for machine in (self.here, self.there):
            for key, data in tree(machine.folder).items():
                if not key.endswith(".part") and md5(data) not in self.of(key):
                    found.append(f"{machine.root.name}/{key}")
        return found

    def of(self, key: str) -> set[str]:
        return self.written.get(key, set())

    def settle(self) -> None:
        """Finish every command, then run all again, which does nothing."""
        push, pull = ("push", "82", "--take", "mine"), ("pull", "82", "--take", "theirs")
        for machine, *verbs in ((self.here, push, pull), (self.there, pull, push), (self.here, pull)):
            for words in verbs:
                machine(*words)
        for machine in (self.here, self.there):
            for words in (push, pull):
                assert [d["actions"] for d in machine(*words)["datasets"]] == [[]]
            assert [d["counts"] for d in machine("status", "82")["datasets"]] == [{"synced": len(self.objects())}]
        assert tree(self.here.folder) == tree(self.there.folder), "equal, and nothing unfinished is left"
        assert sorted(tree(self.here.folder)) == self.objects()
        assert set(FILES[2:]) <= set(self.objects()), "only the first two are ever deleted, and both machines may do so"
        for machine in (self.here, self.there):
            assert machine.run("trash", "empty", "--yes").status == 0


def test_killed_during_a_copy_to_the_trash_no_torn_file_can_be_restored(
    seaweedfs: Store, tmp_path: Path, prefix: str
) -> None:
    """A file with two names is copied to the trash: an edit through the other name would change a hard link.

    Guard: copied under its own name, the part of it is what `trash restore` puts over the whole file.
    """
    shell = library(seaweedfs, tmp_path / "library", prefix)
    machine = Machine(shell.cwd, Killer(shell.cwd, shell.environment))
    machine.folder.mkdir()
    (machine.folder / "0.txt").write_bytes(b"whole")
    (machine.root / "second name").hardlink_to(machine.folder / "0.txt")
    words = ("delete", "82", "--select", "0.txt", "--from", "disk", "--yes", 1)
    assert machine.run(*words, at="sendfile").status == -9
    trash = machine.root / ".hashmark/trash"
    assert [Path(key).suffix for key in tree(trash)] == [".part"]
    assert tree(machine.folder) == {"0.txt": b"whole"}
    assert machine.run(*words).status == 0
    assert tree(machine.folder) == {}
    (batch,) = {Path(key).parts[0] for key, data in tree(trash).items() if data}
    assert machine.run("trash", "restore", batch).status == 0
    assert tree(machine.folder) == {"0.txt": b"whole"}
    assert machine.run("trash", "empty", "--yes").status == 0
    assert tree(trash) == {}


def push(yard: Yard, machine: Machine) -> Words:
    yard.edit(machine)
    return ("push", "82", "--take", "mine")


def pull(yard: Yard, machine: Machine) -> Words:
    yard.edit(machine)
    return ("pull", "82", "--take", "theirs")


def restore(yard: Yard, machine: Machine) -> Words:
    batches = sorted(path.name for path in (machine.root / ".hashmark/trash").glob("*"))
    return ("trash", "restore", yard.chance.choice(batches)) if batches else pull(yard, machine)


def delete(yard: Yard, machine: Machine) -> Words:
    words = ("delete", "82", "--select", "[01].txt", "--from", "both")
    if not (machine.folder / "0.txt").exists():
        return push(yard, machine)
    (dataset,) = machine(*words, "--dry-run")["datasets"]
    return (*words, "--yes", dataset["files"])


def clean(yard: Yard, machine: Machine) -> Words:
    yard.edit(machine)
    return ("clean", "82", "--rule", "spaces", "--apply")


def undo(_yard: Yard, _machine: Machine) -> Words:
    return ("undo", "last")


COMMANDS: tuple[Callable[[Yard, Machine], Words], ...] = (push, pull, restore, delete, clean, undo)
"""The commands to kill. Each function prepares the library and returns the command line."""


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("kills", "seed"), [(20, 1), pytest.param(1000, 2, marks=pytest.mark.slow)], ids=["20 kills", "1000 kills"]
)
def test_killed_at_any_moment_nothing_is_torn_or_lost_and_the_next_run_converges(
    seaweedfs: Store, tmp_path: Path, prefix: str, kills: int, seed: int
) -> None:
    chance = random.Random(seed)
    shells: list[Shell] = [library(seaweedfs, tmp_path / name, prefix) for name in ("here", "there")]
    machines = [Machine(shell.cwd, Killer(shell.cwd, shell.environment)) for shell in shells]
    yard = Yard(machines[0], machines[1], seaweedfs.bucket(), prefix, chance)
    for machine in machines:
        machine.folder.mkdir()
        for key in FILES:
            (machine.folder / key).write_bytes(b"first\n")
            yard.written[key] = {md5(b"first\n")}
    done = 0
    for number in range(1, kills * 3):
        machine = chance.choice(machines)
        words = chance.choice(COMMANDS)(yard, machine)
        before = yard.reachable()
        done += machine.kill(words, chance)
        assert before <= yard.reachable(), f"run {number}, {words}: lost"
        assert yard.torn() == [], f"run {number}, {words}"
        if number % 20 == 0 or done == kills:
            yard.settle()
        if done == kills:
            return
    pytest.fail(f"only {done} of {number} runs were killed")

"""`hashmark rename`: named by `status` and `push` where it helps, shown before it runs."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from support.command import Shell, library, typed
from support.datasets import write_pairs
from support.faults.killing import Killer
from support.file_trees import tree
from support.stores import Store


@pytest.fixture
def shell(seaweedfs: Store, tmp_path: Path, prefix: str) -> Shell:
    """A library in sync, but for a pair that was renamed on disk in letter case only."""
    made = library(seaweedfs, tmp_path / "styles", prefix)
    folder = write_pairs(made.cwd, "82_stellar_sketch", 1)
    for suffix in ("png", "txt"):
        (folder / f"0000.{suffix}").rename(folder / f"Cat.{suffix}")
    assert made("push", "82").status == 0
    for suffix in ("png", "txt"):
        (folder / f"Cat.{suffix}").rename(folder / f"cat.{suffix}")
    return made


def test_a_collision_names_the_command_that_resolves_it(shell: Shell) -> None:
    for command in (("status", "82"), ("push", "82"), ("pull", "82")):
        ran = shell(*command)
        assert (ran.status, "hashmark rename" in ran.out) == (4, True)
    ran = shell("rename", "82", "--dry-run")
    assert ran.status == 0, "as of the run"
    assert ran.out == ("82_stellar_sketch: rename 2 files in the bucket\n  Cat.png → cat.png\n  Cat.txt → cat.txt\n")
    ran = shell("rename", "82")
    assert (ran.status, "not confirmed, so nothing was renamed" in ran.err) == (4, True)
    assert shell("status", "82").status == 4
    ran = typed(shell, "2\n", "rename", "82")
    assert (ran.status, "renamed 2 files in the bucket" in ran.out) == (0, True), ran.err
    assert "are in the trash, as batch" in ran.out
    assert shell("status", "82").status == 0
    assert shell("rename", "82").out == "82_stellar_sketch: nothing to rename\n"


@pytest.mark.parametrize("match", ["disk", "bucket"])
def test_killed_at_any_step_a_rename_loses_nothing_and_the_next_one_finishes_it(
    shell: Shell, seaweedfs: Store, prefix: str, match: str
) -> None:
    run, bucket, folder = Killer(shell.cwd, shell.environment), seaweedfs.bucket(), shell.cwd / "82_stellar_sketch"
    contents = set(tree(folder).values())
    words = ("rename", "82", "--match", match, "--yes")
    kills = 0
    for at in range(1, 200):
        if run(*words, at=at).status != -signal.SIGKILL:
            break
        kills += 1
        assert set(tree(folder).values()) == contents
        keys = [row.key for row in bucket.objects(f"{prefix}/82_stellar_sketch/")]
        assert {bucket.get(f"{prefix}/82_stellar_sketch/{key}") for key in keys} == contents
    assert kills > 5
    ran = shell(*words)
    assert (ran.status, shell("status", "82").status) == (0, 0), ran.out
    names = ["Cat.png", "Cat.txt"] if match == "bucket" else ["cat.png", "cat.txt"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert [row.key for row in bucket.objects(f"{prefix}/82_stellar_sketch/")] == names


def test_the_disk_can_take_the_names_of_the_bucket(shell: Shell) -> None:
    document = shell("rename", "82", "--match", "bucket", "--yes", "--json").json["datasets"][0]
    assert document["renames"] == [{"from": "cat.png", "to": "Cat.png"}, {"from": "cat.txt", "to": "Cat.txt"}]
    assert (document["done"], document["failed"], document["trash"]) == (2, [], None)
    assert sorted(path.name for path in (shell.cwd / "82_stellar_sketch").iterdir()) == ["Cat.png", "Cat.txt"]
    assert shell("status", "82").status == 0

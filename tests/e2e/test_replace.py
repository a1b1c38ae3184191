"""What differs without a common past is not replaced unasked: what is shown, what is typed, what a script must say."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from support.command import Shell, library, typed
from support.datasets import write_pairs
from support.stores import Store

NAME = "82_stellar_sketch"
OLD, NEW = 1_600_000_000, 4_000_000_000
"""Times of files, long before and after any time of an object in these tests."""


@pytest.fixture
def shell(seaweedfs: Store, tmp_path: Path, prefix: str) -> Shell:
    """A library in sync that has lost its state, with five captions edited on this machine: a newcomer's."""
    made = library(seaweedfs, tmp_path / "styles", prefix)
    write_pairs(made.cwd, NAME, 6)
    assert made("push", "82").status == 0
    shutil.rmtree(made.cwd / ".hashmark")
    for n in range(5):
        path = made.cwd / NAME / f"{n:04d}.txt"
        path.write_text(path.read_text().upper())
        os.utime(path, (OLD, OLD) if n < 2 else (NEW, NEW))
    return made


def differing(shell: Shell) -> int:
    return int(shell("status", "82", "--json").json["datasets"][0]["counts"].get("differs", 0))


@pytest.mark.parametrize(("direction", "side"), [("push", "mine"), ("pull", "theirs")])
def test_a_script_must_say_what_to_take(direction: str, side: str, shell: Shell) -> None:
    ran = shell(direction, "82")
    assert ran.status == 4
    assert f"--take {side} would overwrite it" in ran.out
    assert differing(shell) == 5
    assert shell(direction, "82", "--dry-run").status == 4
    ran = shell(direction, "82", "--take", side)
    assert ran.status == 0, ran.out + ran.err
    assert shell("status", "82").status == 0


def test_what_is_new_is_pushed_all_the_same(shell: Shell) -> None:
    (shell.cwd / NAME / "new.txt").write_text("a new caption\n")
    ran = shell("push", "82", "--json")
    assert ran.status == 4
    (document,) = ran.json["datasets"]
    assert (document["done"], len(document["leftAlone"])) == (1, 5)
    assert differing(shell) == 5


def test_on_a_terminal_three_are_shown_with_both_times_and_the_number_is_typed(shell: Shell) -> None:
    ran = typed(shell, "5\n", "push", "82")
    assert ran.status == 0, ran.out + ran.err
    assert "5 files differ on both sides" in ran.err
    assert ran.err.count(" on this disk, 20") == 3
    assert "0000.txt: 2020-09-1" in ran.err
    assert "… and 2 more" in ran.err
    assert "Replace 5 files in the bucket with this disk's version?" in ran.err
    assert shell("status", "82").status == 0


def test_what_was_not_asked_about_is_not_decided_by_the_answer(shell: Shell) -> None:
    """A file that was deleted from the bucket needs a decision as well, but not this one."""
    assert shell("status", "82").status == 1
    assert typed(shell, "1\n", "delete", "82", "--select", "0005.txt", "--from", "bucket").status == 0
    ran = typed(shell, "5\n", "push", "82")
    assert (ran.status, "5 files differ on both sides" in ran.err) == (1, True)
    counts = shell("status", "82", "--json").json["datasets"][0]["counts"]
    assert counts == {"synced": 11, "deleted-remotely": 1}


@pytest.mark.parametrize("answer", ["\n", "y\n", "4\n"])
def test_anything_else_that_is_typed_replaces_nothing(answer: str, shell: Shell) -> None:
    assert typed(shell, answer, "push", "82").status == 4
    assert differing(shell) == 5


def test_newer_takes_each_from_the_side_that_was_written_later(shell: Shell) -> None:
    ran = shell("push", "82", "--take", "newer")
    assert "other side is newer" in ran.out
    assert differing(shell) == 2
    assert shell("pull", "82", "--take", "newer").status == 0
    assert shell("status", "82").status == 0
    kept = [(shell.cwd / NAME / f"{n:04d}.txt").read_text() for n in range(5)]
    assert [text.isupper() for text in kept] == [False, False, True, True, True]


def test_the_other_sides_content_is_not_taken_by_mistake(shell: Shell) -> None:
    ran = shell("push", "82", "--take", "theirs")
    assert ran.status == 2
    assert "hashmark pull --take theirs" in ran.err


@pytest.mark.parametrize(("where", "direction", "side"), [("bucket", "push", "mine"), ("disk", "pull", "theirs")])
def test_what_was_deleted_on_one_side_does_not_come_back_unasked(
    where: str, direction: str, side: str, seaweedfs: Store, tmp_path: Path, prefix: str
) -> None:
    shell = library(seaweedfs, tmp_path / "styles", prefix)
    write_pairs(shell.cwd, NAME, 2)
    assert shell("push", "82").status == 0
    assert typed(shell, "2\n", "delete", "82", "--select", "*.txt", "--from", where).status == 0
    verdict = "deleted-remotely" if where == "bucket" else "deleted-locally"
    assert shell("status", "82", "--json").json["datasets"][0]["counts"] == {"synced": 2, verdict: 2}
    ran = shell(direction, "82")
    assert ran.status == 1
    assert f"since last in sync; --take {side} would bring it back" in ran.out
    assert shell(direction, "82", "--take", side).status == 0
    assert shell("status", "82").status == 0

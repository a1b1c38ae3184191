"""`hashmark trash`: what is shown is what goes, and what comes back says what it went over."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from support.command import Shell, library, typed
from support.datasets import write_pairs
from support.file_trees import tree, write_files
from support.stores import Store


@pytest.fixture
def shell(seaweedfs: Store, tmp_path: Path, prefix: str) -> Shell:
    """A library with one dataset of three pairs, in sync."""
    made = library(seaweedfs, tmp_path / "styles", prefix)
    write_pairs(made.cwd, "82_stellar_sketch", 3)
    assert made("push", "82").status == 0
    return made


def delete(shell: Shell, glob: str, where: str, number: int) -> None:
    ran = shell("delete", "82", "--select", glob, "--from", where, "--yes", number)
    assert ran.status == 0, ran.err


def trashed(shell: Shell) -> list[tuple[str, str]]:
    return [(row["side"], row["key"]) for row in shell("trash", "list", "--json").json["entries"]]


# --- list ---------------------------------------------------------------------------------------------------------


def test_a_trash_that_can_not_be_seen_is_not_called_empty(shell: Shell) -> None:
    assert shell("trash", "list").out == "The trash is empty.\n"
    wrong = Shell(shell.cwd, shell.environment | {"AWS_SECRET_ACCESS_KEY": "not-the-secret"})
    ran = wrong("trash", "list")
    assert (ran.status, ran.out) == (3, "The trash in the bucket could not be listed.\n")
    delete(shell, "0000.txt", "both", 2)
    ran = wrong("trash", "list")
    assert (ran.status, "  disk  " in ran.out, "could not be listed" in ran.out) == (3, True, True)


# --- empty -------------------------------------------------------------------------------------------------------


def test_what_comes_to_the_trash_after_the_question_stays_there(shell: Shell) -> None:
    """The number that is typed is that of the files that were counted, and only they go."""
    delete(shell, "0000.*", "both", 4)
    ran = typed(shell, "4\n", "trash", "empty", meanwhile=lambda: delete(shell, "0001.*", "both", 4))
    assert (ran.status, "4 deleted permanently" in ran.out) == (0, True), ran.err
    assert trashed(shell) == [(side, f"0001.{suffix}") for side in ("disk", "bucket") for suffix in ("png", "txt")]


def test_a_batch_that_begins_after_the_question_can_be_undone(shell: Shell) -> None:
    delete(shell, "0000.txt", "disk", 1)
    caption = shell.cwd / "82_stellar_sketch" / "0001.txt"
    caption.write_bytes(b"a  cat\n")
    ran = typed(shell, "1\n", "trash", "empty", meanwhile=lambda: shell("clean", "82", "--apply"))
    assert (ran.status, caption.read_bytes()) == (0, b"a cat\n"), ran.err
    assert shell("undo", "last").status == 0
    assert caption.read_bytes() == b"a  cat\n"


def test_another_number_empties_nothing(shell: Shell) -> None:
    delete(shell, "0000.*", "both", 4)
    ran = typed(shell, "5\n", "trash", "empty")
    assert (ran.status, len(trashed(shell))) == (4, 4)
    assert set(tree(shell.cwd / "82_stellar_sketch")) == {f"000{n}.{s}" for n in (1, 2) for s in ("png", "txt")}


# --- the trash of other machines ---------------------------------------------------------------------------------


def batches(shell: Shell) -> dict[str, str]:
    """Return who made each batch that has files."""
    return {row["batch"]: row["madeBy"] for row in shell("trash", "list", "--json").json["entries"]}


@pytest.fixture
def other(shell: Shell, seaweedfs: Store, prefix: str) -> Shell:
    """Another machine with the same library, which has deleted a pair from the bucket."""
    made = library(seaweedfs, shell.cwd.parent / "other", prefix)
    assert made("pull", "82").status == 0
    delete(made, "0002.*", "bucket", 2)
    return made


def test_only_the_batches_of_this_machine_are_emptied(shell: Shell, other: Shell) -> None:
    delete(shell, "0000.*", "both", 4)
    assert sorted(batches(shell).values()) == ["other", "this"]
    listed = shell("trash", "list").out
    assert ("another machine" in listed, "this machine" in listed) == (True, True)
    ran = typed(shell, "4\n", "trash", "empty")
    assert (ran.status, "4 deleted permanently" in ran.out) == (0, True), ran.err
    assert "  2 files of other machines left; to delete: --all-machines\n" in ran.out
    assert list(batches(shell).values()) == ["other"]
    assert list(batches(other).values()) == ["this"]
    (batch,) = batches(other)
    assert other("trash", "restore", batch).out == "2 restored\n", "its way back was not taken away"


def test_another_machine_s_batch_is_emptied_only_with_the_option(shell: Shell, other: Shell) -> None:
    (batch,) = batches(shell)
    ran = shell("trash", "empty", batch, "--yes")
    assert (ran.status, f"The batch '{batch}' was made by another machine." in ran.err) == (4, True)
    ran = shell("trash", "empty", "--json")
    assert (ran.status, ran.json) == (0, {"deleted": 0, "failed": [], "left": {"other": 2, "unknown": 0}})
    assert list(batches(other).values()) == ["this"]
    ran = typed(shell, "2\n", "trash", "empty", batch, "--all-machines")
    assert (ran.status, "2 deleted permanently" in ran.out) == (0, True), ran.err
    assert batches(other) == {}


def test_a_batch_of_an_earlier_version_belongs_to_nobody_known(shell: Shell) -> None:
    old = "20260101T000000Z-delete-0a1b2c3d"
    write_files(shell.cwd, {f".hashmark/trash/{old}/82_stellar_sketch/0009.txt": b"x"})
    assert batches(shell) == {old: "unknown"}
    assert "not known" in shell("trash", "list").out
    ran = shell("trash", "empty", "--yes")
    assert (ran.status, ran.out.splitlines()[0]) == (0, "0 deleted permanently")
    assert "1 file of earlier versions, whose machine is not known, left; to delete: --all-machines" in ran.out
    assert "by an earlier version of hashmark" in shell("trash", "empty", old, "--yes").err
    assert batches(shell) == {old: "unknown"}
    assert shell("trash", "empty", "--yes", "--all-machines").status == 0
    assert batches(shell) == {}


def test_a_copy_of_a_library_is_another_machine(shell: Shell) -> None:
    """With its state, as `rsync` and `cp` make it."""
    delete(shell, "0000.*", "bucket", 2)
    copy = Shell(shell.cwd.parent / "copy", shell.environment)
    shutil.copytree(shell.cwd, copy.cwd)
    assert (list(batches(shell).values()), list(batches(copy).values())) == (["this"], ["other"])
    moved = Shell(shell.cwd.parent / "moved", shell.environment)
    shell.cwd.rename(moved.cwd)
    assert list(batches(moved).values()) == ["this"]


def test_the_bucket_learns_nothing_about_the_machine(shell: Shell) -> None:
    delete(shell, "0000.*", "bucket", 2)
    (batch,) = batches(shell)
    assert re.fullmatch(r"\d{8}T\d{6}Z-delete-[0-9a-f]{8}-[0-9a-f]{8}", batch)


# --- restore -----------------------------------------------------------------------------------------------------


def test_a_restore_says_where_the_overwritten_files_went(shell: Shell) -> None:
    """An hour's work on captions is in the way, on disk and in the bucket."""
    delete(shell, "0000.txt", "both", 2)
    caption = shell.cwd / "82_stellar_sketch" / "0000.txt"
    caption.write_bytes(b"an hour of work by hand\n")
    assert shell("push", "82").status == 0
    (first,) = {row["batch"] for row in shell("trash", "list", "--json").json["entries"]}
    ran = shell("trash", "restore", first)
    (again,) = re.findall(r"overwritten files are in the trash: hashmark trash restore (\S+)", ran.out)
    assert caption.read_bytes() != b"an hour of work by hand\n"
    document = shell("trash", "restore", again, "--json").json
    assert caption.read_bytes() == b"an hour of work by hand\n"
    assert [row["side"] for row in document["restored"]] == ["disk", "bucket"]
    assert document["batch"] in shell("trash", "list").out
    assert shell("status", "82").status == 0


def test_a_restore_with_nothing_in_its_way_names_no_other_batch(shell: Shell) -> None:
    delete(shell, "0000.txt", "both", 2)
    (batch,) = {row["batch"] for row in shell("trash", "list", "--json").json["entries"]}
    assert shell("trash", "restore", batch).out == "2 restored\n"


def test_what_a_restore_leaves_of_an_undo_can_still_be_undone(shell: Shell) -> None:
    """The undo brought back a caption that was not there; a restore puts files back and removes none."""
    folder = shell.cwd / "82_stellar_sketch"
    (folder / "0000.txt").write_bytes(b"a  cat\n")
    (folder / "0002.txt").write_bytes(b"")
    assert shell("clean", "82", "--set", "empty=delete", "--apply").status == 0
    assert shell("undo", "last").status == 0
    (batch,) = [row["batch"] for row in shell("undo", "--json").json["batches"]]
    ran = shell("trash", "restore", batch)
    assert f"1 file that this batch created remains; to remove: hashmark undo {batch}\n" in ran.out
    assert ((folder / "0000.txt").read_bytes(), (folder / "0002.txt").exists()) == (b"a cat\n", True)
    assert shell("undo", batch).status == 0
    assert ((folder / "0000.txt").read_bytes(), (folder / "0002.txt").exists()) == (b"a cat\n", False)


def test_a_dataset_of_a_batch_is_found_by_number_and_a_wrong_one_is_reported(shell: Shell) -> None:
    delete(shell, "0000.txt", "both", 2)
    (batch,) = {row["batch"] for row in shell("trash", "list", "--json").json["entries"]}
    ran = shell("trash", "restore", batch, "--dataset", "10")
    assert (ran.status, ran.out) == (2, "")
    assert f"Batch {batch} has nothing of '10'; it has: 82_stellar_sketch." in ran.err
    assert shell("trash", "restore", batch, "--dataset", "82").out == "2 restored\n"


def test_a_number_that_fits_a_dataset_that_is_not_in_the_batch_too_is_not_guessed(shell: Shell) -> None:
    delete(shell, "0000.txt", "both", 2)
    write_pairs(shell.cwd, "82_ink", 1)
    (batch,) = {row["batch"] for row in shell("trash", "list", "--json").json["entries"]}
    assert shell("trash", "restore", batch, "--dataset", "82").status == 2
    assert shell("trash", "restore", batch, "--dataset", "82_stellar_sketch").out == "2 restored\n"

"""Without a name, a command works on the current folder's dataset, or says what to type; `--all` means every one."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.command import Shell, library
from support.datasets import write_pairs
from support.stores import Store

NAMES = ("10_ink", "82_stellar_sketch")


@pytest.fixture
def root(seaweedfs: Store, tmp_path: Path, prefix: str) -> Shell:
    """A library with two datasets, nothing pushed yet; run in the library's folder."""
    made = library(seaweedfs, tmp_path / "styles", prefix)
    for name in NAMES:
        write_pairs(made.cwd, name, 2)
    return made


@pytest.fixture
def inside(root: Shell) -> Shell:
    """The same library, in a folder of the second dataset."""
    folder = root.cwd / NAMES[1] / "sub"
    folder.mkdir()
    return Shell(folder, root.environment)


def documents(shell: Shell, *words: str) -> list[str]:
    return [document.get("dataset", document.get("name")) for document in shell(*words, "--json").json["datasets"]]


def test_the_current_folder_s_dataset_is_the_default(root: Shell, inside: Shell) -> None:
    assert documents(inside, "push") == ["82_stellar_sketch"]
    assert "4 local-only" in root("status", "10").out
    assert documents(inside, "status") == ["82_stellar_sketch"]
    assert documents(inside, "verify") == ["82_stellar_sketch"]
    assert documents(inside, "pull") == ["82_stellar_sketch"]
    assert inside("ls-remote", "--json").json["count"] == 4
    assert "82_stellar_sketch" in inside("lint").out
    assert "82_stellar_sketch" in inside("clean").out
    assert documents(inside, "delete", "--select", "0000.txt", "--from", "disk", "--yes", "1") == ["82_stellar_sketch"]
    assert documents(inside, "status", "10") == ["10_ink"], "a name goes before the folder"


def test_a_diff_in_the_dataset_s_folder_takes_captions_alone(root: Shell, inside: Shell) -> None:
    inside("push")
    for key in ("0000.txt", "0001.txt"):
        (root.cwd / NAMES[1] / key).write_text("an edit\n")
    assert [row["key"] for row in inside("diff", "--json").json["captions"]] == ["0000.txt", "0001.txt"]
    assert [row["key"] for row in inside("diff", "0001.txt", "--json").json["captions"]] == ["0001.txt"]
    assert [row["key"] for row in inside("diff", "82", "0001.txt", "--json").json["captions"]] == ["0001.txt"]
    assert root("diff", "0001.txt").status == 2


@pytest.mark.parametrize("command", ["push", "pull", "verify", "clean", "lint"])
def test_in_the_root_a_command_says_what_to_type(command: str, root: Shell) -> None:
    ran = root(command)
    assert ran.status == 2
    assert "No dataset is named, and the current folder is in none." in ran.err
    assert f"Type `hashmark {command} 10`, or `hashmark {command} --all`." in ran.err
    assert "Datasets here: 10_ink, 82_stellar_sketch." in ran.err


@pytest.mark.parametrize("command", [("diff",), ("ls-remote",), ("delete", "--select", "*", "--from", "disk")])
def test_a_command_without_all_does_not_offer_it(command: tuple[str, ...], root: Shell) -> None:
    ran = root(*command)
    assert (ran.status, "--all" in ran.err) == (2, False)
    assert f"Type `hashmark {command[0]} 10`." in ran.err


def test_all_means_every_dataset(root: Shell, inside: Shell, seaweedfs: Store, tmp_path: Path, prefix: str) -> None:
    for shell in (root, inside):
        assert documents(shell, "push", "--all") == [*NAMES]
        assert documents(shell, "status", "--all") == [*NAMES]
        assert documents(shell, "verify", "--all") == [*NAMES]
        assert documents(shell, "clean", "--all") == [*NAMES]
        assert documents(shell, "lint", "--all") == [*NAMES]
    other = library(seaweedfs, tmp_path / "other", prefix)
    assert documents(other, "pull", "--all") == [*NAMES], "those that only the bucket has"
    assert other("status").status == 0


def test_all_cleans_each_dataset_as_a_batch_of_its_own(root: Shell) -> None:
    for name in NAMES:
        (root.cwd / name / "0000.txt").write_text("two  spaces\n")
    assert root("clean", "--all").status == 1
    assert root("clean", "--all", "--apply").status == 0
    assert {(root.cwd / name / "0000.txt").read_text() for name in NAMES} == {"two spaces\n"}
    assert len(root("undo", "--json").json["batches"]) == 2


def test_all_beside_names_is_a_mistake(root: Shell) -> None:
    for command in ("status", "push", "clean"):
        ran = root(command, "82", "--all")
        assert (ran.status, "--all means every dataset" in ran.err) == (2, True)


def test_all_tells_of_a_folder_that_can_be_no_dataset(root: Shell) -> None:
    (root.cwd / "COM1").mkdir()
    ran = root("push", "--all")
    assert (ran.status, "COM1" in ran.out) == (4, True)
    assert root("push", "82").status == 0


def test_all_of_an_empty_library_says_so(seaweedfs: Store, tmp_path: Path, prefix: str) -> None:
    ran = library(seaweedfs, tmp_path / "empty", prefix)("push", "--all")
    assert (ran.status, "No datasets in" in ran.err) == (0, True)
    ran = library(seaweedfs, tmp_path / "empty2", prefix)("push")
    assert "Type `hashmark push 82`, or `hashmark push --all`." in ran.err

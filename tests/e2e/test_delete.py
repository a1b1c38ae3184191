"""`hashmark delete`: what is shown, what must be typed, what goes, and how it comes back."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from support.command import Shell, library, typed
from support.datasets import write_pairs
from support.faults import Reply, scripted
from support.file_trees import tree
from support.stores import SCRIPTS, Store


@pytest.fixture
def shell(seaweedfs: Store, tmp_path: Path, prefix: str) -> Shell:
    """A library with one dataset of three pairs, in sync."""
    made = library(seaweedfs, tmp_path / "styles", prefix)
    write_pairs(made.cwd, "82_stellar_sketch", 3)
    assert made("push", "82").status == 0
    return made


def disk(shell: Shell) -> set[str]:
    return set(tree(shell.cwd / "82_stellar_sketch"))


def bucket(shell: Shell) -> set[str]:
    return set(shell("ls-remote", "82", "--json").json["files"])


ALL = {f"{n:04d}.{suffix}" for n in range(3) for suffix in ("png", "txt")}
TEXTS = {key for key in ALL if key.endswith(".txt")}
ON_DISK = ("delete", "82", "--select", "*.txt", "--from", "disk")


# --- the plan ----------------------------------------------------------------------------------------------------


def test_a_dry_run_names_every_file_and_deletes_none(shell: Shell) -> None:
    ran = shell("delete", "82", "--select", "*.txt", "--from", "both", "--dry-run")
    assert ran.status == 0, "it would succeed"
    assert "82_stellar_sketch: delete 3 from the bucket, delete 3 from the disk\n" in ran.out
    assert re.findall(r"^  delete (\S+) from the (\w+)$", ran.out, re.MULTILINE) == [
        (key, where) for where in ("bucket", "disk") for key in sorted(TEXTS)
    ]
    assert disk(shell) == bucket(shell) == ALL
    (document,) = shell("delete", "82", "--select", "*.txt", "--from", "disk", "--dry-run", "--json").json["datasets"]
    assert (document["direction"], document["files"], document["leftAlone"]) == ("delete", 3, [])
    assert [(a["action"], a["key"]) for a in document["actions"]] == [("delete-local", key) for key in sorted(TEXTS)]
    assert disk(shell) == ALL


def test_nothing_to_delete_needs_no_consent(shell: Shell) -> None:
    for path in (shell.cwd / "82_stellar_sketch").glob("*.txt"):
        path.unlink()
    ran = shell(*ON_DISK)
    assert (ran.status, "nothing to do" in ran.out) == (0, True)
    assert shell(*ON_DISK, "--dry-run").status == 0
    assert bucket(shell) == ALL


# --- consent -----------------------------------------------------------------------------------------------------


def test_in_a_pipe_the_plan_is_shown_and_refused(shell: Shell) -> None:
    ran = shell(*ON_DISK)
    assert ran.status == 4
    assert "delete 0000.txt from the disk" in ran.out
    assert "This would move 3 files to the trash" in ran.err
    assert "--yes 3" in ran.err
    assert disk(shell) == ALL


@pytest.mark.parametrize("as_json", [False, True])
def test_a_number_that_comes_through_a_pipe_is_no_consent(as_json: bool, shell: Shell) -> None:
    """A script that answers questions has not read the plan; with --json nobody is asked, on a terminal neither."""
    if as_json:
        ran = typed(shell, "3\n", *ON_DISK, "--json")
        assert (ran.status, ran.json["error"]["code"]) == (4, "refused")
    else:
        command = [str(SCRIPTS / "hashmark"), *ON_DISK]
        environment = os.environ | shell.environment
        done = subprocess.run(command, cwd=shell.cwd, env=environment, input=b"3\n", capture_output=True, check=False)
        assert done.returncode == 4
    assert disk(shell) == ALL


@pytest.mark.parametrize("number", [0, 2, 4])
def test_another_number_than_the_plan_s_is_refused(number: int, shell: Shell) -> None:
    """A plan that grew or shrank since it was looked at is another plan."""
    ran = shell(*ON_DISK, "--yes", number)
    assert ran.status == 4
    assert f"This would move 3 files to the trash, but --yes says {number}" in ran.err
    assert disk(shell) == ALL


@pytest.mark.parametrize(("where", "number"), [("disk", 3), ("bucket", 3), ("both", 6)])
def test_with_the_number_the_files_go_to_the_trash_and_come_back(where: str, number: int, shell: Shell) -> None:
    """On both sides each file counts twice, as it is deleted twice."""
    ran = shell("delete", "82", "--select", "*.txt", "--from", where, "--yes", number)
    assert ran.status == 0, ran.err
    assert disk(shell) == (ALL if where == "bucket" else ALL - TEXTS)
    assert bucket(shell) == (ALL if where == "disk" else ALL - TEXTS)
    (batch,) = re.findall(r"deleted files are in the trash: hashmark trash restore (\S+)", ran.out)
    assert batch in shell("trash", "list").out
    assert f"{number} restored" in shell("trash", "restore", batch).out
    assert disk(shell) == bucket(shell) == ALL
    assert shell("status", "82").status == 0


def test_with_json_the_number_is_needed_and_the_result_is_one_document(shell: Shell) -> None:
    ran = shell(*ON_DISK, "--json")
    assert (ran.status, ran.json["error"]["code"]) == (4, "refused")
    assert "--yes 3" in ran.json["error"]["hint"]
    ran = shell(*ON_DISK, "--json", "--yes", 3)
    assert ran.status == 0
    (document,) = ran.json["datasets"]
    assert (document["done"], document["failed"], document["notTried"]) == (3, [], 0)
    assert document["trash"] in shell("trash", "list").out
    assert disk(shell) == ALL - TEXTS


@pytest.mark.parametrize("answer", ["3\n", " 3 \n"])
def test_on_a_terminal_the_number_is_typed(answer: str, shell: Shell) -> None:
    ran = typed(shell, answer, *ON_DISK)
    assert ran.status == 0, ran.err
    assert "This would move 3 files to the trash. Type 3 to go on: " in ran.err
    assert ran.out.index("delete 0000.txt from the disk") < ran.out.index("trash restore"), "the plan was shown first"
    assert disk(shell) == ALL - TEXTS


@pytest.mark.parametrize("answer", ["\n", "y\n", "yes\n", "2\n", "33\n", "\x04"])
def test_anything_else_that_is_typed_deletes_nothing(answer: str, shell: Shell) -> None:
    """Above all no `y`, which is typed without reading."""
    ran = typed(shell, answer, *ON_DISK)
    assert (ran.status, "not confirmed" in ran.err) == (4, True)
    assert disk(shell) == ALL


def test_the_number_is_that_of_all_datasets_together(shell: Shell) -> None:
    write_pairs(shell.cwd, "10_ink", 2)
    arguments = ("delete", "82", "10", "82", "--select", "*.txt", "--from", "disk")
    assert shell(*arguments, "--yes", 3).status == 4
    assert disk(shell) == ALL
    ran = shell(*arguments, "--yes", 5)
    assert ran.status == 0, ran.err
    assert disk(shell) == ALL - TEXTS
    assert set(tree(shell.cwd / "10_ink")) == {"0000.png", "0001.png"}


def test_a_push_names_what_it_would_delete_and_deletes_that_alone(shell: Shell) -> None:
    """What came back while the number was typed is left as it is, and what went since was not agreed to."""
    folder, aside = shell.cwd / "82_stellar_sketch", shell.cwd.parent
    texts, images = sorted(TEXTS), sorted(ALL - TEXTS)
    for key in texts:
        (folder / key).rename(aside / key)

    def swap() -> None:
        for key in texts:
            (aside / key).rename(folder / key)
        for key in images:
            (folder / key).rename(aside / key)

    ran = typed(shell, "3\n", "push", "82", "--delete", meanwhile=swap)
    assert set(images) <= bucket(shell), "these were not named"
    assert re.findall(r"  delete (\S+) from the bucket", ran.err) == texts
    assert f"This would delete 3 of {len(texts) + len(images)} files (limit 0). Type 3 to go on: " in ran.err


def test_of_many_deletes_twenty_are_named(shell: Shell) -> None:
    write_pairs(shell.cwd, "10_ink", 11)
    assert shell("push", "10").status == 0
    for path in sorted((shell.cwd / "10_ink").iterdir())[1:]:
        path.unlink()
    ran = typed(shell, "no\n", "push", "10", "--delete")
    assert (ran.status, ran.err.count(" from the bucket\n")) == (4, 20)
    assert "… and 1 more (--dry-run --max-delete 21 lists them)" in ran.err
    assert len(shell("ls-remote", "10", "--json").json["files"]) == 22


# --- refusals ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("delete", "82", "--from", "disk", "--yes", "6"),
        ("delete", "82", "--select", "*", "--yes", "6"),
        ("delete", "--select", "*", "--from", "disk", "--yes", "6"),
        ("delete", "82", "--select", "*", "--from", "everywhere", "--yes", "6"),
        ("delete", "82", "--select", "*", "--from", "disk", "--yes", "-1"),
        ("delete", "82", "--select", "*", "--from", "disk", "--yes"),
        ("delete", "82", "--select", "*.tpyo", "--from", "disk", "--yes", "0"),
        ("delete", "82", "nobody", "--select", "*", "--from", "disk", "--yes", "6"),
    ],
)
def test_what_is_not_said_is_not_guessed(arguments: tuple[str, ...], shell: Shell) -> None:
    """Neither which files nor which side."""
    assert shell(*arguments).status == 2
    assert disk(shell) == bucket(shell) == ALL


def test_one_dataset_that_can_not_be_read_keeps_all_of_them(shell: Shell) -> None:
    write_pairs(shell.cwd, "10_ink", 2)
    (shell.cwd / "10_ink" / "dangling.txt").symlink_to("nowhere")
    ran = shell("delete", "82", "10", "--select", "*.txt", "--from", "disk", "--yes", 5)
    assert (ran.status, "a side could not be read completely" in ran.err) == (4, True)
    assert disk(shell) == ALL
    assert len(tree(shell.cwd / "10_ink")) == 4


def test_a_page_instead_of_a_listing_deletes_nothing(shell: Shell) -> None:
    page = b"<!DOCTYPE html><html><body>Please sign in</body></html>"
    with scripted(lambda _: Reply(200, page, {"Content-Type": "text/html"})) as server:
        (shell.cwd / "hashmark.toml").write_text(f'[remote]\nurl = "s3://bucket/p"\nendpoint_url = "{server.url}"\n')
        ran = shell("delete", "82", "--select", "*", "--from", "both", "--yes", 12)
        assert (ran.status, "not a proxy, login or web page" in ran.err) == (3, True)
        assert {request.method for request in server.seen} == {"GET"}
    assert disk(shell) == ALL

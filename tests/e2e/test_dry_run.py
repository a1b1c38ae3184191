"""A dry run ends with the exit status that the run has, whatever is to be done or decided."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.command import Shell, library
from support.datasets import write_pairs
from support.stores import Store

NAME = "82_stellar_sketch"


@pytest.fixture
def machines(seaweedfs: Store, tmp_path: Path, prefix: str) -> tuple[Path, Shell, Shell]:
    """Two machines with the same dataset in sync; the first one's folder, and both."""
    mine, other = (library(seaweedfs, tmp_path / name, prefix) for name in ("mine", "other"))
    write_pairs(mine.cwd, NAME, 3)
    assert mine("push", "82").status == 0
    assert other("pull", "82").status == 0
    return mine.cwd / NAME, mine, other


def edit(shell: Shell, key: str, text: str) -> None:
    """Edit a caption, or create it, and push it."""
    (shell.cwd / NAME / key).write_text(text)
    assert shell("push", "82").status == 0


def both_dry_and_wet(shell: Shell, *words: str) -> tuple[int, int]:
    return shell(*words, "--dry-run").status, shell(*words).status


def test_in_sync_or_new_or_edited(machines: tuple[Path, Shell, Shell]) -> None:
    folder, mine, other = machines
    assert both_dry_and_wet(mine, "push", "82") == (0, 0)
    (folder / "new.txt").write_text("new\n")
    (folder / "0000.txt").write_text("edited\n")
    assert both_dry_and_wet(mine, "push", "82") == (0, 0)
    assert both_dry_and_wet(other, "pull", "82") == (0, 0)


def test_only_on_the_other_side(machines: tuple[Path, Shell, Shell]) -> None:
    folder, mine, _ = machines
    (folder / "0000.txt").unlink()
    assert both_dry_and_wet(mine, "push", "82") == (0, 0)
    assert both_dry_and_wet(mine, "push", "82", "--delete") == (4, 4), "more than a tenth"
    assert both_dry_and_wet(mine, "push", "82", "--delete", "--max-delete", "1") == (0, 0)


def test_a_conflict(machines: tuple[Path, Shell, Shell]) -> None:
    folder, mine, other = machines
    edit(other, "0000.txt", "theirs\n")
    (folder / "0000.txt").write_text("mine, edited\n")
    assert both_dry_and_wet(mine, "push", "82") == (1, 1)
    assert both_dry_and_wet(mine, "pull", "82") == (1, 1)
    assert both_dry_and_wet(mine, "push", "82", "--take", "mine") == (0, 0)


def test_a_refused_name(machines: tuple[Path, Shell, Shell]) -> None:
    folder, mine, _ = machines
    (folder / "COM1").write_bytes(b"x")
    assert both_dry_and_wet(mine, "push", "82") == (4, 4)


def test_a_folder_that_cannot_be_read(machines: tuple[Path, Shell, Shell]) -> None:
    folder, mine, _ = machines
    (folder / "loop").symlink_to(folder)
    (folder / "new.txt").write_text("new\n")
    dry, wet = both_dry_and_wet(mine, "push", "82")
    assert dry == wet

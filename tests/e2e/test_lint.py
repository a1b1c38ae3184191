"""`hashmark lint`, and the captions' line of `status`, by the installed command."""

from __future__ import annotations

from pathlib import Path

import pytest

from hashmark.core.lint.facts import Trainer
from support.command import Shell, library
from support.lint_cases import clean, seeded
from support.stores import Store


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """Two datasets, and a store that nobody has to reach."""
    nowhere = Store("nowhere", "http://127.0.0.1:9", _credentials(tmp_path_factory.mktemp("keys")))
    made = library(nowhere, tmp_path_factory.mktemp("styles"), "styles")
    clean(made.cwd / "82_stellar_sketch", 3)
    seeded(made.cwd / "7_seeded")
    return made


def _credentials(folder: Path) -> Path:
    path = folder / "credentials"
    path.write_text("[default]\naws_access_key_id = a\naws_secret_access_key = b\n")
    return path


def test_a_clean_dataset_ends_with_0_and_says_what_is_to_be_known(shell: Shell) -> None:
    ran = shell("lint", "82")
    assert (ran.status, ran.err) == (0, "")
    assert "3 images x 82 = 246 samples per epoch, class token 'stellar_sketch'" in ran.out
    assert "no findings" in ran.out


def test_a_seeded_folder_ends_with_1_and_groups_its_findings(shell: Shell) -> None:
    ran = shell("lint", "7", "--trainer", "all")
    assert ran.status == 1
    heads = [line for line in ran.out.splitlines() if line in {"any trainer", *Trainer}]
    assert heads == ["any trainer", *Trainer]
    assert "✗ zero-byte-caption (1) has no bytes: training stops" in ran.out
    assert "[kohya-ss/sd-scripts library/train_util.py, DreamBoothDataset, read_caption]" in ran.out
    assert "disguised.png   is a JPEG" in ran.out


def test_one_trainer_can_be_asked_for(shell: Shell) -> None:
    document = shell("lint", "7", "--trainer", "musubi", "--json").json
    assert document["trainers"] == ["musubi"]
    assert {finding["trainer"] for finding in document["findings"]} == {None, "musubi"}


def test_json_has_the_documented_shape(shell: Shell) -> None:
    ran = shell("lint", "7", "--json")
    assert ran.status == 1
    document = ran.json
    assert list(document) == ["dataset", "trainers", "complete", "captionHealth", "findings", "notes", "problems"]
    assert document["captionHealth"]["wrongEncoding"] == 4
    (finding,) = (f for f in document["findings"] if f["code"] == "near-duplicate")
    assert list(finding) == [
        "code", "severity", "trainer", "count", "keys", "details", "what", "why", "do", "source",
    ]  # fmt: skip
    assert finding["keys"] == ["near_a.png", "near_b.jpg"]
    assert finding["details"] == {"near_a.png": "'near_b.jpg'", "near_b.jpg": "'near_a.png'"}


def test_names_are_capped_unless_all_are_asked_for(shell: Shell) -> None:
    folder = shell.cwd / "9_many"
    folder.mkdir(exist_ok=True)
    for n in range(8):
        (folder / f"{n}.txt").write_text("an orphan")
    ran = shell("lint", "9_many", "--trainer", "kohya")
    assert ran.status == 1
    assert "orphan-caption (8)" in ran.out
    assert "4.txt" in ran.out
    assert "5.txt" not in ran.out
    assert "… and 3 more" in ran.out
    assert "7.txt" in shell("lint", "9_many", "--full").out


def test_a_trainer_that_is_not_known_is_wrong_usage(shell: Shell) -> None:
    ran = shell("lint", "82", "--trainer", "pytorch")
    assert ran.status == 2
    assert "diffusion-pipe" in ran.err


def test_what_can_not_be_read_is_named_and_ends_with_4(shell: Shell) -> None:
    folder = clean(shell.cwd / "5_broken", 1)
    (folder / "gone.png").symlink_to("nowhere")
    ran = shell("lint", "5_broken")
    assert ran.status == 4
    assert "gone.png" in ran.out


def test_names_that_try_to_be_more_than_text_are_shown_as_text(shell: Shell) -> None:
    folder = shell.cwd / "6_hostile"
    folder.mkdir()
    (folder / "[bold]\u202ex.txt").write_text("an orphan")
    out = shell("lint", "6_hostile").out
    assert "[bold]⟨U+202E⟩x.txt" in out

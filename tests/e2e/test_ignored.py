"""Nothing on disk or in the bucket is passed over in silence: it is part of a dataset, or it is named as ignored."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.command import Shell, library
from support.datasets import write_pairs
from support.file_trees import tree, write_files
from support.stores import BUCKET, Store, aws


@pytest.fixture
def shell(seaweedfs: Store, tmp_path: Path, prefix: str) -> Shell:
    return library(seaweedfs, tmp_path / "styles", prefix)


def test_files_and_hidden_folders_beside_the_datasets_are_named(shell: Shell) -> None:
    write_pairs(shell.cwd, "82_stellar_sketch", 1)
    files = ("a.png", "a.txt", "b.png", "b.txt", ".git/config", ".x/c.png", "_latent_cache/a.npz")
    write_files(shell.cwd, dict.fromkeys(files, b"x"))
    assert shell("push", "82").status == 0
    ran = shell("status")
    assert ran.status == 0
    (line,) = [line for line in ran.out.splitlines() if line.startswith("Ignored in ")]
    assert line == (
        f"Ignored in {shell.cwd}: 4 files beside the datasets (a.png, a.txt, b.png, …) · 2 hidden folders (.git/, .x/)"
        " · 1 folder named like a trainer's cache, without an image directly in it (_latent_cache/)"
    )
    document = shell("status", "--json").json
    assert document["inSync"]
    assert document["ignored"] == [
        {"reason": "file", "count": 4, "names": ["a.png", "a.txt", "b.png"]},
        {"reason": "hidden-folder", "count": 2, "names": [".git/", ".x/"]},
        {"reason": "cache-folder", "count": 1, "names": ["_latent_cache/"]},
    ]
    assert "Ignored in" not in shell("status", "82").out


def test_what_is_ignored_in_a_dataset_is_named_on_both_sides(
    shell: Shell, seaweedfs: Store, prefix: str, tmp_path: Path
) -> None:
    folder = write_pairs(shell.cwd, "82_stellar_sketch", 1)
    write_files(
        folder, {"cache/a.bin": b"x", "0000.npz": b"x", ".DS_Store": b"x", "Thumbs.db": b"x", ".git/config": b"x"}
    )
    assert shell("push", "82").status == 0
    (tmp_path / "latents").write_bytes(b"x")
    for name in ("cache/b.bin", "9.npz"):
        aws(seaweedfs, "s3", "cp", tmp_path / "latents", f"s3://{BUCKET}/{prefix}/82_stellar_sketch/{name}")
    for arguments in ((), ("82",)):
        ran = shell("status", *arguments)
        assert "  4 ignored on disk: .DS_Store, 0000.npz, Thumbs.db, …\n" in ran.out
        assert "  2 ignored in the bucket: 9.npz, cache/b.bin\n" in ran.out
    (found,) = shell("status", "82", "--json").json["datasets"]
    assert [row["key"] for row in found["files"]] == [".git/config", "0000.png", "0000.txt"]
    assert found["ignored"] == {
        "disk": {"count": 4, "names": [".DS_Store", "0000.npz", "Thumbs.db"]},
        "bucket": {"count": 2, "names": ["9.npz", "cache/b.bin"]},
    }


@pytest.mark.parametrize("name", ["cache", "trash", "__MACOSX"])
def test_a_dataset_is_not_ignored_for_its_name(shell: Shell, seaweedfs: Store, prefix: str, name: str) -> None:
    folder = write_pairs(shell.cwd, name, 2)
    assert shell("status").status == 1
    assert shell("push", name).status == 0
    assert shell("status").status == 0
    clone = library(seaweedfs, shell.cwd.parent / "clone", prefix)
    assert clone("pull", name).status == 0
    assert tree(clone.cwd / name) == tree(folder)
    assert shell("delete", name, "--select", "0000.*", "--from", "both", "--yes", 4).status == 0
    assert f"{name} " in shell("trash", "list").out
    (batch,) = {row["batch"] for row in shell("trash", "list", "--json").json["entries"]}
    assert shell("trash", "restore", batch).status == 0
    assert shell("status").status == 0


def test_a_folder_that_is_ignored_by_name_says_why_when_it_is_asked_for(shell: Shell) -> None:
    write_files(shell.cwd, {"cache/vae/a.pt": b"x", "old/a.png": b"x", ".x/a.png": b"x"})
    settings = shell.cwd / "hashmark.toml"
    settings.write_text(f'{settings.read_text()}\n[pairing]\nignore = ["old/"]\n')
    assert "'cache' is ignored: it is named like a trainer's cache" in shell("push", "cache").err
    assert "'old' is ignored by [pairing] `ignore` in hashmark.toml." in shell("push", "old").err
    assert "'.x' is ignored: it is a hidden folder." in shell("push", ".x").err
    assert "1 folder by `ignore` in hashmark.toml (old/)" in shell("status").out
    settings.write_text(f'{settings.read_text()}\n[datasets."cache"]\nprefix = "cache"\n')
    assert shell("push", "cache").status == 0
    assert "cache " in shell("status").out


def test_hidden_and_ignored_folders_of_the_bucket_are_named(
    shell: Shell, seaweedfs: Store, prefix: str, tmp_path: Path
) -> None:
    write_pairs(shell.cwd, "82_stellar_sketch", 1)
    assert shell("push", "82").status == 0
    (tmp_path / "x").write_bytes(b"x")
    for name in (".git/config", "cache/a.png"):
        aws(seaweedfs, "s3", "cp", tmp_path / "x", f"s3://{BUCKET}/{prefix}/{name}")
    (shell.cwd / "cache").mkdir()
    document = shell("status", "--json").json
    assert [found["name"] for found in document["datasets"]] == ["82_stellar_sketch", "cache"]
    assert document["ignored"] == [{"reason": "hidden-folder-in-bucket", "count": 1, "names": [".git/"]}]


def test_objects_beside_the_datasets_are_named(shell: Shell, seaweedfs: Store, prefix: str, tmp_path: Path) -> None:
    write_pairs(shell.cwd, "82_stellar_sketch", 1)
    assert shell("push", "82").status == 0
    (tmp_path / "x").write_bytes(b"x")
    for name in ("lost.png", "lost.txt"):
        aws(seaweedfs, "s3", "cp", tmp_path / "x", f"s3://{BUCKET}/{prefix}/{name}")
    ran = shell("status")
    assert "2 objects beside the datasets in the bucket (lost.png, lost.txt)" in ran.out
    assert ran.status == 0
    document = shell("status", "--json").json
    assert document["ignored"] == [{"reason": "object", "count": 2, "names": ["lost.png", "lost.txt"]}]


def test_objects_of_a_dataset_with_the_librarys_own_prefix_are_not_beside_it(
    shell: Shell, seaweedfs: Store, prefix: str, tmp_path: Path
) -> None:
    settings = shell.cwd / "hashmark.toml"
    settings.write_text(f'{settings.read_text()}\n[datasets."82_stellar_sketch"]\nprefix = ""\n')
    write_pairs(shell.cwd, "82_stellar_sketch", 1)
    assert shell("push", "82").status == 0
    assert "beside the datasets" not in shell("status").out


def test_an_empty_dataset_and_an_empty_library_are_said_to_be_empty(shell: Shell) -> None:
    ran = shell("status")
    assert (ran.status, "No datasets in" in ran.out, shell("status", "--json").json["inSync"]) == (0, True, False)
    (shell.cwd / "82_stellar_sketch").mkdir()
    ran = shell("status")
    assert (ran.status, "empty: no files on disk or in the bucket" in ran.out) == (0, True)
    document = shell("status", "--json").json
    assert (document["inSync"], document["datasets"][0]["inSync"]) == (False, False)

"""A program that requires its library to be in sync stops on everything else, an empty folder included."""

from __future__ import annotations

import pytest

from hashmark import Library, NotInSync, pull, push, status
from hashmark.cli.exits import Exit, for_error
from hashmark.core.errors import NoSuchDataset
from support.datasets import LibraryMaker, dataset_of, write_pairs
from support.stores import Store


def refusal(library: Library, *names: str) -> str:
    with pytest.raises(NotInSync) as raised:
        library.require_in_sync(*names)
    assert for_error(raised.value) is Exit.NOT_IN_SYNC
    assert raised.value.hint
    return raised.value.message


def test_a_library_in_sync_passes_and_an_edit_does_not(seaweedfs: Store, library_on: LibraryMaker) -> None:
    dataset = dataset_of(library_on(seaweedfs))
    assert refusal(dataset.library) == "The dataset is not in sync: '82_stellar_sketch' (10 local-only)."
    push(dataset)
    dataset.library.require_in_sync()
    dataset.library.require_in_sync("82")
    (dataset.path / "0001.txt").write_bytes(b"edited\n")
    assert refusal(dataset.library) == "The dataset is not in sync: '82_stellar_sketch' (1 local-changed)."


def test_nothing_is_not_in_sync(seaweedfs: Store, library_on: LibraryMaker) -> None:
    """A library that was not mounted, or a dataset that was not pulled, must not train on nothing."""
    library = library_on(seaweedfs)
    assert "No datasets in" in refusal(library)
    (library.root / "82_stellar_sketch").mkdir()
    found = status(library.dataset("82"))
    assert (found.in_sync, found.to_json()["inSync"], found.complete) == (False, False, True)
    assert refusal(library) == (
        "The dataset is not in sync: '82_stellar_sketch' (empty: no files on disk or in the bucket)."
    )


def test_each_dataset_counts_also_one_that_only_the_bucket_has(seaweedfs: Store, library_on: LibraryMaker) -> None:
    here, there = library_on(seaweedfs, "here"), library_on(seaweedfs, "there")
    for name in ("82_stellar_sketch", "9_ink"):
        write_pairs(here.root, name, 2)
        push(here.dataset(name))
    here.require_in_sync()
    pull(there.dataset("82"))
    there.require_in_sync("82")
    assert refusal(there) == "1 of 2 datasets are not in sync: '9_ink' (4 remote-only)."
    with pytest.raises(NoSuchDataset):
        there.require_in_sync("7")


def test_a_folder_that_can_not_be_a_dataset_is_not_passed_over(seaweedfs: Store, library_on: LibraryMaker) -> None:
    library = library_on(seaweedfs)
    write_pairs(library.root, "9_ink", 1)
    push(library.dataset("9"))
    write_pairs(library.root, "aux", 1)
    assert "'aux' (is a folder whose name" in refusal(library)
    library.require_in_sync("9")

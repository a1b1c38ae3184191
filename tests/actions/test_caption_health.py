"""The captions' health in `status`: whole from the first look, and no caption is read for it again."""

from __future__ import annotations

import pytest

from hashmark import pull, push, status
from hashmark.core.lint import texts
from hashmark.core.lint.health import CaptionHealth
from hashmark.disk import hashing
from support.datasets import LibraryMaker, dataset_of, fill, pairs
from support.stores import Store

ODD = {
    "0000.txt": b"",
    "0001.txt": b" \n",
    "0002.txt": b"a\nb",
    "0003.txt": b"\xef\xbb\xbfa cat",
    "0004.txt": b"I can't",
    "alone.png": b"no caption",
    "orphan.txt": b"\xff",
}
HEALTH = CaptionHealth(6, 5, missing=1, zero_byte=1, blank=1, multi_line=1, wrong_encoding=1, suspect=1, unread=0)


def test_a_first_status_tells_all_of_it(seaweedfs: Store, library_on: LibraryMaker) -> None:
    dataset = dataset_of(library_on(seaweedfs), pairs() | ODD)
    found = status(dataset)
    assert found.health == HEALTH
    assert found.to_json()["captionHealth"]["zeroByte"] == 1


def test_a_second_status_reads_no_caption(
    seaweedfs: Store, library_on: LibraryMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = dataset_of(library_on(seaweedfs), pairs() | ODD)
    monkeypatch.setattr(hashing, "is_settled", lambda *_: True)
    status(dataset)

    def refuse(*_args: object, **_options: object) -> None:
        raise AssertionError("a file was read again")

    monkeypatch.setattr(hashing, "hash_file", refuse)
    assert status(dataset).health == HEALTH


def test_captions_that_another_command_hashed_are_looked_into_once(
    seaweedfs: Store, library_on: LibraryMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = dataset_of(library_on(seaweedfs), pairs() | ODD)
    push(ours)
    theirs = library_on(seaweedfs, "theirs").dataset("82")
    monkeypatch.setattr(hashing, "is_settled", lambda *_: True)
    pull(theirs)
    assert status(theirs).health == HEALTH
    monkeypatch.setattr(texts, "caption_facts", lambda _data: pytest.fail("looked into twice"))
    assert status(theirs).health == HEALTH


def test_an_edit_changes_the_numbers(seaweedfs: Store, library_on: LibraryMaker) -> None:
    dataset = dataset_of(library_on(seaweedfs), pairs(2))
    assert not status(dataset).health.issues
    fill(dataset, {"0001.txt": b"a\nb"})
    assert status(dataset).health.issues == {"multi-line": 1}


def test_a_caption_in_the_bucket_alone_is_missing_on_disk(seaweedfs: Store, library_on: LibraryMaker) -> None:
    dataset = dataset_of(library_on(seaweedfs), pairs(2))
    push(dataset)
    (dataset.path / "0000.txt").unlink()
    (dataset.path / "0001.png").unlink()
    health = status(dataset).health
    assert (health.images, health.captions, health.missing) == (1, 0, 1)

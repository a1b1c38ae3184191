"""A caption on both sides, in sync or not: both texts, and what else differs."""

from __future__ import annotations

import pytest

from hashmark import Dataset, Verdict, push, status
from hashmark.actions import diff as diffs
from hashmark.actions.diff import CaptionDiff, compare_caption
from hashmark.core.errors import PreconditionFailed, UsageError
from hashmark.core.model import FileStatus
from hashmark.core.word_diff import PieceChange
from support.datasets import LibraryMaker, dataset_of, fill
from support.stores import Store

KEY = "a.txt"


def row_of(dataset: Dataset, key: str = KEY) -> FileStatus:
    (row,) = (row for row in status(dataset).files if row.key == key)
    return row


def sides(found: CaptionDiff) -> tuple[str, str]:
    """Return the texts of the bucket and of the disk, put together from the pieces."""
    bucket = "".join(piece.text for piece in found.pieces if piece.change is not PieceChange.ADDED)
    disk = "".join(piece.text for piece in found.pieces if piece.change is not PieceChange.REMOVED)
    return bucket, disk


@pytest.fixture(name="dataset")
def fixture_dataset(seaweedfs: Store, library_on: LibraryMaker) -> Dataset:
    """One caption, in sync."""
    dataset = dataset_of(library_on(seaweedfs), {KEY: b"a red cat\n"})
    push(dataset)
    return dataset


def test_a_caption_in_sync_is_shown_as_the_same_bytes(dataset: Dataset) -> None:
    row = row_of(dataset)
    found = compare_caption(dataset, row)
    assert (found.status, sides(found), found.note) == (row, ("a red cat\n", "a red cat\n"), "the same bytes")
    assert {piece.change for piece in found.pieces} == {PieceChange.BOTH}


def test_an_edit_leads_from_the_bucket_to_the_disk(dataset: Dataset) -> None:
    fill(dataset, {KEY: b"a blue cat\n"})
    found = compare_caption(dataset, row_of(dataset))
    assert (sides(found), found.note) == (("a red cat\n", "a blue cat\n"), None)
    assert found.to_json() == {
        "key": KEY,
        "verdict": "local-changed",
        "note": None,
        "pieces": [
            {"change": "both", "text": "a "},
            {"change": "removed", "text": "red"},
            {"change": "added", "text": "blue"},
            {"change": "both", "text": " cat\n"},
        ],
    }


@pytest.mark.parametrize(("side", "note"), [("disk", "only on disk"), ("bucket", "only in the bucket")])
def test_a_caption_on_one_side_alone_is_all_new_or_all_gone(side: str, note: str, dataset: Dataset) -> None:
    if side == "disk":
        dataset.library.bucket.delete(dataset.prefix + KEY)
    else:
        (dataset.path / KEY).unlink()
    found = compare_caption(dataset, row_of(dataset))
    assert found.note == note
    assert sides(found) == (("", "a red cat\n") if side == "disk" else ("a red cat\n", ""))


def test_the_same_text_in_another_encoding_is_told_as_that(dataset: Dataset) -> None:
    """Otherwise a file that differs would be shown without any difference."""
    dataset.library.bucket.put(dataset.prefix + KEY, "café\n".encode())
    fill(dataset, {KEY: "café\n".encode("cp1252")})
    found = compare_caption(dataset, row_of(dataset))
    assert sides(found) == ("café\n", "café\n")
    assert found.note == "encoded as utf-8 in the bucket, cp1252 on disk"


def test_what_can_not_be_compared_says_why(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    row = row_of(dataset)
    refused = compare_caption(dataset, row._replace(verdict=Verdict.REFUSED, reason="has a '..' segment"))
    assert (refused.pieces, refused.note) == ((), "has a '..' segment")
    monkeypatch.setattr(diffs, "MAX_DIFF_BYTES", 9)
    large = compare_caption(dataset, row)
    assert (large.pieces, large.note) == ((), "too large to compare word by word (10 bytes)")


def test_an_object_that_changed_after_the_listing_is_not_passed_off_as_the_listed_one(dataset: Dataset) -> None:
    row = row_of(dataset)
    dataset.library.bucket.put(dataset.prefix + KEY, b"changed in the bucket\n")
    with pytest.raises(PreconditionFailed):
        compare_caption(dataset, row)


def test_a_file_that_has_gone_meanwhile_is_named(dataset: Dataset) -> None:
    row = row_of(dataset)
    (dataset.path / KEY).unlink()
    with pytest.raises(UsageError, match=r"Cannot read 'a\.txt'"):
        compare_caption(dataset, row)

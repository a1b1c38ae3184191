"""The manifest of an S3 Inventory and its rows: what they say, and what is none."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashmark.core.errors import UsageError
from hashmark.core.inventory import csv_rows, fold, is_manifest, objects, parse_manifest
from hashmark.core.saved_listing import SavedListing
from support.core_values import any_keys, md5

HEX = md5(b"")
SCHEMA = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag"


def manifest(**changes: Any) -> dict[str, Any]:
    whole = {
        "sourceBucket": "training-data",
        "destinationBucket": "arn:aws:s3:::inventories",
        "version": "2016-11-30",
        "creationTimestamp": "1732500000000",
        "fileFormat": "CSV",
        "fileSchema": SCHEMA,
        "files": [{"key": "a/data/x.csv.gz", "size": 5, "MD5checksum": HEX}],
    }
    return {name: value for name, value in (whole | changes).items() if value is not None}


def test_a_manifest_says_of_which_bucket_it_is_and_how_old() -> None:
    found = parse_manifest(manifest(), "manifest.json")
    assert (found.bucket, found.format) == ("training-data", "CSV")
    assert found.columns[:3] == ("bucket", "key", "versionid")
    assert found.taken == datetime(2024, 11, 25, 2, 0, tzinfo=UTC)
    assert [(f.key, f.size, f.md5) for f in found.files] == [("a/data/x.csv.gz", 5, HEX)]
    assert parse_manifest(manifest(sourceBucket="arn:aws:s3:::b", creationTimestamp=None), "m").bucket == "b"


@pytest.mark.parametrize(
    "changes",
    [
        {"files": None},
        {"files": {"key": "x"}},
        {"files": [{"size": 1}]},
        {"fileFormat": "ORC"},
        {"fileSchema": "Bucket, Key"},
        {"fileSchema": None},
        {"sourceBucket": None},
    ],
)
def test_what_is_no_whole_manifest_is_an_error_that_names_it(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        parse_manifest(manifest(**changes), "manifest.json")
    assert "manifest.json" in caught.value.message
    assert caught.value.hint


def test_a_listing_of_ours_is_no_manifest() -> None:
    assert is_manifest(manifest())
    assert not is_manifest({"files": ["a"], "count": 1})
    assert not is_manifest(["a"])


@given(st.lists(any_keys, min_size=1, max_size=5, unique=True))
def test_keys_of_a_csv_are_url_encoded(keys: list[str]) -> None:
    rows = csv_rows(("key", "size"), [(quote_plus(key, safe="/"), "1") for key in keys], "x.csv")
    assert [row.key for row in objects(rows, "", "x.csv")] == keys


def test_a_space_and_a_plus_are_told_apart() -> None:
    rows = csv_rows(("key", "size"), [("a+b%2Bc.png", "1"), ("d%20e.png", "1")], "x.csv")
    assert [row.key for row in objects(rows, "", "x.csv")] == ["a b+c.png", "d e.png"]


def test_a_row_with_another_number_of_fields_is_an_error() -> None:
    with pytest.raises(UsageError, match="3 fields"):
        list(csv_rows(("key", "size"), [("a", "1", "x")], "x.csv"))


ROW = {"key": "82/a.png", "size": "7", "etag": HEX, "encryptionstatus": "SSE-KMS", "checksumalgorithm": "SHA256"}


def test_a_row_becomes_an_object_with_what_an_inventory_adds() -> None:
    (row,) = objects([ROW | {"lastmodifieddate": "2024-05-06T07:08:09.000Z"}], "82/", "x")
    assert (row.key, row.size, row.etag, row.encryption, row.checksum) == ("a.png", 7, HEX, "SSE-KMS", "SHA256")
    assert row.last_modified == "2024-05-06T07:08:09.000Z"
    (row,) = objects([{"key": "82/a.png", "size": 7, "etag": "", "lastmodifieddate": datetime(2024, 5, 6)}], "82/", "x")  # noqa: DTZ001
    assert (row.etag, row.encryption, row.last_modified) == (None, None, "2024-05-06T00:00:00+00:00")


@pytest.mark.parametrize(
    "row",
    [
        ROW | {"key": "820/a.png"},
        ROW | {"islatest": "false"},
        ROW | {"islatest": False},
        ROW | {"isdeletemarker": "true", "size": ""},
        ROW | {"isdeletemarker": True, "islatest": True, "size": None},
    ],
)
def test_other_folders_old_versions_and_delete_markers_are_left_out(row: dict[str, Any]) -> None:
    assert list(objects([row], "82/", "x")) == []


@pytest.mark.parametrize("row", [{"size": 1}, {"key": "82/a"}, {"key": "82/a", "size": "-1"}])
def test_a_row_without_key_or_size_is_an_error(row: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        list(objects([row], "82/", "x"))


def test_columns_are_known_in_either_spelling() -> None:
    assert {fold(name) for name in ("ETag", "e_tag", " etag ")} == {"etag"}
    assert fold("LastModifiedDate") == fold("last_modified_date")


@pytest.mark.parametrize(
    ("hours", "words"),
    [(0, "new"), (1, "new"), (47, "47 hours old"), (120, "5 days old"), (-3, "new")],
)
def test_a_saved_listing_says_how_old_it_is(hours: int, words: str) -> None:
    now = datetime.fromtimestamp(1732500000 + hours * 3600, UTC)
    saved = SavedListing((), "an S3 Inventory", datetime.fromtimestamp(1732500000, UTC))
    assert saved.age(now) == f"an S3 Inventory of 2024-11-25 02:00 UTC, {words}"
    assert SavedListing((), "an S3 Inventory", None).age(now) == "an S3 Inventory of unknown age"

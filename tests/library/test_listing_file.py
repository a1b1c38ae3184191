"""`--against` an S3 Inventory: it is found and checked, and counts only for what it proves."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pyarrow as pa
import pytest
from pyarrow import parquet

from hashmark import Verdict
from hashmark.actions.status import Options, status
from hashmark.core.errors import UsageError
from hashmark.core.etags import multipart_etag
from hashmark.core.model import Evidence, FileStatus
from hashmark.library.dataset import Dataset
from hashmark.library.library import Library
from hashmark.library.listing_file import read_listing
from hashmark.library.settings import create

FIELDS = ("Bucket", "Key", "VersionId", "IsLatest", "IsDeleteMarker", "Size", "LastModifiedDate", "ETag")
MORE = ("IsMultipartUploaded", "EncryptionStatus", "ChecksumAlgorithm")
SNAKE = {
    "Bucket": "bucket",
    "Key": "key",
    "VersionId": "version_id",
    "IsLatest": "is_latest",
    "IsDeleteMarker": "is_delete_marker",
    "Size": "size",
    "LastModifiedDate": "last_modified_date",
    "ETag": "e_tag",
    "IsMultipartUploaded": "is_multipart_uploaded",
    "EncryptionStatus": "encryption_status",
    "ChecksumAlgorithm": "checksum_algorithm",
}
RANDOM = "9f8e7d6c5b4a79388271605f4e3d2c1b"


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def row(key: str, data: bytes, etag: str = "", encryption: str = "SSE-S3", checksum: str = "") -> dict[str, str]:
    return {
        "Bucket": "training-data",
        "Key": f"styles/82_ink/{key}",
        "VersionId": "",
        "IsLatest": "true",
        "IsDeleteMarker": "false",
        "Size": str(len(data)),
        "LastModifiedDate": "2026-05-06T07:08:09.000Z",
        "ETag": etag or md5(data),
        "IsMultipartUploaded": str("-" in etag).lower(),
        "EncryptionStatus": encryption,
        "ChecksumAlgorithm": checksum,
    }


def as_csv(rows: Sequence[dict[str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    for one in rows:
        writer.writerow([quote_plus(v, safe="/") if name == "Key" else v for name, v in one.items()])
    return gzip.compress(text.getvalue().encode())


def _typed(name: str, value: str) -> int | bool | str:
    if name == "Size":
        return int(value)
    return value == "true" if name.startswith("Is") else value


def as_parquet(rows: Sequence[dict[str, str]]) -> bytes:
    typed = [{SNAKE[name]: _typed(name, value) for name, value in one.items()} for one in rows]
    buffer = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(typed), buffer)
    return buffer.getvalue()


def save(folder: Path, rows: Sequence[dict[str, str]], sort: str = "CSV", **changes: Any) -> Path:
    """An inventory as `aws s3 sync` downloads it: a dated folder with the manifest, and `data` beside it."""
    half = len(rows) // 2
    make, suffix = (as_csv, "csv.gz") if sort == "CSV" else (as_parquet, "parquet")
    files = []
    (folder / "data").mkdir(parents=True)
    for number, some in enumerate((rows[:half], rows[half:])):
        if some:
            data = make(some)
            (folder / "data" / f"{number}.{suffix}").write_bytes(data)
            files.append({"key": f"inv/all/data/{number}.{suffix}", "size": len(data), "MD5checksum": md5(data)})
    manifest = {
        "sourceBucket": "training-data",
        "creationTimestamp": "1748000000000",
        "fileFormat": sort,
        "fileSchema": ", ".join(FIELDS + MORE)
        if sort == "CSV"
        else "message s3.inventory { required binary bucket (UTF8); }",
        "files": files,
    }
    (folder / "2026-05-23T11-33Z").mkdir()
    path = folder / "2026-05-23T11-33Z" / "manifest.json"
    path.write_text(json.dumps(manifest | changes))
    return path


@pytest.fixture
def dataset(tmp_path: Path) -> Iterator[Dataset]:
    create(tmp_path / "styles", {"url": "s3://training-data/styles"})
    (tmp_path / "styles" / "82_ink").mkdir()
    with Library.open(tmp_path / "styles") as library:
        yield library.dataset("82")


def judged(dataset: Dataset, path: Path) -> dict[str, FileStatus]:
    found = status(dataset, Options(against=read_listing(path, dataset).objects))
    return {str(one.key): one for one in found.files}


@pytest.mark.parametrize("sort", ["CSV", "Parquet"])
def test_an_inventory_stands_in_for_the_bucket(sort: str, dataset: Dataset, tmp_path: Path) -> None:
    files = {
        "a b+c.txt": b"one\n",
        "ü%20.txt": b"two\n",
        "changed.txt": b"six\n",
        "longer.txt": b"longer\n",
        "new.txt": b"new\n",
    }
    for key, data in files.items():
        (dataset.path / key).write_bytes(data)
    rows = [
        row("a b+c.txt", b"one\n"),
        row("ü%20.txt", b"two\n"),
        row("changed.txt", b"SIX\n"),
        row("longer.txt", b"long\n"),
        row("gone.txt", b"gone\n"),
        row("a b+c.txt", b"old\n") | {"IsLatest": "false"},
        row("x/../../other.txt", b"x") | {"Key": "styles/83_other/x.txt"},
    ]
    found = judged(dataset, save(tmp_path / "inv", rows, sort))
    assert {key: one.verdict for key, one in found.items()} == {
        "a b+c.txt": Verdict.SYNCED,
        "ü%20.txt": Verdict.SYNCED,
        "changed.txt": Verdict.DIFFERS,
        "longer.txt": Verdict.DIFFERS,
        "new.txt": Verdict.LOCAL_ONLY,
        "gone.txt": Verdict.REMOTE_ONLY,
    }
    assert found["changed.txt"].evidence is Evidence.ETAG_MD5
    saved = read_listing(tmp_path / "inv" / "2026-05-23T11-33Z" / "manifest.json", dataset)
    assert saved.to_json() == {"source": "an S3 Inventory", "takenAt": "2025-05-23T11:33:20+00:00"}


@pytest.mark.parametrize("encryption", ["SSE-KMS", "DSSE-KMS", "SSE-C"])
def test_an_inventory_tells_of_encryption_so_a_mismatch_stays_grey(
    encryption: str, dataset: Dataset, tmp_path: Path
) -> None:
    for key in ("same.txt", "match.txt", "plain.txt"):
        (dataset.path / key).write_bytes(b"one\n")
    rows = [
        row("same.txt", b"one\n", RANDOM, encryption, "CRC64NVME"),
        row("match.txt", b"one\n", "", encryption),
        row("plain.txt", b"one\n", RANDOM, "NOT-SSE"),
    ]
    found = judged(dataset, save(tmp_path / "inv", rows))
    assert (found["same.txt"].verdict, encryption in (found["same.txt"].reason or "")) == (Verdict.UNVERIFIED, True)
    assert "CRC64NVME" in (found["same.txt"].remedy or "")
    assert found["match.txt"].verdict is Verdict.SYNCED, "a match proves, whatever the encryption"
    assert found["plain.txt"].verdict is Verdict.DIFFERS


def test_uploads_in_parts_are_proven_by_known_part_sizes_and_else_grey(dataset: Dataset, tmp_path: Path) -> None:
    data = bytes(9 << 20)
    (dataset.path / "big.bin").write_bytes(data)
    (dataset.path / "odd.bin").write_bytes(data)
    by_aws = multipart_etag(
        b"".join(hashlib.md5(data[n : n + (8 << 20)]).digest() for n in range(0, len(data), 8 << 20))
    )
    rows = [row("big.bin", data, by_aws), row("odd.bin", data, f"{RANDOM}-2")]
    found = judged(dataset, save(tmp_path / "inv", rows))
    assert (found["big.bin"].verdict, found["big.bin"].evidence) == (Verdict.SYNCED, Evidence.ETAG_MULTIPART)
    assert (found["odd.bin"].verdict, "unknown size" in (found["odd.bin"].reason or "")) == (Verdict.UNVERIFIED, True)


def test_without_an_encryption_column_nothing_is_different_on_the_word_of_one_etag(
    dataset: Dataset, tmp_path: Path
) -> None:
    (dataset.path / "a.txt").write_bytes(b"one\n")
    found = judged(dataset, save(tmp_path / "inv", [row("a.txt", b"one\n", RANDOM, "")]))
    assert found["a.txt"].verdict is Verdict.UNVERIFIED


def broken(dataset: Dataset, path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        read_listing(path, dataset)
    assert caught.value.hint
    return caught.value.message


ROWS = [row("a.txt", b"one\n"), row("b.txt", b"two\n")]


def test_an_inventory_that_is_not_whole_is_an_error_and_never_a_short_listing(dataset: Dataset, tmp_path: Path) -> None:
    path = save(tmp_path / "inv", ROWS)
    data = tmp_path / "inv" / "data" / "1.csv.gz"
    whole = data.read_bytes()
    data.write_bytes(whole[:-1])
    assert "is not the file" in broken(dataset, path)
    data.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert "is not the file" in broken(dataset, path)
    data.unlink()
    assert "is missing" in broken(dataset, path)


def test_another_bucket_or_another_part_of_it_is_an_error(dataset: Dataset, tmp_path: Path) -> None:
    assert "bucket other" in broken(dataset, save(tmp_path / "one", ROWS, sourceBucket="other"))
    elsewhere = [one | {"Key": "styles/83_other/a.txt"} for one in ROWS]
    assert "nothing under 'styles/82_ink/'" in broken(dataset, save(tmp_path / "two", elsewhere))


def test_a_key_that_comes_twice_is_an_error(dataset: Dataset, tmp_path: Path) -> None:
    assert "twice" in broken(dataset, save(tmp_path / "inv", [*ROWS, ROWS[0]]))


@pytest.mark.parametrize("name", ["0.csv.gz", "0.parquet"])
def test_a_data_file_by_itself_is_refused_with_the_way_out(name: str, dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(as_csv(ROWS))
    with pytest.raises(UsageError) as caught:
        read_listing(tmp_path / name, dataset)
    assert "manifest.json" in (caught.value.hint or "")

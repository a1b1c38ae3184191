"""Reads the saved listing that `--against` names: the output of `ls-remote --json`, or a downloaded S3 Inventory.

Parsing is the business of `core.saved_listing` and `core.inventory`. Knows no bucket.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hashmark.core import inventory
from hashmark.core.errors import UsageError
from hashmark.core.inventory import DataFile, Manifest, is_manifest, parse_manifest
from hashmark.core.keys import is_folder_marker
from hashmark.core.model import RemoteObject, key_bytes
from hashmark.core.saved_listing import SavedListing, parse
from hashmark.library.dataset import Dataset


def read_listing(path: Path, dataset: Dataset) -> SavedListing:
    """Return what a listing says about a dataset: saved with `ls-remote --json`, or an S3 Inventory's manifest.json.

    Raises:
        UsageError: the file can't be read, is not such a listing, or is from another bucket.
    """
    text = _text(path)
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None  # `parse` says what is wrong
    if is_manifest(data):
        return read_inventory(path, data, dataset)
    taken = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return SavedListing(tuple(parse(text, str(path))), "a listing saved in a file", taken)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        hint = (
            "For an S3 Inventory, name its manifest.json." if path.suffix in {".gz", ".parquet"} else "Check the path."
        )
        raise UsageError(f"Cannot read the listing {path}: {why}.", hint) from None


def read_inventory(path: Path, data: Any, dataset: Dataset) -> SavedListing:
    """Read an S3 Inventory by its manifest, `data` from `path`. Its files may be where AWS puts them, or beside it.

    Raises:
        UsageError: it is from another bucket, is incomplete or damaged, or has nothing of this dataset.
    """
    manifest = parse_manifest(data, str(path))
    bucket = dataset.library.settings.remote.bucket
    if manifest.bucket != bucket:
        raise UsageError(
            f"{path} is an inventory of the bucket {manifest.bucket}, not of {bucket}.", "Name another manifest."
        )
    found: dict[str, RemoteObject] = {}
    for entry in manifest.files:
        file = _find(path, entry)
        for row in inventory.objects(_rows(file, manifest), dataset.prefix, str(file)):
            if row.key in found:
                raise UsageError(f"{file} lists '{row.key}' twice.", "Request another inventory.")
            found[row.key] = row
    if not found:
        # An inventory may cover a part of a bucket and does not say which: absence from it proves nothing.
        raise UsageError(f"{path} lists nothing under '{dataset.prefix}'.", "It may cover another part of the bucket.")
    rows = sorted((o for o in found.values() if not is_folder_marker(o.key)), key=lambda o: key_bytes(o.key))
    return SavedListing(tuple(rows), "an S3 Inventory", manifest.taken)


def _find(manifest: Path, data: DataFile) -> Path:
    name = data.key.rsplit("/", 1)[-1]
    places = [manifest.parent / name, manifest.parent / "data" / name, manifest.parent.parent / "data" / name]
    places += [folder / data.key for folder in manifest.resolve().parents]
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        raise UsageError(
            f"{name} of the inventory {manifest} is missing.", "Download it into a folder `data` beside the manifest."
        )
    with file.open("rb") as content:
        md5 = hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if (data.size is not None and file.stat().st_size != data.size) or (data.md5 is not None and md5 != data.md5):
        raise UsageError(f"{file} is not the file that the inventory's manifest describes.", "Download it again.")
    return file


def _rows(file: Path, manifest: Manifest) -> Iterator[Mapping[str, Any]]:
    try:
        if manifest.format == "Parquet":
            yield from _parquet_rows(file)
            return
        opener = gzip.open if file.suffix == ".gz" else open
        with opener(file, "rt", encoding="utf-8", newline="") as lines:
            yield from inventory.csv_rows(manifest.columns, csv.reader(lines, strict=True), str(file))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise UsageError(f"Cannot read {file}: {error}.", "Download it again.") from None


def _parquet_rows(file: Path) -> Iterator[Mapping[str, Any]]:
    try:
        from pyarrow import ArrowException, parquet  # noqa: PLC0415 - an optional dependency, and a slow import
    except ImportError:
        raise UsageError(
            f"{file.name} is Parquet.", "pip install 'hashmark[parquet]', or use a CSV inventory."
        ) from None
    try:
        with parquet.ParquetFile(file) as table:
            names = {column: inventory.fold(column) for column in table.schema_arrow.names}
            for batch in table.iter_batches():
                for row in batch.to_pylist():
                    yield {names[column]: value for column, value in row.items()}
    except ArrowException as error:
        raise UsageError(f"Cannot read {file}: {error}.", "Download it again.") from None

"""Reads S3 Inventories, AWS's saved listings, from a manifest and its rows. Opens no files.

Format: Amazon S3 user guide, "Amazon S3 Inventory list" and "Locating your inventory list". A CSV has no header: the
manifest's `fileSchema` names its columns, and its keys are URL-encoded. A Parquet file names its own columns in
`snake_case`. An inventory can cover part of a bucket without saying which.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_to_bytes

from hashmark.core.errors import UsageError
from hashmark.core.etags import normal_etag
from hashmark.core.model import Key, RemoteObject

FORMATS = ("CSV", "Parquet")
MAX_DIGITS = 18
"""Enough for the size of any object. Python refuses to parse numbers of thousands of digits."""

_HINT = "Download the whole inventory, including its `data` folder, and pass its manifest.json."


@dataclass(frozen=True, slots=True)
class DataFile:
    """One data file, by its key in the destination bucket of the inventory. `md5` in hex, None if unknown."""

    key: str
    size: int | None
    md5: str | None


@dataclass(frozen=True, slots=True)
class Manifest:
    """The contents of an inventory. `columns` are those of a CSV, folded; `taken` is when AWS started it."""

    bucket: str
    format: str
    columns: tuple[str, ...]
    files: tuple[DataFile, ...]
    taken: datetime | None


def is_manifest(data: Any) -> bool:
    """Return whether JSON is the manifest of an inventory and not a listing saved by hashmark."""
    return isinstance(data, dict) and "sourceBucket" in data and "fileFormat" in data


def parse_manifest(data: Any, name: str) -> Manifest:
    """Read the manifest of an inventory from its JSON.

    Raises:
        UsageError: it is not a manifest, is incomplete, or has an unsupported format.
    """
    files = data.get("files") if is_manifest(data) else None
    if not isinstance(files, list):
        raise UsageError(f"{name} is not the manifest of an S3 Inventory.", _HINT)
    sort = str(data["fileFormat"])
    if sort not in FORMATS:
        raise UsageError(f"{name} is of an inventory in {sort}, which hashmark cannot read.", "Configure it as CSV.")
    columns = tuple(fold(column) for column in str(data.get("fileSchema", "")).split(",")) if sort == "CSV" else ()
    if sort == "CSV" and not {"key", "size"} <= set(columns):
        raise UsageError(f"{name} lacks the columns Key and Size.", "Include the size in the inventory's fields.")
    bucket = str(data["sourceBucket"]).rsplit(":", 1)[-1]
    return Manifest(bucket, sort, columns, tuple(_data_file(entry, name) for entry in files), _taken(data))


def _data_file(entry: Any, name: str) -> DataFile:
    if not isinstance(entry, dict) or not isinstance(entry.get("key"), str):
        raise UsageError(f"{name} has a file without a key.", _HINT)
    size, md5 = entry.get("size"), entry.get("MD5checksum")
    return DataFile(entry["key"], size if isinstance(size, int) else None, md5 if isinstance(md5, str) else None)


def _taken(data: Mapping[str, Any]) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(data["creationTimestamp"]) / 1000, UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None


def fold(column: str) -> str:
    """Return the name of a column in the form that is compared: `ETag`, `e_tag` and `etag` are the same."""
    return column.strip().replace("_", "").lower()


def csv_rows(columns: Sequence[str], rows: Iterable[Sequence[str]], name: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV by column, with the key decoded.

    Raises:
        UsageError: a row has a different number of fields.
    """
    for row in rows:
        if len(row) != len(columns):
            raise UsageError(f"{name} has a row of {len(row)} fields, but the manifest names {len(columns)}.", _HINT)
        found = dict(zip(columns, row, strict=True))
        found["key"] = unquote_to_bytes(found["key"].replace("+", " ")).decode("utf-8", "surrogateescape")
        yield found


def objects(rows: Iterable[Mapping[str, Any]], prefix: str, name: str) -> Iterator[RemoteObject]:
    """Yield the objects under `prefix`, without it, in the inventory's order, without old versions and markers.

    Raises:
        UsageError: a row has no key or no size.
    """
    for row in rows:
        key = row.get("key")
        if not isinstance(key, str):
            raise UsageError(f"{name} has a row without a key.", _HINT)
        if not key.startswith(prefix) or _is(row, "isdeletemarker") or _is(row, "islatest") is False:
            continue
        size = str(row.get("size") if row.get("size") is not None else "")
        if not size.isdecimal() or len(size) > MAX_DIGITS:
            raise UsageError(
                f"The row of '{key}' in {name} has no size.", "Include the size in the inventory's fields."
            )
        etag = normal_etag(str(row.get("etag") or ""))
        yield RemoteObject(
            Key(key[len(prefix) :]),
            int(size),
            etag or None,
            _time(row.get("lastmodifieddate")),
            str(row.get("encryptionstatus") or "") or None,
            str(row.get("checksumalgorithm") or "") or None,
        )


def _is(row: Mapping[str, Any], column: str) -> bool | None:
    value = row.get(column)
    return {"true": True, "false": False}.get(str(value).lower())


def _time(value: Any) -> str | None:
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).isoformat()
    return str(value) if value else None

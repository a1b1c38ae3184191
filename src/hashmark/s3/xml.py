"""Strict readers of the few XML answers hashmark needs. Bytes in, values out.

An answer that is not the expected element is an error, never an empty result: a login page with status 200
must not look like an empty bucket (design promise 5).
"""

from __future__ import annotations

import xml.etree.ElementTree as ET  # the parser below refuses document types, and with them entities
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from hashmark.core.errors import BrokenListing, UnexpectedAnswer
from hashmark.core.etags import normal_etag
from hashmark.core.model import Key, RemoteObject


class _Builder(ET.TreeBuilder):
    def doctype(self, name: str, _pubid: str | None, _system: str | None) -> None:
        """S3 never sends a document type; HTML and entity bombs do."""
        raise ET.ParseError(f"a document type ({name})")


def parse(body: bytes, root: str, what: str, *, also: str = "") -> ET.Element:
    """The root element of `body`, which must be called `root` (or `also`) in whatever namespace.

    Raises:
        UnexpectedAnswer: it is not XML, or another document.
    """
    try:
        parser = ET.XMLParser(target=_Builder())  # noqa: S314 - document types, and so entities, are refused
        parser.feed(body)
        element: ET.Element = parser.close()
    except ET.ParseError as error:
        raise UnexpectedAnswer(f"{what}: the answer is not S3's XML ({error}).") from None
    if local(element.tag) not in {root, also}:
        raise UnexpectedAnswer(f"{what}: the answer is a <{local(element.tag)[:40]}>, not a <{root}>.")
    return element


def local(tag: str) -> str:
    """A tag without its namespace."""
    return tag.rsplit("}", 1)[-1]


def children(element: ET.Element) -> dict[str, str]:
    """The texts of an element's children by name; the first of each."""
    found: dict[str, str] = {}
    for child in element:
        found.setdefault(local(child.tag), child.text or "")
    return found


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing. `objects` have whole keys; `folders` are common prefixes with their final `/`."""

    objects: tuple[RemoteObject, ...]
    folders: tuple[str, ...]
    next_token: str | None


def parse_page(body: bytes, what: str) -> Page:
    """One page of ListObjectsV2.

    Raises:
        BrokenListing: it is not one, or it contradicts itself.
    """
    try:
        root = parse(body, "ListBucketResult", what)
    except UnexpectedAnswer as error:
        raise BrokenListing(error.message) from None
    facts = children(root)
    encoded = facts.get("EncodingType", "") == "url"
    objects = tuple(_objects(root, what, encoded=encoded))
    folders = tuple(_text(children(c).get("Prefix", ""), encoded) for c in root if local(c.tag) == "CommonPrefixes")
    count = facts.get("KeyCount")
    if count and count != str(len(objects) + len(folders)):
        raise BrokenListing(f"{what}: the page says it has {count[:20]} keys, but has {len(objects) + len(folders)}.")
    return Page(objects, folders, _next_token(facts, what))


def _next_token(facts: dict[str, str], what: str) -> str | None:
    truncated, token = facts.get("IsTruncated"), facts.get("NextContinuationToken")
    if truncated not in {"true", "false"}:
        raise BrokenListing(f"{what}: the page does not say whether it is the last one.")
    if truncated == "true" and not token:
        raise BrokenListing(f"{what}: the page says that more follows, but not how to get it.")
    return token if truncated == "true" else None


def _objects(root: ET.Element, what: str, *, encoded: bool) -> Iterator[RemoteObject]:
    for element in root:
        if local(element.tag) != "Contents":
            continue
        facts = children(element)
        if "Key" not in facts or not facts.get("Size", "").isdecimal():
            raise BrokenListing(f"{what}: an entry has no key or no size.")
        etag = normal_etag(facts["ETag"]) if facts.get("ETag") else None
        key = Key(_text(facts["Key"], encoded))
        yield RemoteObject(key, int(facts["Size"]), etag, facts.get("LastModified"))


def _text(raw: str, encoded: bool) -> str:
    """A key as listed. With encoding-type=url S3 writes a space as `+` (botocore decodes it so as well)."""
    if not encoded:
        return raw
    return unquote_to_bytes(raw.replace("+", " ")).decode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class PartsPage:
    """One page of an object's attributes. `parts` are sizes by number; `next_marker` None on the last page."""

    etag: str | None
    parts: dict[int, int]
    next_marker: str | None


def parse_attributes(body: bytes, what: str) -> PartsPage:
    """One page of GetObjectAttributes with ETag and ObjectParts.

    Raises:
        UnexpectedAnswer: it is not one.
    """
    root = parse(body, "GetObjectAttributesResponse", what, also="GetObjectAttributesOutput")
    etag = children(root).get("ETag")
    found = next((child for child in root if local(child.tag) == "ObjectParts"), None)
    parts: dict[int, int] = {}
    for child in found if found is not None else ():
        facts = children(child)
        number, size = facts.get("PartNumber", ""), facts.get("Size", "")
        if local(child.tag) in {"Part", "Parts"}:
            if not (number.isdecimal() and size.isdecimal()):
                raise UnexpectedAnswer(f"{what}: a part has no number or no size.")
            parts[int(number)] = int(size)
    facts = children(found) if found is not None else {}
    more = facts.get("IsTruncated") == "true"
    return PartsPage(normal_etag(etag) if etag else None, parts, facts.get("NextPartNumberMarker") if more else None)


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload in parts that has not ended. `initiated` as the store says it (ISO 8601), or None."""

    key: str
    upload_id: str
    initiated: str | None


@dataclass(frozen=True, slots=True)
class UploadsPage:
    """One page of unfinished uploads; `next_key` None on the last one."""

    uploads: tuple[Upload, ...]
    next_key: str | None
    next_id: str


def parse_uploads(body: bytes, what: str) -> UploadsPage:
    """One page of ListMultipartUploads.

    Raises:
        UnexpectedAnswer: it is not one, or an entry is incomplete.
    """
    root = parse(body, "ListMultipartUploadsResult", what)
    facts = children(root)
    encoded = facts.get("EncodingType", "") == "url"
    uploads = []
    for element in root:
        if local(element.tag) == "Upload":
            entry = children(element)
            if not entry.get("Key") or not entry.get("UploadId"):
                raise UnexpectedAnswer(f"{what}: an entry has no key or no upload id.")
            uploads.append(Upload(_text(entry["Key"], encoded), entry["UploadId"], entry.get("Initiated")))
    more = facts.get("IsTruncated") == "true" and facts.get("NextKeyMarker")
    next_key = _text(facts["NextKeyMarker"], encoded) if more else None
    return UploadsPage(tuple(uploads), next_key, facts.get("NextUploadIdMarker", ""))

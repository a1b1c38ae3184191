"""Parses the few XML answers that hashmark needs, strictly. Bytes in, values out.

An answer that is not the expected element is an error, never an empty result: a login page with status 200 must not
pass for an empty bucket.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET  # `parse` refuses document types, and with them entities
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from hashmark.core.errors import BrokenListing, UnexpectedAnswer
from hashmark.core.etags import normal_etag
from hashmark.core.model import Key, RemoteObject

MAX_DIGITS = 18
"""More than any size or count has. Python refuses to parse numbers of some thousand digits."""


def parse(body: bytes, root: str, what: str, *, also: str = "") -> ET.Element:
    """Return the root element of `body`, which must have the name `root` (or `also`) in any namespace.

    Raises:
        UnexpectedAnswer: it is not XML, or another document.
    """
    if b"<!DOCTYPE" in body:
        # S3 never sends a document type; HTML and entity bombs have one. The document is parsed as UTF-8, whatever it
        # declares, so that it can't hide one in another encoding.
        raise UnexpectedAnswer(f"{what}: the answer is not S3's XML (a document type).")
    try:
        parser = ET.XMLParser(encoding="utf-8")  # noqa: S314 - document types, and so entities, were refused
        parser.feed(body)
        element: ET.Element = parser.close()
    except ET.ParseError as error:
        raise UnexpectedAnswer(f"{what}: the answer is not S3's XML ({error}).") from None
    if local(element.tag) not in {root, also}:
        raise UnexpectedAnswer(f"{what}: the answer is a <{local(element.tag)[:40]}>, not a <{root}>.")
    return element


def local(tag: str) -> str:
    """Return a tag without its namespace."""
    return tag.rsplit("}", 1)[-1]


def children(element: ET.Element) -> dict[str, str]:
    """Return the texts of an element's children by name; the first of each."""
    found: dict[str, str] = {}
    for child in element:
        found.setdefault(local(child.tag), child.text or "")
    return found


def number(text: str) -> int | None:
    """Return a size or count as S3 writes it; None for anything else."""
    return int(text) if text.isdecimal() and len(text) <= MAX_DIGITS else None


class Page(NamedTuple):
    """One page of a listing. `objects` have keys without the prefix; `folders` are whole common prefixes."""

    objects: tuple[RemoteObject, ...]
    folders: tuple[str, ...]
    next_token: str | None


def parse_page(body: bytes, what: str, prefix: str = "") -> Page:
    """Parse one page of ListObjectsV2 for `prefix`.

    Raises:
        BrokenListing: it is not one, contradicts itself, or has a key that does not begin with the prefix.
    """
    try:
        root = parse(body, "ListBucketResult", what)
    except UnexpectedAnswer as error:
        raise BrokenListing(error.message) from None
    space = root.tag.removesuffix("ListBucketResult")
    facts, entries, groups = _sorted(root, space)
    if "Contents" in facts or "CommonPrefixes" in facts:
        raise BrokenListing(f"{what}: an entry is of another namespace than the answer.")
    text = _decoder(facts)
    objects = tuple(_objects(entries, space, text, prefix, what))
    folders = tuple(text(group.findtext(f"{space}Prefix", "")) for group in groups)
    for folder in folders:
        if not folder.startswith(prefix):
            raise _strange(folder, what)
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


def _sorted(root: ET.Element, space: str) -> tuple[dict[str, str], list[ET.Element], list[ET.Element]]:
    """The facts of a page by name, its entries, and its common prefixes."""
    facts: dict[str, str] = {}
    several: dict[str, list[ET.Element]] = {f"{space}Contents": [], f"{space}CommonPrefixes": []}
    for child in root:
        if (found := several.get(child.tag)) is not None:
            found.append(child)
        else:
            facts.setdefault(local(child.tag), child.text or "")
    entries, groups = several.values()
    return facts, entries, groups


def _objects(
    entries: list[ET.Element], space: str, text: Callable[[str], str], prefix: str, what: str
) -> Iterator[RemoteObject]:
    """Yield the objects, each by four calls of `findtext`, which is C: a long listing spends its time here."""
    names = [f"{space}{name}" for name in ("Key", "Size", "ETag", "LastModified")]
    cut = len(prefix)
    for entry in entries:
        key, size, etag, modified = map(entry.findtext, names)
        if key is None or size is None or not size.isdecimal() or len(size) > MAX_DIGITS:
            raise BrokenListing(f"{what}: an entry has no key or no size.")
        whole = text(key)
        if not whole.startswith(prefix):
            raise _strange(whole, what)
        yield RemoteObject(Key(whole[cut:]), int(size), (normal_etag(etag) or None) if etag else None, modified)


def _strange(key: str, what: str) -> BrokenListing:
    return BrokenListing(f"{what}: the answer has '{key}', which does not begin with the prefix.")


def _decoder(facts: dict[str, str]) -> Callable[[str], str]:
    return _decoded if facts.get("EncodingType", "") == "url" else str


def _decoded(raw: str) -> str:
    """Decode a key listed with encoding-type=url. S3 writes a space as `+` there (botocore decodes it too)."""
    if "%" not in raw and "+" not in raw:
        return raw
    return unquote_to_bytes(raw.replace("+", " ")).decode("utf-8", "surrogateescape")


class PartsPage(NamedTuple):
    """One page of an object's attributes. `parts` are sizes by number; `next_marker` is None on the last page."""

    etag: str | None
    parts: dict[int, int]
    next_marker: str | None


def parse_attributes(body: bytes, what: str) -> PartsPage:
    """Parse one page of GetObjectAttributes with ETag and ObjectParts.

    Raises:
        UnexpectedAnswer: it is not one.
    """
    root = parse(body, "GetObjectAttributesResponse", what, also="GetObjectAttributesOutput")
    etag = children(root).get("ETag")
    found = next((child for child in root if local(child.tag) == "ObjectParts"), None)
    parts: dict[int, int] = {}
    for child in found if found is not None else ():
        facts = children(child)
        part, size = number(facts.get("PartNumber", "")), number(facts.get("Size", ""))
        if local(child.tag) in {"Part", "Parts"}:
            if part is None or size is None:
                raise UnexpectedAnswer(f"{what}: a part has no number or no size.")
            parts[part] = size
    facts = children(found) if found is not None else {}
    more = facts.get("IsTruncated") == "true"
    return PartsPage(normal_etag(etag or "") or None, parts, facts.get("NextPartNumberMarker") if more else None)


class SentPart(NamedTuple):
    """A part of an incomplete upload, as the store lists it."""

    size: int
    etag: str


class SentPartsPage(NamedTuple):
    """One page of the parts of an incomplete upload, by number; `next_marker` is None on the last page."""

    parts: dict[int, SentPart]
    next_marker: str | None


def parse_sent_parts(body: bytes, what: str) -> SentPartsPage:
    """Parse one page of ListParts.

    Raises:
        UnexpectedAnswer: it is not one, or an entry is incomplete.
    """
    root = parse(body, "ListPartsResult", what, also="ListPartsResponse")  # moto's name
    parts: dict[int, SentPart] = {}
    for element in root:
        if local(element.tag) == "Part":
            entry = children(element)
            part, size = number(entry.get("PartNumber", "")), number(entry.get("Size", ""))
            if part is None or size is None:
                raise UnexpectedAnswer(f"{what}: a part has no number or no size.")
            parts[part] = SentPart(size, normal_etag(entry.get("ETag", "")))
    facts = children(root)
    more = facts.get("IsTruncated") == "true"
    return SentPartsPage(parts, facts.get("NextPartNumberMarker") if more else None)


class Upload(NamedTuple):
    """An incomplete multipart upload. `initiated` is in ISO 8601, as the store sends it, or None."""

    key: str
    upload_id: str
    initiated: str | None


class UploadsPage(NamedTuple):
    """One page of incomplete uploads; `next_key` is None on the last one."""

    uploads: tuple[Upload, ...]
    next_key: str | None
    next_id: str


def parse_uploads(body: bytes, what: str) -> UploadsPage:
    """Parse one page of ListMultipartUploads.

    Raises:
        UnexpectedAnswer: it is not one, or an entry is incomplete.
    """
    root = parse(body, "ListMultipartUploadsResult", what)
    facts = children(root)
    text = _decoder(facts)
    uploads = []
    for element in root:
        if local(element.tag) == "Upload":
            entry = children(element)
            if not entry.get("Key") or not entry.get("UploadId"):
                raise UnexpectedAnswer(f"{what}: an entry has no key or no upload id.")
            uploads.append(Upload(text(entry["Key"]), entry["UploadId"], entry.get("Initiated")))
    more = facts.get("IsTruncated") == "true" and facts.get("NextKeyMarker")
    next_key = text(facts["NextKeyMarker"]) if more else None
    return UploadsPage(tuple(uploads), next_key, facts.get("NextUploadIdMarker", ""))

"""Parses the few XML answers that hashmark needs, strictly. Bytes in, values out.

An answer that is not the expected element is an error, never an empty result: a login page with status 200 must not
pass for an empty bucket.
"""

from __future__ import annotations

import re
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


_TEXT = r"[^<>&\x00-\x1f\ufffe\uffff]*"
_QUOTE = r"(?:&quot;|&#34;|\")"
_OWNER = rf"(?:<Owner>(?:<ID>{_TEXT}</ID>)?(?:<DisplayName>{_TEXT}</DisplayName>)?</Owner>)?"
_ROW = re.compile(
    rf"<Contents><Key>({_TEXT})</Key><LastModified>({_TEXT})</LastModified><ETag>{_QUOTE}([\w.-]*){_QUOTE}</ETag>"
    rf"(?:<Checksum(Algorithm|Type)>{_TEXT}</Checksum\4>)*<Size>([0-9]{{1,{MAX_DIGITS}}})</Size>{_OWNER}"
    rf"(?:<StorageClass>{_TEXT}</StorageClass>)?{_OWNER}(?:<Type>{_TEXT}</Type>)?</Contents>",
    re.ASCII,
)
"""An entry as nearly all stores write it, with nothing in it that XML would read otherwise than it is written."""


def parse_page(body: bytes, what: str, prefix: str = "") -> Page:
    """Parse one page of ListObjectsV2 for `prefix`.

    Raises:
        BrokenListing: it is not one, contradicts itself, or has a key that does not begin with the prefix.
    """
    columns = _columns(body)
    space, facts, entries, groups = _contents(columns.rest if columns else body, what)
    if columns and len(entries) != 1:  # they are not where entries belong, whatever they are
        columns = None
        space, facts, entries, groups = _contents(body, what)
    if "Contents" in facts or "CommonPrefixes" in facts:
        raise BrokenListing(f"{what}: an entry is of another namespace than the answer.")
    text = _decoder(facts)
    found = columns.objects(text, prefix, what) if columns else _objects(entries, space, text, prefix, what)
    objects = tuple(found)
    folders = tuple(text(group.findtext(f"{space}Prefix", "")) for group in groups)
    for folder in folders:
        if not folder.startswith(prefix):
            raise _strange(folder, what)
    count = facts.get("KeyCount")
    if count and count != str(len(objects) + len(folders)):
        raise BrokenListing(f"{what}: the page says it has {count[:20]} keys, but has {len(objects) + len(folders)}.")
    return Page(objects, folders, _next_token(facts, what))


class _Columns(NamedTuple):
    """The entries of a page, each column as a list, and the page with one empty entry in their place."""

    keys: list[str]
    modified: list[str]
    etags: list[str]
    sizes: list[str]
    rest: bytes

    def objects(self, text: Callable[[str], str], prefix: str, what: str) -> Iterator[RemoteObject]:
        """Return the objects, their keys decoded by `text` and without the prefix."""
        keys = self.keys if text is str else list(map(text, self.keys))
        for key in keys:
            if not key.startswith(prefix):
                raise _strange(key, what)
        cut = len(prefix)
        names = [Key(key[cut:]) for key in keys]
        return map(RemoteObject, names, map(int, self.sizes), [etag or None for etag in self.etags], self.modified)


def _columns(body: bytes) -> _Columns | None:
    """Return the entries of a page in which they follow each other, all of them as `_ROW` has them; else None.

    One expression reads a page in a fifth of the time that building a tree of it takes.
    """
    try:
        parts = _ROW.split(body.decode())
    except UnicodeDecodeError:
        return None
    first, last = parts[0], parts[-1]
    # Nothing may be between two entries, and nothing begun before them in which they would be text.
    is_plain = not ("<Contents" in first or "<Contents" in last or "<!" in first or "<?" in first[2:])
    if len(parts) == 1 or any(parts[6:-1:6]) or not is_plain:
        return None
    return _Columns(parts[1::6], parts[2::6], parts[3::6], parts[5::6], f"{first}<Contents/>{last}".encode())


def _next_token(facts: dict[str, str], what: str) -> str | None:
    truncated, token = facts.get("IsTruncated"), facts.get("NextContinuationToken")
    if truncated not in {"true", "false"}:
        raise BrokenListing(f"{what}: the page does not say whether it is the last one.")
    if truncated == "true" and not token:
        raise BrokenListing(f"{what}: the page says that more follows, but not how to get it.")
    return token if truncated == "true" else None


def _contents(body: bytes, what: str) -> tuple[str, dict[str, str], list[ET.Element], list[ET.Element]]:
    """Return the namespace of a page, its facts by name, its entries, and its common prefixes.

    Raises:
        BrokenListing: it is no page.
    """
    try:
        root = parse(body, "ListBucketResult", what)
    except UnexpectedAnswer as error:
        raise BrokenListing(error.message) from None
    space = root.tag.removesuffix("ListBucketResult")
    facts: dict[str, str] = {}
    several: dict[str, list[ET.Element]] = {f"{space}Contents": [], f"{space}CommonPrefixes": []}
    for child in root:
        if (found := several.get(child.tag)) is not None:
            found.append(child)
        else:
            facts.setdefault(local(child.tag), child.text or "")
    entries, groups = several.values()
    return space, facts, entries, groups


def _objects(
    entries: list[ET.Element], space: str, text: Callable[[str], str], prefix: str, what: str
) -> Iterator[RemoteObject]:
    """Yield the objects, each by four calls of `findtext`."""
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

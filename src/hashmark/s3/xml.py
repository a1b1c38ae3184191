"""Parses the few XML answers that hashmark needs, strictly. Bytes in, values out.

An answer that is not the expected element is an error, never an empty result: a login page with status 200 must not
pass for an empty bucket.
"""

from __future__ import annotations

import functools
import re
import xml.etree.ElementTree as ET  # `parse` refuses document types, and with them entities
from collections.abc import Callable, Iterator
from itertools import repeat
from typing import NamedTuple

from hashmark.core.blocks import make_rows
from hashmark.core.errors import BrokenListing, UnexpectedAnswer
from hashmark.core.etags import normal_etag
from hashmark.core.model import Key, RemoteObject
from hashmark.s3.key_encoding import KeyEncoding

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

    objects: list[RemoteObject]
    folders: tuple[str, ...]
    next_token: str | None


_TEXT = r"[^<>&\x00-\x1f\ufffe\uffff]*"
_QUOTE = r"(?:&quot;|&#34;|\")"
_CHECKSUM = rf"(?:<ChecksumAlgorithm>{_TEXT}</ChecksumAlgorithm>|<ChecksumType>{_TEXT}</ChecksumType>)*"
_ELEMENTS = {
    "Key": rf"<Key>({_TEXT})</Key>",
    "Size": rf"<Size>([0-9]{{1,{MAX_DIGITS}}})</Size>",
    "ETag": rf"<ETag>{_QUOTE}([\w.-]*){_QUOTE}</ETag>{_CHECKSUM}",
    "LastModified": rf"<LastModified>({_TEXT})</LastModified>",
    "StorageClass": rf"(?:<StorageClass>{_TEXT}</StorageClass>)?",
    "Owner": rf"(?:<Owner>(?:<ID>{_TEXT}</ID>)?(?:<DisplayName>{_TEXT}</DisplayName>)?</Owner>)?",
    "Type": rf"(?:<Type>{_TEXT}</Type>)?",
}
"""The elements of an entry, with nothing in them that XML would read otherwise than it is written."""

_COLUMNS = ("Key", "Size", "ETag", "LastModified")
_TAG = re.compile(r"<(\w+)>")


@functools.lru_cache(maxsize=16)
def _entry(order: tuple[str, ...]) -> re.Pattern[str] | None:
    """Return an expression for entries with these elements in this order; None if they have not each column once."""
    if any(order.count(column) != 1 for column in _COLUMNS):
        return None
    return re.compile(f"<Contents>{''.join(_ELEMENTS[name] for name in order)}</Contents>", re.ASCII)


_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|&#(?:x0*([0-9a-fA-F]{1,2})|0*([0-9]{1,2}));")
"""Characters that XML 1.0 forbids, as they are or as references, and references to others."""

_PLACEHOLDER = 0xF700
"""The first of 32 characters of Unicode's private use area, which have no meaning of their own."""

_ORIGINALS = {_PLACEHOLDER + code: chr(code) for code in range(32)}


def _with_placeholders(body: bytes) -> bytes | None:
    """Return a page with placeholders for characters that XML forbids; None if it has none, or has placeholders itself.

    Older gateways list keys with control characters as they are, although `encoding-type=url` was requested.
    """
    if not _FORBIDDEN.search(body) or re.search(rb"\xef\x9c[\x80-\x9f]", body):
        return None

    def placeholder(match: re.Match[bytes]) -> bytes:
        hexadecimal, decimal = match.groups()
        code = int(hexadecimal, 16) if hexadecimal else int(decimal) if decimal else match.group()[0]
        is_forbidden = code < 32 and code not in {9, 10, 13}
        return chr(_PLACEHOLDER + code).encode() if is_forbidden else match.group()

    return _FORBIDDEN.sub(placeholder, body)


def parse_page(body: bytes, what: str, prefix: str = "", encoding: KeyEncoding = KeyEncoding.FORM) -> Page:
    """Parse one page of ListObjectsV2 for `prefix`. Keys are decoded by `encoding` if it says that they are encoded.

    Raises:
        BrokenListing: it is not one, contradicts itself, or has a key that does not begin with the prefix.
    """
    try:
        return _parsed(body, what, prefix, encoding)
    except BrokenListing:
        readable = _with_placeholders(body)
        if readable is None:
            raise
    page = _parsed(readable, what, prefix, encoding)
    objects = [row._replace(key=Key(row.key.translate(_ORIGINALS))) for row in page.objects]
    folders = tuple(folder.translate(_ORIGINALS) for folder in page.folders)
    return Page(objects, folders, page.next_token and page.next_token.translate(_ORIGINALS))


def _parsed(body: bytes, what: str, prefix: str, encoding: KeyEncoding) -> Page:
    columns = _columns(body)
    space, facts, entries, groups = _contents(columns.rest if columns else body, what)
    if columns and len(entries) != 1:  # they are not where entries belong, whatever they are
        columns = None
        space, facts, entries, groups = _contents(body, what)
    if "Contents" in facts or "CommonPrefixes" in facts:
        raise BrokenListing(f"{what}: an entry is of another namespace than the answer.")
    text = _decoder(facts, encoding)
    objects = columns.objects(text, prefix, what) if columns else list(_objects(entries, space, text, prefix, what))
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
    sizes: list[str]
    etags: list[str]
    modified: list[str]
    rest: bytes

    def objects(self, text: Callable[[str], str], prefix: str, what: str) -> list[RemoteObject]:
        """Return the objects, their keys decoded by `text` and without the prefix."""
        keys = self.keys if text is str else list(map(text, self.keys))
        if not all(map(str.startswith, keys, repeat(prefix))):
            raise _strange(next(key for key in keys if not key.startswith(prefix)), what)
        names = [key[len(prefix) :] for key in keys] if prefix else keys
        etags = [etag or None for etag in self.etags]
        return make_rows(RemoteObject, names, map(int, self.sizes), etags, self.modified, repeat(None), repeat(None))


def _columns(body: bytes) -> _Columns | None:
    """Return the entries of a page in which they follow each other and all are alike; else None.

    Stores order the elements of an entry differently. One expression, for the order of the first entry, reads a page in
    a fifth of the time that building a tree of it takes.
    """
    try:
        page = body.decode()
    except UnicodeDecodeError:
        return None
    order = tuple(tag for tag in _TAG.findall(_first_entry(page)) if tag in _ELEMENTS)
    entry = _entry(order)
    parts = entry.split(page) if entry else [page]
    first, last = parts[0], parts[-1]
    # Nothing may be between two entries, and nothing begun before them in which they would be text.
    is_plain = not ("<Contents" in first or "<Contents" in last or "<!" in first or "<?" in first[2:])
    if len(parts) == 1 or any(parts[5:-1:5]) or not is_plain:
        return None
    columns = dict(zip((name for name in order if name in _COLUMNS), (parts[n::5] for n in range(1, 5)), strict=True))
    keys, sizes, etags, modified = map(columns.__getitem__, _COLUMNS)
    return _Columns(keys, sizes, etags, modified, f"{first}<Contents/>{last}".encode())


def _first_entry(page: str) -> str:
    start = page.find("<Contents>")
    return page[start : page.find("</Contents>", start)] if start >= 0 else ""


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


def _decoder(facts: dict[str, str], encoding: KeyEncoding) -> Callable[[str], str]:
    is_encoded = facts.get("EncodingType", "") == "url" and encoding is not KeyEncoding.NONE
    return encoding.decode if is_encoded else str


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
    text = _decoder(facts, KeyEncoding.FORM)
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

"""Feed every parser of foreign input with corrupted and random data: it returns a value or one of our errors.

Corrupted input is derived from valid input, so that it passes the first check. Input that once caused a crash becomes
an `@example`. The quick run is the same every time; the long one is not.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hashmark.core import encoding, inventory, saved_listing
from hashmark.core.errors import (
    BrokenListing,
    HashmarkError,
    QueryError,
    SettingsError,
    StoreError,
    UnexpectedAnswer,
    UsageError,
)
from hashmark.core.etags import may_be_md5, normal_etag, part_count
from hashmark.library.settings import SETTINGS, read_settings
from hashmark.s3 import error_mapping, requests, xml
from hashmark.s3.exchange import Answer
from hashmark.search import query
from support.faults.server import error
from support.faults.server import listing as page

BUDGETS = pytest.mark.parametrize("examples", [150, pytest.param(10_000, marks=pytest.mark.slow)])
LONG = "9" * 5000
"""A number with more than 4,300 digits, which Python refuses to parse."""


NO_NUMBER = [{"content-length": LONG}, {"content-length": "1", "x-amz-mp-parts-count": LONG}]


def fuzz(check: Callable[[Any], None], strategy: st.SearchStrategy[Any], examples: int) -> None:
    """Call `check` with `examples` values."""
    bounds = settings(
        max_examples=examples, deadline=None, derandomize=examples < 1000, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    bounds(given(strategy)(check))()


@st.composite
def spoilt(draw: st.DrawFn, seeds: list[bytes], tokens: list[bytes]) -> bytes:
    """Corrupt valid input: remove, double or replace pieces, by other bytes or by tokens of the language."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from([0, 1, 4, 30])))
        middle = draw(st.sampled_from(tokens) | st.binary(max_size=4) | st.just(data[start:end] * 2))
        data = data[:start] + middle + data[end:]
    return data


PAGES = [page("a", "b c", "é"), page("a", token="t"), page(), error("NoSuchBucket")]
XML = [
    b"<Contents>", b"</Contents>", b"<Key>", b"</Key>", b"<Key/>", b"<Size>", b"</Size>", b"<Size>-1</Size>", b"%00",
    f"<Size>{LONG}</Size>".encode(), b"<EncodingType>url</EncodingType>", b"%ff%2e%2e%2f", b"<!DOCTYPE a>", b"&#0;",
    b"&#xD800;", b"<![CDATA[", b"]]>", b"<?xml version='1.0' encoding='utf-16'?>", b"\xff\xfe", b"<KeyCount/>", b"+",
    b"<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes>", b"<IsTruncated>true</IsTruncated>", b"<ETag>\"\"</ETag>",
    "<Size>²</Size>".encode(), "<Size>٣</Size>".encode(),
]  # fmt: skip


ROW = (
    "<Contents><Key>a{}</Key><LastModified>2026-11-30T12:00:00.000Z</LastModified><ETag>&quot;0a-1&quot;</ETag>{}"
    "<Size>7</Size>{}<StorageClass>STANDARD</StorageClass></Contents>"
)
SEAWEEDFS_ROW = (
    "<Contents><Key>a{}</Key><ETag>&#34;0a-1&#34;</ETag><Size>7</Size><StorageClass>STANDARD</StorageClass>"
    "<LastModified>2026-11-30T12:00:00.000Z</LastModified></Contents>"
)
OWNER = "<Owner><ID>1</ID><DisplayName>somebody</DisplayName></Owner>"
CHECKSUM = "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"
PLAIN_PAGES = [
    body.replace(b"<KeyCount>0", f"<KeyCount>{len(rows)}".encode()).replace(
        b"</KeyCount>", f"</KeyCount>{''.join(rows)}".encode()
    )
    for body in (page(), page(token="t"))
    for rows in (
        [ROW.format(n, "", "") for n in range(3)],
        [ROW.format("é b%2F", CHECKSUM, OWNER)],
        [SEAWEEDFS_ROW.format(n) for n in range(3)],
    )
]
ROW_TOKENS = [
    b"<!--", b"-->", b"<?x ", b"?>", b"<X>", b"</X>", b"&quot;", b"&#34;", b"&amp;", b"\r", b"\x00", b"\x7f", b"<Type>",
    b"<Owner>", "\ufffe".encode(), ROW.format("", "", "").encode(), b"<Contents/>", b"<ETag/>", b"<Size>01</Size>",
    SEAWEEDFS_ROW.format("").encode(), b" ", b"xmlns='x'",
]  # fmt: skip


@BUDGETS
def test_a_page_of_a_listing_is_read_or_refused(examples: int) -> None:
    """However it is read: its entries in one pass, where they are plain, or by a tree of it."""

    def check(body: bytes) -> None:
        found = page_or_none(body)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(xml, "_columns", lambda _body: None)
            assert found == page_or_none(body)
        if found is None:
            return
        assert all((row.size or 0) >= 0 and isinstance(row.key, str) for row in found.objects)
        assert body.count(b"</Contents>") >= len(found.objects)

    tokens = XML + ROW_TOKENS
    fuzz(check, spoilt(PAGES, XML) | spoilt(PLAIN_PAGES, tokens) | st.binary(max_size=60), examples)


def page_or_none(body: bytes) -> xml.Page | None:
    try:
        return xml.parse_page(body, "Listing", "a")
    except BrokenListing:
        return None


@pytest.mark.parametrize("body", PLAIN_PAGES)
def test_a_plain_page_is_read_in_one_pass(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml, "_objects", lambda *_: pytest.fail("a tree was built of its entries"))
    objects = xml.parse_page(body, "Listing", "a").objects
    assert {(row.size, row.etag, row.last_modified) for row in objects} == {(7, "0a-1", "2026-11-30T12:00:00.000Z")}
    assert [row.key for row in objects] in (["0", "1", "2"], ["é b%2F"], ["é b/"])


PARTS = b"<GetObjectAttributesResponse><ETag>x-1</ETag><ObjectParts>{}</ObjectParts></GetObjectAttributesResponse>"
PART = b"<Part><PartNumber>1</PartNumber><Size>5</Size></Part>"


@BUDGETS
def test_the_parts_of_an_object_are_read_or_refused(examples: int) -> None:
    def check(body: bytes) -> None:
        with contextlib.suppress(UnexpectedAnswer):
            assert all(size >= 0 for size in xml.parse_attributes(body, "Parts").parts.values())

    tokens = [*XML, f"<PartNumber>{LONG}</PartNumber>".encode(), PART, b"<IsTruncated>true</IsTruncated>"]
    fuzz(check, spoilt([PARTS.replace(b"{}", PART * 2), PARTS], tokens), examples)


@BUDGETS
def test_the_rows_of_an_inventory_are_read_or_refused(examples: int) -> None:
    def check(row: dict[str, Any]) -> None:
        with contextlib.suppress(UsageError):
            assert all((found.size or 0) >= 0 for found in inventory.objects([row], "p/", "manifest.json"))

    values = NUMBERS | st.integers() | st.none() | st.booleans()
    names = ("size", "etag", "islatest", "isdeletemarker", "lastmodifieddate", "encryptionstatus")
    keys = st.sampled_from(["p/a.txt", "p/", "", "q"]) | st.integers()
    fuzz(check, st.fixed_dictionaries({"key": keys}, optional=dict.fromkeys(names, values)), examples)


NUMBERS = st.sampled_from(["0", "17", "-1", "", " 5", "1e3", "²", "٣", LONG, "0x10", "5, 5"]) | st.text(max_size=5)
ETAGS = st.sampled_from(['"', 'W/"a"', f'"{"a" * 32}"', f'"{"a" * 32}-3"', f"{'a' * 32}-{LONG}", f"{'a' * 32}-٣", '""'])
WORDS = st.sampled_from(["FULL_OBJECT", "COMPOSITE", "aws:kms", "AES256", "AAAA", "AAAA-2", ""]) | st.text(max_size=6)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "content-length": NUMBERS,
        "etag": ETAGS | st.text(max_size=40),
        "x-amz-mp-parts-count": NUMBERS,
        "x-amz-checksum-type": WORDS,
        "x-amz-checksum-crc32": WORDS,
        "x-amz-checksum-sha256": WORDS,
        "x-amz-server-side-encryption": WORDS,
        "x-amz-server-side-encryption-customer-algorithm": WORDS,
        "x-amz-meta-md5chksum": WORDS,
        "last-modified": WORDS,
    },
)


@BUDGETS
def test_the_headers_of_an_object_are_read_or_refused(examples: int) -> None:
    def check(headers: dict[str, str]) -> None:
        try:
            head = requests._head(Answer(200, headers, ()), "a.txt")
        except UnexpectedAnswer:
            return
        assert head.size >= 0
        if head.etag is not None:
            part_count(head.etag), may_be_md5(head.etag)

    fuzz(check, HEADERS, examples)


@pytest.mark.parametrize("headers", NO_NUMBER)
def test_a_number_of_thousands_of_digits_is_none(headers: dict[str, str]) -> None:
    """A regression test: Python raises its own error for such a number."""
    try:
        assert requests._head(Answer(200, headers, ()), "a.txt").parts is None
    except UnexpectedAnswer as told:
        assert "no length" in str(told)


def test_a_size_of_thousands_of_digits_is_a_broken_listing() -> None:
    """A regression test, as above."""
    body = page("a").replace(b"<Size>1<", f"<Size>{LONG}<".encode())
    with pytest.raises(BrokenListing, match="no size"):
        xml.parse_page(body, "Listing")


@BUDGETS
def test_any_etag_is_an_md5_of_parts_or_neither(examples: int) -> None:
    def check(raw: str) -> None:
        etag = normal_etag(raw)
        parts = part_count(etag)
        assert parts is None or parts > 0
        assert not (parts and may_be_md5(etag))

    fuzz(check, ETAGS | st.text(max_size=50) | st.from_regex(r'(W/)?"?[0-9a-fA-F]{30,34}(-\d*)?"?'), examples)


@BUDGETS
def test_any_refusal_of_a_store_is_one_of_our_errors(examples: int) -> None:
    def check(given: tuple[int, bytes, dict[str, str]]) -> None:
        status, body, headers = given
        told = error_mapping.from_answer(status, headers, body, "GetObject", "'a.txt'")
        assert isinstance(told, StoreError)
        assert str(told)

    bodies = spoilt([error("SlowDown"), error("PermanentRedirect")], XML)
    regions = st.fixed_dictionaries({}, optional={"x-amz-bucket-region": st.text(max_size=40)})
    fuzz(check, st.tuples(st.integers(0, 999), bodies, regions), examples)


SETTINGS_SEEDS = [
    b'[remote]\nurl = "s3://training-data/styles"\nendpoint_url = "http://127.0.0.1:8333"\nregion = "us-east-1"\n',
    b'[remote]\nurl = "s3://b"\n[pairing]\ncaptions = [".txt", ".caption"]\nignore = ["*.npz", "_cache/"]\n',
    b'[remote]\nurl = "s3://b"\n[datasets."82_x"]\nprefix = "82_x"\n',
]
TOML = [
    b"[", b"]", b"=", b'"', b"'''", b"\\u0000", b"\\uD800", b"true", b"1e999", b"-inf", b"1979-05-27T07:32:00Z",
    b"[[a]]", b"{}", b"..", b"../..", b"\x00", b"\xff", b"\r", b"url", b"http://[::1", b"http://u:p@h", b"#",
    b"99999999999999999999", b"[remote.a]", b"a.b.c = 1\n", b'prefix = ""\n', b"captions = []\n", b"verify = 0\n",
    b"endpoint_url = 1\n", b"[[[[[[", b"= " + b"[" * 3000,
]  # fmt: skip


@BUDGETS
def test_hashmark_toml_is_understood_or_refused_in_words(examples: int, tmp_path: Path) -> None:
    path = tmp_path / SETTINGS

    def check(data: bytes) -> None:
        path.write_bytes(data)
        try:
            read_settings(path)
        except SettingsError as told:
            assert "Traceback" not in str(told)
            assert len(str(told)) < 5000

    fuzz(check, spoilt(SETTINGS_SEEDS, TOML), examples)


LISTINGS = [
    b'{"files": ["a.txt"], "fileMap": {"a.txt": {"etag": "x", "size": 1, "lastModified": "t"}}, "count": 1}',
    b'["a.txt"]', b'{"Contents": [{"Key": "a", "Size": 1, "ETag": "x"}]}',
]  # fmt: skip
JSON = [
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b"null",
    b"-1",
    b"1e999",
    b"NaN",
    b"\\ud800",
    b'"size": "1"',
    LONG.encode(),
    b"[" * 5000,
]


@BUDGETS
def test_a_saved_listing_is_read_or_refused(examples: int) -> None:
    def check(data: bytes) -> None:
        try:
            saved_listing.parse(data.decode("utf-8", "replace"), "old.json")
        except HashmarkError as told:
            assert len(str(told)) < 5000

    fuzz(check, spoilt(LISTINGS, JSON), examples)


CAPTIONS = ["a star, a comet\n".encode(code) for code in ("utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1")]
BYTES = [
    b"\xff\xfe",
    b"\xfe\xff",
    b"\xef\xbb\xbf",
    b"\x81",
    b"\x80",
    b"\xd8\x00",
    b"\x00",
    b"\r\n",
    b"\r",
    b"\xe2\x80\xa8",
]


@BUDGETS
def test_any_bytes_are_a_caption_and_come_back_as_they_were(examples: int) -> None:
    def check(data: bytes) -> None:
        text, name = encoding.decode(data)
        assert name in {"utf-8", "utf-8-sig", "utf-16", "cp1252"}
        assert encoding.encode(text, data) == data

    fuzz(check, spoilt(CAPTIONS, BYTES) | st.binary(max_size=40), examples)


SEARCHES = [
    b"caption:changed star",
    b'-"a b" (sync:red OR is:orphan)',
    b"text:/^a.*b$/ name:*.png",
    b"chars:>10 tags:1-3",
]
GRAMMAR = [
    b"(", b")", b'"', b"/", b"-", b"|", b" OR ", b" AND ", b"NOT ", b":", b"text:", b"text:/(a|b)*c/", b"/(?<x>",
    b"*", b"?",     b"[", b"]", b"{1,99999}", b"\\", b">", b"<=", b"..", LONG.encode(), b"size:", b"1GB", "²".encode(),
    b"(" * 300, b"-" * 300,
]  # fmt: skip


@BUDGETS
def test_a_search_is_understood_or_refused(examples: int) -> None:
    def check(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        with contextlib.suppress(QueryError):
            query.parse(text)

    fuzz(check, spoilt(SEARCHES, GRAMMAR), examples)

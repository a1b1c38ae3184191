"""Objects that were uploaded in parts: how their parts are found out, and what each way proves."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hashmark.core.errors import UnexpectedAnswer
from hashmark.core.etags import multipart_etag
from hashmark.core.join import join, relevant
from hashmark.core.model import Evidence, FileStatus, Key, LocalFile, RemoteObject, Verdict
from hashmark.core.pairs import Pairing
from hashmark.disk.hashing import hash_file
from hashmark.evidence import inspection
from hashmark.evidence.settler import Settler
from hashmark.s3.bucket import Bucket
from hashmark.s3.checksums import composite_checksum
from hashmark.s3.endpoint import Remote
from support.faults import NS, Reply, Request, scripted
from support.store_capabilities import store_that

pytestmark = pytest.mark.usefixtures("nothing_is_small")

DATA = b"a stellar sketch, in parts\n"
OTHER = b"a stellar sketch, in partS\n"
KMS = {"x-amz-server-side-encryption": "aws:kms"}


def pieces(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    ends = [sum(sizes[: n + 1]) for n in range(len(sizes))]
    assert ends[-1] == len(data)
    return [data[end - size : end] for size, end in zip(sizes, ends, strict=True)]


def etag_of(data: bytes, sizes: Sequence[int]) -> str:
    return multipart_etag(b"".join(hashlib.md5(piece).digest() for piece in pieces(data, sizes)))


def composite(data: bytes, sizes: Sequence[int]) -> str:
    """S3's composite CRC-32, worked out without the code under test."""
    inner = b"".join(zlib.crc32(piece).to_bytes(4, "big") for piece in pieces(data, sizes))
    return f"{base64.b64encode(zlib.crc32(inner).to_bytes(4, 'big')).decode()}-{len(sizes)}"


@dataclass
class InParts:
    """A store with one object in parts; `heads` and `lists` say which ways of asking for the parts it offers."""

    data: bytes
    sizes: Sequence[int]
    etag: str = ""
    heads: bool = True
    lists: bool | bytes = True
    headers: dict[str, str] = field(default_factory=dict)
    page: int = 1000
    told: Sequence[int] = ()
    """Sizes that are listed instead of the true ones."""
    part_etag: str = ""
    part_status: int = 206
    part_count: int = 0
    asked: list[str] = field(default_factory=list)

    def answer(self, request: Request) -> Reply:
        etag = {"ETag": f'"{self.etag or etag_of(self.data, self.sizes)}"'}
        if "attributes" in request.query:
            self.asked.append("attributes")
            after = int(request.headers.get("x-amz-part-number-marker", "0"))
            if isinstance(self.lists, bytes):
                return Reply(200, self.lists)
            return self._attributes(after) if self.lists else Reply(501)
        number = int(request.query.get("partNumber", "0"))
        self.asked.append(f"part {number}" if number else "head")
        if not number or not self.heads:
            return Reply(200, self.data, etag | self.headers)
        told = {"x-amz-mp-parts-count": str(self.part_count or len(self.sizes))}
        told |= {"ETag": f'"{self.part_etag}"'} if self.part_etag else etag
        return Reply(self.part_status, pieces(self.data, self.told or self.sizes)[number - 1], told)

    def _attributes(self, after: int) -> Reply:
        numbered = list(enumerate(self.told or self.sizes, 1))[after : after + self.page]
        rows = "".join(f"<Part><PartNumber>{n}</PartNumber><Size>{size}</Size></Part>" for n, size in numbered)
        more = after + self.page < len(self.told or self.sizes)
        marker = f"<NextPartNumberMarker>{numbered[-1][0]}</NextPartNumberMarker>" if more else ""
        etag = self.etag or etag_of(self.data, self.sizes)
        return Reply(
            200,
            f"<GetObjectAttributesResponse {NS}><ETag>{etag}</ETag><ObjectParts>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{marker}{rows}</ObjectParts>"
            f"</GetObjectAttributesResponse>".encode(),
        )


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "TESTKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testsecret")


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path


def judge(store: InParts, root: Path, data: bytes = DATA, *, trusted: bool = True, checked: bool = True) -> FileStatus:
    """The status of a file with `data` against the store's object."""
    (root / "a.bin").write_bytes(data)
    md5, stamp = hash_file(str(root / "a.bin"))
    there = RemoteObject(Key("a.bin"), len(store.data), store.etag or etag_of(store.data, store.sizes))
    with scripted(store.answer) as server:
        bucket = Bucket(Remote("styles", "", server.url, "us-east-1"))
        settler = Settler(bucket, root, "", store_that(trusted=trusted, checked=checked))
        rows = relevant(join([LocalFile(Key("a.bin"), stamp, md5)], [there], ()), Pairing())
        (status,) = settler.settle(rows)
    return status


CUTS = [(27,), (20, 7), (10, 10, 7), (9, 9, 9), (10, 7, 10), (1, 25, 1), (27, 0)]
"""Equal parts with a shorter last one, several sizes, and an empty last part."""


@pytest.mark.parametrize("sizes", CUTS)
@pytest.mark.parametrize(("heads", "lists"), [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize(("data", "verdict"), [(DATA, Verdict.SYNCED), (OTHER, Verdict.DIFFERS)])
def test_the_parts_a_store_tells_of_prove_it_both_ways(
    sizes: tuple[int, ...], heads: bool, lists: bool, data: bytes, verdict: Verdict, root: Path
) -> None:
    row = judge(InParts(DATA, sizes, heads=heads, lists=lists), root, data)
    assert (row.verdict, row.evidence) == (verdict, Evidence.ETAG_MULTIPART)
    assert f"{len(sizes)} part" in (row.detail or "")


def test_equal_parts_cost_two_heads_however_many_they_are(root: Path) -> None:
    store = InParts(DATA, [1] * 27)
    assert judge(store, root).verdict is Verdict.SYNCED
    assert store.asked == ["head", "part 1"]


def test_parts_beyond_a_page_are_all_asked_for(root: Path) -> None:
    store = InParts(DATA, [2, 1] * 9, heads=False, page=5)
    assert judge(store, root).verdict is Verdict.SYNCED
    assert store.asked.count("attributes") == 4


def test_too_many_unequal_parts_that_nobody_lists_are_grey(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "MAX_PART_HEADS", 17)
    row = judge(InParts(DATA, [2, 1] * 9, lists=False), root)
    assert (row.verdict, "parts of unknown size" in (row.reason or "")) == (Verdict.UNVERIFIED, True)


@pytest.mark.parametrize("data", [DATA, OTHER])
def test_parts_that_no_store_tells_of_and_no_uploader_uses_are_grey(data: bytes, root: Path) -> None:
    """Small parts are nobody's habit, so a mismatch with every known size proves nothing."""
    row = judge(InParts(DATA, (10, 10, 7), heads=False, lists=False), root, data)
    assert (row.verdict, "parts of unknown size" in (row.reason or "")) == (Verdict.UNVERIFIED, True)


@pytest.mark.parametrize("sizes", [(20, 8), (20, 6), (20, 5, 2)])
def test_a_list_of_parts_that_does_not_add_up_is_not_believed(sizes: tuple[int, ...], root: Path) -> None:
    told = InParts(DATA, (20, 7), etag_of(DATA, (20, 7)), heads=False, told=sizes)
    assert judge(told, root).verdict is Verdict.UNVERIFIED


@pytest.mark.parametrize(
    "lie", [{"part_status": 200}, {"part_count": 3}, {"part_etag": "9f8e7d6c5b4a79388271605f4e3d2c1b-2"}]
)
def test_a_part_that_is_not_of_this_object_is_not_believed(lie: dict[str, Any], root: Path) -> None:
    """Its size would fit, and lead to a false red."""
    store = InParts(DATA, (20, 7), etag_of(DATA, (20, 7)), told=(13, 14), lists=False, **lie)
    assert judge(store, root).verdict is Verdict.UNVERIFIED


@pytest.mark.parametrize("body", [DATA, b"x" * (8 << 20), b"<html/>", b""])
def test_a_store_that_answers_a_question_it_does_not_know_with_the_object_is_not_believed(
    body: bytes, root: Path
) -> None:
    """rclone and Swift do so; of a large object no more than a little is read."""
    store = InParts(DATA, (10, 10, 7), heads=False, lists=body)
    assert judge(store, root, OTHER).verdict is Verdict.UNVERIFIED
    with scripted(store.answer) as server:
        bucket = Bucket(Remote("styles", "", server.url, "us-east-1"))
        with pytest.raises(UnexpectedAnswer, match="longer than any" if len(body) > 1 << 20 else "S3|is a <html>"):
            bucket.attributes("a.bin")


def test_an_etag_of_parts_is_no_difference_where_the_bucket_has_not_shown_what_it_is(root: Path) -> None:
    """Some stores make the ETags of uploads in parts from something else than MD5s."""
    row = judge(InParts(DATA, (20, 7)), root, OTHER, trusted=False)
    assert (row.verdict, "has not shown" in (row.reason or "")) == (Verdict.UNVERIFIED, True)
    assert judge(InParts(DATA, (20, 7)), root, trusted=False).verdict is Verdict.SYNCED


@pytest.mark.parametrize("first", ["a.bin", "b.bin"])
def test_a_match_of_parts_anywhere_earns_the_trust_a_mismatch_needs(first: str, root: Path) -> None:
    """Whichever of the two is listed first."""
    store, names = InParts(DATA, (20, 7)), ["a.bin", "b.bin"]
    files, there = [], []
    for name in names:
        (root / name).write_bytes(DATA if name == first else OTHER)
        md5, stamp = hash_file(str(root / name))
        files.append(LocalFile(Key(name), stamp, md5))
        there.append(RemoteObject(Key(name), len(DATA), etag_of(DATA, store.sizes)))
    with scripted(store.answer) as server:
        settler = Settler(Bucket(Remote("styles", "", server.url, "us-east-1")), root, "", store_that(trusted=False))
        rows = list(settler.settle(relevant(join(files, there, ()), Pairing())))
    assert {str(row.key): row.verdict for row in rows} == {
        name: Verdict.SYNCED if name == first else Verdict.DIFFERS for name in names
    }
    assert settler.trusted == {Evidence.ETAG_MULTIPART}


OPAQUE = f"{'9f8e7d6c5b4a79388271605f4e3d2c1b'}-2"
"""What KMS leaves of an upload in two parts."""


def test_an_encrypted_upload_in_parts_is_grey_with_the_encryption_named(root: Path) -> None:
    row = judge(InParts(DATA, (20, 7), OPAQUE, headers=KMS), root, trusted=True)
    assert (row.verdict, "aws:kms" in (row.reason or "")) == (Verdict.UNVERIFIED, True)


@pytest.mark.parametrize(("data", "verdict"), [(DATA, Verdict.SYNCED), (OTHER, Verdict.DIFFERS)])
def test_a_composite_checksum_settles_an_encrypted_upload_in_parts(data: bytes, verdict: Verdict, root: Path) -> None:
    sums = {"x-amz-checksum-crc32": composite(DATA, (20, 7)), "x-amz-checksum-type": "COMPOSITE"}
    row = judge(InParts(DATA, (20, 7), OPAQUE, headers=KMS | sums), root, data)
    assert (row.verdict, row.evidence, row.detail) == (verdict, Evidence.CHECKSUM, "crc32")


@pytest.mark.parametrize(("end", "verdict"), [("", Verdict.SYNCED), ("-2", Verdict.SYNCED), ("-3", Verdict.DIFFERS)])
def test_a_composite_checksum_may_come_without_the_number_of_parts(end: str, verdict: Verdict, root: Path) -> None:
    sums = {"x-amz-checksum-crc32": composite(DATA, (20, 7)).partition("-")[0] + end}
    row = judge(InParts(DATA, (20, 7), OPAQUE, headers=KMS | sums | {"x-amz-checksum-type": "COMPOSITE"}), root, DATA)
    assert (row.verdict, row.evidence) == (verdict, Evidence.CHECKSUM)


def test_a_composite_checksum_that_the_store_does_not_check_proves_nothing(root: Path) -> None:
    sums = {"x-amz-checksum-crc32": composite(DATA, (20, 7)), "x-amz-checksum-type": "COMPOSITE"}
    row = judge(InParts(DATA, (20, 7), OPAQUE, headers=KMS | sums), root, checked=False)
    assert (row.verdict, "aws:kms" in (row.reason or "")) == (Verdict.UNVERIFIED, True)


def test_a_composite_checksum_proves_nothing_without_the_parts(root: Path) -> None:
    sums = {"x-amz-checksum-crc32": composite(DATA, (20, 7)), "x-amz-checksum-type": "COMPOSITE"}
    row = judge(InParts(DATA, (20, 7), OPAQUE, heads=False, lists=False, headers=sums), root, OTHER)
    assert row.verdict is Verdict.UNVERIFIED


@pytest.mark.parametrize("name", ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"])
def test_a_composite_is_the_checksum_of_the_parts_checksums(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(DATA)
    if name == "crc32":
        wanted = composite(DATA, (20, 7))
    elif name.startswith("sha"):
        inner = b"".join(hashlib.new(name, piece).digest() for piece in pieces(DATA, (20, 7)))
        wanted = f"{base64.b64encode(hashlib.new(name, inner).digest()).decode()}-2"
    else:
        return_of = {n: composite_checksum(tmp_path / "a.bin", name, n)[0] for n in [(20, 7), (7, 20), (27,)]}
        assert len(set(return_of.values())) == 3
        return
    assert composite_checksum(path, name, (20, 7)) == (wanted, hashlib.md5(DATA).hexdigest())
    assert composite_checksum(path, name, (20, 6))[0].endswith("-3"), "what is left over is another part"

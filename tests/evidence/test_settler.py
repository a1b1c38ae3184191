"""What the listing can't settle: each odd object ends in the verdict its evidence carries, and no other."""

from __future__ import annotations

import base64
import hashlib
import itertools
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hashmark.core.errors import NoSuchObject
from hashmark.core.join import join, relevant
from hashmark.core.model import Base, Evidence, FileStatus, Key, LocalFile, RemoteObject, Stamp, Verdict
from hashmark.core.pairs import Pairing
from hashmark.disk.hashing import hash_file
from hashmark.evidence import inspection
from hashmark.evidence import settler as settler_module
from hashmark.evidence.settler import Settler
from hashmark.s3.bucket import Bucket
from hashmark.s3.checksums import file_checksum
from hashmark.s3.endpoint import Remote
from support.faults import Reply, Request, scripted
from support.store_capabilities import store_that

pytestmark = pytest.mark.usefixtures("nothing_is_small")

DATA = b"a stellar sketch\n"
OTHER = b"a stellar sketcH\n"
RANDOM_ETAG = "9f8e7d6c5b4a79388271605f4e3d2c1b"


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


@dataclass
class Odd:
    """A store whose answers to HEAD are made up; `heads` counts them."""

    answers: dict[str, Reply] = field(default_factory=dict)
    heads: int = 0

    def answer(self, request: Request) -> Reply:
        self.heads += 1
        return self.answers.get(request.path.rsplit("/", 1)[-1], Reply(404))


@dataclass
class Rig:
    """A folder on disk, an odd store, and a way to judge one against the other."""

    root: Path
    odd: Odd
    bucket: Bucket

    def judge(
        self, objects: dict[str, str], *, trusted: bool = False, data: bytes = DATA, checked: bool = True
    ) -> dict[str, FileStatus]:
        """Statuses of files that all hold `data`, against objects of the same size with these ETags."""
        files = []
        for name in sorted(objects):
            path = self.root / name
            path.write_bytes(data)
            digest, stamp = hash_file(str(path))
            files.append(LocalFile(Key(name), stamp, digest))
        remotes = [RemoteObject(Key(name), len(data), etag) for name, etag in sorted(objects.items())]
        settler = Settler(self.bucket, self.root, "", store_that(trusted=trusted, checked=checked))
        rows = settler.settle(relevant(join(files, remotes, ()), Pairing()))
        return {str(row.key): row for row in rows}

    def head(self, name: str, etag: str, **headers: str) -> None:
        """What HEAD says of `name`, an object of the same size."""
        facts = {"ETag": f'"{etag}"', **{k.replace("_", "-"): v for k, v in headers.items()}}
        self.odd.answers[name] = Reply(200, DATA, facts)


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "TESTKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testsecret")
    odd = Odd()
    with scripted(odd.answer) as server:
        yield Rig(tmp_path, odd, Bucket(Remote("styles", "", server.url, "us-east-1")))


def test_ordinary_files_cost_no_request_at_all(rig: Rig) -> None:
    found = rig.judge({f"{n}.txt": md5(DATA) for n in range(50)})
    assert {row.verdict for row in found.values()} == {Verdict.SYNCED}
    assert rig.odd.heads == 0


@pytest.mark.parametrize("base", [None, Base(Key("con.txt"), md5(DATA), md5(DATA), len(DATA))])
def test_an_unsafe_key_is_refused_though_both_sides_are_the_same(base: Base | None) -> None:
    """Also where it was recorded once, and among others that are safe."""
    names = [Key("a.txt"), Key("con.txt"), Key("d.txt")]
    files = [LocalFile(name, Stamp(len(DATA), 1, 1, 1, 1), md5(DATA)) for name in names]
    remotes = [RemoteObject(name, len(DATA), md5(DATA)) for name in names]
    settler = Settler(None, Path(), "")
    rows = settler.settle(relevant(join(files, remotes, [base] if base else []), Pairing()))
    assert [row.verdict for row in rows] == [Verdict.SYNCED, Verdict.REFUSED, Verdict.SYNCED]


def test_an_etag_that_only_looks_like_an_md5_is_not_called_different(rig: Rig) -> None:
    """MinIO without --compat makes ETags from random UUIDs: 32 digits, no dash, no encryption header."""
    rig.head("a.txt", RANDOM_ETAG)
    row = rig.judge({"a.txt": RANDOM_ETAG})["a.txt"]
    assert (row.verdict, row.evidence) == (Verdict.UNVERIFIED, None)
    assert "has not shown that its ETags are MD5s" in (row.reason or "")
    assert "doctor" in (row.remedy or "")


def test_an_etag_like_a_random_uuid_is_grey_even_in_a_trusted_bucket(rig: Rig) -> None:
    uuid4 = "9f8e7d6c5b4a49388271605f4e3d2c1b"
    rig.head("a.txt", uuid4)
    row = rig.judge({"a.txt": uuid4}, trusted=True)["a.txt"]
    assert (row.verdict, "random" in (row.reason or "")) == (Verdict.UNVERIFIED, True)


def test_a_file_edited_while_its_checksum_is_computed_proves_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the old digest would be bound to the ETag of the new bytes."""

    def edited_first(path: Path, name: str) -> tuple[str, str]:
        path.write_bytes(OTHER)
        return file_checksum(path, name)

    monkeypatch.setattr(inspection, "file_checksum", edited_first)
    rig.head("a.txt", RANDOM_ETAG, x_amz_checksum_crc32=crc32(OTHER))
    assert rig.judge({"a.txt": RANDOM_ETAG})["a.txt"].verdict is Verdict.UNVERIFIED


def test_a_composite_checksum_is_known_by_its_suffix_where_the_store_does_not_say(rig: Rig) -> None:
    rig.head("a.txt", RANDOM_ETAG, x_amz_checksum_crc32=f"{crc32(OTHER)}-2")
    assert rig.judge({"a.txt": RANDOM_ETAG})["a.txt"].verdict is Verdict.UNVERIFIED


def test_a_mismatch_does_not_hold_back_the_rest_for_ever(rig: Rig) -> None:
    """Rows come out although no match has earned trust, and not every file was asked for first."""
    for n in range(2 * settler_module.MAX_WAITING_ROWS):
        rig.head(f"{n:05d}.txt", RANDOM_ETAG)
    files, remotes = [], []
    for n in range(2 * settler_module.MAX_WAITING_ROWS):
        path = rig.root / f"{n:05d}.txt"
        path.write_bytes(DATA)
        files.append(LocalFile(Key(path.name), hash_file(str(path))[1], md5(DATA)))
        remotes.append(RemoteObject(Key(path.name), len(DATA), RANDOM_ETAG))
    settler = Settler(rig.bucket, rig.root, "")
    first = list(itertools.islice(settler.settle(relevant(join(files, remotes, ()), Pairing())), 3))
    assert [row.verdict for row in first] == [Verdict.UNVERIFIED] * 3
    assert rig.odd.heads <= settler_module.MAX_WAITING_ROWS + 20


@pytest.mark.parametrize("where", ["0.txt", "9.txt"])
def test_a_match_anywhere_in_the_listing_earns_the_trust_a_mismatch_needs(where: str, rig: Rig) -> None:
    rig.head("5.txt", md5(OTHER))
    found = rig.judge({"5.txt": md5(OTHER), where: md5(DATA)})
    assert (found["5.txt"].verdict, found["5.txt"].evidence) == (Verdict.DIFFERS, Evidence.ETAG_MD5)
    assert list(found) == sorted(found), "the order is kept although one had to wait"


def test_two_empty_files_earn_no_trust(rig: Rig) -> None:
    assert rig.judge({"b.txt": RANDOM_ETAG}, data=b"")["b.txt"].verdict is Verdict.SYNCED
    rig.head("a.txt", RANDOM_ETAG)
    assert rig.judge({"a.txt": RANDOM_ETAG})["a.txt"].verdict is Verdict.UNVERIFIED


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"x_amz_server_side_encryption": "aws:kms"}, "aws:kms"),
        ({"x_amz_server_side_encryption": "aws:kms:dsse"}, "aws:kms:dsse"),
        ({"x_amz_server_side_encryption_customer_algorithm": "AES256"}, "SSE-C"),
    ],
)
def test_an_encryption_that_changes_etags_is_grey_even_in_a_trusted_bucket(
    headers: dict[str, str], why: str, rig: Rig
) -> None:
    rig.head("a.txt", RANDOM_ETAG, **headers)
    row = rig.judge({"a.txt": RANDOM_ETAG}, trusted=True)["a.txt"]
    assert (row.verdict, why in (row.reason or "")) == (Verdict.UNVERIFIED, True)


def test_encryption_by_the_store_s_own_key_keeps_etags_md5s(rig: Rig) -> None:
    rig.head("a.txt", md5(OTHER), x_amz_server_side_encryption="AES256")
    assert rig.judge({"a.txt": md5(OTHER)}, trusted=True)["a.txt"].verdict is Verdict.DIFFERS


def crc32(data: bytes) -> str:
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def sha256(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


@pytest.mark.parametrize(("name", "compute"), [("crc32", crc32), ("sha256", sha256)])
@pytest.mark.parametrize(("stored", "verdict"), [(DATA, Verdict.SYNCED), (OTHER, Verdict.DIFFERS)])
def test_a_stored_checksum_settles_it_both_ways(
    name: str, compute: Callable[[bytes], str], stored: bytes, verdict: Verdict, rig: Rig
) -> None:
    headers = {f"x_amz_checksum_{name}": compute(stored), "x_amz_server_side_encryption": "aws:kms"}
    rig.head("a.txt", RANDOM_ETAG, **headers)
    row = rig.judge({"a.txt": RANDOM_ETAG})["a.txt"]
    assert (row.verdict, row.evidence) == (verdict, Evidence.CHECKSUM)


@pytest.mark.parametrize("claimed", [DATA, OTHER])
def test_a_checksum_that_the_store_does_not_check_is_the_uploader_s_word(claimed: bytes, rig: Rig) -> None:
    """`rclone serve s3` keeps whatever checksum comes with an object: a wrong one would make a false green."""
    rig.head("a.txt", RANDOM_ETAG, x_amz_checksum_sha256=sha256(claimed))
    row = rig.judge({"a.txt": RANDOM_ETAG}, checked=False)["a.txt"]
    assert row.verdict is Verdict.UNVERIFIED
    assert "doctor" in (row.remedy or "")


def test_a_composite_checksum_is_not_taken_for_the_whole_object_s(rig: Rig) -> None:
    rig.head("a.txt", RANDOM_ETAG, x_amz_checksum_crc32=crc32(OTHER), x_amz_checksum_type="COMPOSITE")
    assert rig.judge({"a.txt": RANDOM_ETAG})["a.txt"].verdict is Verdict.UNVERIFIED


@pytest.mark.parametrize(("claimed", "word"), [(DATA, "the same"), (OTHER, "different")])
def test_an_uploader_s_word_is_a_claim_and_proves_nothing(claimed: bytes, word: str, rig: Rig) -> None:
    claim = base64.b64encode(hashlib.md5(claimed).digest()).decode()
    rig.head("a.txt", RANDOM_ETAG, x_amz_server_side_encryption="aws:kms", x_amz_meta_md5chksum=claim)
    row = rig.judge({"a.txt": RANDOM_ETAG})["a.txt"]
    assert (row.verdict, row.evidence) == (Verdict.UNVERIFIED, Evidence.CLAIMED)
    assert f"its uploader says it is {word}" in (row.reason or "")


def test_the_word_of_s3cmd_is_a_claim_as_well(rig: Rig) -> None:
    attrs = f"atime:1/md5:{md5(DATA)}/mode:33188"
    rig.head("a.txt", RANDOM_ETAG, x_amz_server_side_encryption="aws:kms", x_amz_meta_s3cmd_attrs=attrs)
    row = rig.judge({"a.txt": RANDOM_ETAG})["a.txt"]
    assert (row.verdict, row.evidence, row.detail) == (Verdict.UNVERIFIED, Evidence.CLAIMED, "s3cmd")


def test_an_object_that_is_told_of_only_with_a_key_is_grey_and_says_so(rig: Rig) -> None:
    """AWS and SeaweedFS answer a HEAD of an SSE-C object with 400, and no body to say why."""
    rig.odd.answers["a.txt"] = Reply(400)
    row = rig.judge({"a.txt": RANDOM_ETAG}, trusted=True)["a.txt"]
    assert (row.verdict, "SSE-C" in (row.reason or "")) == (Verdict.UNVERIFIED, True)
    assert "push --take mine" in (row.remedy or "")


def test_an_object_that_changed_or_vanished_after_the_listing_is_grey(rig: Rig) -> None:
    rig.head("changed.txt", md5(b"yet another"))
    found = rig.judge({"changed.txt": md5(OTHER), "gone.txt": md5(OTHER)}, trusted=True)
    assert {row.verdict for row in found.values()} == {Verdict.UNVERIFIED}
    assert "changed in the bucket" in (found["changed.txt"].reason or "")
    assert "vanished" in (found["gone.txt"].reason or "")


def test_a_refused_head_is_grey_with_its_reason(rig: Rig) -> None:
    rig.odd.answers["a.txt"] = Reply(403)
    row = rig.judge({"a.txt": md5(OTHER)}, trusted=True)["a.txt"]
    assert (row.verdict, "denies" in (row.reason or "")) == (Verdict.UNVERIFIED, True)


def test_an_etag_of_no_known_kind_is_grey(rig: Rig) -> None:
    rig.head("a.txt", "v2-AbC_opaque")
    row = rig.judge({"a.txt": "v2-AbC_opaque"}, trusted=True)["a.txt"]
    assert (row.verdict, "not an MD5" in (row.reason or "")) == (Verdict.UNVERIFIED, True)


def test_part_sizes_are_believed_only_if_they_add_up(rig: Rig) -> None:
    """A store that answers a part's HEAD with the whole size must not lead to a false red."""
    etag = f"{RANDOM_ETAG}-2"
    rig.head("a.txt", etag, x_amz_mp_parts_count="2")
    row = rig.judge({"a.txt": etag}, trusted=True)["a.txt"]
    assert (row.verdict, "parts of unknown size" in (row.reason or "")) == (Verdict.UNVERIFIED, True)


def test_a_saved_listing_asks_nobody(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(DATA)
    digest, stamp = hash_file(str(path))
    row = (LocalFile(Key("a.txt"), stamp, digest),)
    settler = Settler(None, tmp_path, "")
    (status,) = settler.settle(relevant(join(row, (RemoteObject(Key("a.txt"), len(DATA), md5(OTHER)),), ()), Pairing()))
    assert status.verdict is Verdict.UNVERIFIED
    path.unlink()  # an ETag of parts needs another look at the file, which has gone
    in_parts = RemoteObject(Key("a.txt"), len(DATA), f"{md5(OTHER)}-1")
    (status,) = settler.settle(relevant(join(row, (in_parts,), ()), Pairing()))
    assert (status.verdict, "can't be read" in (status.reason or "")) == (Verdict.UNVERIFIED, True)


@pytest.mark.parametrize("name", ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"])
def test_checksums_are_those_of_the_standards(name: str, tmp_path: Path) -> None:
    """The check values of the CRC catalogue, and of hashlib, for `123456789`."""
    path = tmp_path / "nine"
    path.write_bytes(b"123456789")
    known = {
        "crc32": bytes.fromhex("cbf43926"),
        "crc32c": bytes.fromhex("e3069283"),
        "crc64nvme": bytes.fromhex("ae8b14860a799888"),
        "sha1": hashlib.sha1(b"123456789").digest(),
        "sha256": hashlib.sha256(b"123456789").digest(),
    }
    assert file_checksum(path, name) == (base64.b64encode(known[name]).decode(), md5(b"123456789"))


def test_a_head_of_nothing_is_an_error(rig: Rig) -> None:
    with pytest.raises(NoSuchObject):
        rig.bucket.head("nothing")

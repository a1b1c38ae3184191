"""The conformance tests that hashmark needs every store to pass, run against each real one."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from hashmark.actions.doctor import MEANING
from hashmark.core.errors import (
    NoCredentials,
    NoSuchBucket,
    NoSuchObject,
    PreconditionFailed,
    ServerError,
    WrongCredentials,
)
from hashmark.core.etags import multipart_etag
from hashmark.core.model import key_bytes
from hashmark.s3 import multipart
from hashmark.s3.bucket import Bucket
from hashmark.s3.endpoint import Remote
from hashmark.s3.probe import probe, scratch_key
from hashmark.s3.requests import Expect
from support.stores import BUCKET, Store

AWKWARD = (
    "a-b",
    "a/b",
    "a b.txt",
    "a+b",
    "a%20b",
    "100%.png",
    "a&b=c#d.txt",
    "what? *.png",
    "quotes'\".txt",
    "(paren) [square] {curly}.txt",
    "semi;colon,comma@at$dollar!.txt",
    "tilde~.txt",
    "emoji 🎨👩‍🎨.png",
    "caf\u00e9.txt",
    "cafe\u0301.txt",
    "画像.png",
    "a<b>.txt",
    "UPPER.PNG",
    "upper.png",
    "/".join(["k" * 240] * 4),
)


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def keys(bucket: Bucket, prefix: str) -> list[str]:
    return [o.key for o in bucket.objects(f"{prefix}/")]


def test_an_object_comes_back_as_it_was_written(store: Store, prefix: str, tmp_path: Path) -> None:
    bucket, key, data = store.bucket(), f"{prefix}/a.txt", b"a stellar sketch\n" * 50
    etag = bucket.put(key, data)
    assert etag == md5(data)
    assert bucket.get(key) == data
    assert bucket.get(key, etag=etag) == data
    head = bucket.head(key)
    assert (head.size, head.etag, head.encryption) == (len(data), etag, None)
    (listed,) = bucket.objects(f"{prefix}/")
    assert (listed.key, listed.size, listed.etag) == ("a.txt", len(data), etag)
    assert listed.last_modified is not None


@pytest.mark.parametrize("key", AWKWARD)
def test_an_awkward_key_is_kept_byte_for_byte(store: Store, prefix: str, key: str) -> None:
    bucket, data = store.bucket(), key.encode()
    bucket.put(f"{prefix}/{key}", data)
    assert keys(bucket, prefix) == [key]
    assert bucket.get(f"{prefix}/{key}") == data
    assert bucket.head(f"{prefix}/{key}").size == len(data)
    bucket.copy(f"{prefix}/{key}", f"{prefix}/copy/{key}")
    assert bucket.get(f"{prefix}/copy/{key}") == data
    bucket.delete(f"{prefix}/copy/{key}")
    assert bucket.delete_many([f"{prefix}/{key}"]) == {}
    assert keys(bucket, prefix) == []


def test_all_awkward_keys_are_listed_together_in_byte_order(store: Store, prefix: str) -> None:
    bucket = store.bucket()
    for key in AWKWARD:
        bucket.put(f"{prefix}/{key}", b"x")
    assert keys(bucket, prefix) == sorted(AWKWARD, key=key_bytes)


def test_the_content_type_of_a_caption_is_utf8_text(seaweedfs: Store, prefix: str) -> None:
    bucket = seaweedfs.bucket()
    bucket.put(f"{prefix}/a.txt", "ünï".encode())
    answer = bucket.client.call("HeadObject", "HEAD", f"{prefix}/a.txt")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_an_empty_object_is_an_object(store: Store, prefix: str, tmp_path: Path) -> None:
    bucket = store.bucket()
    bucket.put(f"{prefix}/empty.txt", b"")
    (listed,) = bucket.objects(f"{prefix}/")
    assert (listed.size, listed.etag) == (0, md5(b""))
    assert bucket.get(f"{prefix}/empty.txt") == b""


def test_a_listing_of_several_pages_is_complete(store: Store, prefix: str) -> None:
    bucket = store.bucket()
    wanted = [f"{n:04d}{suffix}" for n in range(1050) for suffix in (".png", ".txt")]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: bucket.put(f"{prefix}/{key}", b"x"), wanted))
    assert keys(bucket, prefix) == sorted(wanted)
    assert bucket.delete_many(f"{prefix}/{key}" for key in wanted) == {}
    assert keys(bucket, prefix) == []


def test_folders_are_listed_by_name_and_what_lies_beside_them(store: Store, prefix: str) -> None:
    bucket = store.bucket()
    for name in ("10_ink", "82_stellar sketch", "画像"):
        bucket.put(f"{prefix}/{name}/a.txt", b"x")
    with suppress(ServerError):  # `rclone serve s3` has no such object
        bucket.put(f"{prefix}/", b"")  # as consoles mark a folder
    bucket.put(f"{prefix}/lost.png", b"x")
    beside: list[str] = []
    assert bucket.folders(f"{prefix}/", beside.extend) == ["10_ink", "82_stellar sketch", "画像"]
    assert beside == ["lost.png"]


def test_a_prefix_does_not_match_its_longer_neighbour(store: Store, prefix: str) -> None:
    bucket = store.bucket()
    bucket.put(f"{prefix}/82/a.txt", b"x")
    bucket.put(f"{prefix}/82_more/b.txt", b"x")
    assert [o.key for o in bucket.objects(f"{prefix}/82/")] == ["a.txt"]


def test_a_large_object_is_uploaded_in_parts_with_the_computed_etag(store: Store, prefix: str, tmp_path: Path) -> None:
    bucket, key = store.bucket(), f"{prefix}/big.bin"
    parts = [bytes([n]) * (5 << 20) for n in range(2)] + [b"tail"]
    etag = multipart.upload(
        bucket.client,
        key,
        multipart.digested(parts),
        expect=Expect(None),
        metadata={"md5chksum": "x"},
        confirm=lambda _etags: None,
    )
    assert etag == multipart_etag(b"".join(hashlib.md5(part).digest() for part in parts))
    assert md5(bucket.get(key)) == md5(b"".join(parts))


def test_an_upload_is_continued_with_the_parts_that_the_store_has(store: Store, prefix: str) -> None:
    bucket, key = store.bucket(), f"{prefix}/big +%ü.bin"
    parts = [bytes([n]) * (5 << 20) for n in range(2)] + [b"tail"]
    upload_id = multipart.begin(bucket.client, key)
    for number in (1, 3):
        query = {"partNumber": str(number), "uploadId": upload_id}
        bucket.client.call("UploadPart", "PUT", key, query=query, body=parts[number - 1])
    sent: list[int] = []
    ids: list[str | None] = []
    etag = multipart.upload(
        bucket.client,
        key,
        multipart.digested(parts),
        expect=Expect(None),
        on_upload=ids.append,
        on_bytes=sent.append,
        resume=upload_id,
    )
    assert etag == multipart_etag(b"".join(hashlib.md5(part).digest() for part in parts))
    assert md5(bucket.get(key)) == md5(b"".join(parts))
    assert ids == [upload_id, None]
    assert sum(sent) == sum(map(len, parts)), "what was there counts as moved"


def test_a_multipart_upload_that_is_not_confirmed_leaves_nothing(store: Store, prefix: str) -> None:
    bucket, key = store.bucket(), f"{prefix}/big.bin"

    def refuse(_etags: list[str]) -> None:
        raise PreconditionFailed("not confirmed")

    with pytest.raises(PreconditionFailed, match="not confirmed"):
        multipart.upload(
            bucket.client,
            key,
            multipart.digested([b"x" * (5 << 20), b"y"]),
            expect=Expect(None),
            metadata={},
            confirm=refuse,
        )
    assert keys(bucket, prefix) == []
    uploads = bucket.client.call("ListMultipartUploads", "GET", query={"uploads": "", "prefix": prefix})
    assert b"<UploadId>" not in uploads.body


def test_what_is_missing_is_named(store: Store, prefix: str) -> None:
    bucket = store.bucket()
    for ask in (bucket.get, bucket.head):
        with pytest.raises(NoSuchObject, match=f"{prefix}/nothing"):
            ask(f"{prefix}/nothing")
    with pytest.raises(NoSuchObject):
        bucket.copy(f"{prefix}/nothing", f"{prefix}/copy")


def test_a_missing_bucket_is_not_an_empty_one(store: Store) -> None:
    remote = Remote("no-such-bucket", "", store.endpoint_url, "us-east-1", credentials_file=str(store.credentials_file))
    with pytest.raises(NoSuchBucket, match="no-such-bucket"):
        list(Bucket(remote).objects(""))


@pytest.mark.parametrize("name", ["seaweedfs", "rclone"])  # moto accepts any signature
def test_wrong_credentials_are_called_wrong(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    store: Store = request.getfixturevalue(name)
    wrong = tmp_path / "credentials"
    wrong.write_text("[default]\naws_access_key_id = NOBODY\naws_secret_access_key = sesame-open\n")
    remote = Remote(BUCKET, "", store.endpoint_url, "us-east-1", credentials_file=str(wrong))
    with pytest.raises(WrongCredentials) as caught:
        list(Bucket(remote).objects(""))
    assert "sesame" not in str(caught.value)


def test_no_credentials_are_called_none(seaweedfs: Store) -> None:
    with pytest.raises(NoCredentials, match="AWS_ACCESS_KEY_ID"):
        list(Bucket(Remote(BUCKET, "", seaweedfs.endpoint_url)).objects(""))


_NO_CONDITIONS = dict.fromkeys(("create-only", "replace-only", "conditional-complete", "conditional-delete"), False)
EXPECTED: dict[str, dict[str, bool | None]] = {
    "seaweedfs": {"etag-part-copy": False},
    "rclone": {"etag-multipart": False, "etag-part-copy": None, "checksum": False, **_NO_CONDITIONS},
    "moto": {"content-md5": False, "checksum": False},
    "swift": {"replace-only": False},
    "s3rver": dict.fromkeys(("etag-multipart", "checksum", "content-md5", "start-after", *_NO_CONDITIONS), False),
}
"""The capabilities that the probe must find missing; it must find all others."""


def test_the_probe_finds_what_a_store_ignores_and_cleans_up(store: Store, prefix: str) -> None:
    bucket = store.bucket()
    found = {finding.name: finding.ok for finding in probe(bucket, scratch_key(f"{prefix}/"))}
    assert found == {name: EXPECTED[store.name].get(name, True) for name in MEANING}
    assert keys(bucket, prefix) == []


def test_a_guarded_write_never_overwrites_what_was_not_expected(seaweedfs: Store, prefix: str) -> None:
    bucket, key = seaweedfs.bucket(), f"{prefix}/a.txt"
    etag = bucket.put(key, b"first", expect=Expect(None))
    with pytest.raises(PreconditionFailed):
        bucket.put(key, b"second", expect=Expect(None))
    with pytest.raises(PreconditionFailed):
        bucket.put(key, b"second", expect=Expect("0" * 32))
    assert bucket.get(key) == b"first"
    bucket.put(key, b"second", expect=Expect(etag))
    assert bucket.get(key) == b"second"

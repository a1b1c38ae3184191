"""An upload in parts is told to be the file only where the parts that the store got are known to be its."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from hashmark.core.errors import BadDigest, HashmarkError
from hashmark.core.model import Evidence, Key, LocalFile
from hashmark.disk.walk import stamp_of
from hashmark.s3.bucket import Bucket
from hashmark.s3.endpoint import Remote
from hashmark.s3.store_capabilities import SUPPORTED, UNKNOWN, UNSUPPORTED, Capability, StoreCapabilities
from hashmark.transfer import parts
from support.faults import NS, Reply, Request, error, scripted

CONTENT = b"0123456789" * 3


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "TESTKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret-key")
    monkeypatch.setattr(parts, "PART_BYTES", 10)


def odd(request: Request) -> Reply:
    """A store whose ETags look like MD5s and are none, as with encryption by KMS; it compares no Content-MD5."""
    if request.method == "PUT":
        etag = hashlib.sha256(request.body).hexdigest()[:32]
        return Reply(200, headers={"ETag": f'"{etag}"'})
    if request.method == "DELETE":
        return Reply(204)
    name, inner = ("Initiate", "<UploadId>1</UploadId>")
    if "uploads" not in request.query:
        name, inner = ("Complete", f"<ETag>{'0' * 32}-3</ETag>")
    return Reply(body=f"<{name}MultipartUploadResult {NS}>{inner}</{name}MultipartUploadResult>".encode())


def upload(root: Path, url: str, etag_multipart: Capability, doubted: set[str]) -> Evidence:
    local = LocalFile(Key("big.png"), stamp_of((root / "big.png").stat()))
    known = StoreCapabilities(content_md5=SUPPORTED, etag_multipart=etag_multipart)
    bucket = Bucket(Remote("b", "", url))
    large = parts.PartsUpload(bucket, root / "big.png", local, known, doubted=doubted, is_cancelled=lambda: False)
    large.hash()
    return large.send("p/big.png", expect=None, inspect=lambda: None, on_bytes=None, on_upload=lambda _upload_id: None)[
        1
    ]


def test_where_etags_of_parts_are_others_than_were_seen_they_are_hashed_as_they_are_sent(tmp_path: Path) -> None:
    """As in a bucket that encrypts by KMS since it was probed: the next try does not count on them."""
    (tmp_path / "big.png").write_bytes(CONTENT)
    with scripted(odd) as server:
        doubted: set[str] = set()
        with pytest.raises(BadDigest):
            upload(tmp_path, server.url, SUPPORTED, doubted)
        assert [request.method for request in server.seen[-2:]] == ["PUT", "DELETE"], "given up, not completed"
        assert upload(tmp_path, server.url, SUPPORTED, doubted) is Evidence.RECORDED
    assert doubted == {"big.png"}


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(CONTENT[:-1] + b"X"),
        lambda path: path.write_bytes(CONTENT[:20]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(CONTENT + b"0"),
    ],
)
@pytest.mark.parametrize("etag_multipart", [SUPPORTED, UNSUPPORTED, UNKNOWN])
def test_what_changes_after_it_was_hashed_becomes_no_object(
    change: Callable[[Path], object], etag_multipart: Capability, tmp_path: Path
) -> None:
    """Once the upload has begun, in a store that refuses no part for its Content-MD5."""
    path = tmp_path / "big.png"
    path.write_bytes(CONTENT)

    def answer(request: Request) -> Reply:
        if "uploads" in request.query:
            change(path)
        if request.method == "POST" and "uploadId" in request.query:
            return Reply(400, error("InvalidRequest"))
        return odd(request)

    with scripted(answer) as server:
        with pytest.raises(HashmarkError) as raised:
            upload(tmp_path, server.url, etag_multipart, set())
        assert raised.value.code in {"file-changed", "bad-digest"}
        assert [request.method for request in server.seen].count("POST") == 1, "it was begun, and not completed"

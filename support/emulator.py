"""An S3 store in memory that can have the quirks of stores that cannot run here, for `support.faults.server.scripted`.

It plays one bucket. Signatures are not checked. Each quirk names the store that has it and where that is documented or
was seen; without quirks it behaves as AWS documents.
"""

from __future__ import annotations

import base64
import hashlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import partial
from html import escape
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote_to_bytes
from xml.etree import ElementTree as ET

from support.faults.server import NS, Reply, Request, error, scripted
from support.stores import BUCKET, Store, write_credentials

KEYS_PER_PAGE = 1000


@dataclass(frozen=True)
class Quirks:
    """What the store does differently."""

    etag: str = "md5"
    """What the ETag of a PUT is: `md5`; `MD5` in upper case; `random` hex digits (MinIO without `--compat`);
    `time` and size, as 32 hex digits (chimera, issue 469)."""
    lag_s: float = 0
    """For so long, listings show what was there before (R2's were seen to: openshift-eng/aos-cd-jobs, issue 4756)."""
    conditions: Mapping[str, str] = field(default_factory=dict)
    """How conditions are taken, by operation (`put`, `get`, `copy`, `delete`, `complete`), where not as on AWS: `501`
    (Backblaze B2, for writes: sathinduga/obsidian-s3-sync-and-backup, issue 78); `unquoted` alone (Ceph, and so Hetzner
    and DigitalOcean: slatedb/slatedb, issue 1818); or `ignored` (Ceph's copies: ceph/ceph, pull request 30866)."""
    listed_etag: str = "same"
    """The ETag in listings: the `same` as elsewhere, `none`, or an `other` one (gateways)."""
    listed_bytes: int = 0
    """By how much the size in listings is larger than the object (gateways that encrypt list what they store)."""
    put_etag: bool = True
    """Whether the answer to a PUT has the ETag."""
    pages: str = "good"
    """`repeated`: each page of a listing without a delimiter has the token of the first one (RunPod:
    runpod/runpod-python, issue 505)."""
    order: str = "bytes"
    """The order of listings: by `bytes`, or folder by folder (`tree`: stores that keep files in folders)."""
    has_bulk_delete: bool = True
    """Whether there is DeleteObjects (RunPod documents that there is not)."""
    writable: bool = True
    """Whether the credentials may write."""
    busy: float = 0
    """The share of requests that is answered by 429, by 503, or by a reset connection."""
    encodes: str = "form"
    """How keys are written in listings on request: percent-encoded, with `+` for a space (`form`), with `+` as it is
    (`percent`), not at all though that is `claimed`, or `not` at all. Then characters that XML cannot have are sent as
    they are (older gateways)."""


@dataclass
class Stored:
    """One object."""

    data: bytes
    etag: str
    time: float
    headers: Mapping[str, str] = field(default_factory=dict)
    before: Stored | None = None
    """What this one has replaced."""


class Emulator:
    """The store. `objects` are its objects by key; requests and tests may change them."""

    def __init__(self, quirks: Quirks) -> None:
        self.quirks = quirks
        self.objects: dict[str, Stored] = {}
        self.uploads: dict[str, tuple[str, dict[int, Stored], Mapping[str, str]]] = {}
        self.gone: dict[str, tuple[float, Stored]] = {}
        """What was deleted, and when."""
        self._chance = random.Random(1)
        self.seen: list[str] = []
        """Method and key of each request, as `GET a.txt`."""
        self._ahead_s = 0.0
        self._lock = threading.Lock()

    def wait(self, seconds: float) -> None:
        """Let time pass on the store's clock."""
        self._ahead_s += seconds

    def now(self) -> float:
        return time.time() + self._ahead_s

    def write_as_file(self, key: str, data: bytes) -> None:
        """Change an object's bytes as SeaweedFS 4.48 does through `weed mount`: it keeps the ETag, not the time."""
        self.objects[key].data = data
        self.objects[key].time = self.now()

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        key = unquote_to_bytes(request.path.removeprefix(f"/{BUCKET}").removeprefix("/")).decode(
            "utf-8", "surrogateescape"
        )
        with self._lock:
            self.seen.append(f"{request.method} {key}")
            if self._chance.random() < self.quirks.busy:
                return self._chance.choice([Reply(429), Reply(503, error("SlowDown")), Reply(200, cut=-1)])
            if not self.quirks.writable and request.method not in {"GET", "HEAD"}:
                return Reply(403, error("AccessDenied"))
            reply = self._object(request, key) if key else self._bucket(request)
        headers = {"Date": formatdate(self.now(), usegmt=True), **reply.headers}
        return Reply(reply.status, reply.body, headers)

    # --- the bucket --------------------------------------------------------------------------------------------------

    def _bucket(self, request: Request) -> Reply:
        if request.method == "POST" and "delete" in request.query:
            return self._delete_many(request)
        if "uploads" in request.query:
            return self._list_uploads(request)
        if request.method == "GET":
            return self._list(request.query)
        return Reply(200 if request.method == "HEAD" else 405)

    def _list(self, query: Mapping[str, str]) -> Reply:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        after = query.get("continuation-token") or query.get("start-after", "")
        encodings: dict[str, Callable[[str], str]] = {
            "form": partial(quote_plus, safe="/"),
            "percent": partial(quote, safe="/+"),
        }
        is_asked = query.get("encoding-type") == "url"
        encode = encodings.get(self.quirks.encodes, escape) if is_asked else escape
        rows: list[str] = []
        last, more, folders = "", False, set[str]()
        for key in sorted(self._listed(), key=self._place):
            if not key.startswith(prefix) or (after and self._place(key) <= self._place(after)):
                continue
            if len(rows) == int(query.get("max-keys", KEYS_PER_PAGE)):
                more = True
                break
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            if cut >= 0:
                folder = key[: cut + 1]
                if folder not in folders and folder != after:
                    folders.add(folder)
                    rows.append(f"<CommonPrefixes><Prefix>{encode(folder)}</Prefix></CommonPrefixes>")
            else:
                rows.append(self._row(key, encode(key)))
            last = key
        if self.quirks.pages == "repeated" and not delimiter and query.get("continuation-token"):
            last, more = after, True
        token = f"<NextContinuationToken>{escape(last)}</NextContinuationToken>" if more else ""
        truncated = "true" if more else "false"
        return _xml(
            "ListBucketResult",
            f"<Name>{BUCKET}</Name><Prefix>{encode(prefix)}</Prefix><KeyCount>{len(rows)}</KeyCount>"
            f"<MaxKeys>{KEYS_PER_PAGE}</MaxKeys><IsTruncated>{truncated}</IsTruncated>{token}{''.join(rows)}"
            + ("<EncodingType>url</EncodingType>" if is_asked and self.quirks.encodes != "not" else ""),
        )

    def _place(self, key: str) -> list[bytes]:
        whole = key.encode("utf-8", "surrogateescape")
        return whole.split(b"/") if self.quirks.order == "tree" else [whole]

    def _listed(self) -> dict[str, Stored]:
        """Return the objects as listings show them."""
        if not self.quirks.lag_s:
            return self.objects
        settled = self.now() - self.quirks.lag_s
        shown = {key: stored if stored.time <= settled else stored.before for key, stored in self.objects.items()}
        gone = {key: stored for key, (deleted, stored) in self.gone.items() if deleted > settled}
        return gone | {key: stored for key, stored in shown.items() if stored}

    def _drop(self, key: str) -> None:
        if stored := self.objects.pop(key, None):
            self.gone[key] = (self.now(), stored)

    def _row(self, key: str, encoded: str) -> str:
        stored = self._listed()[key]
        etag = hashlib.md5(stored.etag.encode()).hexdigest() if self.quirks.listed_etag == "other" else stored.etag
        element = "" if self.quirks.listed_etag == "none" else f"<ETag>&quot;{etag}&quot;</ETag>"
        return (
            f"<Contents><Key>{encoded}</Key><LastModified>{_iso(stored.time)}</LastModified>"
            f"{element}<Size>{len(stored.data) + self.quirks.listed_bytes}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
        )

    def _delete_many(self, request: Request) -> Reply:
        if not self.quirks.has_bulk_delete:
            return Reply(501, error("NotImplemented"))
        keys = [element.text or "" for element in ET.fromstring(request.body).iter() if element.tag.endswith("Key")]
        for key in keys:
            self._drop(key)
        return _xml("DeleteResult", "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys))

    def _list_uploads(self, request: Request) -> Reply:
        prefix = request.query.get("prefix", "")
        rows = (
            f"<Upload><Key>{escape(key)}</Key><UploadId>{upload_id}</UploadId></Upload>"
            for upload_id, (key, _, _) in self.uploads.items()
            if key.startswith(prefix)
        )
        return _xml("ListMultipartUploadsResult", f"<IsTruncated>false</IsTruncated>{''.join(rows)}")

    # --- one object --------------------------------------------------------------------------------------------------

    def _object(self, request: Request, key: str) -> Reply:
        if "uploadId" in request.query or "uploads" in request.query:
            return self._in_parts(request, key)
        if request.method == "PUT":
            return self._copy(request, key) if "x-amz-copy-source" in request.headers else self._put(request, key)
        stored = self.objects.get(key)
        if request.method == "DELETE":
            if stored and (refused := self._refused("delete", request, stored.etag)):
                return refused
            self._drop(key)
            return Reply(204)
        if stored is None:
            return Reply(404, error("NoSuchKey"))
        if "attributes" in request.query:
            return Reply(501, error("NotImplemented"))
        return self._refused("get", request, stored.etag) or self._read(request, stored)

    def _refused(self, operation: str, request: Request, etag: str | None) -> Reply | None:
        """Return the answer to a request whose condition does not hold, else None. `etag` is None without an object."""
        wanted = request.headers.get("x-amz-copy-source-if-match" if operation == "copy" else "if-match")
        must_be_new = request.headers.get("if-none-match") == "*"
        form = self.quirks.conditions.get(operation)
        if form == "ignored" or (wanted is None and not must_be_new):
            return None
        if form == "501":
            return Reply(501, error("NotImplemented"))
        if must_be_new:
            return None if etag is None else Reply(412, error("PreconditionFailed"))
        if etag is None:
            return Reply(404, error("NoSuchKey"))
        taken = {etag} if form == "unquoted" else {etag, f'"{etag}"'}
        return None if wanted in taken else Reply(412, error("PreconditionFailed"))

    def _read(self, request: Request, stored: Stored) -> Reply:
        headers = {"ETag": f'"{stored.etag}"', "Last-Modified": formatdate(stored.time, usegmt=True), **stored.headers}
        if wanted := request.headers.get("range", "").removeprefix("bytes="):
            begin, _, end = wanted.partition("-")
            body = stored.data[int(begin) : int(end) + 1]
            headers["Content-Range"] = f"bytes {begin}-{int(begin) + len(body) - 1}/{len(stored.data)}"
            return Reply(206, body, headers)
        return Reply(200, stored.data, headers)

    def _put(self, request: Request, key: str) -> Reply:
        there = self.objects.get(key)
        if refused := self._refused("put", request, there.etag if there else None):
            return refused
        digest = hashlib.md5(request.body)
        if not _is_md5(digest.digest(), request):
            return Reply(400, error("BadDigest"))
        metadata = {name: value for name, value in request.headers.items() if name.startswith("x-amz-meta-")}
        self.objects[key] = stored = Stored(request.body, self._etag(request.body), self.now(), metadata, there)
        return Reply(200, b"", {"ETag": f'"{stored.etag}"'} if self.quirks.put_etag else {})

    def _etag(self, data: bytes) -> str:
        if self.quirks.etag == "random":
            return hashlib.md5(f"{self.now()} {len(self.seen)}".encode()).hexdigest()
        if self.quirks.etag == "time":
            return f"{int(self.now()):016x}{len(data):016x}"
        md5 = hashlib.md5(data).hexdigest()
        return md5.upper() if self.quirks.etag == "MD5" else md5

    def _copy(self, request: Request, key: str) -> Reply:
        source = self._source(request)
        if source is None:
            return Reply(404, error("NoSuchKey"))
        if refused := self._refused("copy", request, source.etag):
            return refused
        self.objects[key] = copied = Stored(source.data, self._etag(source.data), self.now(), source.headers)
        return _xml("CopyObjectResult", f"<ETag>&quot;{copied.etag}&quot;</ETag>")

    def _source(self, request: Request) -> Stored | None:
        name = unquote_to_bytes(request.headers["x-amz-copy-source"]).decode("utf-8", "surrogateescape")
        return self.objects.get(name.lstrip("/").removeprefix(f"{BUCKET}/"))

    def _in_parts(self, request: Request, key: str) -> Reply:
        if "uploads" in request.query:
            upload_id = hashlib.md5(f"{key} {len(self.seen)}".encode()).hexdigest()
            self.uploads[upload_id] = (
                key,
                {},
                {n: v for n, v in request.headers.items() if n.startswith("x-amz-meta-")},
            )
            return _xml("InitiateMultipartUploadResult", f"<UploadId>{upload_id}</UploadId>")
        upload_id = request.query["uploadId"]
        if upload_id not in self.uploads:
            return Reply(404, error("NoSuchUpload"))
        _, parts, metadata = self.uploads[upload_id]
        if request.method == "DELETE":
            del self.uploads[upload_id]
            return Reply(204)
        if request.method == "GET":
            rows = (
                f"<Part><PartNumber>{n}</PartNumber><ETag>&quot;{part.etag}&quot;</ETag><Size>{len(part.data)}</Size></Part>"
                for n, part in sorted(parts.items())
            )
            return _xml("ListPartsResult", f"<IsTruncated>false</IsTruncated>{''.join(rows)}")
        if request.method == "PUT":
            return self._put_part(request, parts)
        there = self.objects.get(key)
        if refused := self._refused("complete", request, there.etag if there else None):
            return refused
        del self.uploads[upload_id]
        whole = [part for _, part in sorted(parts.items())]
        digest = hashlib.md5(b"".join(hashlib.md5(part.data).digest() for part in whole)).hexdigest()
        etag = f"{digest}-{len(whole)}"
        self.objects[key] = Stored(b"".join(part.data for part in whole), etag, self.now(), metadata)
        return _xml("CompleteMultipartUploadResult", f"<ETag>&quot;{etag}&quot;</ETag>")

    def _put_part(self, request: Request, parts: dict[int, Stored]) -> Reply:
        data = request.body
        if "x-amz-copy-source" in request.headers:
            source = self._source(request)
            begin, _, end = request.headers["x-amz-copy-source-range"].removeprefix("bytes=").partition("-")
            data = source.data[int(begin) : int(end) + 1] if source else b""
        elif not _is_md5(hashlib.md5(data).digest(), request):
            return Reply(400, error("BadDigest"))
        etag = hashlib.md5(data).hexdigest()
        parts[int(request.query["partNumber"])] = Stored(data, etag, self.now())
        if "x-amz-copy-source" in request.headers:
            return _xml("CopyPartResult", f"<ETag>&quot;{etag}&quot;</ETag>")
        return Reply(200, b"", {"ETag": f'"{etag}"'})


def _is_md5(digest: bytes, request: Request) -> bool:
    wanted = request.headers.get("content-md5")
    return wanted is None or base64.b64decode(wanted) == digest


def _xml(root: str, content: str) -> Reply:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} {NS}>{content}</{root}>'
    return Reply(200, body.encode(), {"Content-Type": "application/xml"})


def _iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds * 1000) % 1000:03}Z"


@contextmanager
def emulated(folder: Path, quirks: Quirks = Quirks()) -> Iterator[tuple[Emulator, Store]]:
    """Run an emulated store; its credentials are written to `folder`."""
    emulator = Emulator(quirks)
    with scripted(emulator.answer) as server:
        yield emulator, Store("emulated", server.url, write_credentials(folder))

"""A bucket whose ETags only look like MD5s, as under SSE-KMS: grey elsewhere, green on the machine that pushed."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from hashmark import Dataset, Evidence, Library, Verdict, push
from hashmark.actions.status import Options, status
from hashmark.actions.verify import verify
from hashmark.core.plan import Direction, Policy
from hashmark.evidence import inspection
from support.datasets import LibraryMaker
from support.faults import Reply, Request, forward, scripted
from support.stores import Store

NAME = "82_stellar_sketch"
_ETAG = re.compile(rb"[0-9a-f]{32}")


@dataclass
class Opaque:
    """A proxy that replaces every ETag by another of the same form, and makes HEAD report KMS."""

    url: str
    front: str = ""
    real: dict[bytes, bytes] = field(default_factory=dict)
    counted: Counter[str] = field(default_factory=Counter)

    def answer(self, request: Request) -> Reply:
        self.counted[request.method] += 1
        conditions = {
            name: _ETAG.sub(lambda m: self.real.get(m[0], m[0]), value.encode()).decode() if "if-" in name else value
            for name, value in request.headers.items()
        }
        reply = forward(self.url, replace(request, headers=conditions))
        headers = {
            name: _ETAG.sub(self._other, value.encode()).decode() if name.lower() == "etag" else value
            for name, value in reply.headers.items()
        }
        if request.method == "HEAD" and reply.status == 200:
            headers["x-amz-server-side-encryption"] = "aws:kms"
        body = re.sub(rb"<ETag>.*?</ETag>", lambda m: _ETAG.sub(self._other, m[0]), reply.body)
        return replace(reply, headers=headers, body=body)

    def _other(self, match: re.Match[bytes]) -> bytes:
        other = hashlib.md5(b"salt" + match[0]).hexdigest().encode()
        self.real[other] = match[0]
        return other


@pytest.fixture
def opaque(moto: Store) -> Iterator[Opaque]:
    """moto takes any signature, so conditions can be translated on the way."""
    between = Opaque(moto.endpoint_url)
    with scripted(between.answer) as server:
        between.front = server.url
        yield between


@pytest.fixture
def library(opaque: Opaque, moto: Store, library_on: LibraryMaker) -> Library:
    return library_on(Store("opaque", opaque.front, moto.credentials_file))


def filled(library: Library) -> Dataset:
    folder = library.root / NAME
    folder.mkdir(exist_ok=True)
    for n in range(4):
        (folder / f"{n}.txt").write_text(f"a stellar sketch, number {n}\n")
    return library.dataset("82")


def forget_everything(library: Library) -> None:
    """As on another machine."""
    for table in ("base", "fact", "digest"):
        library.state._db.write(f"DELETE FROM {table}", [()])


def test_what_was_pushed_here_is_green_from_the_listing_alone(library: Library, opaque: Opaque) -> None:
    dataset = filled(library)
    result = push(dataset)
    assert result.done, result.failures
    opaque.counted.clear()
    found = status(dataset)
    assert found.in_sync
    assert {row.evidence for row in found.files} == {Evidence.RECORDED}
    assert opaque.counted == {"GET": 1}, "one listing and nothing else"

    path = dataset.path / "0.txt"
    facts = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    (row,) = status(dataset).of(Verdict.LOCAL_CHANGED)
    assert (row.key, row.evidence) == ("0.txt", Evidence.RECORDED)


def test_a_stranger_sees_grey_with_the_encryption_named_until_bytes_are_read(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "MAX_SMALL_BYTES", -1)  # small objects are read at once
    dataset = filled(library)
    assert push(dataset).done
    (dataset.path / "0.txt").write_bytes((dataset.path / "0.txt").read_bytes()[::-1])
    forget_everything(library)
    found = status(dataset)
    assert {row.verdict for row in found.files} == {Verdict.UNVERIFIED}
    assert all("encrypted with aws:kms" in (row.reason or "") for row in found.files)

    wanted = {"0.txt": Verdict.DIFFERS, **dict.fromkeys(("1.txt", "2.txt", "3.txt"), Verdict.SYNCED)}
    assert {row.key: row.verdict for row in status(dataset, Options(deep=True)).files} == wanted
    found = verify(dataset, Policy(Direction.PULL))
    assert {row.key: row.verdict for row in found.files} == wanted
    found = status(dataset)
    assert {row.key: row.verdict for row in found.files} == wanted, "what was read is remembered"
    assert {row.evidence for row in found.files} == {Evidence.RECORDED}

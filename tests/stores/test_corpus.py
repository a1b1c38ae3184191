"""Objects of other programs, with sizes around every part boundary: `status --json` agrees with the bytes."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from hashmark import push
from hashmark.transfer import moves, parts
from support.command import Shell
from support.datasets import LibraryMaker
from support.faults import Reply, Request, forward, scripted
from support.peer_uploads import QUICK, WHOLE, PeerUpload, flip_half, truth, write_and_upload
from support.stores import Store

NAME = "82_corpus"
RED = {"differs", "local-changed", "remote-changed", "conflict"}


@dataclass
class Between:
    """A counting proxy in front of the store. If `mute`, only plain HEAD requests describe objects."""

    url: str
    mute: bool = False
    counted: Counter[str] = field(default_factory=Counter)

    def answer(self, request: Request) -> Reply:
        sort = "attributes" if "attributes" in request.query else request.method
        self.counted[sort] += 1
        if self.mute and ("attributes" in request.query or "partNumber" in request.query):
            return Reply(400)
        reply = forward(self.url, request)
        if not self.mute:
            return reply
        kept = {k: v for k, v in reply.headers.items() if not k.lower().startswith("x-amz-checksum")}
        return replace(reply, headers=kept)


def judged(store: Store, root: Path, prefix: str, *, mute: bool = False) -> tuple[dict[str, dict[str, Any]], Between]:
    """Run status on a machine that never saw the bucket; return its rows and the requests it needed."""
    between = Between(store.endpoint_url, mute)
    with scripted(between.answer) as server:
        shell = Shell(root, store.environment())
        ran = shell("init", root, "--remote", f"s3://training-data/{prefix}", "--endpoint-url", server.url)
        assert ran.status == 0, ran.err
        if not mute:
            shell("doctor")
            between.counted.clear()
        ran = shell("status", NAME, "--json", timeout=170)
        assert ran.status == 1, ran.err
        (root / "hashmark.toml").unlink()
    (dataset,) = json.loads(ran.out)["datasets"]
    return {row["key"]: row for row in dataset["files"]}, between


def disagreements(rows: dict[str, dict[str, Any]], same: dict[str, bool]) -> dict[str, str]:
    """Return green files with other bytes and red files with the same bytes."""
    assert rows.keys() == same.keys()
    lies = {"synced": False, **dict.fromkeys(RED, True)}
    return {key: row["verdict"] for key, row in rows.items() if lies.get(row["verdict"]) is same[key]}


def grey(rows: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {key: row["reason"] for key, row in rows.items() if row["verdict"] == "unverified"}


def like_random(rows: dict[str, dict[str, Any]], same: dict[str, bool]) -> set[str]:
    """Return changed files whose object's MD5 has the form of a version 4 UUID, as one in 64 has.

    MinIO can make such ETags of random numbers, so without a checksum these stay grey on any store but AWS.
    """
    uuid4 = re.compile("[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}")
    unsettled = {key for key, row in rows.items() if not same[key] and row["evidence"] != "checksum"}
    return {key for key in unsettled if uuid4.fullmatch(rows[key]["remote"]["etag"])}


def changed_in_parts(rows: dict[str, dict[str, Any]], same: dict[str, bool]) -> set[str]:
    """Return changed files whose object was uploaded in parts."""
    return {key for key, row in rows.items() if not same[key] and "-" in row["remote"]["etag"]}


def check(
    store: Store, tmp_path: Path, prefix: str, uploads: Sequence[PeerUpload], print_at_end: Callable[[str], None]
) -> None:
    folder = tmp_path / "library" / NAME
    write_and_upload(store, f"{prefix}/{NAME}", folder, uploads)
    flipped = flip_half(folder)
    same = truth(store, f"{prefix}/{NAME}", folder)
    assert Counter(same.values())[False] == flipped > 0

    rows, cost = judged(store, folder.parent, prefix)
    assert disagreements(rows, same) == {}
    left = grey(rows)
    other = {key for key in changed_in_parts(rows, same) if rows[key]["evidence"] != "checksum"}
    assert left.keys() == like_random(rows, same) | other, "parts of this store may be copies with other ETags"
    kinds = Counter(row["evidence"] for row in rows.values())
    counted = cost.counted
    print_at_end(
        f"corpus: {len(rows)} objects of {len(uploads)} programs, {flipped} with a byte flipped: 0 false green, "
        f"0 false red, {len(left)} grey; {counted['HEAD']} HEADs, {counted['attributes']} GetObjectAttributes; by "
        + ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())
    )
    in_parts = sum("-" in row["remote"]["etag"] for row in rows.values())
    single_mismatches = sum(not same[key] and "-" not in row["remote"]["etag"] for key, row in rows.items())
    most = 2 * in_parts + single_mismatches + 1
    assert counted["HEAD"] <= most, "two for an object in parts, one for another mismatch, one for the listing"

    rows, _ = judged(store, folder.parent, prefix, mute=True)
    assert disagreements(rows, same) == {}
    left = grey(rows)
    unsure = like_random(rows, same)
    assert all("random" in left.pop(key) for key in unsure)
    assert left.keys() <= {key for key in rows if "-" in rows[key]["remote"]["etag"]}
    assert left.keys() - changed_in_parts(rows, same) <= {key for key in rows if key.startswith("boto3-6/")}
    assert all("parts of unknown size" in reason for reason in left.values())
    told = len(left) + len(unsure)
    print_at_end(f"corpus, from a store that tells nothing of parts and checksums: 0 false, {told} of {len(rows)} grey")


@pytest.mark.timeout(600)
def test_what_other_programs_uploaded_is_judged_as_its_bytes_are(
    seaweedfs: Store, tmp_path: Path, prefix: str, print_at_end: Callable[[str], None]
) -> None:
    check(seaweedfs, tmp_path, prefix, QUICK, print_at_end)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_other_programs_uploaded_in_up_to_three_parts_is_judged_as_its_bytes_are(
    seaweedfs: Store, tmp_path: Path, prefix: str, print_at_end: Callable[[str], None]
) -> None:
    check(seaweedfs, tmp_path, prefix, WHOLE, print_at_end)


def test_multipart_objects_of_hashmark_are_judged_correctly_by_another_machine(
    seaweedfs: Store, library_on: LibraryMaker, tmp_path: Path, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moves, "MAX_SINGLE_PUT_BYTES", 5 << 20)
    monkeypatch.setattr(parts, "PART_BYTES", 5 << 20)
    library = library_on(seaweedfs, "mine")
    folder = library.root / NAME
    write_and_upload(seaweedfs, prefix, folder, [PeerUpload("own", lambda *_: None, 5, 2)])
    result = push(library.dataset(NAME))
    assert result.done, result.failures
    library.close()
    flip_half(folder)
    same = truth(seaweedfs, f"{prefix}/{NAME}", folder)
    other = tmp_path / "other"
    other.mkdir()
    folder.rename(other / NAME)
    rows, _ = judged(seaweedfs, other, prefix)
    assert (disagreements(rows, same), set(grey(rows))) == ({}, changed_in_parts(rows, same))
    assert {rows[key]["evidence"] for key in rows.keys() - grey(rows).keys()} == {"etag-md5", "etag-multipart"}

"""Nothing is learnt from an accident: of a store, of an object, of a file, or of what could not be written down."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hashmark import Direction, Evidence, Verdict, pull, push
from hashmark.actions.doctor import doctor
from hashmark.actions.status import Options, Scan, status
from hashmark.actions.verify import verify
from hashmark.core.model import Base, Key, LocalFile
from hashmark.core.plan import Policy
from hashmark.disk.walk import stamp_of
from hashmark.library.dataset import Dataset
from hashmark.s3.probe import probe, scratch_key
from hashmark.state import database
from hashmark.state.state import OpenUpload, State
from hashmark.transfer import incomplete_uploads
from support.datasets import fill
from support.faults.proxy import edit, flip, flipped, relabel
from support.faults.proxy import status as answers
from support.faults.world import NAME, TEXT, World, in_bucket, verdicts, world_of
from support.stores import Store

FOR_EVER = 10**6
KEY = Key("a.txt")
MD5 = hashlib.md5(TEXT).hexdigest()


@pytest.fixture
def world(seaweedfs: Store, prefix: str, tmp_path: Path) -> Iterator[World]:
    with world_of(seaweedfs, prefix, tmp_path) as made:
        yield made


def pushed(world: World) -> Dataset:
    here = world.machine()
    fill(here, {"a.txt": TEXT})
    assert push(here).done
    return here


# --- what a store can do -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["SlowDown", "InternalError"])
def test_a_store_that_is_busy_has_not_refused_a_wrong_checksum(world: World, code: str) -> None:
    """The second PUT with a checksum that the probe sends would be taken, and the first said to be refused for it."""
    here = world.machine()
    busy = answers(503 if code == "SlowDown" else 500, code)

    def fault(request: Any, store: Any) -> Any:
        return busy(request, store) if "x-amz-checksum-crc32" in request.headers else store(request)

    world.proxy.on("PutObject", "probe", fault, times=FOR_EVER, overall=True)
    found = {finding.name: finding.ok for finding in probe(here.library.bucket, scratch_key(f"{world.prefix}/"))}
    assert found["checksum"] is None


def test_an_etag_is_seen_to_be_an_md5_where_it_is_listed_so_not_where_a_put_says_so(world: World) -> None:
    """As `rclone serve s3 --etag-hash` does: it answers with the MD5, and lists another digest."""
    here = world.machine()
    world.proxy.on("HeadObject", r"\.hashmark.*probe-[0-9a-f]+$", relabel(etag=f'"{"1" * 32}"'), times=FOR_EVER)
    found = {check.name: check.ok for check in doctor(here.library)}
    assert found["etag-md5"] is False
    fill(here, {"a.txt": TEXT})
    assert push(here).done, "its PUT is answered with the MD5"
    assert here.library.state.facts(here.library.bucket.store)["etag-md5"] == "no"


def test_what_a_probe_has_seen_is_not_taken_back_by_one_object(world: World) -> None:
    there, here = world.other(), world.machine()
    fill(there, {"a.txt": TEXT})
    assert push(there).done
    here.library.state.record_facts(here.library.bucket.store, {"etag-md5": "no"})
    assert pull(here).done
    assert here.library.state.facts(here.library.bucket.store)["etag-md5"] == "no"


def test_an_empty_etag_is_none(world: World) -> None:
    """A base with an empty one would be found again in any other object that has none."""
    here = pushed(world)
    gone = edit(lambda body: body.replace(MD5.encode(), b""))
    world.proxy.on("ListObjectsV2", NAME, gone, times=FOR_EVER)
    world.proxy.on("HeadObject", NAME, relabel(etag='""'), times=FOR_EVER)
    here.library.state.record_bases(here.remote, [Base(KEY, MD5, "", len(TEXT))])
    (row,) = status(here).files
    assert (row.verdict, row.evidence) == (Verdict.SYNCED, Evidence.BODY), "it was read"
    assert row.remote is not None
    assert row.remote.etag is None


# --- what is written down ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def locked(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another program holds the state for longer than anybody waits."""
    dataset.library.state.close()
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.1)
    path = dataset.library.own_folder() / "state.sqlite"
    dataset.library.__dict__.pop("state", None)
    assert dataset.library.state.persistent
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        holder.close()


def test_a_rehash_reads_every_file_where_nothing_can_be_forgotten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk has changed a byte, and no time: only reading the file finds out."""
    here = pushed(world)
    path = here.path / "a.txt"
    path.write_bytes(flipped(TEXT))
    here.library.state.remember_digests(here.name, [LocalFile(KEY, stamp_of(path.stat()), MD5)])
    assert verdicts(here) == {"a.txt": "synced"}, "by what is remembered"
    with locked(here, monkeypatch):
        found = status(here, Options(rehash=True))
    assert [row.verdict for row in found.files] == [Verdict.LOCAL_CHANGED]
    assert "state-not-written" in {problem.code for problem in found.problems}


def test_what_a_verification_could_not_write_down_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    here = pushed(world)
    world.proxy.on("GetObject", "a.txt", flip(), times=FOR_EVER)
    with locked(here, monkeypatch):
        found = verify(here, Policy(Direction.PUSH))
    assert [(row.verdict, row.evidence) for row in found.files] == [(Verdict.DIFFERS, Evidence.BODY)]
    assert "state-not-written" in {problem.code for problem in found.problems}


def test_another_process_s_new_state_is_not_set_aside_for_the_old_one_s_damage(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with contextlib.closing(State.open(path)) as made:
        made.record_bases("r", [Base(Key(f"k{n}"), "0" * 32, "e", 1) for n in range(20_000)])
    one, two = State.open(path), State.open(path)
    data = bytearray(path.read_bytes())
    for at in range(8192, len(data), 4096):
        data[at : at + 64] = b"\xff" * 64
    path.write_bytes(data)
    list(one.bases("r"))
    one.record_bases("r", [Base(Key("new"), "1" * 32, "e", 1)])
    list(two.bases("r"))
    assert two.problem
    assert [base.key for base in two.bases("r")] == ["new"]
    one.close()
    two.close()
    with contextlib.closing(State.open(path)) as then:
        assert [base.key for base in then.bases("r")] == ["new"]
    assert sorted(found.name for found in tmp_path.glob("*.damaged-?")) == ["state.sqlite.damaged-1"]


def test_a_file_of_a_time_that_does_not_fit_is_read_each_time(tmp_path: Path) -> None:
    """1601, where Windows counts from; and far in the future."""
    times = (-11_644_473_600 * 10**9, 2**63)
    with contextlib.closing(State.open(tmp_path / "state.sqlite")) as state:
        for time in times:
            stamp = stamp_of(os.stat_result((0o100644, 1, 1, 1, 0, 0, 5, 0, 0, 0)))._replace(mtime_ns=time)
            state.remember_digests("82", [LocalFile(KEY, stamp, "0" * 32)])
        assert list(state.digests("82")) == []
        assert state.problem is None


def test_a_status_beside_a_push_forgets_nothing_that_the_push_has_proven(world: World) -> None:
    """The walk and the listing are over when the file comes; its base is read after that."""
    here, beside = world.machine(), world.machine("beside", root=world.folder / "here")
    real = here.library.state.bases

    def bases(*asked: Any) -> Iterator[Base]:
        fill(beside, {"a.txt": TEXT})
        assert push(beside).done
        yield from real(*asked)

    here.library.state.bases = bases  # type: ignore[method-assign,assignment]
    assert list(Scan(here)) == []
    assert [base.key for base in real(here.remote)] == ["a.txt"]


# --- what was read ---------------------------------------------------------------------------------------------------


def test_a_verification_counts_on_no_remembered_digest(world: World) -> None:
    """The disk has changed a byte, and no time; then the file is restored."""
    here = pushed(world)
    path = here.path / "a.txt"
    path.write_bytes(flipped(TEXT))
    here.library.state.remember_digests(here.name, [LocalFile(KEY, stamp_of(path.stat()), MD5)])
    (row,) = verify(here, Policy(Direction.PUSH)).files
    assert row.verdict is Verdict.UNVERIFIED
    assert "does not have the bytes of its remembered digest" in (row.reason or "")
    assert verdicts(here) == {"a.txt": "local-changed"}, "its digest is forgotten"
    path.write_bytes(TEXT)
    assert verdicts(here) == {"a.txt": "synced"}


def test_a_byte_that_is_flipped_once_on_the_way_condemns_no_object(world: World) -> None:
    here = pushed(world)
    world.proxy.on("GetObject", "a.txt", flip())
    assert [(row.verdict, row.evidence) for row in verify(here, Policy(Direction.PUSH)).files] == [
        (Verdict.SYNCED, Evidence.BODY)
    ]
    assert world.proxy.count("GetObject", r"/a\.txt$") == 2


def test_other_bytes_each_time_say_nothing_of_the_object(world: World) -> None:
    here = pushed(world)
    world.proxy.on("GetObject", "a.txt", flip(0))
    world.proxy.on("GetObject", "a.txt", flip(1), nth=2)
    (row,) = verify(here, Policy(Direction.PUSH)).files
    assert row.verdict is Verdict.UNVERIFIED
    assert "different bytes each time" in (row.reason or "")


# --- what can't be cleared away --------------------------------------------------------------------------------------


def test_an_unfinished_upload_that_may_not_be_given_up_keeps_no_push_back(world: World) -> None:
    here = pushed(world)
    key = f"{here.prefix}big.png"
    incomplete_uploads.note(here.library, key, OpenUpload("an-upload-of-a-killed-push", None))
    world.proxy.on("AbortMultipartUpload", "big", answers(403, "AccessDenied"), times=FOR_EVER)
    fill(here, {"b.txt": TEXT})
    result = push(here)
    assert result.done
    assert set(in_bucket(here)) == {"a.txt", "b.txt"}
    assert any(key in note and "Cannot abort" in note for note in result.notes)
    assert key in here.library.state.incomplete_uploads(here.library.bucket.store), "for `doctor --abort-uploads`"

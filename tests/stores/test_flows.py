"""Whole flows on every real store, from the first push to the last restore."""

from __future__ import annotations

import base64
import json
import os
import shutil
import zlib

import pytest

from hashmark import Evidence, Side, Verdict, pull, push
from hashmark.actions.doctor import doctor
from hashmark.actions.ls_remote import ls_remote
from hashmark.actions.move import plan, run
from hashmark.actions.status import Options, status
from hashmark.actions.verify import verify
from hashmark.core import saved_listing
from hashmark.core.errors import RefusedPlan
from hashmark.core.model import Base
from hashmark.core.plan import Direction, Policy
from hashmark.s3 import bucket as bucket_module
from hashmark.transfer import moves, parts
from hashmark.transfer.action_result import ActionResult
from hashmark.trash import restore
from hashmark.trash.contents import trash_entries
from hashmark.trash.empty import empty, trash_contents
from support.datasets import (
    STYLE,
    LibraryMaker,
    dataset_of,
    edit_keeping_size_and_time,
    fill,
    not_synced,
    pairs,
    verdicts,
)
from support.faults import Reply, Request, error, forward, scripted
from support.peer_uploads import put_by_boto3
from support.stores import BUCKET, SCRIPTS, Store, aws, rclone_remote, run_tool


def test_push_makes_everything_green_and_a_second_push_does_nothing(store: Store, library_on: LibraryMaker) -> None:
    dataset = dataset_of(library_on(store))
    assert set(verdicts(status(dataset)).values()) == {Verdict.LOCAL_ONLY}
    result = push(dataset)
    assert result.done
    assert result.outcome.state.files_done == 10
    found = status(dataset)
    assert found.in_sync
    assert {row.evidence for row in found.files} == {Evidence.ETAG_MD5}
    assert all(pair.green for pair in found.pairs)
    assert push(dataset).planned.plan.actions == ()


def test_pull_on_another_machine_gives_the_same_bytes(store: Store, library_on: LibraryMaker) -> None:
    here = dataset_of(library_on(store, "here"))
    fill(here, {"sub/ünï 🎨+%.txt": b"x", "sub/empty.txt": b"", "a-b.txt": b"1", "a/b.txt": b"2"})
    push(here)
    there = library_on(store, "there").dataset("82")
    result = pull(there)
    assert result.done, result.failures
    for path in (p for p in here.path.rglob("*") if p.is_file()):
        assert (there.path / path.relative_to(here.path)).read_bytes() == path.read_bytes()
    assert status(there).in_sync


def test_a_same_size_edit_with_the_old_time_put_back_is_found(store: Store, library_on: LibraryMaker) -> None:
    dataset = dataset_of(library_on(store))
    push(dataset)
    status(dataset)
    edit_keeping_size_and_time(dataset.path / "0003.txt")
    found = status(dataset)
    assert not_synced(found) == {"0003.txt": Verdict.LOCAL_CHANGED}
    (row,) = found.of(Verdict.LOCAL_CHANGED)
    assert row.evidence is Evidence.RECORDED
    push(dataset)
    assert status(dataset).in_sync


def test_the_same_bytes_with_a_new_time_stay_green(seaweedfs: Store, library_on: LibraryMaker) -> None:
    dataset = dataset_of(library_on(seaweedfs))
    push(dataset)
    for path in dataset.path.iterdir():
        path.write_bytes(path.read_bytes())
        os.utime(path, (1, 1))
    assert status(dataset).in_sync


def test_a_first_status_without_any_memory_is_as_right(store: Store, library_on: LibraryMaker) -> None:
    library = library_on(store)
    dataset = dataset_of(library)
    push(dataset)
    library.close()
    shutil.rmtree(library.own_folder())
    edit_keeping_size_and_time(dataset.path / "0001.txt")
    (dataset.path / "0002.txt").write_bytes(b"longer than before, for sure\n")
    found = status(dataset_of(library_on(store), {}))
    assert not_synced(found) == {"0001.txt": Verdict.DIFFERS, "0002.txt": Verdict.DIFFERS}


@pytest.mark.parametrize("tool", ["rclone", "s5cmd", "aws"])
def test_a_bucket_filled_by_another_tool_is_judged_right(
    tool: str, seaweedfs: Store, library_on: LibraryMaker, prefix: str
) -> None:
    """`aws` uploads 9 MiB in parts of 8 MiB; the others send it whole."""
    big = os.urandom(9 << 20)
    dataset = dataset_of(library_on(seaweedfs), pairs() | {"big.png": big, "big2.png": big[::-1]})
    url = f"s3://{BUCKET}/{prefix}/{STYLE}/"
    if tool == "aws":
        aws(seaweedfs, "s3", "cp", "--recursive", dataset.path, url)
    elif tool == "s5cmd":
        command = [SCRIPTS / "s5cmd", "--endpoint-url", seaweedfs.endpoint_url, "cp", f"{dataset.path}/", url]
        run_tool(command, seaweedfs.environment())
    else:
        target = f"box:{BUCKET}/{prefix}/{STYLE}"
        run_tool([SCRIPTS / "rclone", "copy", dataset.path, target], rclone_remote(seaweedfs))
    found = status(dataset)
    assert found.in_sync, not_synced(found)
    (row,) = (row for row in found.files if row.key == "big.png")
    assert row.evidence is (Evidence.ETAG_MULTIPART if tool == "aws" else Evidence.ETAG_MD5)

    edit_keeping_size_and_time(dataset.path / "0001.txt")
    edit_keeping_size_and_time(dataset.path / "big2.png")
    found = status(dataset)
    assert not_synced(found) == {"0001.txt": Verdict.LOCAL_CHANGED, "big2.png": Verdict.LOCAL_CHANGED}


@pytest.mark.parametrize("memory", [True, False])
def test_a_changed_multipart_file_is_different_by_its_parts(
    memory: bool, seaweedfs: Store, library_on: LibraryMaker, prefix: str
) -> None:
    library = library_on(seaweedfs)
    dataset = dataset_of(library, {"big.png": os.urandom(17 << 20)})
    aws(seaweedfs, "s3", "cp", dataset.path / "big.png", f"s3://{BUCKET}/{prefix}/{STYLE}/big.png")
    if memory:
        assert status(dataset).in_sync
    else:
        list(doctor(library))
    edit_keeping_size_and_time(dataset.path / "big.png")
    (row,) = status(dataset).files
    # `aws` makes the store keep checksums of the parts, and doctor has found that this store checks them.
    wanted = (Verdict.LOCAL_CHANGED, Evidence.RECORDED) if memory else (Verdict.DIFFERS, Evidence.CHECKSUM)
    assert (row.verdict, row.evidence) == wanted


def test_a_file_above_the_threshold_is_uploaded_in_parts_and_comes_back(
    store: Store, library_on: LibraryMaker, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moves, "MAX_SINGLE_PUT_BYTES", 6 << 20)
    monkeypatch.setattr(parts, "PART_BYTES", 5 << 20)
    monkeypatch.setattr(bucket_module, "MAX_SINGLE_GET_BYTES", 6 << 20)
    monkeypatch.setattr(bucket_module, "RANGE_BYTES", 4 << 20)
    data = os.urandom((11 << 20) + 7)
    dataset = dataset_of(library_on(store, "here"), {"big.png": data})
    result = push(dataset)
    assert result.done, result.failures
    (row,) = status(dataset).files
    assert row.verdict is Verdict.SYNCED
    assert row.remote is not None
    # rclone lists the MD5 of the whole file, however it was uploaded.
    in_parts = (row.remote.etag or "").endswith("-3")
    assert (row.evidence, in_parts) == (
        (Evidence.ETAG_MD5, False) if store.name == "rclone" else (Evidence.RECORDED, True)
    )
    other = library_on(store, "there").dataset("82")
    result = pull(other)
    assert result.done, result.failures
    assert (other.path / "big.png").read_bytes() == data


@pytest.mark.parametrize(("checks_md5", "evidence"), [("yes", Evidence.RECORDED), ("no", Evidence.BODY)])
def test_where_etags_of_parts_are_not_made_of_md5s_an_upload_is_proven_otherwise(
    checks_md5: str, evidence: Evidence, seaweedfs: Store, library_on: LibraryMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on s3rver: by Content-MD5 of each part if the store checks it, else by reading the object back."""
    monkeypatch.setattr(moves, "MAX_SINGLE_PUT_BYTES", 6 << 20)
    library = library_on(seaweedfs)
    dataset = dataset_of(library, {"big.png": os.urandom(7 << 20)})
    known = dict.fromkeys(("create-only", "replace-only", "conditional-delete"), "yes")
    facts = known | {"content-md5": checks_md5, "etag-multipart": "no"}
    library.state.record_facts(library.bucket.store, facts)
    done: list[ActionResult] = []
    assert run(plan(dataset, Policy(Direction.PUSH)), on_done=done.append).done
    assert [one.evidence for one in done] == [evidence]
    assert status(dataset).in_sync
    if evidence is Evidence.BODY:
        monkeypatch.setattr(bucket_module.Bucket, "digest", lambda *_, **__: "0" * 32)
        (dataset.path / "big.png").write_bytes(os.urandom(7 << 20))
        (failure,) = push(dataset).failures
        assert "other bytes" in failure.message


@pytest.mark.slow
def test_a_file_of_65_mib_is_uploaded_in_parts_unchanged(store: Store, library_on: LibraryMaker) -> None:
    assert moves.MAX_SINGLE_PUT_BYTES == 64 << 20
    dataset = dataset_of(library_on(store), {"big.png": os.urandom((65 << 20) + 1), "border.png": os.urandom(64 << 20)})
    result = push(dataset)
    assert result.done, result.failures
    found = status(dataset)
    assert found.in_sync
    etags = {str(row.key): row.remote.etag or "" for row in found.files if row.remote}
    assert "-" not in etags["border.png"]
    assert etags["big.png"].endswith("-2") or store.name == "rclone"
    edit_keeping_size_and_time(dataset.path / "big.png")
    assert not_synced(status(dataset)) == {"big.png": Verdict.LOCAL_CHANGED}


def test_rclone_can_check_what_was_pushed(
    seaweedfs: Store, library_on: LibraryMaker, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moves, "MAX_SINGLE_PUT_BYTES", 6 << 20)
    monkeypatch.setattr(parts, "PART_BYTES", 5 << 20)
    dataset = dataset_of(library_on(seaweedfs), pairs() | {"big.png": os.urandom(11 << 20)})
    push(dataset)
    command = [SCRIPTS / "rclone", "check", dataset.path, f"box:{BUCKET}/{prefix}/{STYLE}", "--combined", "-"]
    shown = run_tool(command, rclone_remote(seaweedfs))
    assert sorted(shown.split("\n"))[1:] == [f"= {key}" for key in sorted([*pairs(), "big.png"])]


def test_both_sides_changed_is_a_conflict_that_only_the_user_decides(store: Store, library_on: LibraryMaker) -> None:
    here = dataset_of(library_on(store, "here"))
    push(here)
    there = library_on(store, "there").dataset("82")
    pull(there)
    (there.path / "0001.txt").write_bytes(b"theirs, edited there\n")
    push(there)
    (here.path / "0001.txt").write_bytes(b"mine\n")
    (here.path / "0002.txt").write_bytes(b"only changed here\n")
    found = status(here)
    assert not_synced(found) == {"0001.txt": Verdict.CONFLICT, "0002.txt": Verdict.LOCAL_CHANGED}

    result = push(here)
    assert [row.status.key for row in result.planned.plan.left_alone] == ["0001.txt"]
    assert here.library.bucket.get(here.prefix + "0001.txt") == b"theirs, edited there\n"
    assert not pull(here).planned.plan.actions

    assert pull(here, take=Side.THEIRS).done
    assert (here.path / "0001.txt").read_bytes() == b"theirs, edited there\n"
    assert status(here).in_sync
    kept = [e for e in trash_entries(here.library) if e.side == "disk"]
    assert [(e.dataset, e.key) for e in kept] == [(STYLE, "0001.txt")]


def test_a_change_in_the_bucket_is_pulled_and_never_pushed_over(store: Store, library_on: LibraryMaker) -> None:
    here = dataset_of(library_on(store, "here"))
    push(here)
    there = library_on(store, "there").dataset("82")
    pull(there)
    (there.path / "0001.txt").write_bytes(b"edited there\n")
    push(there)
    assert not_synced(status(here)) == {"0001.txt": Verdict.REMOTE_CHANGED}
    assert not push(here).planned.plan.actions
    assert pull(here).done
    assert (here.path / "0001.txt").read_bytes() == b"edited there\n"


def test_an_object_that_changes_after_the_plan_is_not_overwritten(store: Store, library_on: LibraryMaker) -> None:
    dataset = dataset_of(library_on(store))
    push(dataset)
    (dataset.path / "0001.txt").write_bytes(b"mine\n")
    (dataset.path / "new.txt").write_bytes(b"mine too\n")
    planned = plan(dataset, Policy(Direction.PUSH))
    bucket = dataset.library.bucket
    bucket.put(dataset.prefix + "0001.txt", b"someone else's\n")
    bucket.put(dataset.prefix + "new.txt", b"someone else's too\n")
    result = run(planned)
    assert {f.key: f.code for f in result.failures} == dict.fromkeys(("0001.txt", "new.txt"), "precondition-failed")
    assert bucket.get(dataset.prefix + "0001.txt") == b"someone else's\n"
    assert bucket.get(dataset.prefix + "new.txt") == b"someone else's too\n"
    assert not_synced(status(dataset))["0001.txt"] is Verdict.CONFLICT


def test_a_file_that_changes_after_the_plan_is_neither_sent_nor_overwritten(
    store: Store, library_on: LibraryMaker
) -> None:
    dataset = dataset_of(library_on(store))
    push(dataset)
    bucket = dataset.library.bucket
    (dataset.path / "0001.txt").write_bytes(b"first edit\n")
    planned = plan(dataset, Policy(Direction.PUSH))
    (dataset.path / "0001.txt").write_bytes(b"second edit\n")
    assert [f.code for f in run(planned).failures] == ["file-changed"]
    assert bucket.get(dataset.prefix + "0001.txt") == pairs()["0001.txt"]

    bucket.put(dataset.prefix + "0002.txt", b"changed in the bucket\n")
    bucket.put(dataset.prefix + "0009.txt", b"new in the bucket\n")
    planned = plan(dataset, Policy(Direction.PULL))
    (dataset.path / "0002.txt").write_bytes(b"edited after the plan\n")
    (dataset.path / "0009.txt").write_bytes(b"appeared after the plan\n")
    result = run(planned)
    assert {f.key: f.code for f in result.failures} == dict.fromkeys(("0002.txt", "0009.txt"), "file-changed")
    assert (dataset.path / "0002.txt").read_bytes() == b"edited after the plan\n"
    assert (dataset.path / "0009.txt").read_bytes() == b"appeared after the plan\n"


def test_deletes_are_capped_go_to_the_trash_and_come_back(store: Store, library_on: LibraryMaker) -> None:
    dataset = dataset_of(library_on(store))
    push(dataset)
    for n in range(2):
        (dataset.path / f"{n:04d}.txt").unlink()
    assert not_synced(status(dataset)) == {f"{n:04d}.txt": Verdict.DELETED_LOCALLY for n in range(2)}
    assert not push(dataset).planned.plan.actions
    with pytest.raises(RefusedPlan, match=r"would delete 2 of 10 files \(limit 1\)"):
        push(dataset, delete=True)
    result = push(dataset, delete=True, max_delete=2)
    assert result.done
    assert status(dataset).in_sync
    gone = [e for e in trash_entries(dataset.library) if e.side == "bucket"]
    assert [(e.batch, e.key) for e in gone] == [(result.trash, f"{n:04d}.txt") for n in range(2)]

    restored = restore.restore(dataset.library, result.trash or "")
    assert (len(restored.entries), restored.failures) == (2, ())
    assert pull(dataset).done
    assert (dataset.path / "0000.txt").read_bytes() == pairs()["0000.txt"]
    assert list(trash_entries(dataset.library)) == []


def test_a_store_that_refuses_if_match_on_writes_is_pushed_to_all_the_same(
    seaweedfs: Store, library_on: LibraryMaker
) -> None:
    """Swift answers so, with 501: a HEAD request precedes each replacement instead."""

    def answer(request: Request) -> Reply:
        refused = request.method in {"PUT", "POST"} and "if-match" in request.headers
        return Reply(501, error("NotImplemented")) if refused else forward(seaweedfs.endpoint_url, request)

    with scripted(answer) as server:
        dataset = dataset_of(library_on(Store("no-if-match", server.url, seaweedfs.credentials_file)))
        assert push(dataset).done
        (dataset.path / "0001.txt").write_bytes(b"edited\n")
        result = push(dataset)
        assert result.done, result.failures
        assert "inspected just before" in " ".join(result.notes)
        assert dataset.library.bucket.get(dataset.prefix + "0001.txt") == b"edited\n"
        (dataset.path / "0001.txt").write_bytes(b"edited again\n")
        planned = plan(dataset, Policy(Direction.PUSH))
        dataset.library.bucket.put(dataset.prefix + "0001.txt", b"someone else's\n")
        assert [failure.code for failure in run(planned).failures] == ["precondition-failed"]
        assert dataset.library.bucket.get(dataset.prefix + "0001.txt") == b"someone else's\n"


def test_what_a_push_overwrites_can_be_restored(store: Store, library_on: LibraryMaker) -> None:
    dataset = dataset_of(library_on(store))
    push(dataset)
    (dataset.path / "0001.txt").write_bytes(b"cleaned\n")
    result = push(dataset)
    assert result.trash is not None
    restore.restore(dataset.library, result.trash)
    key = dataset.prefix + "0001.txt"
    assert dataset.library.bucket.get(key) == pairs()["0001.txt"]
    assert not_synced(status(dataset)) == {"0001.txt": Verdict.REMOTE_CHANGED}
    assert [e.key for e in trash_entries(dataset.library)] == ["0001.txt"], "what was in the way is kept in turn"
    count, failed = empty(dataset.library, trash_contents(dataset.library))
    assert (count, failed) == (1, [])
    assert list(trash_entries(dataset.library)) == []


def test_an_empty_folder_never_empties_the_bucket(store: Store, library_on: LibraryMaker) -> None:
    dataset = dataset_of(library_on(store))
    push(dataset)
    shutil.rmtree(dataset.path)
    dataset.path.mkdir()
    with pytest.raises(RefusedPlan, match="is empty"):
        push(dataset, delete=True, max_delete=1000)
    assert len(list(ls_remote(dataset))) == 10


def test_deletes_wait_until_everything_can_be_read(seaweedfs: Store, library_on: LibraryMaker) -> None:
    dataset = dataset_of(library_on(seaweedfs))
    push(dataset)
    (dataset.path / "0001.txt").unlink()
    (dataset.path / "dangling.txt").symlink_to("nowhere")
    assert not status(dataset).complete
    with pytest.raises(RefusedPlan, match="could not be read completely"):
        push(dataset, delete=True, max_delete=10)


def test_hostile_keys_in_the_bucket_are_refused_by_name_and_the_rest_goes_on(
    moto: Store, library_on: LibraryMaker
) -> None:
    library = library_on(moto)
    dataset = dataset_of(library, {})
    hostile = [
        "../escape.txt",
        "a/../../b.txt",
        "/abs.txt",
        "C:evil.txt",
        "back\\slash.txt",
        "x//y.txt",
        "CON.txt",
        "dot.",
    ]
    for key in [*hostile, "fine.txt", "Case.txt", "case.txt"]:
        put_by_boto3(moto, dataset.prefix + key, b"x")
    result = pull(dataset)
    refused = {row.status.key for row in result.planned.plan.left_alone}
    assert refused == {*hostile, "Case.txt", "case.txt"}
    assert [p.name for p in dataset.path.rglob("*")] == ["fine.txt"]
    assert not (library.root / "escape.txt").exists()
    assert not (library.root.parent / "b.txt").exists()


def test_verify_reads_every_byte_and_finds_what_an_etag_hides(seaweedfs: Store, library_on: LibraryMaker) -> None:
    """The base is falsified, as a store with damaged content would do: only the bytes show it."""
    library = library_on(seaweedfs)
    dataset = dataset_of(library)
    push(dataset)
    found = verify(dataset, Policy(Direction.PULL))
    assert found.in_sync
    assert {row.evidence for row in found.files} == {Evidence.BODY}
    (dataset.path / "0001.txt").write_bytes(b"A stellar sketch, number 1\n")
    (row,) = status(dataset).of(Verdict.LOCAL_CHANGED)
    assert row.local is not None
    assert row.remote is not None
    lie = Base(row.key, row.local.md5 or "", row.remote.etag or "", row.local.size)
    library.state.record_bases(dataset.remote, [lie])
    assert status(dataset).in_sync, "the recorded proof is believed, and it is false"
    found = verify(dataset, Policy(Direction.PULL))
    (row,) = (row for row in found.files if row.verdict is not Verdict.SYNCED)
    assert (row.key, row.verdict, row.evidence) == ("0001.txt", Verdict.DIFFERS, Evidence.BODY)
    assert not any(pair.green for pair in found.pairs if pair.caption and pair.caption.key == "0001.txt")
    found = status(dataset)
    assert not_synced(found) == {"0001.txt": Verdict.DIFFERS}, "what was read is remembered"
    result = push(dataset, take=Side.MINE)
    assert result.done, result.failures
    assert status(dataset).in_sync
    assert library.bucket.get(dataset.prefix + "0001.txt") == b"A stellar sketch, number 1\n"


@pytest.mark.parametrize("probed", [False, True])
def test_a_checksum_that_a_store_keeps_unchecked_makes_no_false_green(
    probed: bool, rclone: Store, library_on: LibraryMaker
) -> None:
    """`rclone serve s3` returns whatever checksum came with an object."""
    dataset = dataset_of(library_on(rclone), {"a.txt": b"on disk\n", "b.txt": b"another\n"})
    bucket, key = dataset.library.bucket, dataset.prefix + "a.txt"
    value = base64.b64encode(zlib.crc32(b"on disk\n").to_bytes(4, "big")).decode()
    bucket.client.call("PutObject", "PUT", key, headers={"x-amz-checksum-crc32": value}, body=b"in it  \n")
    assert bucket.head(key).checksums == {"crc32": value}, "what the store says is what the file has"
    if probed:
        list(doctor(dataset.library))
    assert verdicts(status(dataset))["a.txt"] is not Verdict.SYNCED
    bucket.put(dataset.prefix + "b.txt", b"another\n")
    assert verdicts(status(dataset)) == {"a.txt": Verdict.DIFFERS, "b.txt": Verdict.SYNCED}


COLLISION = (
    "d131dd02c5e6eec4693d9a0698aff95c2fcab5{0}712467eab4004583eb8fb7f8955ad340609f4b30283e4888325{1}1415a085125e8f7cdc99f"
    "d91dbd{2}280373c5bd8823e3156348f5bae6dacd436c919c6dd53e2{3}487da03fd02396306d248cda0e99f33420f577ee8ce54b67080{4}80d1"
    "ec69821bcb6a8839396f965{5}b6ff72a70"
)
"""Two blocks of 128 bytes with one MD5 (Wang and Yu, "How to Break MD5 and Other Hash Functions", 2005)."""


def test_verify_distinguishes_two_files_with_one_md5_for_good(store: Store, library_on: LibraryMaker) -> None:
    """A deliberate MD5 collision defeats every ETag; comparing bytes does not."""
    here, there = (bytes.fromhex(COLLISION.format(*digits)) for digits in ("87fba2", "0f732a"))
    assert here != there
    dataset = dataset_of(library_on(store), {"a.png": here})
    dataset.library.bucket.put(dataset.prefix + "a.png", there)
    assert verdicts(status(dataset)) == {"a.png": Verdict.SYNCED}, "the ETag is the MD5 of both"
    (row,) = verify(dataset, Policy(Direction.PULL)).files
    assert (row.verdict, row.evidence) == (Verdict.DIFFERS, Evidence.BODY)
    assert verdicts(status(dataset)) == {"a.png": Verdict.DIFFERS}
    assert push(dataset, take=Side.MINE).done
    assert dataset.library.bucket.get(dataset.prefix + "a.png") == here


def test_what_both_sides_lost_is_forgotten(store: Store, library_on: LibraryMaker) -> None:
    dataset = dataset_of(library_on(store))
    push(dataset)
    (dataset.path / "0001.txt").unlink()
    dataset.library.bucket.delete(dataset.prefix + "0001.txt")
    assert status(dataset).in_sync
    (dataset.path / "0001.txt").write_bytes(b"born anew\n")
    assert not_synced(status(dataset)) == {"0001.txt": Verdict.LOCAL_ONLY}


def test_a_saved_listing_stands_in_for_the_bucket(store: Store, library_on: LibraryMaker) -> None:
    dataset = dataset_of(library_on(store))
    push(dataset)
    saved = saved_listing.to_json(ls_remote(dataset))
    edit_keeping_size_and_time(dataset.path / "0001.txt")
    whole = tuple(saved_listing.parse(json.dumps(saved), "saved"))
    found = status(dataset, Options(against=whole))
    assert not_synced(found) == {"0001.txt": Verdict.DIFFERS}
    del saved["fileMap"]
    found = status(dataset, Options(against=tuple(saved_listing.parse(json.dumps(saved), "old"))))
    assert set(verdicts(found).values()) == {Verdict.UNVERIFIED}
    assert {row.evidence for row in found.files} == {Evidence.NAME}
    assert all(pair.is_in_s3 and pair.caption_in_s3 and not pair.green for pair in found.pairs)


def test_a_library_can_be_read_without_being_written(seaweedfs: Store, library_on: LibraryMaker) -> None:
    """Without a writable state, status is slower but equally correct."""
    library = library_on(seaweedfs)
    dataset = dataset_of(library)
    push(dataset)
    library.close()
    shutil.rmtree(library.root / ".hashmark")
    (library.root / ".hashmark").write_text("a file where the folder should be")
    found = status(dataset_of(library_on(seaweedfs), {}))
    assert found.counts == {"synced": 10}
    assert [p.code for p in found.problems] == ["state-not-kept"]


def test_small_kms_objects_are_read(moto: Store, library_on: LibraryMaker, prefix: str) -> None:
    dataset = dataset_of(library_on(moto), {"a.txt": b"one\n", "b.txt": b"two\n", "c.txt": b"six\n"})
    for name, body in (("a.txt", "one\n"), ("b.txt", "TWO\n"), ("c.txt", "six\n")):
        path = dataset.library.root / "body"
        path.write_text(body)
        encryption = [] if name == "c.txt" else ["--sse", "aws:kms"]
        aws(moto, "s3", "cp", path, f"s3://{BUCKET}/{prefix}/{STYLE}/{name}", *encryption)
    bucket = dataset.library.bucket
    assert bucket.head(dataset.prefix + "a.txt").encryption == "aws:kms"
    found = {str(row.key): row for row in status(dataset).files}
    assert found["c.txt"].verdict is Verdict.SYNCED
    # moto keeps the MD5 as the ETag of encrypted objects: a match proves equality, a mismatch proves nothing.
    assert found["a.txt"].verdict is Verdict.SYNCED
    assert found["b.txt"].verdict is Verdict.DIFFERS
    assert found["b.txt"].evidence is Evidence.BODY
    deep = {row.key: row.verdict for row in status(dataset, Options(deep=True)).files}
    assert deep == {"a.txt": Verdict.SYNCED, "b.txt": Verdict.DIFFERS, "c.txt": Verdict.SYNCED}


def test_what_another_program_copied_in_parts_is_never_red(seaweedfs: Store, library_on: LibraryMaker) -> None:
    """SeaweedFS gives copied parts ETags that are not their MD5s, so the object's ETag differs from the file's."""
    library = library_on(seaweedfs)
    data = os.urandom(17 << 20)
    dataset = dataset_of(library, {"a.png": data, "b.png": data})
    for check in doctor(library):
        assert check.name != "etag-part-copy" or check.ok is False
    aws(seaweedfs, "s3", "cp", str(dataset.path / "a.png"), f"s3://{BUCKET}/{dataset.prefix}a.png")
    aws(seaweedfs, "s3", "cp", f"s3://{BUCKET}/{dataset.prefix}a.png", f"s3://{BUCKET}/{dataset.prefix}b.png")
    verdicts = {row.key: row.verdict for row in status(dataset).files}
    assert verdicts == {"a.png": Verdict.SYNCED, "b.png": Verdict.UNVERIFIED}
    assert verify(dataset, Policy(Direction.PUSH)).in_sync

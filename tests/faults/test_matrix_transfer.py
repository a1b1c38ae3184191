"""The fault matrix, rows 3, 20 to 25 and 32: truncated, damaged and swapped bytes, on the way and at rest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hashmark import Evidence, Verdict, pull, push, status
from hashmark.actions.move import plan, run
from hashmark.actions.verify import verify
from hashmark.core.plan import Direction, Policy, Side
from hashmark.embedded.embedded_bucket import read_credentials
from hashmark.s3 import bucket as bucket_module
from hashmark.s3.multipart import MAX_OPEN_PARTS
from hashmark.transfer import moves, parts
from hashmark.trash import restore
from support.datasets import fill
from support.faults.proxy import (
    Fault,
    Once,
    Upstream,
    cut,
    delay,
    edit,
    flip,
    flip_sent,
    flipped,
    meanwhile,
    relabel,
    reset,
    short,
    slow,
    stall,
    strip_sent,
    swap,
)
from support.faults.server import Reply, Request, error
from support.faults.world import NAME, TEXT, World, in_bucket, in_trash, incomplete_uploads, on_disk, verdicts, world_of
from support.stores import Store

BODY = TEXT * 100
FOR_EVER = 10**6


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Upload files from 5 MiB on, S3's minimum part size, in parts."""
    monkeypatch.setattr(moves, "MAX_SINGLE_PUT_BYTES", 5 << 20)
    monkeypatch.setattr(parts, "PART_BYTES", 5 << 20)


def pushed(world: World, files: dict[str, bytes]) -> None:
    there = world.other()
    fill(there, files)
    assert push(there).done


@pytest.mark.usefixtures("small_parts")
def test_row_17_a_multipart_upload_whose_last_answer_is_lost_is_recognised_too(world: World) -> None:
    """The completion succeeds, but it and the repeated completion are answered with an error.

    Guard: without the check of the ETag after a refused completion, our own object becomes a conflict.
    """

    def fault(request: Request, store: Upstream) -> Reply:
        store(request)
        return Reply(500, error("InternalError"))

    here = world.machine()
    fill(here, {"big.png": os.urandom(11 << 20)})
    world.proxy.on("CompleteMultipartUpload", "big", fault)
    result = push(here)
    assert result.done, result.failures
    assert world.proxy.count("CompleteMultipartUpload") >= 2
    assert status(here).in_sync


def test_row_20_an_answer_without_an_etag_proves_nothing(world: World) -> None:
    """A HEAD request tells the ETag, or the object is read back: it may be somebody else's by then.

    Guard: without reading back, the file counts as uploaded though another one is in its place.
    """
    here = world.machine()
    fill(here, {"a.txt": TEXT, "b.txt": TEXT})
    world.proxy.on("PutObject", NAME, relabel(etag=None), times=FOR_EVER)
    world.proxy.on("HeadObject", NAME, meanwhile(lambda: world.bucket.put(f"{here.prefix}a.txt", TEXT[::-1])))
    assert [(f.key, f.code) for f in push(here).failures] == [("a.txt", "unexpected-answer")]
    assert verdicts(here) == {"a.txt": "differs", "b.txt": "synced"}


SAYS_ERROR = swap(error("AccessDenied"))


@pytest.mark.parametrize(
    ("operation", "key", "fault"),
    [
        ("PutObject", r"82_x/a\.txt", SAYS_ERROR),
        ("CopyObject", r"\.hashmark/trash", SAYS_ERROR),
        ("CompleteMultipartUpload", "big", SAYS_ERROR),
        ("CopyObject", r"\.hashmark/trash", swap(b"<CopyObjectResult></CopyObjectResult>")),
        ("CopyObject", r"\.hashmark/trash", swap(b"")),
    ],
)
@pytest.mark.usefixtures("small_parts")
def test_row_20_an_error_with_status_200_is_a_failure(world: World, operation: str, key: str, fault: Fault) -> None:
    """S3 answers copies and completions with 200 before it knows their result.

    Guard: without requiring an ETag (or the root element) in the answer, the file counts as uploaded.
    """
    here = world.machine()
    fill(here, {"a.txt": TEXT})
    push(here)
    name, data = ("big.png", os.urandom(6 << 20)) if "Complete" in operation else ("a.txt", TEXT + b"edited\n")
    fill(here, {name: data})
    world.proxy.on(operation, key, fault, times=FOR_EVER)
    result = push(here)
    assert [f.key for f in result.failures] == [name]
    assert verdicts(here)[name] != "synced"
    assert in_bucket(here) == {"a.txt": TEXT}
    world.proxy.heal()
    assert push(here).done
    assert in_bucket(here)[name] == data


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(reset(), id="reset before the answer"),
        pytest.param(cut(700), id="reset amid the body"),
        pytest.param(slow(1000), id="1 kB/s"),
        pytest.param(delay(3), id="3 s late"),
        pytest.param(stall(700), id="stalled", marks=pytest.mark.slow),
    ],
)
def test_row_21_a_reset_a_stall_or_a_slow_line_ends_in_the_whole_file(world: World, fault: Fault) -> None:
    """A connection that is silent for 20 s is closed.

    Guard: without a second try, the reset fails the run.
    """
    pushed(world, {"a.txt": BODY})
    here = world.machine()
    world.proxy.on("GetObject", "a.txt", fault)
    result = pull(here)
    assert result.done, result.failures
    assert on_disk(here) == {"a.txt": BODY}


def test_row_21_a_range_that_is_refused_fails_and_leaves_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large object is read in ranges; the first of them are already on the disk.

    Guard: with the temporary file left in place, the folder is not empty.
    """
    monkeypatch.setattr(bucket_module, "MAX_SINGLE_GET_BYTES", 100)
    monkeypatch.setattr(bucket_module, "RANGE_BYTES", 100)
    pushed(world, {"a.txt": BODY})
    here = world.machine()
    world.proxy.on("GetObject", "a.txt", swap(b"", {}), nth=6, times=FOR_EVER)
    result = pull(here)
    assert not result.done
    assert on_disk(here) == {}


def test_row_21_what_is_fetched_after_a_reset_is_the_version_that_was_compared(world: World) -> None:
    """Another version is uploaded between the reset and the retry.

    Guard: without the check of the ETag in the answer, another version is taken for the compared one.
    """
    pushed(world, {"a.txt": BODY})
    here = world.machine()
    planned = plan(here, Policy(Direction.PULL))
    world.proxy.on("GetObject", "a.txt", cut(700))
    swapped = meanwhile(lambda: world.bucket.put(f"{here.prefix}a.txt", BODY[::-1]))
    world.proxy.on("GetObject", "a.txt", swapped, nth=2)
    result = run(planned)
    assert [f.code for f in result.failures] == ["precondition-failed"]
    assert on_disk(here) == {}


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(short(700), id="fewer bytes than announced"),
        pytest.param(edit(lambda body: body[:700]), id="a shorter body, told as such"),
    ],
)
@pytest.mark.parametrize("times", [1, FOR_EVER], ids=["once", "always"])
def test_row_22_a_truncated_body_is_retried_and_never_put_in_place(world: World, fault: Fault, times: int) -> None:
    """Guard: without the check of size and digest, the shorter body becomes the file."""
    pushed(world, {"a.txt": BODY})
    here = world.machine()
    world.proxy.on("GetObject", "a.txt", fault, times=times)
    result = pull(here)
    assert result.done == (times == 1), result.failures
    assert on_disk(here) == ({"a.txt": BODY} if times == 1 else {})


def test_row_22_what_follows_an_answer_is_not_taken_for_the_next_one(world: World) -> None:
    """Each body is longer than announced: what follows looks like an answer to the next request on the connection.

    libcurl reads no more than was announced, and may use the connection again: then an answer is of another request.

    Guard: without the check of size and digest, such bytes become a file.
    """
    bodies = {f"{n}.txt": BODY for n in range(600)}
    etag = hashlib.md5(BODY).hexdigest()  # of all of them, so the forged answer has the right one
    pushed(world, bodies)
    here = world.machine()

    def longer(request: Request, store: Upstream) -> Reply:
        answer = store(request)
        forged = f'HTTP/1.1 200 OK\r\nContent-Length: 9\r\nETag: "{etag}"\r\n\r\nnot asked'
        return replace(answer, body=answer.body + forged.encode(), announced=len(answer.body))

    world.proxy.on("GetObject", r"\.txt", longer, times=FOR_EVER)
    result = pull(here)
    missing = bodies.keys() - on_disk(here).keys()
    assert on_disk(here).items() <= bodies.items()
    assert missing == {failure.key for failure in result.failures}
    world.proxy.heal()
    assert pull(again := world.other()).done, "over connections of its own"
    assert on_disk(again) == bodies


@pytest.mark.parametrize("times", [1, FOR_EVER], ids=["once", "always"])
def test_row_23_a_flipped_byte_on_the_way_down_never_reaches_the_file(world: World, times: int) -> None:
    """The download is retried once; bytes that are still wrong are not kept anywhere.

    Guard: without the check of size and digest, the damaged bytes become the file.
    """
    pushed(world, {"a.txt": BODY})
    here = world.machine()
    fill(here, {"a.txt": TEXT})
    world.proxy.on("GetObject", "a.txt", flip(70), times=times)
    planned = plan(here, Policy(Direction.PULL, Side.THEIRS))
    assert [a.key for a in planned.plan.actions] == ["a.txt"]
    result = run(planned)
    if times == 1:
        assert result.done, result.failures
    else:
        assert [f.code for f in result.failures] == ["bad-digest"]
        assert world.proxy.count("GetObject", r"/a\.txt$") == 3, "downloaded twice, and read once for what ETags are"
    assert on_disk(here) == {"a.txt": BODY if times == 1 else TEXT}


def test_row_24_a_flipped_byte_on_the_way_up_is_refused_by_a_store_that_checks_content_md5(world: World) -> None:
    """Guard: without the Content-MD5 header, the store accepts the damaged bytes."""
    taken: list[int] = []

    def fault(request: Request, store: Upstream) -> Reply:
        answer = flip_sent(5)(request, store)
        taken.append(answer.status)
        return answer

    here = world.machine()
    fill(here, {"a.txt": TEXT})
    world.proxy.on("PutObject", r"82_x/a\.txt", fault)
    result = push(here)
    assert result.done, result.failures
    assert taken == [400]
    assert in_bucket(here) == {"a.txt": TEXT}


def test_row_24_a_flipped_byte_on_the_way_up_is_found_by_reading_back_where_the_store_checks_nothing(
    moto: Store, prefix: str, tmp_path: Path
) -> None:
    """moto ignores Content-MD5; the answer has another ETag, so the object is read back.

    Guard: without reading back, the damaged object counts as uploaded.
    """
    with world_of(moto, prefix, tmp_path) as world:
        here = world.machine()
        fill(here, {"a.txt": TEXT})
        world.proxy.on("PutObject", r"82_x/a\.txt", flip_sent(5), times=FOR_EVER)
        result = push(here)
        assert [f.code for f in result.failures] == ["unexpected-answer"]
        assert verdicts(here) == {"a.txt": "differs"}
        assert "--take mine" in result.failures[0].message
        world.proxy.heal()
        assert push(here, take=Side.MINE).done
        assert in_bucket(here) == {"a.txt": TEXT}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_row_25_bit_rot_in_the_store_s_own_volume_is_named_by_verify(world: World, seaweedfs: Store) -> None:
    """Listing and ETag stay the same. SeaweedFS searches for a good copy for 13 s per request, then answers 500.

    Guard: with `verify` trusting the ETag instead of the body, the object stays green.
    """
    data = os.urandom(100_000)
    pushed(world, {"a.png": data, "b.png": os.urandom(1000)})
    _rot(seaweedfs.credentials_file.parent, data)
    found = {str(row.key): row for row in verify(world.other(), Policy(Direction.PULL)).files}
    assert found["a.png"].verdict is Verdict.UNVERIFIED
    assert "a.png" in (found["a.png"].reason or "")
    assert found["b.png"].verdict is Verdict.SYNCED


def test_row_25_rot_that_the_store_itself_does_not_see_is_named_by_verify_too(world: World) -> None:
    """The store serves the rotten bytes under the old ETag. A push replaces them with the good copy on disk.

    Guard: with `verify` trusting the ETag instead of the body, the object stays green.
    """
    there = world.machine()
    fill(there, {"a.png": BODY, "b.png": TEXT})
    assert push(there).done
    world.proxy.on("GetObject", "a.png", flip(70), times=FOR_EVER)
    found = {str(row.key): row for row in verify(there, Policy(Direction.PULL)).files}
    assert (found["a.png"].verdict, found["a.png"].evidence) == (Verdict.DIFFERS, Evidence.BODY)
    assert found["b.png"].verdict is Verdict.SYNCED
    assert verdicts(there) == {"a.png": "differs", "b.png": "synced"}, "it is remembered"
    pulled = pull(there, take=Side.THEIRS)
    assert [f.code for f in pulled.failures] == ["bad-digest"]
    assert on_disk(there)["a.png"] == BODY
    world.proxy.heal()
    assert push(there, take=Side.MINE).done
    assert {str(row.key): row.verdict for row in verify(there, Policy(Direction.PULL)).files}["a.png"] is Verdict.SYNCED


def _rot(folder: Path, data: bytes) -> None:
    for path in folder.rglob("*.dat"):
        at = path.read_bytes().find(data[:64])
        if at >= 0:
            with path.open("r+b") as volume:
                volume.seek(at + 50_000)
                volume.write(flipped(data[50_000:50_001]))
            return
    raise AssertionError(f"no volume under {folder} holds the bytes")


def test_row_32_what_a_push_overwrote_or_deleted_comes_back(world: World) -> None:
    """Guard: without the copy to the bucket's trash, there is nothing to restore."""
    here = world.machine()
    fill(here, {f"{n}.txt": TEXT + bytes([n]) for n in range(4)})
    push(here)
    before = in_bucket(here)
    fill(here, {"0.txt": b"overwritten\n"})
    (here.path / "1.txt").unlink()
    result = push(here, delete=True, max_delete=1)
    assert result.done, result.failures
    assert in_bucket(here) != before
    assert in_trash(here) >= {before["0.txt"], before["1.txt"]}
    _restore(world, result.trash)
    assert in_bucket(here) == before


def test_row_32_what_a_pull_overwrote_or_deleted_comes_back(world: World) -> None:
    """Guard: without the hard link in the disk's trash, there is nothing to restore."""
    there, here = world.other(), world.machine()
    fill(there, {f"{n}.txt": TEXT + bytes([n]) for n in range(4)})
    push(there)
    pull(here)
    before = on_disk(here)
    fill(there, {"0.txt": b"overwritten\n"})
    (there.path / "1.txt").unlink()
    push(there, delete=True, max_delete=1)
    result = pull(here, delete=True, max_delete=1)
    assert result.done, result.failures
    assert on_disk(here) != before
    assert in_trash(here) >= {before["0.txt"], before["1.txt"]}
    _restore(world, result.trash)
    assert on_disk(here) == before


def _restore(world: World, batch: str | None) -> None:
    assert batch is not None
    restored = restore.restore(world.machine().library, batch)
    assert (len(restored.entries), restored.failures) == (2, ())


def test_row_8_source_changed_during_a_multipart_upload_is_not_completed(world: World, small_parts: None) -> None:
    """A writer changes the last part of a compared file while the first parts are sent.

    Guard: without the digest of the sent bytes, old and new parts become one object.
    """
    here = world.machine()
    fill(here, {"big.png": b"what it replaces"})
    assert push(here).done
    changed_amid_its_upload(world)


def test_row_8_new_source_changed_during_a_multipart_upload_is_not_completed(world: World, small_parts: None) -> None:
    """The same for a file that is not in the bucket: it was hashed a moment before.

    Guard: without the digest sent along and the check of the parts' ETags, the object differs from the hashed
    bytes.
    """
    changed_amid_its_upload(world)


def test_row_8_source_cut_short_during_a_multipart_upload_is_not_completed(world: World, small_parts: None) -> None:
    """A writer truncates the file first, as most do: it is empty while its first parts, already hashed, are sent.

    Guard: with zeros sent for what is missing, and no digests compared, the object is reported as the whole file.
    """
    changed_amid_its_upload(world, lambda path: os.truncate(path, 0))


def test_row_8_source_changed_while_the_store_checks_no_parts_is_not_completed(world: World, small_parts: None) -> None:
    """The store checks Content-MD5 of whole objects, but not of parts.

    Guard: without the check of the parts' ETags, the object is reported as the hashed file.
    """
    unchecked = strip_sent(*read_credentials(world.store.credentials_file), "content-md5")
    world.proxy.on("UploadPart", "big", unchecked, nth=2, times=FOR_EVER, overall=True)
    changed_amid_its_upload(world)


def overwrite_the_end(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-10, os.SEEK_END)
        file.write(b"0123456789")


def changed_amid_its_upload(world: World, change: Callable[[Path], None] = overwrite_the_end) -> None:
    here = world.machine()
    before = in_bucket(here)
    # More parts than are sent at once: the last one is not read yet when the first arrives.
    content = os.urandom((MAX_OPEN_PARTS + 2) * parts.PART_BYTES + (1 << 20))
    fill(here, {"big.png": content})
    before_any = meanwhile(Once(lambda: change(here.path / "big.png")))
    world.proxy.on("UploadPart", "big", before_any, times=FOR_EVER)
    result = push(here)
    assert [f.code for f in result.failures] == ["file-changed"]
    assert in_bucket(here) == before
    assert incomplete_uploads(world.bucket, here.prefix) == 0
    assert push(here).done
    assert in_bucket(here)["big.png"] == (here.path / "big.png").read_bytes()


def test_row_8_source_changed_after_it_was_compared_is_not_uploaded(world: World) -> None:
    """By its digest, or by its stamp if it was not read because the bucket has nothing to compare it with.

    Guard: without the check of the sent bytes' digest and stamp, bytes that nobody compared are uploaded.
    """
    here = world.machine()
    fill(here, {"a.txt": TEXT[::-1]})
    assert push(here).done
    fill(here, {"a.txt": TEXT, "b.txt": TEXT, "new.png": TEXT})
    planned = plan(here, Policy(Direction.PUSH))
    assert [bool(row.local and row.local.md5) for row in planned.status.files] == [True, False, False]
    fill(here, {"a.txt": flipped(TEXT), "new.png": flipped(TEXT)})
    result = run(planned)
    assert {f.key: f.code for f in result.failures} == {"a.txt": "file-changed", "new.png": "file-changed"}
    assert in_bucket(here) == {"a.txt": TEXT[::-1], "b.txt": TEXT}
    assert push(here).done
    assert in_bucket(here) == {"a.txt": flipped(TEXT), "b.txt": TEXT, "new.png": flipped(TEXT)}

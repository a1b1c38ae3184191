"""The fault matrix, row 52: large files whose transfer ends in the middle, and the runs that continue them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

import pytest

from hashmark import Dataset, pull, push
from hashmark.actions.move import plan, run
from hashmark.core.events import Event, FileProgress
from hashmark.core.plan import Direction, Policy
from hashmark.s3 import bucket as bucket_module
from hashmark.s3 import exchange
from hashmark.transfer import moves, parts
from hashmark.transfer import run as run_module
from support.datasets import fill
from support.faults.proxy import Fault, Upstream, cut, delay, reset, status
from support.faults.server import Reply, Request
from support.faults.world import World, in_bucket, incomplete_uploads, on_disk

MIB = 1 << 20
FOR_EVER = 10**6
CONTENT = os.urandom(4 * 5 * MIB)
"""Four parts of 5 MiB, S3's least, or five ranges of 4 MiB."""


@pytest.fixture(autouse=True)
def in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Move files from 5 MiB on in pieces, and ask twice at most."""
    monkeypatch.setattr(moves, "MAX_SINGLE_PUT_BYTES", 5 * MIB)
    monkeypatch.setattr(parts, "PART_BYTES", 5 * MIB)
    monkeypatch.setattr(bucket_module, "MAX_SINGLE_GET_BYTES", 5 * MIB)
    monkeypatch.setattr(exchange, "MAX_TRIES", 2)


def on_part(number: int, fault: Fault) -> Fault:
    """Apply a fault to one part of an upload."""

    def only(request: Request, store: Upstream) -> Reply:
        return fault(request, store) if request.query.get("partNumber") == str(number) else store(request)

    return only


def from_byte(first: int, fault: Fault) -> Fault:
    """Apply a fault to the ranges from this byte on."""

    def only(request: Request, store: Upstream) -> Reply:
        begin = int(request.headers["range"].removeprefix("bytes=").partition("-")[0])
        return fault(request, store) if begin >= first else store(request)

    return only


def half_pushed(world: World) -> Dataset:
    """Push a large file over a line that never carries its third part."""
    here = world.machine()
    fill(here, {"big.png": CONTENT})
    world.proxy.on("UploadPart", "big", on_part(3, reset()), times=FOR_EVER)
    assert [failure.code for failure in push(here).failures] == ["unreachable"]
    world.proxy.heal()
    assert in_bucket(here) == {}
    return here


def half_pulled(
    world: World, *, sent_whole: bool = False, fault: Fault | None = None, code: str = "unreachable"
) -> Dataset:
    """Pull a large file over a line that is cut after 8 MiB. Its ETag is an MD5 if it was `sent_whole`."""
    there, here = world.other(), world.machine()
    if sent_whole:
        world.bucket.put(f"{there.prefix}big.png", CONTENT)
    else:
        fill(there, {"big.png": CONTENT})
        assert push(there).done
    world.proxy.on("GetObject", "big", from_byte(8 * MIB, fault or cut(MIB)), times=FOR_EVER)
    assert [failure.code for failure in pull(here).failures] == [code]
    world.proxy.heal()
    (kept,) = on_disk(here).values()
    assert kept == CONTENT[: 8 * MIB]
    return here


def requests_of(world: World, operation: str, act: Callable[[], object]) -> int:
    """Count the requests for the large file that `act` sends."""
    before = world.proxy.count(operation, "big")
    act()
    return world.proxy.count(operation, "big") - before


def test_row_52_an_interrupted_upload_is_continued(world: World) -> None:
    """Three of four parts have arrived.

    Guard: with the upload aborted at its failure, all parts are sent again.
    """
    here = half_pushed(world)
    assert incomplete_uploads(world.bucket, here.prefix) == 1
    assert requests_of(world, "UploadPart", lambda: push(here)) == 1
    assert in_bucket(here) == {"big.png": CONTENT}
    assert incomplete_uploads(world.bucket, here.prefix) == 0


def test_row_52_an_interrupted_download_is_continued(world: World) -> None:
    """Two of five ranges have arrived.

    Guard: with the unfinished file removed at the failure, all ranges are fetched again.
    """
    here = half_pulled(world)
    assert requests_of(world, "GetObject", lambda: pull(here)) == 3
    assert on_disk(here) == {"big.png": CONTENT}


def test_a_download_that_expired_credentials_interrupted_is_continued(world: World) -> None:
    here = half_pulled(world, fault=status(403, "ExpiredToken"), code="expired-credentials")
    assert requests_of(world, "GetObject", lambda: pull(here)) == 3
    assert on_disk(here) == {"big.png": CONTENT}


def test_row_52_a_damaged_beginning_of_a_download_is_not_kept(world: World) -> None:
    """As after a power loss. The run tries once more, from the beginning.

    Guard: if the unfinished file is kept after every error, no pull ever succeeds.
    """
    here = half_pulled(world, sent_whole=True)
    (unfinished,) = here.path.iterdir()
    unfinished.write_bytes(bytes(8 * MIB))
    assert pull(here).done
    assert on_disk(here) == {"big.png": CONTENT}


def test_row_52_parts_of_another_content_are_not_continued(world: World) -> None:
    """The file was edited after three parts had arrived: its MD5 in the metadata would be the old one.

    Guard: without the recorded MD5, the object has the MD5 of the old bytes in its metadata.
    """
    here = half_pushed(world)
    edited = CONTENT[:-1] + b"X"
    fill(here, {"big.png": edited})
    assert push(here).done
    assert in_bucket(here) == {"big.png": edited}
    assert incomplete_uploads(world.bucket, here.prefix) == 0
    kept = world.bucket.head(f"{here.prefix}big.png").metadata
    fill(here, {"big.png": CONTENT})
    assert push(here).done
    assert kept != world.bucket.head(f"{here.prefix}big.png").metadata


def test_what_is_left_of_a_file_that_is_not_pushed_any_more_is_aborted(world: World) -> None:
    here = half_pushed(world)
    (here.path / "big.png").unlink()
    fill(here, {"a.txt": b"another"})
    assert push(here).done
    assert incomplete_uploads(world.bucket, here.prefix) == 0


def test_an_upload_that_has_ended_elsewhere_starts_over(world: World) -> None:
    """As after a lifecycle rule of the bucket, or `doctor --abort-uploads` of another machine."""
    here = half_pushed(world)
    for left in world.bucket.uploads(here.prefix):
        world.bucket.client.call("AbortMultipartUpload", "DELETE", left.key, query={"uploadId": left.upload_id})
    assert requests_of(world, "UploadPart", lambda: push(here)) == 4
    assert in_bucket(here) == {"big.png": CONTENT}


def test_where_parts_may_not_be_listed_the_upload_starts_over(world: World) -> None:
    here = half_pushed(world)
    world.proxy.on("ListParts", "big", status(403, "AccessDenied"), times=FOR_EVER)
    assert requests_of(world, "UploadPart", lambda: push(here)) == 4
    assert in_bucket(here) == {"big.png": CONTENT}
    assert incomplete_uploads(world.bucket, here.prefix) == 0


def test_what_is_left_of_an_object_that_was_replaced_is_not_continued(world: World) -> None:
    here = half_pulled(world)
    other = os.urandom(len(CONTENT))
    there = world.other()
    fill(there, {"big.png": other})
    assert push(there).done
    assert requests_of(world, "GetObject", lambda: pull(here)) == 5
    assert on_disk(here) == {"big.png": other}, "and nothing is left over"


@pytest.mark.parametrize("planted", ["a symlink", "a hard link", "too long", "a folder"])
def test_what_cannot_be_an_interrupted_download_is_not_continued(world: World, planted: str) -> None:
    here = half_pulled(world)
    (unfinished,) = here.path.iterdir()
    elsewhere = here.library.root / "elsewhere"
    elsewhere.write_bytes(unfinished.read_bytes())
    unfinished.unlink()
    if planted == "a symlink":
        unfinished.symlink_to(elsewhere)
    elif planted == "a hard link":
        unfinished.hardlink_to(elsewhere)
    elif planted == "too long":
        unfinished.write_bytes(CONTENT + b"X")
    else:
        unfinished.mkdir()
    done = pull(here).done
    assert elsewhere.read_bytes() == CONTENT[: 8 * MIB], "nothing was written through the link"
    assert done is (planted != "a folder")
    assert done is ("big.png" in on_disk(here))


@pytest.mark.parametrize("direction", [Direction.PUSH, Direction.PULL])
def test_a_stopped_run_is_continued_by_the_next(
    world: World, direction: Direction, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped as Ctrl-C does, while the last piece is on its way and the others have had a second to arrive."""
    monkeypatch.setattr(run_module, "LARGE_FILE_BYTES", MIB)
    here, there = world.machine(), world.other()
    fill(here if direction is Direction.PUSH else there, {"big.png": CONTENT})
    operation = "UploadPart" if direction is Direction.PUSH else "GetObject"
    late = on_part(4, delay(15)) if direction is Direction.PUSH else from_byte(16 * MIB, delay(15))
    if direction is Direction.PULL:
        assert push(there).done
    world.proxy.on(operation, "big", late, times=FOR_EVER)
    cancel = threading.Event()

    def on_event(event: Event) -> None:
        if isinstance(event, FileProgress) and event.moved >= 15 * MIB:
            threading.Timer(1, cancel.set).start()

    began = time.monotonic()
    result = run(plan(here, Policy(direction)), on_event, cancel)
    assert time.monotonic() - began < 15, "it did not wait for the answer"
    assert [failure.code for failure in result.failures] == ["interrupted"]
    assert "big.png' was stopped" in result.failures[0].message
    world.proxy.heal()
    again = requests_of(world, operation, lambda: run(plan(here, Policy(direction))))
    assert again < 4
    assert (in_bucket(here), on_disk(here)) == ({"big.png": CONTENT}, {"big.png": CONTENT})

"""The fault matrix, rows 12 to 19 and 26: concurrent writers, lost answers, a busy store."""

from __future__ import annotations

import hashlib
import threading
from functools import partial
from pathlib import Path

import pytest

from hashmark import Dataset, Side, pull, push, status
from hashmark.actions.move import plan, run
from hashmark.core.plan import Direction, Policy
from hashmark.embedded.embedded_bucket import read_credentials
from hashmark.s3 import bucket as bucket_module
from hashmark.s3 import transport
from hashmark.s3.concurrency import START_REQUESTS, Concurrency
from support.datasets import fill
from support.faults.proxy import Fault, Upstream, lost, meanwhile, strip_sent
from support.faults.proxy import status as answers
from support.faults.server import Reply, Request
from support.faults.world import TEXT, World, in_bucket, in_trash, on_disk, verdicts, world_of
from support.stores import Store

OURS, THEIRS = TEXT + b"edited here\n", TEXT + b"edited there\n"


def test_row_12_remote_edit_after_the_plan_is_not_overwritten(world: World) -> None:
    """Another machine writes in the instant before our PUT arrives.

    Guard: without the condition on the PUT, the remote edit is overwritten.
    """
    here = world.machine()
    fill(here, {"a.txt": TEXT, "new.txt": TEXT})
    push(here)
    fill(here, {"a.txt": OURS, "b.txt": OURS})
    for key in ("a.txt", "b.txt"):
        world.proxy.on("PutObject", f"/{key}$", meanwhile(partial(world.bucket.put, here.prefix + key, THEIRS)))
    result = push(here)
    assert {f.key: f.code for f in result.failures} == dict.fromkeys(["a.txt", "b.txt"], "precondition-failed")
    assert in_bucket(here) == {"a.txt": THEIRS, "b.txt": THEIRS, "new.txt": TEXT}
    assert verdicts(here) == {"a.txt": "conflict", "b.txt": "differs", "new.txt": "synced"}


@pytest.mark.parametrize("store_name", ["a header stripped", "rclone"])
def test_row_13_a_server_that_ignores_conditions_is_detected_and_a_head_precedes_each_write(
    store_name: str, request: pytest.FixtureRequest, seaweedfs: Store, prefix: str, tmp_path: Path
) -> None:
    """The probe detects that conditions are ignored, the run says so, and a HEAD precedes each write.

    Guard: without the HEAD request, a change since the listing is overwritten.
    """
    store: Store = request.getfixturevalue("rclone") if store_name == "rclone" else seaweedfs
    with world_of(store, prefix, tmp_path) as world:
        if store_name != "rclone":
            stripped = strip_sent(*read_credentials(store.credentials_file), "if-match", "if-none-match")
            world.proxy.on("PutObject", r"82_x|\.hashmark", stripped, times=10**6)
        here = world.machine()
        fill(here, {"a.txt": TEXT, "b.txt": TEXT})
        assert any("does not support If-Match" in note for note in push(here).notes)
        fill(here, {"a.txt": OURS, "b.txt": OURS, "new.txt": OURS})
        planned = plan(here, Policy(Direction.PUSH))
        for name in ("a.txt", "new.txt"):
            world.bucket.put(f"{here.prefix}{name}", THEIRS)
        result = run(planned)
        failed = [(f.key, f.code) for f in result.failures]
        assert sorted(failed) == [("a.txt", "precondition-failed"), ("new.txt", "precondition-failed")]
        assert in_bucket(here) == {"a.txt": THEIRS, "b.txt": OURS, "new.txt": THEIRS}


@pytest.mark.parametrize("races", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_row_14_of_two_uploaders_of_a_new_file_one_succeeds_and_the_other_gets_a_conflict(
    world: World, races: int
) -> None:
    """Both requests are held in front of the store and released together, race after race.

    Guard: without the condition on the PUT, both uploaders are told that they succeeded.
    """
    here, there = world.machine("here"), world.machine("there")
    for dataset in (here, there):
        fill(dataset, {"warm.txt": TEXT})
        push(dataset)
    door = threading.Barrier(2, timeout=20)
    world.proxy.on("PutObject", "race", meanwhile(door.wait), times=2)
    for n in range(races):
        key = f"race{n}.txt"
        fill(here, {key: OURS})
        fill(there, {key: THEIRS})
        ends: dict[str, list[str]] = {}

        def send(name: str, dataset: Dataset, ends: dict[str, list[str]] = ends) -> None:
            ends[name] = [f.code for f in push(dataset).failures]

        threads = [threading.Thread(target=send, args=pair) for pair in (("ours", here), ("theirs", there))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(ends.values()) == [[], ["precondition-failed"]], (n, ends)
        winner = OURS if not ends["ours"] else THEIRS
        assert world.bucket.get(here.prefix + key) == winner
        loser = there if winner == OURS else here
        assert verdicts(loser)[key] == "differs"
        (loser.path / key).write_bytes(winner)


def test_row_15_where_both_sides_were_edited_both_are_kept(world: World) -> None:
    """Neither push nor pull decides. When the user does, the overwritten content is in the trash.

    Guard: with a conflict among the uploads of a push, the remote edit is overwritten without consent.
    """
    here, there = world.machine(), world.other()
    fill(here, {"a.txt": TEXT, "b.txt": TEXT})
    push(here)
    pull(there)
    for key in ("a.txt", "b.txt"):
        fill(here, {key: OURS})
        fill(there, {key: THEIRS})
    push(there)
    assert verdicts(here) == {"a.txt": "conflict", "b.txt": "conflict"}
    assert push(here).planned.plan.actions == ()
    assert pull(here).planned.plan.actions == ()
    assert in_bucket(here) == {"a.txt": THEIRS, "b.txt": THEIRS}
    assert push(here, take=Side.MINE, select=("a.txt",)).done
    assert pull(here, take=Side.THEIRS, select=("b.txt",)).done
    assert in_bucket(here) == on_disk(here) == {"a.txt": OURS, "b.txt": THEIRS}
    assert in_trash(here) >= {OURS, THEIRS}


def test_row_16_an_edit_survives_a_delete_on_the_other_side(world: World) -> None:
    """Deleted on disk and edited in the bucket, and vice versa.

    Guard: without comparing the ETag with the base, the edited object is deleted.
    """
    here, there = world.machine(), world.other()
    fill(here, {f"{n:02}.txt": TEXT for n in range(12)})
    push(here)
    pull(there)
    (here.path / "00.txt").unlink()
    fill(there, {"00.txt": THEIRS})
    push(there)
    result = push(here, delete=True, max_delete=5)
    assert result.planned.plan.actions == ()
    assert in_bucket(here)["00.txt"] == THEIRS
    world.bucket.delete(f"{here.prefix}01.txt")
    fill(here, {"01.txt": OURS})
    assert {a.key for a in pull(here, delete=True, max_delete=5).planned.plan.actions} <= {"00.txt"}
    assert on_disk(here)["01.txt"] == OURS


@pytest.mark.parametrize("kind", ["new", "replaced"])
def test_row_17_response_lost_after_put_landed_is_recognised_as_our_own(world: World, kind: str) -> None:
    """The PUT succeeds but the connection is lost; the repeated PUT fails its own condition.

    Guard: without comparing the digests after a 412, our own write becomes a conflict.
    """
    _lost_write(world, kind, lost(None))


@pytest.mark.parametrize("kind", ["new", "replaced"])
def test_row_18_a_412_from_our_own_retry_is_no_conflict(world: World, kind: str) -> None:
    """The PUT succeeds but is answered with 500; the repeated PUT is refused with 412.

    Guard: without comparing the digests after a 412, our own write becomes a conflict.
    """
    _lost_write(world, kind, lost(500))


def _lost_write(world: World, kind: str, fault: Fault) -> None:
    here = world.machine()
    if kind == "replaced":
        fill(here, {"a.txt": TEXT})
        push(here)
    fill(here, {"a.txt": OURS})
    world.proxy.on("PutObject", "a.txt", fault)
    result = push(here)
    assert result.done, result.failures
    assert world.proxy.count("PutObject", r"82_x/a\.txt") >= 2, "it was sent again"
    assert in_bucket(here) == {"a.txt": OURS}
    assert status(here).in_sync
    assert push(here).planned.plan.actions == ()


def test_row_19_a_burst_of_503_lowers_the_concurrency_and_the_run_finishes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store refuses a third of the files for longer than one request is tried.

    Guard: without halving on SlowDown, the number of requests in flight stays the same.
    """
    limits: list[int] = []

    class Watched(Concurrency):
        def slow_down(self, epoch: int) -> None:
            super().slow_down(epoch)
            limits.append(self.limit)

    monkeypatch.setattr(transport, "Concurrency", Watched)
    here = world.machine()
    fill(here, {f"{n:02}.txt": TEXT + bytes([n]) for n in range(8)})
    world.proxy.on("PutObject", r"[02468]\.txt", _busy, times=7)
    result = push(here)
    assert result.done, result.failures
    assert limits
    assert min(limits) < START_REQUESTS
    assert status(here).in_sync


def _busy(request: Request, store: Upstream) -> Reply:
    chosen = hashlib.md5(request.path.rsplit("/", 1)[-1].encode()).digest()[0] % 3 == 0
    return answers(503, "SlowDown")(request, store) if chosen else store(request)


def test_row_26_an_object_replaced_between_ranges_is_not_pieced_together(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large object is read in ranges; another machine replaces it by one of the same size before the second.

    Guard: without the check of the ETag in each answer, ranges of old and new are combined.
    """
    monkeypatch.setattr(bucket_module, "MAX_SINGLE_GET_BYTES", 1000)
    monkeypatch.setattr(bucket_module, "RANGE_BYTES", 1000)
    first, second = b"1" * 2500, b"2" * 2500
    there, here = world.other(), world.machine()
    fill(there, {"a.png": first})
    push(there)
    planned = plan(here, Policy(Direction.PULL))
    swap = meanwhile(lambda: world.bucket.put(f"{here.prefix}a.png", second))
    world.proxy.on("GetObject", "a.png", swap, nth=2)
    result = run(planned)
    assert [f.code for f in result.failures] == ["precondition-failed"]
    assert on_disk(here) == {}
    assert pull(here).done
    assert on_disk(here) == {"a.png": second}

"""Transfers under faults that are no row of the matrix."""

from __future__ import annotations

import hashlib

from hashmark import Dataset, pull, push, status
from hashmark.trash.contents import trash_entries
from support.datasets import fill
from support.faults.proxy import edit, lost, swap
from support.faults.proxy import status as answers
from support.faults.world import NAME, TEXT, World, in_bucket

FOR_EVER = 10**6


def test_a_delete_whose_answer_is_lost_is_recognised_as_our_own(world: World) -> None:
    here = world.machine()
    fill(here, {"a.txt": TEXT, "b.txt": TEXT})
    push(here)
    (here.path / "a.txt").unlink()
    world.proxy.on("DeleteObject", NAME, lost(500))
    result = push(here, delete=True, max_delete=1)
    assert result.done, result.failures
    fill(here, {"a.txt": TEXT + b"again\n"})
    assert [str(row.verdict) for row in status(here).files] == ["local-only", "synced"]


def test_a_second_try_never_puts_the_new_bytes_over_the_old_ones_in_the_trash(world: World) -> None:
    """The answer is lost so often that the whole move is retried; the trash must keep the old content."""
    here = world.machine()
    fill(here, {"a.txt": TEXT})
    push(here)
    fill(here, {"a.txt": TEXT + b"edited\n"})
    world.proxy.on("PutObject", NAME, lost(500), times=7)
    result = push(here)
    assert result.done, result.failures
    (kept,) = trash_entries(here.library)
    where = f"{here.library.remote_trash}{kept.batch}/{kept.dataset}/{kept.key}"
    assert here.library.bucket.get(where) == TEXT


def test_deletes_wait_for_the_transfers_and_do_not_follow_a_failure(world: World) -> None:
    here = world.machine()
    fill(here, dict.fromkeys(["a.txt", "b.txt", "c.txt"], TEXT))
    push(here)
    (here.path / "a.txt").unlink()
    fill(here, {"b.txt": TEXT + b"edited\n"})
    world.proxy.on("PutObject", NAME, answers(403, "AccessDenied"), times=FOR_EVER)
    result = push(here, delete=True, max_delete=1)
    assert [f.code for f in result.failures] == ["access-denied"]
    assert result.outcome.not_tried == 1
    assert set(in_bucket(here)) == {"a.txt", "b.txt", "c.txt"}


def pulls_with_etag(world: World, made_up: str) -> Dataset:
    """Return a machine without files whose listing has this ETag for the only object."""
    there, here = world.other(), world.machine()
    fill(there, {"a.txt": TEXT})
    push(there)
    real = hashlib.md5(TEXT).hexdigest()
    for name in ("GetObject", "HeadObject"):
        world.proxy.on(name, NAME, swap(TEXT, headers={"ETag": f'"{made_up}"'}), times=FOR_EVER)
    world.proxy.on("ListObjectsV2", NAME, edit(lambda body: body.replace(real.encode(), made_up.encode())), times=99)
    return here


def test_an_etag_that_may_be_random_is_no_reason_to_refuse_what_arrived(world: World) -> None:
    """MinIO makes such ETags; but if the bucket's ETags are known to be MD5s, it is one."""
    here = pulls_with_etag(world, "9f8e7d6c5b4a49388271605f4e3d2c1b")
    here.library.state.record_facts(here.library.bucket.store, {"etag-md5": "yes"})
    assert [f.code for f in pull(here).failures] == ["bad-digest"]
    unknowing = world.machine("a machine that has not seen that")
    assert pull(unknowing).done
    assert world.proxy.count("GetObject") >= 4, "read twice"
    assert (unknowing.path / "a.txt").read_bytes() == TEXT


def test_etags_that_are_no_md5s_are_pulled_once_the_doctor_has_seen_them(world: World) -> None:
    """A store with random ETags: the bytes are read twice instead."""
    here = pulls_with_etag(world, "9f8e7d6c5b4a59388271605f4e3d2c1b")
    assert [f.code for f in pull(here).failures] == ["bad-digest"]
    here.library.state.record_facts(here.library.bucket.store, {"etag-md5": "no"})
    result = pull(here)
    assert result.done, result.failures
    assert (here.path / "a.txt").read_bytes() == TEXT

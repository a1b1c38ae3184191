"""Stores that cannot run here, played by the emulator: no quirk makes a false green or a false red."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hashmark import Dataset, Direction, Evidence, FileStatus, Verdict, pull, push
from hashmark.actions.doctor import doctor
from hashmark.actions.move import plan_delete, run
from hashmark.actions.status import Options, status
from hashmark.actions.verify import verify
from hashmark.core.model import Key
from hashmark.core.plan import Location, Policy
from hashmark.evidence.inspection import MAX_SMALL_BYTES
from hashmark.trash.restore import restore
from support.datasets import fill
from support.emulator import Emulator, Quirks, emulated
from support.faults.proxy import status as answers
from support.faults.world import TEXT, World, on_disk, world_of

SAME_SIZE = TEXT.replace(b"stellar", b"STELLAR")
LARGE = bytes(range(256)) * (MAX_SMALL_BYTES // 256) + b"!"
OTHER_LARGE = b"?" + LARGE[1:]

FOR_EVER = 10**6

Play = Callable[[Quirks], tuple[Emulator, World]]


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    """Start an emulated store with these quirks, and a world that uses it."""
    with ExitStack() as stack:

        def start(quirks: Quirks) -> tuple[Emulator, World]:
            emulator, store = stack.enter_context(emulated(tmp_path, quirks))
            return emulator, stack.enter_context(world_of(store, "styles", tmp_path))

        yield start


def row(dataset: Dataset, options: Options | None = None) -> FileStatus:
    """Compare a dataset of one file."""
    (found,) = status(dataset, options).files
    return found


def judged(found: FileStatus) -> tuple[Verdict, Evidence | None]:
    return found.verdict, found.evidence


def pushed(world: World, data: bytes) -> Dataset:
    here = world.machine()
    fill(here, {"a.txt": data})
    assert push(here).done
    return here


# --- objects that are written through a mount, and keep their ETag -----------------------------------------------


@pytest.mark.parametrize("is_listed_before", [True, False])
def test_row_53_an_object_rewritten_through_a_mount_is_read_again(play: Play, *, is_listed_before: bool) -> None:
    """Guard: with the ETag alone as proof, both sides are synced though their bytes differ."""
    emulator, world = play(Quirks())
    here = pushed(world, TEXT)
    if is_listed_before:
        assert judged(row(here)) == (Verdict.SYNCED, Evidence.ETAG_MD5)
    emulator.wait(5)
    emulator.write_as_file("styles/82_x/a.txt", SAME_SIZE)
    assert judged(row(here)) == (Verdict.REMOTE_CHANGED, Evidence.BODY)
    fill(here, {"a.txt": SAME_SIZE})
    assert judged(row(here)) == (Verdict.SYNCED, Evidence.BODY), "the file has the new bytes by now"
    assert judged(row(here)) == (Verdict.SYNCED, Evidence.RECORDED), "what was read is remembered"


def test_row_53_a_large_object_rewritten_through_a_mount_is_grey_until_it_is_read(play: Play) -> None:
    """Guard: with the ETag alone as proof, it is synced."""
    emulator, world = play(Quirks())
    here = pushed(world, LARGE)
    assert row(here).verdict is Verdict.SYNCED
    emulator.wait(5)
    emulator.write_as_file("styles/82_x/a.txt", OTHER_LARGE)
    found = row(here)
    assert judged(found) == (Verdict.UNVERIFIED, None)
    assert "written again" in (found.reason or "")
    assert judged(row(here, Options(deep=True))) == (Verdict.REMOTE_CHANGED, Evidence.BODY)


def test_what_was_just_written_is_proven_by_its_first_listing(play: Play) -> None:
    """A PUT's answer has no time of the object, and a store's machines may differ by a second."""
    emulator, world = play(Quirks())
    here = pushed(world, LARGE)
    assert row(here).verdict is Verdict.SYNCED
    (base,) = here.library.state.bases(here.remote)
    emulator.seen.clear()
    assert row(here).verdict is Verdict.SYNCED
    assert base.last_modified == row(here).remote.last_modified  # type: ignore[union-attr]
    assert not [request for request in emulator.seen if "a.txt" in request]


def test_the_same_bytes_written_again_stay_green(play: Play) -> None:
    """A small object is read; a large one is grey until it is verified, unless the store is known to change ETags."""
    emulator, world = play(Quirks())
    here = pushed(world, TEXT)
    assert row(here).verdict is Verdict.SYNCED
    emulator.wait(5)
    emulator.write_as_file("styles/82_x/a.txt", TEXT)
    assert judged(row(here)) == (Verdict.SYNCED, Evidence.BODY)
    here.library.state.record_facts(here.library.bucket.store, {"etag-follows": "yes"})
    emulator.wait(5)
    emulator.write_as_file("styles/82_x/a.txt", TEXT)
    emulator.seen.clear()
    assert judged(row(here)) == (Verdict.SYNCED, Evidence.ETAG_MD5)
    assert not [request for request in emulator.seen if "a.txt" in request]


@pytest.mark.parametrize("data", [TEXT, LARGE], ids=["small", "large"])
def test_other_bytes_under_the_same_etag_and_time_are_not_synced(data: bytes, play: Play) -> None:
    """Where ETags are made of time and size, what is written twice in a second has one ETag."""
    emulator, world = play(Quirks(etag="time"))
    here = pushed(world, data)
    stored = emulator.objects["styles/82_x/a.txt"]
    stored.data = data.swapcase()
    found = row(here)
    wanted = (Verdict.REMOTE_CHANGED, Evidence.BODY) if data is TEXT else (Verdict.UNVERIFIED, None)
    assert judged(found) == wanted
    stored.data = data
    assert row(here, Options(deep=True)).verdict is Verdict.SYNCED
    stored.data = data.swapcase()
    assert row(here).verdict is not Verdict.SYNCED, "it may have been written again in the same second"
    stored.data = data
    emulator.wait(10)
    assert row(here, Options(deep=True)).verdict is Verdict.SYNCED
    emulator.seen.clear()
    assert row(here).verdict is Verdict.SYNCED, "nothing else can have been written in that second any more"
    assert not [request for request in emulator.seen if "a.txt" in request]


def test_a_pulled_file_is_bound_to_the_time_of_its_object(play: Play) -> None:
    emulator, world = play(Quirks())
    pushed(world, LARGE)
    there = world.machine("there")
    assert pull(there).done
    emulator.wait(1)
    emulator.write_as_file("styles/82_x/a.txt", OTHER_LARGE)
    assert row(there).verdict is Verdict.UNVERIFIED


def test_a_file_deleted_here_and_rewritten_through_a_mount_is_a_conflict(play: Play) -> None:
    emulator, world = play(Quirks())
    here = pushed(world, TEXT)
    (here.path / "a.txt").unlink()
    assert row(here).verdict is Verdict.DELETED_LOCALLY
    emulator.wait(5)
    emulator.write_as_file("styles/82_x/a.txt", SAME_SIZE)
    assert row(here).verdict is Verdict.CONFLICT


@pytest.mark.parametrize(
    ("edited", "verdict"), [(b"edited here\n", Verdict.LOCAL_CHANGED), (None, Verdict.DELETED_LOCALLY)]
)
def test_the_same_bytes_written_again_are_no_change_of_the_bucket(
    edited: bytes | None, verdict: Verdict, play: Play
) -> None:
    """The file was edited or deleted: the object is read once to find out that it is what it was."""
    emulator, world = play(Quirks())
    here = pushed(world, TEXT)
    assert row(here).verdict is Verdict.SYNCED
    if edited is None:
        (here.path / "a.txt").unlink()
    else:
        fill(here, {"a.txt": edited})
    emulator.wait(5)
    emulator.write_as_file("styles/82_x/a.txt", TEXT)
    assert row(here).verdict is verdict
    emulator.seen.clear()
    assert row(here).verdict is verdict
    assert not [request for request in emulator.seen if "a.txt" in request]


# --- small objects are read --------------------------------------------------------------------------------------


@pytest.mark.parametrize("etag", ["md5", "MD5", "random", "time"])
@pytest.mark.parametrize(("theirs", "verdict"), [(TEXT, Verdict.SYNCED), (SAME_SIZE, Verdict.DIFFERS)])
def test_a_caption_is_never_grey(etag: str, theirs: bytes, verdict: Verdict, play: Play) -> None:
    """Whatever the ETags are; and it is read once."""
    emulator, world = play(Quirks(etag=etag))
    other = world.other()
    other.library.bucket.put("styles/82_x/a.txt", theirs)
    here = world.machine()
    fill(here, {"a.txt": TEXT})
    is_green = etag in {"md5", "MD5"} and verdict is Verdict.SYNCED
    assert judged(row(here)) == (verdict, Evidence.ETAG_MD5 if is_green else Evidence.BODY)
    emulator.seen.clear()
    again = row(here)
    assert again.verdict is verdict
    assert not [request for request in emulator.seen if "a.txt" in request]
    assert on_disk(here) == {"a.txt": TEXT}


def test_a_caption_edited_on_both_sides_is_read_though_its_etag_looks_random(play: Play) -> None:
    """An MD5 like a version 4 UUID may be MinIO's random number. Such edits stayed grey, and were not pushed."""
    _, world = play(Quirks())
    here = pushed(world, TEXT)
    edited = next(
        data
        for data in (b"sketch %10d\n" % n for n in range(100_000))
        if (digest := hashlib.md5(data).hexdigest())[12] == "4" and digest[16] in "89ab"
    )
    world.other().library.bucket.put("styles/82_x/a.txt", edited)
    fill(here, {"a.txt": b"SKETCH" + edited[6:]})
    assert judged(row(here)) == (Verdict.CONFLICT, Evidence.BODY)


def test_what_a_deep_comparison_reads_is_remembered(play: Play) -> None:
    emulator, world = play(Quirks(etag="random"))
    world.other().library.bucket.put("styles/82_x/a.txt", OTHER_LARGE)
    here = world.machine()
    fill(here, {"a.txt": LARGE})
    assert row(here).verdict is Verdict.UNVERIFIED
    assert judged(row(here, Options(deep=True))) == (Verdict.DIFFERS, Evidence.BODY)
    emulator.seen.clear()
    assert judged(row(here)) == (Verdict.DIFFERS, Evidence.RECORDED)
    assert not [request for request in emulator.seen if "a.txt" in request]


def test_a_file_without_the_bytes_of_its_remembered_digest_is_hashed_again(play: Play) -> None:
    """As after a write through an old mapping on a file system that does not notice it."""
    _, world = play(Quirks(etag="random"))
    here = pushed(world, TEXT)
    there = row(here).local
    assert there is not None
    fill(here, {"a.txt": SAME_SIZE})
    stamp = row(here).local.stamp  # type: ignore[union-attr]
    here.library.state.remember_digests(here.name, [there._replace(stamp=stamp)])
    world.other().library.bucket.put("styles/82_x/a.txt", SAME_SIZE)
    assert row(here).verdict is Verdict.UNVERIFIED
    assert judged(row(here)) == (Verdict.SYNCED, Evidence.BODY)


def test_a_verification_is_bound_to_the_time_of_its_object(play: Play) -> None:
    emulator, world = play(Quirks(etag="random"))
    world.other().library.bucket.put("styles/82_x/a.txt", LARGE)
    here = world.machine()
    fill(here, {"a.txt": LARGE})
    (found,) = verify(here, Policy(Direction.PULL)).files
    assert judged(found) == (Verdict.SYNCED, Evidence.BODY)
    emulator.wait(5)
    emulator.write_as_file("styles/82_x/a.txt", OTHER_LARGE)
    assert row(here).verdict is Verdict.UNVERIFIED


# --- ETags that are MD5s of some objects only, or no longer -------------------------------------------------------


def test_one_contradiction_withdraws_the_trust_in_etags(play: Play) -> None:
    """A store that kept MD5s as ETags for some objects, and makes others of something else."""
    emulator, world = play(Quirks())
    here = pushed(world, LARGE)
    for name, data in (("b.txt", TEXT), ("c.png", LARGE), ("d.txt", TEXT)):
        fill(here, {name: data})
        world.other().library.bucket.put(f"styles/82_x/{name}", data)
    emulator.objects["styles/82_x/b.txt"].etag = emulator.objects["styles/82_x/c.png"].etag = "0123456789abcdef" * 2
    found = {str(row.key): judged(row) for row in status(here).files}
    assert found == {
        "a.txt": (Verdict.SYNCED, Evidence.ETAG_MD5),
        "b.txt": (Verdict.SYNCED, Evidence.BODY),
        "c.png": (Verdict.UNVERIFIED, None),
        "d.txt": (Verdict.SYNCED, Evidence.ETAG_MD5),
    }
    assert [check.ok for check in doctor(here.library) if check.name == "etag-md5"] == [False]
    assert {str(row.key): row.verdict for row in status(here).files}["c.png"] is Verdict.UNVERIFIED, (
        "no probe outweighs it"
    )


def test_a_contradiction_makes_no_pull_take_what_may_be_damaged(play: Play) -> None:
    """The bytes of an object that is not what its ETag says may be another scheme's, or rotten."""
    emulator, world = play(Quirks())
    here = pushed(world, TEXT)
    world.other().library.bucket.put("styles/82_x/b.txt", TEXT)
    emulator.objects["styles/82_x/b.txt"].data = SAME_SIZE
    fill(here, {"b.txt": TEXT.swapcase()})
    assert {str(found.key): found.verdict for found in status(here).files}["b.txt"] is Verdict.DIFFERS
    there = world.machine("there")
    assert [failure.code for failure in pull(there).failures] == ["bad-digest"]
    assert on_disk(there) == {"a.txt": TEXT}


def test_without_a_contradiction_a_large_object_with_another_md5_is_different(play: Play) -> None:
    _, world = play(Quirks())
    here = pushed(world, LARGE)
    fill(here, {"c.png": LARGE})
    world.other().library.bucket.put("styles/82_x/c.png", OTHER_LARGE)
    found = {str(row.key): judged(row) for row in status(here).files}
    assert found["c.png"] == (Verdict.DIFFERS, Evidence.ETAG_MD5)


@pytest.mark.parametrize("data", [TEXT, LARGE], ids=["small", "large"])
def test_a_store_that_makes_other_etags_from_now_on_has_not_changed_its_objects(data: bytes, play: Play) -> None:
    """Their time is still that of the proof (CoreWeave promises no MD5s)."""
    emulator, world = play(Quirks())
    here = pushed(world, data)
    assert row(here).verdict is Verdict.SYNCED
    emulator.objects["styles/82_x/a.txt"].etag = "0123456789abcdef" * 2
    wanted = (Verdict.SYNCED, Evidence.BODY) if data is TEXT else (Verdict.UNVERIFIED, None)
    assert judged(row(here)) == wanted


# --- listings that show something else ----------------------------------------------------------------------------


@pytest.mark.parametrize("quirks", [Quirks(listed_bytes=28), Quirks(listed_etag="other")], ids=["sizes", "ETags"])
def test_row_57_what_a_listing_shows_wrongly_is_looked_up(quirks: Quirks, play: Play) -> None:
    """A gateway that encrypts lists the size of what it stores. Whoever compares there first has written nothing yet.

    Guard: without the HEAD request that finds this out, the file differs though it is the same, or stays grey.
    """
    emulator, world = play(quirks)
    for name, data in (("a.txt", TEXT), ("b.png", LARGE)):
        world.other().library.bucket.put(f"styles/82_x/{name}", data)
    here = world.machine()
    fill(here, {"a.txt": TEXT, "b.png": LARGE})
    assert {found.verdict for found in status(here).files} == {Verdict.SYNCED}
    there = world.machine("there")
    assert pull(there).done
    assert on_disk(there) == {"a.txt": TEXT, "b.png": LARGE}
    fill(here, {"b.png": OTHER_LARGE})
    assert push(here).done
    assert emulator.objects["styles/82_x/b.png"].data == OTHER_LARGE


def test_where_sizes_are_wrong_in_listings_an_object_that_can_not_be_inspected_is_not_different(play: Play) -> None:
    _, world = play(Quirks(listed_bytes=28))
    here = pushed(world, TEXT)
    assert row(here).verdict is Verdict.SYNCED
    world.proxy.on("HeadObject", "a.txt", answers(403, "AccessDenied"), times=FOR_EVER)
    assert row(here).verdict is Verdict.UNVERIFIED


def test_a_replaced_object_that_can_not_be_read_is_not_verified(play: Play) -> None:
    """That it was replaced is known from its ETag and time; what it holds is not."""
    emulator, world = play(Quirks(etag="random"))
    here = pushed(world, LARGE)
    assert row(here).verdict is Verdict.SYNCED
    emulator.wait(1000)
    world.other().library.bucket.put("styles/82_x/a.txt", OTHER_LARGE)
    assert row(here).verdict is Verdict.REMOTE_CHANGED
    world.proxy.on("GetObject", "a.txt", answers(403, "AccessDenied"), times=FOR_EVER)
    (found,) = verify(here, Policy(Direction.PULL)).files
    assert found.verdict is Verdict.UNVERIFIED
    assert "HTTP 403" in (found.reason or "")


# --- listings that lag behind -------------------------------------------------------------------------------------


def test_row_54_a_listing_that_lacks_what_was_just_pushed_deletes_nothing(play: Play) -> None:
    """Guard: without the HEAD request, the pull moves the file to the trash."""
    emulator, world = play(Quirks(lag_s=60))
    here = pushed(world, TEXT)
    assert not list(world.bucket.objects("styles/82_x/"))
    assert judged(row(here)) == (Verdict.SYNCED, Evidence.ETAG_MD5)
    assert pull(here, delete=True).done
    assert on_disk(here) == {"a.txt": TEXT}
    del emulator.objects["styles/82_x/a.txt"]
    assert row(here).verdict is Verdict.DELETED_REMOTELY, "a HEAD request shows that there is none"


def test_a_listing_that_shows_the_object_before_the_last_push_is_not_believed(play: Play) -> None:
    emulator, world = play(Quirks(lag_s=60))
    here = pushed(world, TEXT)
    emulator.wait(100)
    assert row(here).verdict is Verdict.SYNCED
    fill(here, {"a.txt": SAME_SIZE})
    assert push(here).done
    assert judged(row(here)) == (Verdict.SYNCED, Evidence.ETAG_MD5)
    emulator.objects["styles/82_x/a.txt"].before = None
    emulator.wait(1000)
    emulator.seen.clear()
    assert row(here).verdict is Verdict.SYNCED
    assert not [request for request in emulator.seen if "a.txt" in request]


@pytest.mark.parametrize("data", [TEXT, LARGE], ids=["small", "large"])
def test_a_listing_that_has_what_was_just_deleted_is_not_believed(data: bytes, play: Play) -> None:
    """The file stays on disk: synced would be false. Nor does a pull bring back what was deleted on both sides."""
    emulator, world = play(Quirks(lag_s=60))
    here = pushed(world, data)
    emulator.wait(1000)
    assert row(here).verdict is Verdict.SYNCED
    assert run(plan_delete(here, Location.BUCKET, keys=frozenset({Key("a.txt")}))).failures == ()
    assert list(world.bucket.objects("styles/82_x/")), "the listing lags"
    assert row(here).verdict is Verdict.DELETED_REMOTELY
    (here.path / "a.txt").unlink()
    assert row(here).verdict is Verdict.DELETED_LOCALLY
    assert pull(here).carried_out
    assert on_disk(here) == {}
    emulator.wait(1000)
    assert status(here).files == ()
    assert not list(here.library.state.bases(here.remote)), "and it is forgotten then"


def test_what_was_just_deleted_is_not_synced_though_nothing_can_be_looked_up(play: Play) -> None:
    """Only the listing has it, which lags."""
    emulator, world = play(Quirks(lag_s=60))
    here = pushed(world, TEXT)
    emulator.wait(1000)
    assert row(here).verdict is Verdict.SYNCED
    assert run(plan_delete(here, Location.BUCKET, keys=frozenset({Key("a.txt")}))).failures == ()
    world.proxy.on("HeadObject", "a.txt", answers(403, "AccessDenied"), times=FOR_EVER)
    found = row(here)
    assert found.verdict is Verdict.UNVERIFIED
    assert "HTTP 403" in (found.reason or "")


def test_what_somebody_else_changed_just_now_is_seen(play: Play) -> None:
    """The listing is right, though it contradicts what was pushed a moment ago."""
    _, world = play(Quirks())
    here = pushed(world, TEXT)
    world.bucket.put("styles/82_x/a.txt", SAME_SIZE)
    assert judged(row(here)) == (Verdict.REMOTE_CHANGED, Evidence.BODY)
    world.bucket.delete("styles/82_x/a.txt")
    assert row(here).verdict is Verdict.DELETED_REMOTELY


def test_what_is_gone_by_now_and_was_listed_is_as_listed(play: Play) -> None:
    """Deleted on the disk, and from the bucket after the listing: the next comparison has neither."""
    emulator, world = play(Quirks())
    here = pushed(world, TEXT)
    (here.path / "a.txt").unlink()
    world.bucket.put("styles/82_x/a.txt", SAME_SIZE)
    world.proxy.on("HeadObject", "a.txt", answers(404, "NoSuchKey"))
    assert row(here).verdict is Verdict.CONFLICT
    emulator.objects.clear()
    assert status(here).files == ()


# --- and a way on --------------------------------------------------------------------------------------------------


def test_what_was_rewritten_through_a_mount_can_be_pulled(play: Play) -> None:
    """Its ETag is not the MD5 of what arrives, so it is read twice."""
    emulator, world = play(Quirks())
    here = pushed(world, TEXT)
    assert row(here).verdict is Verdict.SYNCED
    emulator.wait(5)
    emulator.write_as_file("styles/82_x/a.txt", SAME_SIZE)
    assert pull(here).done
    assert on_disk(here) == {"a.txt": SAME_SIZE}
    assert row(here).verdict is Verdict.SYNCED


def test_large_files_that_come_back_from_the_trash_are_proven_again(play: Play) -> None:
    """They have the ETag of the proof and another time."""
    _, world = play(Quirks())
    here = pushed(world, LARGE)
    assert row(here).verdict is Verdict.SYNCED
    gone = run(plan_delete(here, Location.BUCKET, keys=frozenset({Key("a.txt")})))
    assert row(here).verdict is Verdict.DELETED_REMOTELY
    assert gone.trash is not None
    assert restore(here.library, gone.trash).failures == ()
    assert judged(row(here)) == (Verdict.SYNCED, Evidence.ETAG_MD5)

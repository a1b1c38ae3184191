"""Every quirk of a store, played through every command: it is usable, and no verdict is wrong.

After each step the verdicts are compared with the bytes that the emulator holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from hashmark import Dataset, Direction, Verdict, pull, push, status
from hashmark.actions.doctor import doctor
from hashmark.actions.move import MAX_SAMPLES, plan, plan_delete, run
from hashmark.actions.scans import MAX_REQUESTED, requested
from hashmark.actions.status import Scan, status_of
from hashmark.actions.verify import verify
from hashmark.core.errors import BrokenListing, PreconditionFailed
from hashmark.core.plan import Location, Policy, Side
from hashmark.s3 import exchange, listing
from hashmark.transfer import moves, parts
from hashmark.transfer import run as run_module
from hashmark.trash.empty import empty, trash_contents
from support.datasets import fill
from support.emulator import Emulator, Quirks, Stored, emulated
from support.faults.proxy import meanwhile
from support.faults.world import World, on_disk, world_of
from support.quirks import QUIRKS, UNQUOTED
from support.waiting import wait_for

PREFIX = "styles/82_x/"
LARGE = bytes(range(256)) * 2048
EMPTY: dict[str, bytes] = {"empty.txt": b""}


@pytest.fixture(params=[played.quirks for played in QUIRKS.values()], ids=list(QUIRKS))
def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Emulator, World]]:
    monkeypatch.setattr(moves, "MAX_SINGLE_PUT_BYTES", len(LARGE) - 1)
    monkeypatch.setattr(parts, "PART_BYTES", 5 << 20)
    with ExitStack() as stack:
        emulator, where = stack.enter_context(emulated(tmp_path, request.param))
        yield emulator, stack.enter_context(world_of(where, "styles", tmp_path))


def check(emulator: Emulator, dataset: Dataset, *, grey: int = 0) -> dict[str, Verdict]:
    """Return the verdicts, each compared with the bytes on both sides; at most so many may be open."""
    found = {str(row.key): row.verdict for row in status(dataset).files}
    there = {
        key.removeprefix(PREFIX): stored.data for key, stored in emulator.objects.items() if key.startswith(PREFIX)
    }
    here = on_disk(dataset)
    assert found.keys() == there.keys() | here.keys()
    for key, verdict in found.items():
        is_same = here.get(key) == there.get(key)
        if verdict is Verdict.UNVERIFIED:
            grey -= 1
        else:
            assert (verdict is Verdict.SYNCED) == is_same, (key, verdict)
    assert grey >= 0, found
    return found


def prove(emulator: Emulator, dataset: Dataset) -> None:
    """Verify what was just pushed, where an ETag may be that of other bytes of the same second."""
    if emulator.quirks.etag == "time":
        emulator.wait(3)
        assert {row.verdict for row in verify(dataset, Policy(Direction.PUSH)).files} == {Verdict.SYNCED}


def files(version: str) -> Mapping[str, bytes]:
    return {
        "a.txt": f"a caption, {version}\n".encode(),
        "b/c.txt": f"b caption, {version}\n".encode(),
        "large.png": version.encode() + LARGE,
        "picture.png": version.encode() + LARGE[: 300 << 10],
    }


def test_a_dataset_lives_on_such_a_store(store: tuple[Emulator, World]) -> None:
    emulator, world = store
    here, there = world.machine(), world.machine("there")
    fill(here, {**files("first"), **EMPTY})
    assert set(check(emulator, here).values()) == {Verdict.LOCAL_ONLY}

    assert push(here).failures == ()
    prove(emulator, here)
    assert set(check(emulator, here).values()) == {Verdict.SYNCED}
    assert pull(there).failures == ()
    assert on_disk(there) == on_disk(here)
    assert set(check(emulator, there).values()) == {Verdict.SYNCED}

    emulator.wait(1000)  # what was just written counts no more
    prove(emulator, here)
    assert set(check(emulator, here).values()) == {Verdict.SYNCED}
    fill(here, files("edits"))
    assert push(here).failures == ()
    assert {str(row.verdict) for row in verify(here, Policy(Direction.PUSH)).files} == {"synced"}
    prove(emulator, here)
    assert set(check(emulator, here).values()) == {Verdict.SYNCED}

    emulator.wait(1000)
    assert verify(there, Policy(Direction.PULL)).files
    check(emulator, there)
    assert pull(there).failures == ()
    assert on_disk(there) == on_disk(here)
    assert set(check(emulator, there).values()) == {Verdict.SYNCED}


def test_what_is_deleted_is_in_the_trash_until_it_is_emptied(store: tuple[Emulator, World]) -> None:
    emulator, world = store
    here = world.machine()
    fill(here, files("first"))
    assert push(here).failures == ()
    emulator.wait(1000)
    gone = run(plan_delete(here, Location.BUCKET))
    assert gone.failures == ()
    assert set(check(emulator, here).values()) == {Verdict.DELETED_REMOTELY}
    kept = [stored.data for key, stored in emulator.objects.items() if "/trash/" in key]
    assert sorted(kept) == sorted(files("first").values())
    _, failed = empty(here.library, trash_contents(here.library))
    assert failed == []
    assert not [key for key in emulator.objects if "/trash/" in key]


def test_row_56_nobodys_change_is_overwritten(store: tuple[Emulator, World]) -> None:
    """Another machine replaces and adds objects between the comparison and the writes, with each quirk.

    Guard: without the HEAD request before a write whose condition does not hold, the other machine's work is replaced.
    """
    emulator, world = store
    here = world.machine()
    fill(here, files("first"))
    assert push(here).failures == ()
    emulator.wait(1000)
    prove(emulator, here)
    fill(here, {**files("edits"), "new.txt": b"mine\n"})
    planned = plan(here, Policy(Direction.PUSH))
    theirs = {"a.txt": b"a caption, their1\n", "new.txt": b"theirs\n", "large.png": b"their" + LARGE}
    for key, data in theirs.items():
        world.other().library.bucket.put(PREFIX + key, data)
    done = run(planned)
    assert {str(failure.key) for failure in done.failures} == set(theirs)
    for key, data in theirs.items():
        assert emulator.objects[PREFIX + key].data == data
    check(emulator, here, grey=2)
    assert push(here, take=Side.MINE).failures == ()
    prove(emulator, here)
    assert set(check(emulator, here).values()) == {Verdict.SYNCED}


def test_doctor_finishes(store: tuple[Emulator, World]) -> None:
    emulator, world = store
    checks = {found.name: found for found in doctor(world.machine().library)}
    assert checks["write"].ok
    assert not [key for key in emulator.objects if "probe" in key], "the scratch objects are deleted"


@pytest.mark.parametrize("is_probed", [True, False])
def test_who_changes_a_large_object_while_its_parts_are_sent_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_probed: bool
) -> None:
    """The store ignores the condition at the end. An older version's probe did not find that out."""
    monkeypatch.setattr(moves, "MAX_SINGLE_PUT_BYTES", len(LARGE) - 1)
    with ExitStack() as stack:
        emulator, where = stack.enter_context(emulated(tmp_path, Quirks(conditions={"complete": "ignored"})))
        world = stack.enter_context(world_of(where, "styles", tmp_path))
        here = world.machine()
        if not is_probed:
            known = dict.fromkeys(("create-only", "replace-only", "content-md5", "conditional-delete"), "yes")
            here.library.state.record_facts(here.library.bucket.store, known)
        fill(here, {"large.png": LARGE})
        planned = plan(here, Policy(Direction.PUSH))
        theirs = partial(world.other().library.bucket.put, f"{PREFIX}large.png", b"theirs")
        if is_probed:
            world.proxy.on("UploadPart", r"large", meanwhile(theirs))
        else:
            theirs()
        assert [failure.code for failure in run(planned).failures] == ["precondition-failed"]
        assert emulator.objects[f"{PREFIX}large.png"].data == b"theirs"


def test_a_copy_of_another_version_is_not_kept(tmp_path: Path) -> None:
    with ExitStack() as stack:
        emulator, where = stack.enter_context(emulated(tmp_path))
        world = stack.enter_context(world_of(where, "styles", tmp_path))
        world.bucket.put("a.txt", b"theirs")
        with pytest.raises(PreconditionFailed):
            world.bucket.copy("a.txt", "kept.txt", etag="0" * 32)
        assert set(emulator.objects) == {"a.txt"}


# --- credentials that may only read ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "quirks",
    [
        Quirks(),
        Quirks(etag="random"),
        Quirks(listed_etag="other"),
        Quirks(listed_etag="none"),
        Quirks(listed_bytes=28),
        Quirks(conditions=UNQUOTED),
    ],
    ids=["ordinary", "random ETags", "other ETags in listings", "no ETags in listings", "other sizes", "unquoted"],
)
@pytest.mark.parametrize("with_doctor", [False, True])
def test_who_may_only_read_can_pull(quirks: Quirks, tmp_path: Path, *, with_doctor: bool) -> None:
    with ExitStack() as stack:
        emulator, where = stack.enter_context(emulated(tmp_path, quirks))
        world = stack.enter_context(world_of(where, "styles", tmp_path))
        for key, data in files("first").items():
            world.bucket.put(PREFIX + key, data)
        emulator.quirks = replace(quirks, writable=False)
        there = world.machine("there")
        if with_doctor:
            checks = {found.name: found.ok for found in doctor(there.library)}
            assert (checks["write"], checks["read"]) == (False, True)
        assert pull(there).failures == ()
        assert on_disk(there) == dict(files("first"))
        assert set(check(emulator, there).values()) == {Verdict.SYNCED}


def test_what_shows_the_etags_of_a_store_is_read_once(tmp_path: Path) -> None:
    """Not for each file, of which there may be thousands."""
    with ExitStack() as stack:
        emulator, where = stack.enter_context(emulated(tmp_path, Quirks(etag="random")))
        world = stack.enter_context(world_of(where, "styles", tmp_path))
        for n in range(40):
            world.bucket.put(f"{PREFIX}{n}.txt", b"%d\n" % n)
        emulator.quirks = replace(emulator.quirks, writable=False)
        emulator.seen.clear()
        assert pull(world.machine()).failures == ()
        assert sum(request.startswith("GET") for request in emulator.seen) <= 2 * 40 + MAX_SAMPLES + 2
        assert sum(request.startswith("PUT") for request in emulator.seen) < 30, "one probe was refused"


def test_a_doctor_that_only_reads_writes_nothing(tmp_path: Path) -> None:
    with ExitStack() as stack:
        emulator, where = stack.enter_context(emulated(tmp_path))
        world = stack.enter_context(world_of(where, "styles", tmp_path))
        world.bucket.put(f"{PREFIX}a.txt", b"a caption\n")
        emulator.seen.clear()
        checks = {found.name: found.ok for found in doctor(world.machine().library, read_only=True)}
        assert checks["read"]
        assert checks["etag-md5"]
        assert checks["exact-listing"]
        assert "write" not in checks
        assert {request.split()[0] for request in emulator.seen} == {"GET", "HEAD"}


# --- stores that are busy, large, or many ------------------------------------------------------------------------


def test_a_store_that_refuses_every_third_request_is_used_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "FIRST_DELAY_S", 0.01)
    monkeypatch.setattr(run_module, "_retry_delay_s", lambda attempt: 0.01 if attempt.number < 4 else None)
    with ExitStack() as stack:
        emulator, where = stack.enter_context(emulated(tmp_path, Quirks(busy=0.3)))
        world = stack.enter_context(world_of(where, "styles", tmp_path))
        here, there = world.machine(), world.machine("there")
        fill(here, {f"{n:03}.txt": b"caption %d\n" % n for n in range(60)} | dict(files("first")))
        assert push(here).failures == ()
        assert set(check(emulator, here).values()) == {Verdict.SYNCED}
        assert pull(there).failures == ()
        assert on_disk(there) == on_disk(here)


@pytest.mark.parametrize("order", ["bytes", "tree"])
@pytest.mark.parametrize("names", [["a-b", "a/c", "a/d/e"], ["x"], ["a/b"]], ids=["nested", "flat", "one folder"])
def test_row_58_a_listing_whose_token_repeats_is_read_folder_by_folder(
    names: list[str], order: str, tmp_path: Path
) -> None:
    """RunPod's, of more than a page; empty folders are listed there, too.

    Guard: without the listings of the folders, nothing can be compared.
    """
    with ExitStack() as stack:
        emulator, where = stack.enter_context(emulated(tmp_path, Quirks(pages="repeated", order=order)))
        world = stack.enter_context(world_of(where, "styles", tmp_path))
        wanted = sorted(f"{name}{n:04}.txt" for name in names for n in range(2500))
        stored = Stored(b"x\n", hashlib.md5(b"x\n").hexdigest(), emulator.now())
        emulator.objects.update({PREFIX + key: stored for key in wanted})
        emulator.objects[f"{PREFIX}empty/"] = Stored(b"", hashlib.md5().hexdigest(), emulator.now())
        assert [row.key for row in world.bucket.objects(PREFIX) if row.size] == sorted(wanted, key=str.encode)


def test_folders_that_do_not_begin_as_the_pages_did_are_a_broken_listing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that was listed is missing there: it may have been deleted in between, or the folders are incomplete."""
    whole = listing._by_folders
    monkeypatch.setattr(listing, "_by_folders", lambda *of: (row for row in whole(*of) if row.key != "x0007.txt"))
    with ExitStack() as stack:
        emulator, where = stack.enter_context(emulated(tmp_path, Quirks(pages="repeated")))
        world = stack.enter_context(world_of(where, "styles", tmp_path))
        stored = Stored(b"x\n", hashlib.md5(b"x\n").hexdigest(), emulator.now())
        emulator.objects.update({f"{PREFIX}x{n:04}.txt": stored for n in range(2500)})
        with pytest.raises(BrokenListing, match="repeat themselves"):
            list(world.bucket.objects(PREFIX))


def test_a_key_that_xml_can_not_have_keeps_no_other_back(tmp_path: Path) -> None:
    with ExitStack() as stack:
        emulator, where = stack.enter_context(emulated(tmp_path, Quirks(encodes="not")))
        world = stack.enter_context(world_of(where, "styles", tmp_path))
        here = world.machine()
        fill(here, {"a.txt": b"a caption\n"})
        assert push(here).failures == ()
        emulator.objects[f"{PREFIX}b\x01.txt"] = emulator.objects[f"{PREFIX}a.txt"]
        found = {str(row.key): row for row in status(here).files}
        assert {key: row.verdict for key, row in found.items()} == {
            "a.txt": Verdict.SYNCED,
            "b\x01.txt": Verdict.REFUSED,
        }


@pytest.mark.parametrize("encodes", ["form", "percent", "claimed", "not"])
def test_keys_are_read_as_the_store_writes_them(encodes: str, tmp_path: Path) -> None:
    """A store may claim that it encodes them, and leave `+`, or everything, as it is."""
    with ExitStack() as stack:
        emulator, where = stack.enter_context(emulated(tmp_path, Quirks(encodes=encodes)))
        world = stack.enter_context(world_of(where, "styles", tmp_path))
        here = world.machine()
        fill(
            here, {"a+b.txt": b"1\n", "a b.txt": b"2\n", "50%25 off.txt": b"3\n", "100%.txt": b"4\n", "é&.txt": b"5\n"}
        )
        assert push(here).failures == ()
        assert set(check(emulator, here).values()) == {Verdict.SYNCED}
        world.machine("there")
        assert pull(world.machine("there")).failures == ()
        assert on_disk(world.machine("there")) == on_disk(here)


def test_the_listings_of_many_small_datasets_are_requested_together(tmp_path: Path) -> None:
    with ExitStack() as stack:
        emulator, where = stack.enter_context(emulated(tmp_path))
        world = stack.enter_context(world_of(where, "styles", tmp_path))
        here = world.machine()
        fill(here, {"a.txt": b"a caption\n"})
        for n in range(100, 140):
            (here.library.root / f"{n}_x").mkdir()
            (here.library.root / f"{n}_x" / "a.txt").write_bytes(b"a caption\n")
        datasets = here.library.datasets()
        assert len(datasets) == 41
        emulator.seen.clear()
        scans = requested(Scan(dataset) for dataset in datasets)
        first = next(scans)
        wait_for(lambda: len(emulator.seen) == MAX_REQUESTED + 1)
        found = [status_of(scan) for scan in [first, *scans]]
        assert [one.counts for one in found] == [status(dataset).counts for dataset in datasets]

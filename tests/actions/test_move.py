"""Deletes that were chosen; proofs as they come; and what is shown after each is what a comparison would say."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace

import pytest

from hashmark import Dataset, Side, Verdict, pull, push, status
from hashmark.actions import move as move_module
from hashmark.actions.ls_remote import ls_remote
from hashmark.actions.move import Planned, plan, plan_delete, run, status_after
from hashmark.core.errors import NoSuchBucket, RefusedPlan
from hashmark.core.events import Event, FileDone
from hashmark.core.model import Base, FileStatus, Key, Stamp
from hashmark.core.plan import Direction, Location, Policy
from hashmark.disk import hashing
from hashmark.library.library import Library
from hashmark.transfer import moves, parts
from hashmark.transfer.action_result import ActionResult
from hashmark.trash import restore
from support.core_values import md5
from support.datasets import LibraryMaker, dataset_of, fill, not_synced, pairs
from support.file_trees import tree
from support.peer_uploads import put_by_boto3
from support.stores import Store

CAPTIONS = frozenset(key for key in pairs() if key.endswith(".txt"))


def on_disk(dataset: Dataset) -> dict[str, bytes]:
    return tree(dataset.path)


def in_bucket(dataset: Dataset) -> dict[str, bytes]:
    bucket = dataset.library.bucket
    return {str(row.key): bucket.get(dataset.prefix + row.key) for row in ls_remote(dataset)}


def without(files: dict[str, bytes], gone: Iterable[str]) -> dict[str, bytes]:
    return {key: data for key, data in files.items() if key not in set(gone)}


# --- what is read ------------------------------------------------------------------------------------------------


def test_a_plan_reads_only_what_has_a_counterpart(seaweedfs: Store, library_on: LibraryMaker) -> None:
    dataset = dataset_of(library_on(seaweedfs), {"a.txt": b"a", "b.png": b"b", "c.png": b"c", "d.png": b"d"})
    dataset.library.bucket.put(dataset.prefix + "c.png", b"C")
    dataset.library.state.record_bases(dataset.remote, [Base(Key("d.png"), md5(b"d"), "etag", 1)])
    for direction in (Direction.PUSH, Direction.PULL):
        planned = plan(dataset, Policy(direction))
        known = {str(row.key): row.local.md5 if row.local else "" for row in planned.status.files}
        assert known == {"a.txt": None, "b.png": None, "c.png": md5(b"c"), "d.png": md5(b"d")}
        verdicts = {str(row.key): row.verdict for row in planned.status.files}
        assert verdicts == {str(row.key): row.verdict for row in status(dataset).files}


def test_what_a_push_has_read_to_send_it_is_not_read_again(
    seaweedfs: Store, library_on: LibraryMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(move_module, "is_settled", lambda *_: True)
    monkeypatch.setattr(hashing, "is_settled", lambda *_: True)
    monkeypatch.setattr(moves, "MAX_SINGLE_PUT_BYTES", 5 << 20)
    monkeypatch.setattr(parts, "PART_BYTES", 5 << 20)
    files = {"b.txt": b"a", "b.png": b"b", "large.png": os.urandom(6 << 20)}
    dataset = dataset_of(library_on(seaweedfs), files)
    assert push(dataset).done
    assert in_bucket(dataset) == files
    monkeypatch.setattr(hashing, "hash_file", lambda path, *_, **__: pytest.fail(f"{path} is read again"))
    found = status(dataset)
    assert found.in_sync
    assert (found.health.captions, found.health.unread) == (1, 0)
    assert {str(row.key): row.local.md5 if row.local else "" for row in found.files} == {
        key: md5(data) for key, data in files.items()
    }


def test_a_file_that_is_not_settled_is_read_again(seaweedfs: Store, library_on: LibraryMaker) -> None:
    dataset = dataset_of(library_on(seaweedfs), {"b.png": b"b"})
    assert push(dataset).done
    assert list(dataset.library.state.digests(dataset.name)) == []


# --- deletes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", Location)
def test_a_delete_takes_the_chosen_files_from_one_side_or_both_and_they_come_back(
    where: Location, store: Store, library_on: LibraryMaker
) -> None:
    dataset = dataset_of(library_on(store))
    push(dataset)
    keys = frozenset({"0001.txt", "0003.png"})
    planned = plan_delete(dataset, where, keys=keys)
    result = run(planned)
    assert result.done, result.failures
    disk = where is not Location.BUCKET
    bucket = where is not Location.DISK
    assert on_disk(dataset) == (without(pairs(), keys) if disk else pairs())
    assert in_bucket(dataset) == (without(pairs(), keys) if bucket else pairs())
    left = Verdict.DELETED_REMOTELY if where is Location.BUCKET else Verdict.DELETED_LOCALLY
    assert not_synced(status(dataset)) == ({} if where is Location.BOTH else dict.fromkeys(keys, left))

    assert result.trash is not None
    restored = restore.restore(dataset.library, result.trash)
    assert (len(restored.entries), restored.failures) == (planned.plan.deletes, ())
    assert on_disk(dataset) == in_bucket(dataset) == pairs()
    assert status(dataset).in_sync


@pytest.mark.parametrize(
    ("select", "keys", "gone"),
    [
        (("*.txt",), None, CAPTIONS),
        (("*",), None, frozenset(pairs())),
        ((), frozenset({"0001.txt", "none.txt"}), {"0001.txt"}),
        (("*.png",), frozenset({"0001.txt", "0002.png"}), {"0002.png"}),
        ((), frozenset(), set()),
    ],
)
def test_only_what_was_chosen_is_deleted(
    select: tuple[str, ...],
    keys: frozenset[str] | None,
    gone: frozenset[str],
    seaweedfs: Store,
    library_on: LibraryMaker,
) -> None:
    """And no cap: all files may be chosen."""
    dataset = dataset_of(library_on(seaweedfs))
    push(dataset)
    assert run(plan_delete(dataset, Location.BOTH, select=select, keys=keys)).done
    assert on_disk(dataset) == in_bucket(dataset) == without(pairs(), gone)


def test_a_plan_runs_as_it_was_shown_whatever_came_afterwards(store: Store, library_on: LibraryMaker) -> None:
    """What appeared is not touched; what changed is left and reported; the rest is done."""
    dataset = dataset_of(library_on(store))
    push(dataset)
    planned = plan_delete(dataset, Location.DISK, select=("*.txt",))
    fill(dataset, {"new.txt": b"appeared\n", "0001.txt": b"edited\n"})
    result = run(planned)
    assert [(f.key, f.code) for f in result.failures] == [("0001.txt", "file-changed")]
    assert on_disk(dataset) == without(pairs(), CAPTIONS) | {"new.txt": b"appeared\n", "0001.txt": b"edited\n"}
    assert in_bucket(dataset) == pairs()

    bucket = dataset.library.bucket
    planned = plan_delete(dataset, Location.BUCKET, select=("*.txt",))
    bucket.put(dataset.prefix + "0002.txt", b"changed there\n")
    bucket.put(dataset.prefix + "new2.txt", b"appeared there\n")
    result = run(planned)
    assert [(f.key, f.code) for f in result.failures] == [("0002.txt", "precondition-failed")]
    kept = {"0002.txt": b"changed there\n", "new2.txt": b"appeared there\n"}
    assert in_bucket(dataset) == without(pairs(), CAPTIONS) | kept


def test_a_bucket_that_refuses_costs_no_file_on_disk(store: Store, library_on: LibraryMaker) -> None:
    """A delete on both sides begins there, and ends there if not all of it went well."""
    dataset = dataset_of(library_on(store))
    push(dataset)
    planned = plan_delete(dataset, Location.BOTH, select=("*",))
    dataset.library.bucket.put(dataset.prefix + "0002.txt", b"changed there\n")
    result = run(planned)
    assert [(f.key, f.code) for f in result.failures] == [("0002.txt", "precondition-failed")]
    assert on_disk(dataset) == pairs()
    assert in_bucket(dataset) == {"0002.txt": b"changed there\n"}
    assert (result.outcome.not_tried, result.done) == (len(pairs()), False)


@pytest.mark.parametrize("where", Location)
def test_nothing_is_deleted_where_something_could_not_be_read(
    where: Location, seaweedfs: Store, library_on: LibraryMaker
) -> None:
    dataset = dataset_of(library_on(seaweedfs))
    push(dataset)
    (dataset.path / "dangling.txt").symlink_to("nowhere")
    with pytest.raises(RefusedPlan, match="could not be read completely"):
        plan_delete(dataset, where, keys=frozenset({"0001.txt"}))
    assert in_bucket(dataset) == pairs()


def test_nothing_is_deleted_on_disk_where_the_bucket_can_not_be_listed(
    seaweedfs: Store, library_on: LibraryMaker
) -> None:
    library = library_on(seaweedfs)
    dataset = dataset_of(library)
    remote = replace(library.settings.remote, bucket="nobody-made-this")
    with Library(library.root, replace(library.settings, remote=remote)) as other, pytest.raises(NoSuchBucket):
        plan_delete(other.dataset("82"), Location.DISK, select=("*",))
    assert on_disk(dataset) == pairs()


def test_a_key_that_is_refused_is_neither_deleted_nor_passed_over(moto: Store, library_on: LibraryMaker) -> None:
    dataset = dataset_of(library_on(moto), {"a.txt": b"x"})
    for key in ("../escape.txt", "Case.txt", "case.txt", "fine.txt"):
        put_by_boto3(moto, dataset.prefix + key, b"x")
    result = run(plan_delete(dataset, Location.BUCKET, select=("*",)))
    assert {row.status.key for row in result.planned.plan.left_alone} == {"../escape.txt", "Case.txt", "case.txt"}
    left = {row.key for row in dataset.library.bucket.objects(dataset.prefix)}
    assert left == {"../escape.txt", "Case.txt", "case.txt"}


# --- proofs as they come -----------------------------------------------------------------------------------------


def test_each_proof_is_given_once_and_before_its_event(store: Store, library_on: LibraryMaker) -> None:
    """And none for what failed."""
    dataset = dataset_of(library_on(store))
    planned = plan(dataset, Policy(Direction.PUSH))
    fill(dataset, {"0001.txt": b"edited after the plan\n"})
    told: list[tuple[str, str]] = []
    proofs: list[ActionResult] = []

    def on_event(event: Event) -> None:
        if isinstance(event, FileDone):
            told.append(("event", event.key))

    def on_done(done: ActionResult) -> None:
        told.append(("proof", done.action.key))
        proofs.append(done)

    result = run(planned, on_event, None, on_done)
    assert [f.key for f in result.failures] == ["0001.txt"]
    done = [key for what, key in told if what == "proof"]
    assert sorted(done) == sorted(set(pairs()) - {"0001.txt"})
    assert told == [(what, key) for key in done for what in ("proof", "event")]
    assert all(proof.base is not None and proof.base.key == proof.action.key for proof in proofs)


# --- what is shown afterwards ------------------------------------------------------------------------------------


def follow(planned: Planned, known: dict[str, FileStatus]) -> dict[str, FileStatus]:
    """Run a plan and keep what is known up to date by its proofs alone, as the page does."""
    proofs: list[ActionResult] = []
    result = run(planned, on_done=proofs.append)
    assert result.done, result.failures
    assert len(proofs) == len(planned.plan.actions) > 0
    known = dict(known)
    for done in proofs:
        key = str(done.action.key)
        after = status_after(done, known[key])
        if after is None:
            del known[key]
        else:
            known[key] = after
    return known


def facts(row: FileStatus) -> FileStatus:
    """A status without what `status_after` says it does not look up."""
    local, remote = row.local, row.remote
    return row._replace(
        local=local._replace(stamp=Stamp(local.size, 0, 0, 0, 0)) if local else None,
        remote=remote._replace(last_modified=None) if remote else None,
        # The base of what was deleted from the bucket has no ETag; the page needs to know none.
        base=row.base._replace(last_modified=None, etag="" if row.remote is None else row.base.etag)
        if row.base
        else None,
    )


def shown(rows: Iterable[FileStatus]) -> dict[str, FileStatus]:
    return {str(row.key): facts(row) for row in rows}


def two_machines(store: Store, library_on: LibraryMaker) -> tuple[Dataset, Dataset]:
    """The same dataset on both, in sync, with empty files and an object whose bytes went up in parts."""
    here = dataset_of(library_on(store, "here"))
    fill(here, {"empty.txt": b"", "sub/big.png": b"x" * ((11 << 20) + 7)})
    assert push(here).done
    there = library_on(store, "there").dataset("82")
    assert pull(there).done
    return here, there


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moves, "MAX_SINGLE_PUT_BYTES", 6 << 20)
    monkeypatch.setattr(parts, "PART_BYTES", 5 << 20)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("direction", [Direction.PUSH, Direction.PULL])
def test_after_a_push_or_pull_what_is_shown_is_what_a_comparison_says(
    direction: Direction, store: Store, library_on: LibraryMaker
) -> None:
    """The law of the page: a job's proofs lead where a fresh look leads, verdict, evidence, base and all."""
    here, there = two_machines(store, library_on)
    fill(there, {"0000.txt": b"theirs\n", "0001.txt": b"theirs\n", "empty.txt": b"theirs\n", "new-there.txt": b""})
    fill(there, {"sub/big.png": b"y" * ((11 << 20) + 7)})
    (there.path / "0002.txt").unlink()
    assert push(there, delete=True, max_delete=1).done
    fill(here, {"0001.txt": b"mine\n", "0003.txt": b"", "new-here.txt": b"new\n", "sub/new.png": b"z" * (12 << 20)})
    (here.path / "0004.txt").unlink()

    side = Side.MINE if direction is Direction.PUSH else Side.THEIRS
    policy = Policy(direction, take=side, delete=True, max_delete=9)
    planned = plan(here, policy)
    verbs = {action.verb for action in planned.plan.actions}
    assert len(verbs) == 2, "both moves and deletes"
    known = follow(planned, {str(row.key): row for row in planned.status.files})
    fresh = status(here)
    assert {key: row.verdict for key, row in known.items()} == {str(r.key): Verdict.SYNCED for r in fresh.files}
    # rclone answers an upload in parts with one ETag and lists another: such a proof can't be what its listing says.
    odd = {"sub/big.png", "sub/new.png"} if store.name == "rclone" else set()
    now = {str(row.key): row for row in fresh.files}
    assert shown(known[key] for key in known.keys() - odd) == shown(now[key] for key in now.keys() - odd)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("where", Location)
def test_after_a_delete_what_is_shown_is_what_a_comparison_says(
    where: Location, store: Store, library_on: LibraryMaker
) -> None:
    """Of files of every verdict; gone on both sides, they are shown no more."""
    here, there = two_machines(store, library_on)
    fill(there, {"0000.txt": b"theirs\n", "0001.txt": b"theirs\n", "new-there.txt": b"n"})
    (there.path / "0002.txt").unlink()
    assert push(there, delete=True, max_delete=1).done
    fill(here, {"0001.txt": b"mine\n", "0003.txt": b"", "new-here.txt": b"new\n"})
    (here.path / "0004.txt").unlink()
    planned = plan_delete(here, where, select=("*.txt", "sub/*"))
    kinds = {Verdict.SYNCED, Verdict.REMOTE_CHANGED, Verdict.CONFLICT, Verdict.LOCAL_CHANGED, Verdict.LOCAL_ONLY}
    kinds |= {Verdict.REMOTE_ONLY, Verdict.DELETED_LOCALLY, Verdict.DELETED_REMOTELY}
    assert {row.verdict for row in planned.status.files} == kinds
    known = follow(planned, {str(row.key): row for row in planned.status.files})
    assert shown(known.values()) == shown(status(here).files)


def test_a_proof_is_of_the_bytes_that_were_sent_and_not_of_what_the_page_knew(
    seaweedfs: Store, library_on: LibraryMaker
) -> None:
    """The page may know an older or a newer version than the plan; neither is what this upload proves."""
    dataset = dataset_of(library_on(seaweedfs), {"a.txt": b"first\n"})
    (older,) = status(dataset).files
    fill(dataset, {"a.txt": b"second\n"})
    proofs: list[ActionResult] = []
    assert run(plan(dataset, Policy(Direction.PUSH)), on_done=proofs.append).done
    fill(dataset, {"a.txt": b"third, edited meanwhile\n"})
    (newer,) = status(dataset).files
    (done,) = proofs
    for known in (older, newer):
        after = status_after(done, known)
        assert after is not None
        assert (after.verdict, after.local, after.base) == (Verdict.SYNCED, done.sent, done.base)
        assert after.local is not None
        assert after.local.md5 == md5(b"second\n")
        assert after.local is not None
        assert after.remote is not None
        assert after.local.md5 == after.remote.etag

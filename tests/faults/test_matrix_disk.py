"""The fault matrix, rows 1 to 6, 9 to 11, 35 and 36: kills, power, full and closed disks, edits, links and clocks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from hashmark import Dataset, pull, push
from hashmark.actions.move import plan, run
from hashmark.core.errors import HashmarkError
from hashmark.core.model import Stamp
from hashmark.core.plan import Direction, Policy, Side
from hashmark.disk import hashing, walk
from hashmark.library import digest_cache as local_module
from hashmark.native.kernel import FoundFile, Kernel
from support.command import Shell, library
from support.datasets import fill
from support.faults.killing import Killer
from support.faults.proxy import Fault, Once, edit, meanwhile
from support.faults.world import NAME, TEXT, World, incomplete_uploads, on_disk, verdicts
from support.file_trees import mounted, tree
from support.stores import SCRIPTS, Store

OLD = {f"{n}.txt": b"old " * (n + 1) for n in range(3)}
NEW = {key: b"new " + data * 2 for key, data in OLD.items()} | {"9.txt": b"only new\n"}
PULL = ("pull", "82", "--take", "theirs")


@pytest.fixture
def there(seaweedfs: Store, tmp_path: Path, prefix: str) -> Shell:
    """Return a machine that has pushed `NEW`."""
    shell = library(seaweedfs, tmp_path / "there", prefix)
    write(shell.cwd / NAME, NEW)
    assert shell("push", "82").status == 0
    return shell


def write(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for key, data in files.items():
        (folder / key).write_bytes(data)


def to_be_killed(shell: Shell, *, small: int | None = None) -> Killer:
    return Killer(shell.cwd, shell.environment, small)


def whole(folder: Path) -> dict[str, bytes]:
    """Read the files without temporary ones."""
    return {key: data for key, data in tree(folder).items() if not key.endswith(".part")}


@pytest.mark.parametrize("steps", ["some steps", pytest.param("every step", marks=pytest.mark.slow)])
def test_row_1_killed_at_any_step_of_a_download_every_file_is_old_or_new(
    there: Shell, seaweedfs: Store, tmp_path: Path, prefix: str, steps: str
) -> None:
    """SIGKILL at each step of a pull over old files, from the first request to the last record.

    Guard: with the new bytes copied over the old file instead of renamed, a kill leaves the file empty.
    """
    here = library(seaweedfs, tmp_path / "here", prefix)
    folder, killed = here.cwd / NAME, to_be_killed(here)
    write(folder, OLD)
    total = killed(*PULL).steps
    assert whole(folder) == NEW
    for number, name in enumerate(total, 1):
        if steps == "some steps" and number % 8 and name not in {"link", "rename", "sendfile"}:
            continue
        shutil.rmtree(folder)
        write(folder, OLD)
        end = killed(*PULL, at=number)
        assert end.status in {-9, 0}, end.out
        for key, data in whole(folder).items():
            assert data in (OLD.get(key), NEW[key]), f"{key} is torn at step {number} ({total[number - 1]})"
        assert set(OLD) <= set(whole(folder)), f"step {number}"
        assert killed(*PULL).status == 0
        assert tree(folder) == NEW, f"after step {number}, with nothing left over"


def test_row_2_killed_before_what_was_proven_is_recorded_the_next_run_converges(
    there: Shell, seaweedfs: Store, tmp_path: Path, prefix: str
) -> None:
    """The files are there, the state does not know. Then both sides are edited in turn.

    Guard: with a file that has the bucket's bytes but no base counted as different, the next run transfers
    everything again.
    """
    here = library(seaweedfs, tmp_path / "here", prefix)
    killed = to_be_killed(here)
    (here.cwd / NAME).mkdir()
    for verb in (PULL, ("push", "82")):
        if verb[0] == "push":
            write(here.cwd / NAME, {key: data + b"edited\n" for key, data in NEW.items()})
        assert killed(*verb, at="record").status == -9
        found = here("status", "82", "--json").json["datasets"][0]
        assert found["counts"] == {"synced": len(NEW)}, found
        second = here(verb[0], "82", "--json").json["datasets"][0]
        assert second["actions"] == []


def test_row_3_killed_during_a_multipart_upload_nothing_is_visible_and_the_next_push_continues_it(
    seaweedfs: Store, tmp_path: Path, prefix: str
) -> None:
    """SIGKILL while the parts are sent, and again at the completion: it is the same upload each time.

    Guard: without the recorded upload id, its parts stay forever.
    """
    shell = library(seaweedfs, tmp_path / "here", prefix)
    write(shell.cwd / NAME, {"small.png": b"so that the store has been probed"})
    assert shell("push", "82").status == 0
    write(shell.cwd / NAME, {"big.png": os.urandom(11 << 20)})
    killed, bucket, ids = to_be_killed(shell, small=5 << 20), seaweedfs.bucket(), set()
    for at in ("UploadPart", "CompleteMultipartUpload"):
        assert killed("push", "82", at=at).status == -9
        ids |= {upload.upload_id for upload in bucket.uploads(f"{prefix}/")}
        assert len(ids) == 1, at
        assert [row.key for row in bucket.objects(f"{prefix}/{NAME}/")] == ["small.png"]
        assert shell("status", "82").status == 1
    assert killed("push", "82").status == 0
    assert incomplete_uploads(bucket, prefix) == 0
    assert shell("status", "82").status == 0


def test_row_3_killed_during_a_probe_no_scratch_object_stays(seaweedfs: Store, tmp_path: Path, prefix: str) -> None:
    """SIGKILL while the first push probes the store, with a scratch object and an incomplete multipart upload.

    Guard: without the recorded scratch key, the objects of the killed probe stay forever.
    """
    shell = library(seaweedfs, tmp_path / "here", prefix)
    write(shell.cwd / NAME, {"small.png": b"small"})
    killed, bucket = to_be_killed(shell), seaweedfs.bucket()
    for at, left in (("CopyObject", 0), ("UploadPart", 1), ("CompleteMultipartUpload", 1)):
        assert killed("push", "82", at=at).status == -9
        assert incomplete_uploads(bucket, prefix) >= left, at
        there = [row.key for row in bucket.objects(f"{prefix}/")]
        assert there, "what the probe tried"
        assert all(key.startswith(".hashmark/probe-") for key in there), "and nothing of the push"
    assert killed("push", "82").status == 0
    assert incomplete_uploads(bucket, prefix) == 0
    assert [row.key for row in bucket.objects(f"{prefix}/")] == [f"{NAME}/small.png"]


def test_row_4_the_bytes_reach_the_device_before_their_name_and_the_name_before_the_next_file(
    there: Shell, seaweedfs: Store, tmp_path: Path, prefix: str
) -> None:
    """Observed with strace: fsync of the file, link or rename, fsync of the folder; new files together.

    `tests/disk` has the same from inside, for machines without strace.

    Guard: without the fsync of the unfinished file, its name becomes durable first.
    """
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed; tests/disk/test_place_faults.py watches the same calls from inside")
    here = library(seaweedfs, tmp_path / "here", prefix)
    folder = here.cwd / NAME
    write(folder, {"0.txt": OLD["0.txt"]})
    log = tmp_path / "strace"
    calls = "trace=fsync,link,linkat,rename,renameat,renameat2"
    command: list[str | Path] = [strace, "-ff", "-y", "-e", calls, "-o", log]
    done = subprocess.run(
        [*command, SCRIPTS / "hashmark", *PULL],
        cwd=here.cwd, env=os.environ | here.environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    if "ptrace" in done.stderr:
        pytest.skip(f"this machine does not let strace watch: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    orders = [_order(each.read_text()) for each in tmp_path.glob("strace.*")]
    orders = [order for order in orders if "link" in order or "rename" in order]
    assert orders
    for order in orders:
        assert re.fullmatch(
            r"(((fsync PART )+(link PART )+|fsync PART fsync TRASH rename PART )fsync FOLDER ?)+", order
        ), order
        assert order.count("fsync PART") == order.count("link PART") + order.count("rename PART")


def _order(calls: str) -> str:
    """Return the system calls of one thread on temporary files and the dataset's folder, in order."""
    words = []
    for name, what in re.findall(r"^(fsync|link|rename)\w*\((.*)\) += 0", calls, re.MULTILINE):
        if re.search(r'\.part|/#\d+|"/proc/self/fd/\d+"', what):  # under a temporary name, or without one
            words.append(f"{name} PART")
        elif what.endswith(f"/{NAME}>"):
            words.append(f"{name} {'TRASH' if '/trash/' in what else 'FOLDER'}")
    return " ".join(words)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=8m", "tmpfs") as folder:
        yield folder


def test_row_5_a_full_disk_keeps_the_old_files_removes_the_temporary_ones_and_stops(small: Path, world: World) -> None:
    """Download 12 MiB to an 8 MiB file system.

    Guard: with temporary files left in place, they fill the disk forever.
    """
    there = world.other()
    fill(there, {f"{n}.png": os.urandom(3 << 20) for n in range(4)} | {"old.txt": b"new text\n"})
    push(there)
    here = world.machine("small", small)
    fill(here, {"old.txt": TEXT})
    planned = plan(here, Policy(Direction.PULL))
    result = run(planned)
    assert result.outcome.fatal is not None
    assert result.outcome.fatal.code == "disk-full"
    right = on_disk(there)
    for key, data in on_disk(here).items():
        assert data in (right.get(key), TEXT if key == "old.txt" else None), f"{key} is torn or a leftover"
    assert "old.txt" in on_disk(here)
    assert shutil.disk_usage(small).free > 1 << 20, "what was unfinished is gone"


@pytest.mark.parametrize("closed", ["library", "dataset"])
def test_row_6_a_read_only_tree_fails_before_anything_is_transferred(world: World, tmp_path: Path, closed: str) -> None:
    """Guard: without the check before the transfer, the bytes are downloaded first and thrown away."""
    there, here = world.other(), world.machine("view")
    fill(there, {f"{n}.txt": TEXT + bytes([n]) for n in range(5)})
    push(there)
    fill(here, {"0.txt": b"old\n"})
    where = here.library.root if closed == "library" else here.path
    with mounted(where, "--bind", "-o", "ro", str(where)):
        result = attempt(here)
        assert result == "read-only"
        assert world.proxy.count("GetObject") == 0
    assert on_disk(here) == {"0.txt": b"old\n"}


def attempt(dataset: Dataset) -> str:
    """Return the code of the error that stopped a pull."""
    try:
        result = pull(dataset, take="theirs")
    except HashmarkError as error:
        return error.code
    finally:
        dataset.library.close()
    (code,) = {failure.code for failure in result.failures}
    return code


def same_size_edit(path: Path) -> None:
    facts = path.stat()
    data = path.read_bytes()
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def test_row_9_an_edit_that_keeps_size_and_time_is_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digest is cached; the ctime, which nobody can set, shows that the file changed.

    Guard: with the ctime ignored when a cached digest is trusted, the edit stays green.
    """
    monkeypatch.setattr(hashing, "GRANULARITY_NS", 0)
    here = world.machine()
    fill(here, {"a.txt": TEXT})
    push(here)
    time.sleep(0.05)
    assert verdicts(here) == {"a.txt": "synced"}
    assert [file.key for file in here.library.state.digests(here.name)] == ["a.txt"], "it is remembered"
    same_size_edit(here.path / "a.txt")
    assert verdicts(here) == {"a.txt": "local-changed"}


def test_row_10_an_edit_within_one_tick_of_the_clock_is_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file system's clock ticks every two seconds, like FAT's: both writes have the same stamp.

    Guard: with the digest cached before the timestamp is settled, the second write is not seen.
    """
    here = world.machine()
    tick = time.time_ns()

    def coarse(facts: os.stat_result) -> Stamp:
        return stamp_of(facts)._replace(mtime_ns=tick, ctime_ns=tick)

    def coarse_too(kernel: Kernel, paths: Sequence[str], room: int = 0) -> list[FoundFile]:
        return [file._replace(mtime_ns=tick, ctime_ns=tick) for file in files(kernel, paths, room)]

    stamp_of, files = walk.stamp_of, Kernel.files
    monkeypatch.setattr(walk, "stamp_of", coarse)
    monkeypatch.setattr(hashing, "stamp_of", coarse)
    monkeypatch.setattr(Kernel, "files", coarse_too)
    monkeypatch.setattr(local_module, "file_system_now", lambda _folder: tick + 1_900_000_000)
    fill(here, {"a.txt": TEXT})
    world.bucket.put(f"{here.prefix}a.txt", TEXT)
    assert verdicts(here) == {"a.txt": "synced"}
    same_size_edit(here.path / "a.txt")
    assert verdicts(here) == {"a.txt": "local-changed"}


def test_row_11_a_local_edit_after_the_plan_is_left_as_it_is(world: World) -> None:
    """The user saves during the download; one edit keeps size and time.

    Guard: without the check of the target before the rename, the edit is overwritten.
    """
    there, here = world.other(), world.machine()
    fill(there, {"a.txt": b"1" * 20, "b.txt": b"2" * 20, "new.txt": b"3" * 20})
    push(there)
    fill(here, {"a.txt": TEXT, "b.txt": TEXT})
    planned = plan(here, Policy(Direction.PULL, Side.THEIRS))

    def edits() -> None:
        fill(here, {"a.txt": b"saved meanwhile\n", "new.txt": b"made meanwhile\n"})
        same_size_edit(here.path / "b.txt")

    world.proxy.on("GetObject", NAME, meanwhile(Once(edits)), times=3)
    result = run(planned)
    assert {f.key: f.code for f in result.failures} == dict.fromkeys(["a.txt", "b.txt", "new.txt"], "file-changed")
    edited = {"a.txt": b"saved meanwhile\n", "b.txt": b"`" + TEXT[1:], "new.txt": b"made meanwhile\n"}
    assert on_disk(here) == edited


@pytest.mark.parametrize("when", ["before the plan", "during the download"])
def test_row_35_a_symlinked_folder_is_never_followed(world: World, tmp_path: Path, when: str) -> None:
    """A folder of the dataset is swapped for a link to a place outside.

    Guard: with the path opened in one call that follows links, the bytes land outside.
    """
    there, here = world.other(), world.machine()
    fill(there, {"sub/a.txt": TEXT, "b.txt": TEXT})
    push(there)
    outside = tmp_path / "outside"
    outside.mkdir()
    (here.path / "sub").mkdir()

    def swap() -> None:
        (here.path / "sub").rename(tmp_path / "was-sub")
        (here.path / "sub").symlink_to(outside)

    if when == "before the plan":
        swap()
    else:
        world.proxy.on("GetObject", "sub/", meanwhile(swap))
    result = pull(here)
    assert tree(outside) == {}
    assert (here.path / "b.txt").read_bytes() == TEXT
    if when == "before the plan":
        assert [f.code for f in result.failures] == ["unsafe-path"]


def test_row_35_a_symlink_in_the_place_of_a_file_is_neither_followed_nor_replaced(world: World, tmp_path: Path) -> None:
    """Guard: with links followed when the target is checked, the link is replaced or written through."""
    there, here = world.other(), world.machine()
    fill(there, {"a.txt": TEXT})
    push(there)
    outside = tmp_path / "outside.txt"
    outside.write_bytes(b"precious\n")
    (here.path / "a.txt").symlink_to(outside)
    result = pull(here, take="theirs")
    assert [f.code for f in result.failures] == ["unsafe-path"]
    assert outside.read_bytes() == b"precious\n"
    assert (here.path / "a.txt").is_symlink()


@pytest.mark.parametrize("days", [-1, 1])
def test_row_36_a_clock_a_day_off_changes_no_decision(world: World, days: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our clock, the files' dates and the store's dates are each a day off; the plan is the same.

    Guard: with the newer date deciding which side wins, the plan changes with the clock.
    """
    there, here = world.other(), world.machine()
    fill(there, {"a.txt": TEXT, "b.txt": TEXT, "c.txt": TEXT})
    push(there)
    pull(here)
    fill(here, {"a.txt": b"edited here\n"})
    fill(there, {"b.txt": b"edited there\n"})
    push(there)
    expected = verdicts(here)
    assert expected == {"a.txt": "local-changed", "b.txt": "remote-changed", "c.txt": "synced"}
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + days * 86400)
    for path in here.path.iterdir():
        os.utime(path, (now() + days * 86400, now() + days * 86400))
    world.proxy.on("ListObjectsV2", NAME, shifted(days), times=10**6)
    assert verdicts(here) == expected
    assert [a.key for a in plan(here, Policy(Direction.PULL)).plan.actions] == ["b.txt"]
    assert [a.key for a in plan(here, Policy(Direction.PUSH)).plan.actions] == ["a.txt"]


def shifted(days: int) -> Fault:
    year = b"2001" if days < 0 else b"2099"
    return edit(lambda body: re.sub(rb"<LastModified>\d{4}", b"<LastModified>" + year, body))

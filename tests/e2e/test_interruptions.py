"""Stopped, killed or out of space at any moment: only old or new content, and the next run finishes."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hashmark.s3.xml import Upload
from support.command import Shell, end, library
from support.datasets import write_pairs
from support.faults.proxy import meanwhile, proxied
from support.stores import Store
from support.waiting import wait_for

PAIRS = 300


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def full(seaweedfs: Store, tmp_path: Path, prefix: str) -> Shell:
    """A library of several hundred files, all pushed."""
    shell = library(seaweedfs, tmp_path / "full", prefix)
    write_pairs(shell.cwd, "82_x", PAIRS, size=60_000)
    assert shell("push", "82").status == 0
    return shell


def test_ctrl_c_during_push_ends_with_130_and_the_next_push_finishes(
    seaweedfs: Store, tmp_path: Path, prefix: str
) -> None:
    go, bucket = threading.Event(), seaweedfs.bucket()
    with proxied(seaweedfs.endpoint_url) as proxy:
        proxy.on("PutObject", "82_x", meanwhile(lambda: go.wait(60)), nth=3, times=10**6, overall=True)
        shell = library(replace(seaweedfs, endpoint_url=proxy.url), tmp_path / "styles", prefix)
        write_pairs(shell.cwd, "82_x", PAIRS)
        process = shell.start("push", "82")
        wait_for(lambda: proxy.count("PutObject", "82_x") > 3)
        threading.Timer(0.5, go.set).start()  # what is under way when the signal comes is finished
        ran = end(process, signal.SIGINT)
        assert ran.status == 130
        assert "not tried; run the command again to finish" in ran.out
        there = {o.key: o.etag for o in bucket.objects(f"{prefix}/82_x/")}
        assert 0 < len(there) < 2 * PAIRS
        assert shell("push", "82").status == 0
        assert shell("status", "82").status == 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_a_killed_pull_leaves_whole_files_and_the_next_one_finishes(
    seed: int, full: Shell, seaweedfs: Store, tmp_path: Path, prefix: str
) -> None:
    right = contents(full.cwd / "82_x")
    other = library(seaweedfs, tmp_path / "other", prefix)
    folder = other.cwd / "82_x"
    folder.mkdir()
    old = {key: b"old " + data for key, data in list(right.items())[::3]}
    for key, data in old.items():
        (folder / key).write_bytes(data)
    process = other.start("pull", "82", "--take", "theirs")
    moment = random.Random(seed).randrange(1, PAIRS)
    wait_for(lambda: process.poll() is not None or sum(1 for _ in folder.iterdir()) > len(old) + moment)
    process.kill()
    process.communicate()
    for key, data in contents(folder).items():
        if key.endswith(".part"):
            continue
        assert data in (right[key], old.get(key)), f"{key} is torn"
    assert other("pull", "82", "--take", "theirs").status == 0
    assert contents(folder) == right
    assert other("status", "82").status == 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_killed_push_leaves_whole_objects_and_the_next_one_finishes(
    seed: int, full: Shell, seaweedfs: Store, prefix: str
) -> None:
    folder = full.cwd / "82_x"
    before = contents(folder)
    for path in folder.glob("*.txt"):
        path.write_text(path.read_text() + "cleaned\n")
    after = contents(folder)
    bucket = seaweedfs.bucket()
    process = full.start("push", "82")
    moment = random.Random(seed).randrange(1, PAIRS)

    def far_enough() -> bool:
        changed = sum(
            1 for o in bucket.objects(f"{prefix}/82_x/") if o.key.endswith(".txt") and o.size == len(after[o.key])
        )
        return process.poll() is not None or changed >= moment

    wait_for(far_enough)
    process.kill()
    process.communicate()
    for row in bucket.objects(f"{prefix}/82_x/"):
        if row.key.endswith(".txt"):
            assert bucket.get(f"{prefix}/82_x/{row.key}") in (before[row.key], after[row.key])
    assert full("push", "82").status == 0
    assert full("status", "82").status == 0


def test_a_second_run_of_push_or_pull_is_a_no_op(full: Shell) -> None:
    for verb in ("push", "pull"):
        ran = full(verb, "82", "--json")
        assert ran.status == 0
        assert [d["actions"] for d in ran.json["datasets"]] == [[]]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "none", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this machine does not let the tests mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_keeps_what_was_there_and_says_so(
    full: Shell, seaweedfs: Store, small_disk: Path, prefix: str
) -> None:
    right = contents(full.cwd / "82_x")
    other = library(seaweedfs, small_disk / "lib", prefix)
    ran = other("pull", "82")
    assert ran.status == 4
    assert "no space is left" in ran.out.lower()
    for key, data in contents(other.cwd / "82_x").items():
        assert data == right[key], f"{key} is torn or a leftover"


def test_a_read_only_library_fails_before_anything_moves(
    full: Shell, seaweedfs: Store, small_disk: Path, prefix: str
) -> None:
    other = library(seaweedfs, small_disk / "lib", prefix)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    ran = other("status", "82")
    assert (ran.status, "nothing is remembered" in ran.out) == (1, True)
    ran = other("pull", "82")
    assert ran.status == 4
    assert "read-only" in ran.err.lower()


def test_two_runs_at_once_do_not_mix(full: Shell) -> None:
    for path in (full.cwd / "82_x").glob("*.txt"):
        path.write_text(path.read_text() + "more\n")
    first, second = full.start("push", "82"), full.start("push", "82")
    ends = sorted([first.wait(60), second.wait(60)])
    for process in (first, second):
        out, err = process.communicate()
        assert "Traceback" not in out + err
    assert ends in ([0, 0], [0, 4])
    assert full("status", "82").status == 0


def test_losing_the_state_loses_nothing(full: Shell) -> None:
    state = full.cwd / ".hashmark" / "state.sqlite"
    state.write_bytes(b"this is not a database" * 1000)
    ran = full("status", "82")
    assert (ran.status, "set aside" in ran.out) == (0, True)
    assert list(state.parent.glob("state.sqlite.damaged-*"))
    shutil.rmtree(state.parent)
    assert full("status", "82").status == 0


@pytest.mark.slow
def test_the_next_push_continues_the_upload_of_a_killed_one(seaweedfs: Store, tmp_path: Path, prefix: str) -> None:
    shell = library(seaweedfs, tmp_path / "styles", prefix)
    (shell.cwd / "82_x").mkdir()
    (shell.cwd / "82_x" / "big.png").write_bytes(random.Random(1).randbytes(200 << 20))
    bucket = seaweedfs.bucket()

    def uploads() -> list[Upload]:
        return list(bucket.uploads(f"{prefix}/82_x/"))

    def parts() -> bool:
        """Its id was noted before any part was sent; a kill before that leaves it to `doctor`."""
        listed = (bucket.client.call("ListParts", "GET", u.key, query={"uploadId": u.upload_id}) for u in uploads())
        return any(b"<PartNumber>" in answer.body for answer in listed)

    process = shell.start("push", "82")
    wait_for(lambda: parts() or process.poll() is not None)
    process.kill()
    process.communicate()
    assert len(uploads()) == 1
    assert shell("push", "82").status == 0
    assert uploads() == []
    assert shell("status", "82").status == 0

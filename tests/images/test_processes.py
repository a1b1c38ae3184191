"""What a worker may not do, asked from the inside."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing.context import SpawnProcess
from pathlib import Path

import pytest
from pebble.pool.channel import ChannelMutex

from hashmark.core.errors import ImageRefused
from hashmark.images import decode, heads, processes
from hashmark.images.processes import Died, Limits, WorkerProcesses
from support.sample_images import encoded, quarters


@pytest.fixture(scope="module")
def one() -> Iterator[WorkerProcesses]:
    made = WorkerProcesses(1, Limits(seconds=5, memory=1 << 30), decode.prepare)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("which", "most"), [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_AS, 1 << 30)]
)
def test_its_limits_can_t_be_raised_again(one: WorkerProcesses, which: int, most: int) -> None:
    assert one.run(resource.getrlimit, which) == (most, most)


def test_it_can_t_write_a_file(one: WorkerProcesses, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="File too large"):
        one.run(Path(tmp_path, "a.txt").write_bytes, b"loot")


def test_it_runs_out_of_memory_before_the_machine_does(one: WorkerProcesses) -> None:
    with pytest.raises(MemoryError):
        one.run(bytes, 1 << 30)


def test_ctrl_c_in_the_terminal_is_not_its_business(one: WorkerProcesses) -> None:
    pid = one.run(os.getpid)
    os.kill(pid, signal.SIGINT)
    assert one.run(os.getpid) == pid


def test_a_decoder_that_crashes_is_told_by_its_signal(one: WorkerProcesses) -> None:
    with pytest.raises(Died, match="ended with SIGSEGV"):
        one.run(ctypes.string_at, 0)
    assert one.run(len, b"abc") == 3


def test_a_decoder_that_hangs_is_ended_at_once(one: WorkerProcesses) -> None:
    """Without waiting for it to notice: it holds the interpreter's lock in C."""
    hung = WorkerProcesses(1, Limits(seconds=3), decode.prepare)
    hung.run(len, b"")
    began = time.monotonic()  # of 60 seconds
    with pytest.raises(Died, match="It took longer than"):
        hung.run(eval, "__import__('ctypes').PyDLL(None).sleep(60)")
    assert time.monotonic() - began < 20
    hung.close()


def test_no_worker_is_left_to_start_when_its_locks_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would end with a stack trace, for all to see."""
    several = WorkerProcesses(3, Limits(), decode.prepare)
    several.run(len, b"")
    pool, remove = several._pool, ChannelMutex.unlink
    assert pool is not None
    processes = list(pool._pool_manager.worker_manager.workers.values())
    alive: list[bool] = []

    def unlink(mutex: ChannelMutex) -> None:
        alive.extend(process.is_alive() for process in processes)
        remove(mutex)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(ChannelMutex, "unlink", unlink)
    several.close()
    assert alive == [False] * 3


def test_it_knows_little_of_hashmark(one: WorkerProcesses) -> None:
    """So that it starts quickly, and holds no credentials."""
    loaded = one.run(eval, "sorted(name for name in __import__('sys').modules if name.startswith('hashmark'))")
    assert loaded == [
        *("hashmark", "hashmark._version", "hashmark.core", "hashmark.core.display", "hashmark.core.errors"),
        *("hashmark.core.lint", "hashmark.core.lint.facts", "hashmark.core.model", "hashmark.images"),
        *("hashmark.images.decode", "hashmark.images.heads", "hashmark.images.processes"),
    ]


def test_pillow_knows_no_other_format(one: WorkerProcesses) -> None:
    """Not even after it has been given something that it does not know."""
    with pytest.raises(ImageRefused):
        one.run(decode.thumbnail, b"%!PS-Adobe-3.0 EPSF-3.0\n", 64)
    one.run(decode.thumbnail, encoded(quarters(), "AVIF"), 64)
    known = set(one.run(eval, "list(__import__('PIL.Image').Image.OPEN)"))
    assert known == {*heads.FORMATS, "DIB", "PPM"}  # these two come along with others


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("Image.MAX_IMAGE_PIXELS", decode.MAX_PIXELS),
        ("ImageFile.LOAD_TRUNCATED_IMAGES", False),
        ("AvifImagePlugin.DEFAULT_MAX_THREADS", 1),
    ],
)
def test_pillow_is_strict_in_it_and_stays_so(one: WorkerProcesses, setting: str, value: object) -> None:
    one.run(decode.facts, [b"", encoded(quarters(), "PNG")])
    module, name = setting.split(".")
    assert one.run(eval, f"getattr(__import__('PIL.{module}').{module}, {name!r})") == value


def test_a_worker_is_replaced_after_many_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_MAX_TASKS", 3)
    made = WorkerProcesses(1, Limits(seconds=5), decode.prepare)
    pids = [made.run(os.getpid) for _ in range(7)]
    made.close()
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 1]


@pytest.mark.parametrize("given", ["a file", "standard input"])
def test_the_main_module_of_a_program_is_not_run_in_it(given: str, tmp_path: Path) -> None:
    """A script that is not guarded against it would push again in each worker; one from standard input ends them."""
    script = tmp_path / "script.py"
    script.write_text(
        "from hashmark.images import decode\n"
        "from hashmark.images.processes import Limits, WorkerProcesses\n"
        "print('main', flush=True)\n"
        "made = WorkerProcesses(2, Limits(seconds=5), decode.prepare)\n"
        "print(made.run(len, b'abc'), flush=True)\n"
        "made.close()\n"
    )
    command = [sys.executable, str(script)] if given == "a file" else [sys.executable, "-"]
    ran = subprocess.run(command, input=script.read_text(), capture_output=True, text=True, timeout=60, check=False)
    assert (ran.stdout, ran.stderr) == ("main\n3\n", "")


def test_it_is_not_forked(one: WorkerProcesses) -> None:
    """Threads, and the locks that they hold, do not survive that."""
    one.run(len, b"")
    children = multiprocessing.active_children()
    assert children
    assert all(isinstance(child, SpawnProcess) for child in children)

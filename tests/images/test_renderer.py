"""The queue, the cache and the processes: what fails, fails alone, and nothing is left behind."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pebble
import pytest
from PIL import Image

from hashmark.core.errors import ImageRefused, NoDecoder
from hashmark.images import decode
from hashmark.images import processes as pool_module
from hashmark.images.decode import Facts
from hashmark.images.processes import Limits
from hashmark.images.renderer import Renderer
from support.sample_images import encoded, poisoned, quarters, render, shown, slow_jpeg

GOOD = encoded(quarters(), "PNG")
DIGEST = hashlib.md5(GOOD).hexdigest()
SLOW = slow_jpeg()


def processes(renderer: Renderer) -> list[int]:
    pool = renderer._workers._pool
    return [] if pool is None else list(pool._pool_manager.worker_manager.workers)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        # One whose parent was killed may wait long for a lazy init to take note of its end.
        stat = Path(f"/proc/{pid}/stat")
        return not stat.parent.exists() or ") Z " not in stat.read_text()
    except OSError:
        return False


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def working(renderer: Renderer) -> list[int]:
    """The processes that are in the middle of a task."""
    pool = renderer._workers._pool
    assert pool is not None
    until(lambda: any(task.started for task in pool._pool_manager.task_manager.tasks.values()))
    time.sleep(0.3)  # from taking it to decoding; a slow image takes many seconds
    return [task.worker_id for task in pool._pool_manager.task_manager.tasks.values() if task.started]


# --- the cache ---------------------------------------------------------------------------------------------------


def test_a_thumbnail_is_kept(tmp_path: Path, renderer: Renderer) -> None:
    with Renderer(tmp_path / "deep" / "cache", 1) as fresh:
        assert fresh.cached(DIGEST, 64) is None
        made = fresh.render(GOOD, DIGEST, 64).result(60)
        assert fresh.cached(DIGEST, 64) == made
        assert fresh.cached(DIGEST, 65) is None
        assert fresh.cached("0" * 32, 64) is None
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()] == [
        f"deep/cache/{DIGEST[:2]}/{DIGEST}-64.webp"
    ]


@pytest.mark.parametrize(
    "spoil", [lambda _: b"", lambda data: data[:-1], lambda data: bytes(len(data)), lambda _: GOOD]
)
def test_a_damaged_thumbnail_is_dropped_and_made_anew(
    tmp_path: Path, renderer: Renderer, spoil: Callable[[bytes], bytes]
) -> None:
    with Renderer(tmp_path) as reader:
        path = tmp_path / DIGEST[:2] / f"{DIGEST}-64.webp"
        path.parent.mkdir()
        whole = render(renderer, GOOD).result(60)
        path.write_bytes(whole)
        assert reader.cached(DIGEST, 64) == whole
        path.write_bytes(spoil(whole))
        assert reader.cached(DIGEST, 64) is None
        assert not path.exists()


def test_a_cache_that_can_t_be_written_costs_only_the_cache(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with Renderer(tmp_path / "cache", 1) as blocked:
        assert blocked.render(GOOD, DIGEST, 64).result(60)[:4] == b"RIFF"
        assert blocked.cached(DIGEST, 64) is None


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / DIGEST[:2] / f"{DIGEST}-64.webp").mkdir(parents=True)
    with Renderer(tmp_path, 1) as blocked:
        assert blocked.render(GOOD, DIGEST, 64).result(60)[:4] == b"RIFF"
        assert blocked.cached(DIGEST, 64) is None
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_what_is_refused_is_not_kept(tmp_path: Path) -> None:
    with Renderer(tmp_path, 1) as fresh:
        with pytest.raises(ImageRefused):
            fresh.render(b"no image", DIGEST, 64).result(60)
        assert fresh.cached(DIGEST, 64) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "digest",
    [
        "../x",
        "../../../../x",
        "..",
        "",
        "a" * 7,
        "a" * 81,
        "A" * 32,
        "g" * 32,
        f"{'a' * 30}/x",
        f"{'a' * 32}\n",
        "٣" * 32,
    ],
)
def test_what_is_no_digest_never_becomes_a_path(renderer: Renderer, digest: str) -> None:
    with pytest.raises(ValueError, match="is not a digest"):
        renderer.cached(digest, 64)
    with pytest.raises(ValueError, match="is not a digest"):
        renderer.render(GOOD, digest, 64)


@pytest.mark.parametrize("digest", ["a" * 8, "0123456789abcdef" * 5, "d41d8cd98f00b204e9800998ecf8427e-12"])
def test_etags_of_parts_are_digests_too(renderer: Renderer, digest: str) -> None:
    made = renderer.render(GOOD, digest, 64).result(60)
    assert renderer.cached(digest, 64) == made


@pytest.mark.parametrize("side", [0, -1, 4097, 10**9])
def test_a_side_has_its_bounds(renderer: Renderer, side: int) -> None:
    with pytest.raises(ValueError, match="side"):
        renderer.render(GOOD, DIGEST, side)
    with pytest.raises(ValueError, match="side"):
        renderer.cached(DIGEST, side)


# --- the queue ---------------------------------------------------------------------------------------------------


def test_nothing_is_started_before_it_is_needed(tmp_path: Path) -> None:
    threads = threading.active_count()
    with Renderer(tmp_path / "cache") as idle:
        assert idle.cached(DIGEST, 64) is None
        assert processes(idle) == []
        assert threading.active_count() <= threads
    assert not (tmp_path / "cache").exists()


def test_many_at_once_are_all_made(renderer: Renderer) -> None:
    images = [encoded(Image.new("RGB", (20 + number, 20), "red"), "PNG") for number in range(60)]
    works = [render(renderer, data) for data in images]
    assert renderer.facts(images).result(60) == [
        Facts(20 + number, 20, "PNG", "RGB", None, 1, alpha=False) for number in range(60)
    ]
    assert all(work.result(60)[:4] == b"RIFF" for work in works)


def test_a_cancelled_one_is_never_begun(tmp_path: Path) -> None:
    with Renderer(tmp_path, 1, limits=Limits(seconds=3)) as narrow:
        slow, cancelled, last = render(narrow, SLOW), narrow.render(GOOD, "c" * 32, 64), narrow.render(GOOD, DIGEST, 64)
        assert cancelled.cancel()
        assert last.result(60)
        with pytest.raises(CancelledError):
            cancelled.result(60)
        assert isinstance(slow.exception(60), ImageRefused)
        assert narrow.cached("c" * 32, 64) is None


# --- what may become of a worker ---------------------------------------------------------------------------------


def test_a_worker_killed_in_the_middle_of_its_work_fails_that_work_alone(tmp_path: Path) -> None:
    with Renderer(tmp_path, 2) as fragile:
        shown(fragile, GOOD)
        slow = render(fragile, SLOW)
        (victim,) = working(fragile)
        waiting = [fragile.render(GOOD, f"{number:032x}", 64) for number in range(20)]
        os.kill(victim, signal.SIGKILL)
        with pytest.raises(ImageRefused, match="was killed, perhaps because the machine ran out of memory"):
            slow.result(60)
        assert all(work.result(60) for work in waiting)
        assert shown(fragile, GOOD).size == (64, 43)


@pytest.mark.parametrize("count", [1, 2])
def test_workers_killed_while_idle_are_replaced(tmp_path: Path, count: int) -> None:
    with Renderer(tmp_path, count) as fragile:
        for _ in range(3):
            assert shown(fragile, GOOD).size == (64, 43)
            for pid in processes(fragile):
                with contextlib.suppress(ProcessLookupError):  # gone by itself, or taken leave of already
                    os.kill(pid, signal.SIGKILL)


def test_workers_killed_again_and_again_lose_no_good_image(tmp_path: Path) -> None:
    """At any moment: starting, taking work, idle. An image may be refused for it, but none is waited for in vain."""
    with Renderer(tmp_path, 2) as fragile:
        works = [fragile.render(GOOD, f"{number:032x}", 64) for number in range(30)]
        for _ in range(6):
            time.sleep(0.05)
            for pid in processes(fragile):
                with contextlib.suppress(ProcessLookupError):  # gone by itself, or taken leave of already
                    os.kill(pid, signal.SIGKILL)
        errors = [work.exception(60) for work in works]
        assert all(error is None or isinstance(error, ImageRefused) for error in errors)
        assert shown(fragile, GOOD).size == (64, 43)


def test_a_worker_that_never_answers_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped before it took its work, so that its time never began to count."""
    monkeypatch.setattr(pool_module, "_GRACE_S", 0.2)
    monkeypatch.setattr(pebble.CONSTS, "term_timeout", 0.1)  # how long a worker may take to end before it is killed
    with Renderer(tmp_path, 1, limits=Limits(seconds=5)) as fragile:
        shown(fragile, GOOD)
        monkeypatch.setattr(fragile._workers, "_limits", Limits(seconds=0.5))
        discard = fragile._workers._discard

        def discard_and_have_time(*arguments: Any) -> None:
            """Its time was short; the next one has as much as it needs to start."""
            monkeypatch.setattr(pool_module, "_GRACE_S", 30.0)
            monkeypatch.setattr(fragile._workers, "_limits", Limits(seconds=15))
            discard(*arguments)

        monkeypatch.setattr(fragile._workers, "_discard", discard_and_have_time)
        (pid,) = processes(fragile)
        os.kill(pid, signal.SIGSTOP)
        assert shown(fragile, GOOD, 32).size == (32, 21)
        assert not alive(pid)


def test_workers_that_can_t_start_are_not_tried_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "prepare", functools.partial(os._exit, 3))
    with Renderer(tmp_path, 1) as hopeless:
        with pytest.raises(NoDecoder, match="keep ending"):
            render(hopeless, GOOD).result(60)
        assert isinstance(hopeless.facts([GOOD, GOOD]).exception(60), NoDecoder)


def test_a_head_that_takes_its_worker_down_harms_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "facts", poisoned)
    with Renderer(tmp_path, 1) as fragile:
        before, bad, after = fragile.facts([GOOD, b"poison", GOOD]).result(60)
        assert before == after == Facts(120, 80, "PNG", "RGB", None, 1, alpha=False)
        assert bad == "It cannot be read within the limits. Its process ended with status 7."


# --- the end -----------------------------------------------------------------------------------------------------


def test_closing_ends_everything_at_once(tmp_path: Path) -> None:
    renderer = Renderer(tmp_path, 1)
    shown(renderer, GOOD)
    slow, queued = render(renderer, SLOW), renderer.render(GOOD, "c" * 32, 64)
    pids = working(renderer)
    began = time.monotonic()
    renderer.close()
    assert time.monotonic() - began < 10, "the image would take longer, and its time is up after 15"
    with pytest.raises(ImageRefused, match="hashmark was closed"):
        slow.result(0)
    assert queued.cancelled()
    assert not any(alive(pid) for pid in pids)
    with pytest.raises(RuntimeError):
        renderer.render(GOOD, DIGEST, 64)
    renderer.close()


SCRIPT = """
    import os, signal, sys, threading
    from pathlib import Path
    from hashmark.images.renderer import Renderer
    from hashmark.s3.client import Client
    from hashmark.s3.endpoint import Remote
    from support.sample_images import encoded, quarters, render

    if __name__ == "__main__":
        client = Client(Remote("bucket", endpoint_url="http://127.0.0.1:1"))
        client.send("HeadBucket", "HEAD")  # the network thread runs, as in a real process
        renderer = Renderer(Path(sys.argv[1]), 1)
        render(renderer, encoded(quarters(), "PNG")).result(60)
        renderer.facts([encoded(quarters(), "TIFF", compression="tiff_lzw")[:900]]).result(60)  # Pillow warns of it
        print(*renderer._workers._pool._pool_manager.worker_manager.workers, flush=True)
"""


def script(tmp_path: Path, last: str) -> tuple[subprocess.CompletedProcess[str], int]:
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(SCRIPT) + f"    {last}\n")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    environment |= {"AWS_ACCESS_KEY_ID": "TESTKEY", "AWS_SECRET_ACCESS_KEY": "very-secret-key"}
    done = subprocess.run(
        [sys.executable, path, tmp_path / "cache"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done, int(done.stdout)


def test_a_program_that_forgets_to_close_ends_all_the_same(tmp_path: Path) -> None:
    done, pid = script(tmp_path, "pass")
    assert (done.returncode, done.stderr) == (0, "")
    assert not alive(pid)


def test_a_program_that_is_killed_leaves_no_worker(tmp_path: Path) -> None:
    done, pid = script(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)")
    assert done.returncode == -signal.SIGKILL
    until(lambda: not alive(pid))

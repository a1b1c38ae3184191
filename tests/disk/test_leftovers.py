"""Unfinished files of killed runs are found and removed; those of running processes stay."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from hashmark.disk.leftovers import is_running, leftovers, remove_leftovers
from support.file_trees import write_keys


def test_leftovers_are_the_unfinished_downloads_of_killed_runs(tmp_path: Path) -> None:
    part = ".hashmark-12-0af3.part"
    write_keys(tmp_path, "set/a.txt", f"set/{part}", f"set/deep/{part}", f"set/.hashmark/trash/{part}", f"other/{part}")
    (tmp_path / "set/link").symlink_to("../other")
    assert set(leftovers(tmp_path / "set")) == {tmp_path / "set" / part, tmp_path / "set/deep" / part}


def test_files_of_ended_processes_are_removed_and_those_of_running_ones_kept(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for process in (ended.pid, os.getpid()):
        (tmp_path / "sub" / f".hashmark-{process}-0a1b2c.part").write_bytes(b"half")
    (tmp_path / ".hashmark-99999999999999999999-0a.part").write_bytes(b"half")
    remove_leftovers(tmp_path)
    assert [path.name for path in sorted(tmp_path.rglob(".hashmark-*"))] == [f".hashmark-{os.getpid()}-0a1b2c.part"]


def test_a_process_of_another_user_is_running() -> None:
    assert is_running(1)
    assert is_running(os.getpid())
    assert not is_running(10**20)

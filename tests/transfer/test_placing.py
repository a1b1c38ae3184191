"""New files gather while others are being synced, and each hears how it went."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from hashmark.core.errors import FileChanged, LocalError
from hashmark.core.model import Stamp
from hashmark.disk import unfinished
from hashmark.disk.place import open_slot
from hashmark.disk.unfinished import Unfinished
from hashmark.s3.waiting import finish
from hashmark.transfer import placing
from hashmark.transfer.placing import MAX_GROUP, MAX_LEADERS, Placing
from support.file_trees import stamp
from support.waiting import wait_for

COUNT = 3 * MAX_GROUP


def test_files_that_come_while_others_are_synced_are_put_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "7.txt").write_bytes(b"in the way")
    go, groups = threading.Event(), list[int]()

    def put_all(files: Sequence[Unfinished]) -> list[Stamp | LocalError | None]:
        groups.append(len(files))
        assert go.wait(30)
        return unfinished.put_all(files)

    monkeypatch.setattr(placing, "put_all", put_all)
    everything = Placing()
    with ExitStack() as stack, ThreadPoolExecutor(COUNT) as pool:
        files = [Unfinished(stack.enter_context(open_slot(tmp_path, f"{n}.txt"))) for n in range(COUNT)]
        for file in files:
            stack.callback(file.drop)
            file.fill([b"new"])
        put = [pool.submit(finish, everything.put(file)) for file in files]
        wait_for(lambda: len(groups) == MAX_LEADERS and len(everything._waiting) == COUNT - sum(groups))
        go.set()
        for n, done in enumerate(put):
            if n == 7:
                with pytest.raises(FileChanged):
                    done.result(30)
            else:
                assert done.result(30) == stamp(tmp_path / f"{n}.txt")
    assert sum(groups) == COUNT
    assert max(groups) == MAX_GROUP


def test_an_internal_error_leaves_nobody_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def put_all(_files: object) -> list[Stamp]:
        raise ZeroDivisionError

    monkeypatch.setattr(placing, "put_all", put_all)
    everything = Placing()
    with open_slot(tmp_path, "a.txt") as slot:
        for _ in range(2 * MAX_LEADERS):
            file = Unfinished(slot)
            with pytest.raises(LocalError, match="ZeroDivisionError"):
                finish(everything.put(file))

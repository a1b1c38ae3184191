"""Every run that overwrites or deletes files has a batch of its own, whose name the trash recognises."""

from __future__ import annotations

import re
import time

import pytest

from hashmark.core.errors import UsageError
from hashmark.core.plan import Direction
from hashmark.library.machine import machine_id
from hashmark.trash.batch import new_batch_name
from hashmark.trash.contents import trash_entries
from support.datasets import LibraryMaker
from support.stores import Store

KINDS = [*Direction, "edit", "rename", "restore", "clean", "undo"]


def test_a_name_says_when_and_what_and_on_which_machine(seaweedfs: Store, library_on: LibraryMaker) -> None:
    library = library_on(seaweedfs)
    before = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    name = new_batch_name(library, "edit")
    after = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    when, kind, digits, machine = name.split("-")
    assert before <= when <= after
    assert kind == "edit"
    assert re.fullmatch(r"[0-9a-f]{8}", digits)
    assert machine == machine_id(library)


def test_names_of_one_moment_differ(seaweedfs: Store, library_on: LibraryMaker) -> None:
    """Two saves in one second in the same batch could not be restored separately."""
    library = library_on(seaweedfs)
    assert len({new_batch_name(library, "edit") for _ in range(2000)}) == 2000


def test_the_trash_lists_the_batches_of_every_kind_of_run(seaweedfs: Store, library_on: LibraryMaker) -> None:
    """A batch of an unknown kind could never be restored."""
    library = library_on(seaweedfs)
    names = [new_batch_name(library, kind) for kind in KINDS]
    names.append("20260101T000000Z-push-0a1b")  # the name an earlier version gave
    for name in names:
        path = library.trash / name / "82_x" / "a.txt"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"old")
    assert {entry.batch for entry in trash_entries(library)} == set(names)
    for name in names:
        assert [entry.batch for entry in trash_entries(library, name)] == [name]


@pytest.mark.parametrize("name", ["20260101T000000Z-wash-0a1b2c3d", "20260101T000000Z-push-", "x", ""])
def test_what_is_no_name_of_a_batch_is_refused(name: str, seaweedfs: Store, library_on: LibraryMaker) -> None:
    with pytest.raises(UsageError, match="is not the name of a batch"):
        list(trash_entries(library_on(seaweedfs), name))

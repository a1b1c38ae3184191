"""Names come out sorted whatever they are, and a million of them do not fill the memory."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashmark.disk import names
from hashmark.disk.names import in_byte_order

some = st.lists(st.binary(min_size=1, max_size=4).map(lambda name: name.replace(b"\0", b"\1")), unique=True)


@given(some, st.integers(1, 5), st.integers(1, 3))
def test_names_come_out_sorted_and_whole(given_names: list[bytes], run: int, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(names, "NAMES_PER_RUN", run)
        patch.setattr(names, "NAMES_PER_BLOCK", block)
        assert list(in_byte_order(iter(given_names))) == sorted(given_names)


def test_many_names_take_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third of what they take as a list of objects, most of it for the run that is being sorted."""
    monkeypatch.setattr(names, "NAMES_PER_RUN", 2_000)
    monkeypatch.setattr(names, "NAMES_PER_BLOCK", 100)
    tracemalloc.start()
    try:
        count = sum(1 for _ in in_byte_order(b"%07d.png" % n for n in range(50_000)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 50_000
    assert peak < 50_000 * 16

"""A journal survives writing and parsing, and other data is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashmark.trash.journal import Journal, JournalEntry

NAMES = st.one_of(st.text(max_size=20), st.just("caf\udce9.txt"))
DIGESTS = st.none() | st.from_regex(r"[0-9a-f]{32}", fullmatch=True)
FILES = st.lists(st.builds(JournalEntry, NAMES, DIGESTS, DIGESTS), max_size=4).map(tuple)


@given(st.builds(Journal, st.text(), NAMES, st.text(), st.text(), FILES))
def test_a_journal_comes_back_as_it_was_written(journal: Journal) -> None:
    """Including names that are not valid Unicode."""
    assert Journal.parse(journal.to_bytes()) == journal


GOOD = {"format": 1, "kind": "clean", "dataset": "82_x", "at": "2026", "what": "tags", "files": [["a.txt", "0", None]]}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b"7",
        b"{" * 100_000,
        json.dumps(GOOD)[:-9].encode(),
        json.dumps({**GOOD, "format": 2}).encode(),
        json.dumps({**GOOD, "dataset": 82}).encode(),
        json.dumps({**GOOD, "files": [["a.txt", 0, None]]}).encode(),
        json.dumps({**GOOD, "files": [["a.txt"]]}).encode(),
        json.dumps({**GOOD, "files": 1}).encode(),
        json.dumps({name: value for name, value in GOOD.items() if name != "what"}).encode(),
    ],
)
def test_what_is_no_journal_is_refused(data: bytes) -> None:
    """Damaged, of a later format, or something else."""
    assert Journal.parse(json.dumps(GOOD).encode()).files == (JournalEntry("a.txt", "0", None),)
    with pytest.raises(ValueError, match=r".*"):
        Journal.parse(data)

"""Looking ahead in a stream shows what is there, and takes nothing from its reader."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from hashmark.core.ahead import Ahead
from hashmark.core.compare import join
from hashmark.core.model import Key, LocalFile, RemoteObject, Stamp, key_bytes

KEYS = st.sets(st.sampled_from([Key(f"{a}{b}") for a in "abcdé\U0001f600\uff61" for b in ("", "/x", "-", "é")]))


def ordered(keys: set[Key]) -> list[Key]:
    return sorted(keys, key=key_bytes)


@given(KEYS, KEYS, st.integers(1, 40))
def test_a_join_that_looks_ahead_sees_every_counterpart_and_yields_the_same_rows(
    here: set[Key], there: set[Key], ahead: int
) -> None:
    remotes = Ahead(RemoteObject(key, 1, "x") for key in ordered(there))
    seen: dict[Key, bool] = {}

    def locals_() -> Iterator[LocalFile]:
        """As hashing does it: so many files are looked at before the first of them is given on."""
        keys = ordered(here)
        for start in range(0, len(keys), ahead):
            lot = keys[start : start + ahead]
            seen.update((key, remotes.holds(key)) for key in lot)
            yield from (LocalFile(key, Stamp(1, 0, 0, 0, 0)) for key in lot)

    rows = list(join(locals_(), remotes, ()))
    assert seen == {key: key in there for key in here}
    assert [row.key for row in rows] == ordered(here | there)
    assert {row.key for row in rows if row.remote} == there
    assert {row.key for row in rows if row.local} == here


def test_nothing_is_taken_from_the_stream_before_somebody_looks() -> None:
    taken: list[str] = []

    def objects() -> Iterator[RemoteObject]:
        for key in "abc":
            taken.append(key)
            yield RemoteObject(Key(key))

    stream = Ahead(objects())
    assert taken == []
    assert not stream.holds(Key("aa"))
    assert taken == ["a", "b"]
    assert stream.holds(Key("b"))
    assert taken == ["a", "b"], "b was looked at already"
    assert [item.key for item in stream] == ["a", "b", "c"]
    assert not stream.holds(Key("d"))

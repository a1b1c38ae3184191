"""Which keys are refused, which odd ones are not, and which two would become one file."""

from __future__ import annotations

import posixpath
import sys
import unicodedata
import weakref
from collections import defaultdict

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from hashmark.core import keys as keys_module
from hashmark.core.keys import (
    MAX_KEY_BYTES,
    MAX_NAME_BYTES,
    Collisions,
    as_collision,
    fold,
    is_folder_marker,
    is_ours,
    refuse_collisions,
    surely_safe,
    unsafe_reason,
)
from hashmark.core.model import Evidence, Verdict
from hashmark.core.vocabulary import reason_of
from support.core_values import any_keys, in_bytes, keys, status
from support.hostile_keys import HOSTILE_KEYS


@pytest.mark.parametrize(("key", "reason"), HOSTILE_KEYS.items(), ids=[ascii(key)[:40] for key in HOSTILE_KEYS])
def test_a_hostile_key_is_refused_with_its_reason(key: str, reason: str) -> None:
    """No such key may become a path."""
    assert reason in (unsafe_reason(key) or "accepted")


LEGAL = [
    "a",
    "a.png",
    "82_stellar_sketch/a.png",
    "with space.png",
    " leading space.png",
    "a+b.png",
    "a&b=c.png",
    "#1.png",
    "100%.png",
    "%2e%2e%2fa.png",
    "what?.png",
    "*.png",
    'it\'s "quoted".png',
    "`$(rm -rf)`;.png",
    "<b>|.png",
    "~/a.png",
    "-rf",
    "--delete",
    ".hidden",
    "..hidden",
    "a..b",
    "a...png",
    "10:30.png",
    "ab:c.png",
    "@home!^{}[](),",
    "猫/貓.png",
    "caf\u00e9.png",
    "cafe\u0301.png",
    "\U0001f431\u200d\U0001f464.png",
    "ſ.png",
    "\u202etxt.png",
    "con1.txt",
    "icon.png",
    "console/aux_.png",
    "com.txt",
    "com10.txt",
    "nul_.txt",
    "myhashmark.toml",
    "hashmark.toml.bak",
    ".hashmarks/a",
    "hashma~x",
    "n" * MAX_NAME_BYTES,
    "ü" * 127 + "u",
    "abc/" * (MAX_KEY_BYTES // 4 - 1) + "abcd",
]


@pytest.mark.parametrize("key", LEGAL, ids=[ascii(key)[:40] for key in LEGAL])
def test_an_awkward_but_legal_key_is_accepted(key: str) -> None:
    """Odd names are used as they are; only danger is refused."""
    assert unsafe_reason(key) is None


segments = st.sampled_from(["..", ".", "", "a", "A.png", "~", "C:", "con", "\\", "b.", "é", "\x00", "..."])
pathlike = st.lists(segments, min_size=1, max_size=5).map("/".join)


@given(st.one_of(pathlike, any_keys, keys))
@example("a/b/../../../c")
def test_an_accepted_key_never_leaves_its_folder_nor_changes_its_name(key: str) -> None:
    """Joined to a root it stays below it, and names the same path that it spells."""
    assume(unsafe_reason(key) is None)
    path = posixpath.normpath(posixpath.join("/root/dataset", key))
    assert path == f"/root/dataset/{key}"
    assert not {"\\", "\x00", "\n"} & set(key)


plain_segments = st.text(st.sampled_from("aCnOux019_-. ($é~\0"), max_size=6) | st.sampled_from(
    ["con", "nul.txt", "COM1 ", "Conin$", "hashmark.toml", "Hashmark.TOML.bak", ".hashmark", "K", "ſ"]
)
plain_keys = st.lists(plain_segments, min_size=1, max_size=3).map("/".join)


@given(st.lists(plain_keys | any_keys, max_size=4))
@example(["a", ""])
@example(["a\0b"])
@example(["a", "/b"])
def test_the_quick_way_for_plain_keys_agrees_with_the_thorough_one(listed: list[str]) -> None:
    """It may not know about a safe key, but what it says is so."""
    thorough = [keys_module._whole_reason(key) or keys_module._segments_reason(key) for key in listed]
    assert not surely_safe(listed) or not any(thorough)
    assert list(map(unsafe_reason, listed)) == thorough


@pytest.mark.parametrize("key", ["000001.png", "10_style/IMG_0001.JPG", "a photo (2).txt", "concept.png", "a.b.png"])
def test_ordinary_keys_are_known_to_be_safe_together(key: str) -> None:
    assert surely_safe([key, "another.txt", key])


@pytest.mark.parametrize("length", [MAX_NAME_BYTES - 1, MAX_NAME_BYTES, MAX_NAME_BYTES + 1])
def test_the_length_of_a_plain_name_is_limited_as_that_of_any_other(length: int) -> None:
    """With and without folders, in small letters and large."""
    for name in ("n" * length, "N" * length):
        for key in (name, f"x/{name}", f"{name}/x"):
            assert (unsafe_reason(key) is None) == (length <= MAX_NAME_BYTES)


@pytest.mark.parametrize(("key", "marker"), [("", True), ("a/", True), ("a/b/", True), ("a", False), ("a/b", False)])
def test_a_folder_marker_is_no_file(key: str, marker: bool) -> None:
    """The marker of the dataset's own folder has an empty key."""
    assert is_folder_marker(key) is marker


@pytest.mark.parametrize(
    ("key", "ours"),
    [
        (".hashmark/state.sqlite", True),
        (".hashmark-12-0af3.part", True),
        ("sub/.hashmark-12-0af3.part", True),
        ("sub/.hashmark/x", False),
        (".hashmark", False),
        ("a.hashmark-12-0af3.part", False),
        (".hashmark-12-0af3.part.png", False),
        (".hashmark-12-0AF3.part", False),
        (".hashmark-12-0af3.part/x", False),
    ],
)
def test_only_hashmarks_own_names_are_its_own(key: str, ours: bool) -> None:
    """Its state folder at the top, and a download in progress anywhere; the whole name must fit."""
    assert is_ours(key) is ours


FOLDS = [
    ("A.PNG", "a.png"),
    ("caf\u00e9", "cafe\u0301"),
    ("CAF\u00c9", "cafe\u0301"),
    ("\u00c5", "A\u030a"),
    ("\u212b", "\u00e5"),
    ("\u0421\u041a\u0415\u0422\u0427", "\u0441\u043a\u0435\u0442\u0447"),
    ("\u03a3\u0391\u03a3.png", "\u03c3\u03b1\u03c2.png"),
    ("\u03b1\u03c2", "\u03b1\u03c3"),
    ("\u00b5.png", "\u03bc.png"),
    ("Folder/a", "folder/A"),
]


@pytest.mark.parametrize(("one", "other"), FOLDS, ids=ascii)
def test_names_that_macos_or_windows_take_for_one_have_one_fold(one: str, other: str) -> None:
    """Letter case, accents composed or not, and the Greek sigma, which has two small forms."""
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("a", "b"), ("e", "\u00e9"), ("a b", "a_b"), ("\u0441", "c"), ("strasse", "stra\u00dfe"), ("\u0149", "\u02bcn")],
    ids=ascii,
)
def test_names_that_only_look_alike_do_not_collide(one: str, other: str) -> None:
    """Folding goes no further than file systems do."""
    assert fold(one) != fold(other)


def refused(*listed: str) -> set[str]:
    rows = refuse_collisions([status(key) for key in in_bytes(listed)])
    assert [row.key for row in rows] == in_bytes(listed)
    return {row.key for row in rows if row.verdict is Verdict.REFUSED}


COLLIDING: list[tuple[list[str], set[str]]] = [
    (["a.png", "b.png"], set()),
    (["A.png", "a.png", "b.png"], {"A.png", "a.png"}),
    (["A.PNG", "A.png", "a.png"], {"A.PNG", "A.png", "a.png"}),
    (["X/a.png", "x/a.png"], {"X/a.png", "x/a.png"}),
    (["X/a.png", "x/b.png"], set()),
    (["caf\u00e9.png", "cafe\u0301.png"], {"caf\u00e9.png", "cafe\u0301.png"}),
    (["CAFE\u0301", "caf\u00e9", "cafe", "cafe\u0301"], {"CAFE\u0301", "caf\u00e9", "cafe\u0301"}),
    (["a/B", "a/b", "a-b", "a-B"], {"a/B", "a/b", "a-b", "a-B"}),
    (["A\udcff", "a\udcff"], {"A\udcff", "a\udcff"}),
    (["\u00df.png", "\u1e9e.png"], {"\u00df.png", "\u1e9e.png"}),
    (["\u00e5.png", "\u212b.png"], {"\u00e5.png", "\u212b.png"}),
]


@pytest.mark.parametrize(("listed", "expected"), COLLIDING, ids=[ascii(row[0]) for row in COLLIDING])
def test_every_member_of_a_collision_is_refused_and_nobody_else(listed: list[str], expected: set[str]) -> None:
    """Two, three or more; order and number of the rows stay."""
    assert refused(*listed) == expected


def test_a_collision_names_the_other_file_and_drops_what_no_longer_holds() -> None:
    """The old evidence proves nothing any more, and nothing but renaming settles it."""
    unsure = status("A.png", Verdict.UNVERIFIED, evidence=Evidence.CLAIMED, reason="opaque", remedy="`hashmark verify`")
    upper, lower = refuse_collisions([unsure, status("a.png", evidence=Evidence.ETAG_MD5)])
    assert (upper.evidence, lower.evidence) == (None, None)
    assert "'a.png'" in (reason_of(upper) or "")
    assert "'A.png'" in (reason_of(lower) or "")
    assert "verify" not in (reason_of(upper) or "")
    assert (upper.local, upper.remote) == (unsure.local, unsure.remote)
    assert as_collision(unsure, "x").key == "A.png"


def test_a_collision_gives_back_what_was_stored_with_the_earlier_keys() -> None:
    """In the order in which they came."""
    watch: Collisions[int] = Collisions()
    assert [watch.add(key, n) for n, key in enumerate(["A.PNG", "A.png", "B.png", "a.png"])] == [
        [],
        [("A.PNG", 0)],
        [],
        [("A.PNG", 0), ("A.png", 1)],
    ]


@given(st.sets(st.one_of(keys, any_keys), max_size=12))
@example({"k", "\u212a"})
@example({"\u03a3", "\u03c2", "\u03c3"})
def test_collisions_are_found_though_plain_names_are_not_kept(listed: set[str]) -> None:
    """Of the keys that are not refused anyway, those that share a fold, found in one pass, are all found."""
    safe = {key for key in listed if unsafe_reason(key) is None}
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for key in safe:
        groups[fold(key)].add(key)
    assert refused(*safe) == {key for group in groups.values() if len(group) > 1 for key in group}


class Thing:
    """Something that can be watched being forgotten."""


def test_plain_names_cost_no_memory() -> None:
    """What is stored with them is let go; with a name that a later one may collide with it is kept."""
    watch: Collisions[Thing] = Collisions()
    stored = {key: Thing() for key in ("A.png", "a_0001.png", "b/c-2.txt", "\u00e9.png")}
    references = {key: weakref.ref(thing) for key, thing in stored.items()}
    for key, thing in stored.items():
        watch.add(key, thing)
    stored.clear()
    del thing
    assert {key for key, reference in references.items() if reference() is not None} == {"A.png", "\u00e9.png"}


def test_no_other_character_than_the_refused_ones_folds_into_ascii() -> None:
    """On which it rests that plain names need not be kept."""
    into_ascii = {char for char in map(chr, range(128, sys.maxunicode + 1)) if fold(char).isascii()}
    assert into_ascii == {"\u037e", "\u1fef", "\u212a"}
    assert all(unsafe_reason(f"a{char}") for char in into_ascii)


@given(any_keys)
def test_folding_is_done_once_and_for_every_form_of_a_name(key: str) -> None:
    """A second fold changes nothing, and composed and decomposed names fold alike."""
    assert fold(fold(key)) == fold(key)
    assert fold(unicodedata.normalize("NFC", key)) == fold(unicodedata.normalize("NFD", key)) == fold(key)

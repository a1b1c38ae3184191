"""What the page lists: every file once as a leading file or as a caption, by ids that are no paths."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashmark.core.model import FileStatus, Kind, Verdict
from hashmark.core.pairs import Pairing, pair_up
from hashmark.core.vocabulary import COLOURS
from hashmark.search.items import KINDS, Item, ItemRow, colours_of, count_colours, item_id, make_items
from support.core_values import in_bytes, status, verdicts

NAMES = "a.png a.jpg a.txt a.caption b.png B.txt sub/a.png sub/a.txt a-masklabel.png lone.txt notes.md x.npz"
KEYS = st.sampled_from([*NAMES.split(), "metadata.jsonl", "a.png.txt", "é.png", "a\udcff.txt"])


def items_of(rows: dict[str, Verdict]) -> list[Item]:
    files = [status(key, rows[key]) for key in in_bytes(rows)]
    paired = pair_up(files, Pairing())
    return make_items(files, paired.pairs, paired.problems)


def made(*rows: tuple[str, Verdict]) -> list[Item]:
    return items_of(dict(rows))


# --- ids ---------------------------------------------------------------------------------------------------------


def test_an_id_is_the_same_after_every_restart() -> None:
    """Links to an item outlive the server; the value is what `printf 0001.png | b2sum -l 64` says."""
    assert item_id("0001.png") == "b5566965f75537dd"


@given(st.lists(st.text(st.characters(codec="utf-8") | st.sampled_from("/.\udcff")), unique=True, max_size=20))
def test_ids_are_hex_and_tell_keys_apart(keys: list[str]) -> None:
    ids = [item_id(key) for key in keys]
    assert len(set(ids)) == len(keys)
    assert all(re.fullmatch(r"[0-9a-f]{16}", item) for item in ids)


# --- what is listed ----------------------------------------------------------------------------------------------


def test_an_image_leads_its_caption_and_everything_else_stands_alone() -> None:
    rows = ["a.png", "a.txt", "a-masklabel.png", "b.png", "lone.txt", "notes.md", "x.npz"]
    found = items_of(dict.fromkeys(rows, Verdict.SYNCED))
    assert [(item.kind, item.keys) for item in found] == [
        ("mask", ("a-masklabel.png",)),
        ("pair", ("a.png", "a.txt")),
        ("pair", ("b.png",)),
        ("caption", ("lone.txt",)),
        ("other", ("notes.md",)),
    ]


def test_a_caption_of_two_images_is_shown_with_both_and_not_alone() -> None:
    found = made(("a.jpg", Verdict.SYNCED), ("a.png", Verdict.SYNCED), ("a.txt", Verdict.SYNCED))
    assert [item.keys for item in found] == [("a.jpg", "a.txt"), ("a.png", "a.txt")]
    assert [[p.code for p in item.odd] for item in found] == [[], ["shared-caption"]]


def test_what_is_odd_is_told_with_the_file_it_is_about() -> None:
    found = made(("a.caption", Verdict.SYNCED), ("a.png", Verdict.SYNCED), ("a.txt", Verdict.SYNCED))
    assert [(item.keys, [p.code for p in item.odd]) for item in found] == [
        (("a.caption",), []),
        (("a.png", "a.txt"), ["several-captions"]),
    ]
    (lone,) = made(("lone.txt", Verdict.SYNCED))
    assert [p.code for p in lone.odd] == ["orphan-caption"]


@given(st.dictionaries(KEYS, verdicts))
def test_every_file_is_in_the_list_and_leads_at_most_once(rows: dict[str, Verdict]) -> None:
    """Litter is left out; the order is that of the keys; a caption in a pair leads nothing."""
    found = items_of(rows)
    wanted = {key for key in rows if Pairing().kind(key) is not Kind.IGNORED}
    assert {key for item in found for key in item.keys} == wanted
    leads = [str(item.lead.key) for item in found]
    assert leads == in_bytes(set(leads))
    assert not set(leads) & {item.caption.key for item in found if item.caption}
    assert len({item.id for item in found}) == len(found)
    assert all(item.id == item_id(item.lead.key) for item in found)
    assert all(item.kind in KINDS and item.colour in COLOURS for item in found)
    assert all(item.kind == "pair" for item in found if item.caption)


# --- colours -----------------------------------------------------------------------------------------------------


@given(st.dictionaries(KEYS, verdicts))
def test_counts_add_up_to_the_files(rows: dict[str, Verdict]) -> None:
    """One colour for each item, one for each leading file, one for each caption or its absence."""
    found = items_of(rows)
    counts = count_colours(found)
    assert counts == sum((Counter(colours_of(item)) for item in found), Counter())
    total: Counter[str] = Counter()
    for (role, _), count in counts.items():
        total[role] += count
    assert total["pair"] == len(found)
    assert total["image"] + total["other"] + sum(item.kind == "caption" for item in found) == len(found)
    assert total["caption"] == sum(item.kind in {"pair", "caption"} for item in found)


@pytest.mark.parametrize(
    ("image", "caption", "colours"),
    [
        (Verdict.SYNCED, Verdict.SYNCED, {("pair", "green"), ("image", "green"), ("caption", "green")}),
        (Verdict.SYNCED, Verdict.LOCAL_CHANGED, {("pair", "red"), ("image", "green"), ("caption", "red")}),
        (Verdict.UNVERIFIED, Verdict.SYNCED, {("pair", "grey"), ("image", "grey"), ("caption", "green")}),
        (Verdict.SYNCED, Verdict.CONFLICT, {("pair", "conflict"), ("image", "green"), ("caption", "conflict")}),
        (Verdict.REMOTE_ONLY, Verdict.SYNCED, {("pair", "cloud"), ("image", "cloud"), ("caption", "green")}),
        (Verdict.SYNCED, None, {("pair", "green"), ("image", "green"), ("caption", "none")}),
    ],
)
def test_a_pair_is_as_good_as_its_worse_half(
    image: Verdict, caption: Verdict | None, colours: set[tuple[str, str]]
) -> None:
    rows = [("a.png", image)] + ([("a.txt", caption)] if caption else [])
    (item,) = made(*rows)
    assert set(colours_of(item)) == colours


@given(verdicts, st.none() | verdicts)
def test_green_is_shown_only_where_both_halves_are_proven(image: Verdict, caption: Verdict | None) -> None:
    (item,) = made(*[("a.png", image), *([("a.txt", caption)] if caption else [])])
    assert (item.colour == "green") is ({image, caption} <= {Verdict.SYNCED, None})


# --- what a search sees ------------------------------------------------------------------------------------------


@dataclass
class Facts:
    """What is known of every item alike."""

    text: str | None = None
    pixels: tuple[int, int] | None = None

    def text_of(self, _item: Item) -> str | None:
        return self.text

    def pixels_of(self, _item: Item) -> tuple[int, int] | None:
        return self.pixels

    def is_unmeasured(self, _item: Item) -> bool:
        return self.pixels is None

    def issues_of(self, _item: Item) -> tuple[str, ...]:
        return ()

    def lint_of(self, _item: Item) -> tuple[str, ...]:
        return ()


def test_a_search_sees_the_item_as_it_is_shown() -> None:
    (item,) = made(("Ünï/A\udcff.PNG", Verdict.SYNCED))
    seen = ItemRow(item, Facts("A cat", (640, 480)))
    assert seen.folded == "ünï/a\\xff.png"
    assert (seen.image, seen.caption, seen.kind) == (Verdict.SYNCED, None, "pair")
    assert (seen.text, seen.width, seen.height) == ("a cat", 640, 480)
    unmeasured = ItemRow(item, Facts())
    assert (unmeasured.text, unmeasured.width, unmeasured.height) == (None, None, None)


@pytest.mark.parametrize(
    ("row", "size"),
    [
        (status("a.png", data=b"12345"), 5),
        (status("a.png", Verdict.LOCAL_ONLY, data=b"12345"), 5),
        (status("a.png", Verdict.REMOTE_ONLY, data=b"123"), 3),
        (FileStatus(status("a.png").key, Kind.IMAGE, Verdict.UNVERIFIED), 0),
    ],
)
def test_the_size_is_the_disk_s_else_the_bucket_s(row: FileStatus, size: int) -> None:
    (item,) = make_items([row], [], [])
    assert ItemRow(item, Facts()).size == size


def test_a_search_sees_what_is_odd() -> None:
    (lone,) = made(("lone.txt", Verdict.LOCAL_ONLY))
    assert ItemRow(lone, Facts()).odd == {"orphan-caption"}

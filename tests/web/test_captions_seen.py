"""What the page tells of captions as a whole: which are not well, and which tags they have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hashmark.library.library import Library
from hashmark.search.items import item_id
from support.datasets import STYLE
from support.waiting import wait_for
from support.web.serving import Served

AT = "/api/datasets/82"
CAPTIONS: dict[str, bytes | None] = {
    "0000": None,
    "0001": b"",
    "0002": b" \n",
    "0003": b"one\ntwo\n",
    "0004": "café".encode("cp1252"),
    "0005": b"I can't help with that",
    "0006": b"stellar sketch, Long_Hair, cat",
    "0007": b"stellar sketch, long hair, long hair, dog",
    "0008": b"long hair, zebra",
}
CODES = {
    "0000": ["missing"],
    "0001": ["zero-byte"],
    "0002": ["blank"],
    "0003": ["multi-line"],
    "0004": ["wrong-encoding"],
    "0005": ["suspect"],
}


@pytest.fixture
def seen(library: Library, serve: Callable[..., Served]) -> Served:
    folder = library.root / STYLE
    for stem, data in CAPTIONS.items():
        (folder / f"{stem}.png").write_bytes(stem.encode())
        (folder / f"{stem}.txt").unlink(missing_ok=True)
        if data is not None:
            (folder / f"{stem}.txt").write_bytes(data)
    served = serve(library)
    served.compared("82")
    return served


def found(served: Served, search: str) -> list[str]:
    names = {item_id(f"{stem}.png"): stem for stem in CAPTIONS}
    return [names[item] for item in served.get(f"{AT}/search?q={search}")["ids"]]


def test_each_kind_of_bad_caption_is_marked_counted_and_found(seen: Served) -> None:
    ids = ",".join(item_id(f"{stem}.png") for stem in CAPTIONS)
    seen.get(f"{AT}/search?q=cat")
    rows = {row["name"].split(".")[0]: row["health"] for row in seen.get(f"{AT}/items?ids={ids}")["items"]}
    assert {stem: codes for stem, codes in rows.items() if codes} == CODES
    for stem, (code,) in CODES.items():
        assert found(seen, f"is:{code}") == [stem], code
    wait_for(lambda: seen.get(AT)["captionHealth"]["suspect"])
    health = seen.get(AT)["captionHealth"]
    kinds = ("missing", "zeroByte", "blank", "multiLine", "wrongEncoding", "suspect")
    assert {kind: health[kind] for kind in kinds} == dict.fromkeys(kinds, 1)
    page = seen.ask("GET", "/d/82").text
    assert page.count('data-filter="is:') == 6
    assert "1 wrong encoding" in seen.ask("GET", "/").text
    assert "contains only whitespace" in seen.ask("GET", f"/d/82/items/{item_id('0002.png')}").text


def test_a_caption_that_is_made_well_is_marked_no_more(seen: Served, library: Library) -> None:
    wait_for(lambda: seen.get(AT)["captionHealth"]["zeroByte"] == 1)
    (library.root / STYLE / "0001.txt").write_text("a cat")
    wait_for(lambda: seen.get(AT)["captionHealth"]["zeroByte"] == 0)
    assert found(seen, "is:zero-byte") == []


def tags(served: Served, query: str = "") -> Any:
    return served.get(f"{AT}/tags?{query}")


def test_tags_are_counted_once_for_a_caption_and_beside_the_trigger(seen: Served) -> None:
    told = tags(seen, "trigger=Stellar_Sketch")
    counts = {tag["tag"]: (tag["count"], tag["together"]) for tag in told["tags"]}
    assert counts["long hair"] == (3, 2)
    assert counts["stellar sketch"] == (2, None)
    assert counts["cat"] == (1, 1)
    assert told["withTrigger"] == 2
    assert told["tags"][0]["tag"] == "long hair", "the commonest first"
    assert found(seen, told["tags"][0]["search"]) == ["0006", "0007", "0008"]
    assert {tag["tag"] for tag in tags(seen, "only=singletons")["tags"]} >= {"cat", "dog", "zebra"}
    assert "long hair" not in {tag["tag"] for tag in tags(seen, "only=singletons")["tags"]}
    assert tags(seen, "only=always&trigger=stellar sketch")["tags"] == []
    assert [tag["tag"] for tag in tags(seen, "q=Long_h")["tags"]] == ["long hair"]
    assert tags(seen)["tags"][0]["together"] is None, "no trigger is named"


def test_tags_come_page_by_page_in_the_order_that_is_wanted(seen: Served) -> None:
    whole = [tag["tag"] for tag in tags(seen, "sort=name")["tags"]]
    assert whole == sorted(whole)
    pages = [tags(seen, f"sort=name&start={start}&count=3") for start in range(0, len(whole), 3)]
    assert [tag["tag"] for page in pages for tag in page["tags"]] == whole
    assert {page["total"] for page in pages} == {len(whole)}


def test_tags_are_counted_anew_when_a_caption_changes(seen: Served, library: Library) -> None:
    assert tags(seen, "q=gnu")["total"] == 0
    (library.root / STYLE / "0008.txt").write_text("gnu, cat")
    wait_for(lambda: tags(seen, "q=gnu")["total"] == 1)

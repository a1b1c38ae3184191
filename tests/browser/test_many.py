"""Ten thousand pairs: the end is in reach, all of them can be selected, and the page stays small."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from support.browser.manager import Manager, Visit, run
from support.browser.site import Site, picture
from support.stores import Store

pytestmark = pytest.mark.slow

COUNT = 10_000
MOST_TILES = 150


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, seaweedfs: Store) -> Iterator[Site]:
    """10,000 pairs that were never pushed; the images are a hundred, many times over."""
    site = Site(tmp_path_factory.mktemp("many") / "library", seaweedfs, "many")
    site.folder.mkdir()
    for n in range(1, COUNT + 1):
        image = site.folder / f"{n:05d}.png"
        if n <= 100:
            image.write_bytes(picture(n))
        else:
            os.link(site.folder / f"{n % 100 + 1:05d}.png", image)
        (site.folder / f"{n:05d}.txt").write_text(f"a stellar sketch, number {n}\n")
    yield site.start()
    site.stop()


def tiles(manager: Manager) -> int:
    return int(run(manager.page, "document.querySelectorAll('.tile').length"))


def test_the_end_of_ten_thousand_is_a_scroll_away_and_few_tiles_exist(many: Site, visit: Visit) -> None:
    manager = visit(many, items=COUNT)
    expect(manager.tile("00001.png")).to_contain_text("number 1")
    expect(manager.tile("00001.png").locator("img.here")).to_be_visible()
    assert tiles(manager) <= MOST_TILES
    manager.page.mouse.move(640, 400)
    most = 0
    for _ in range(25):
        manager.page.mouse.wheel(0, 4000)
        manager.page.wait_for_timeout(30)
        most = max(most, tiles(manager))
    run(manager.page, "document.getElementById('scroller').scrollTop = 1e9")
    last = manager.tile("10000.png")
    expect(last).to_contain_text("number 10000")
    expect(last.locator("img.here")).to_be_visible()
    assert max(most, tiles(manager)) <= MOST_TILES


def test_ctrl_a_selects_ten_thousand_of_ten_thousand(many: Site, visit: Visit) -> None:
    manager = visit(many, items=COUNT)
    manager.press("Control+a")
    manager.selected(COUNT, of=COUNT)
    manager.press("End")
    expect(manager.tile("10000.png")).to_have_attribute("aria-selected", "true")
    manager.search.fill("name:0999*")
    manager.ready(10)
    manager.selected(10, of=10)


def test_a_list_of_ten_thousand_reaches_its_end_by_key(many: Site, visit: Visit) -> None:
    manager = visit(many, "?view=list", items=COUNT)
    manager.press("End")
    expect(manager.tile("10000.png")).to_contain_text("number 10000")
    expect(manager.tile("10000.png").locator("img.here")).to_be_visible()
    manager.press("Home")
    expect(manager.tile("00001.png")).to_contain_text("number 1")
    assert tiles(manager) <= MOST_TILES

"""The search is in the address, and what it leaves out is left alone."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from support.browser.manager import Visit
from support.browser.site import Site, SiteMaker


def test_an_address_with_a_search_shows_the_filtered_view(make_site: SiteMaker, visit: Visit) -> None:
    site = make_site(5, prepare=lambda site: site.write("0004.txt", "edited\n"))
    manager = visit(site, "?q=sync:red", items=1)
    expect(manager.search).to_have_value("sync:red")
    expect(manager.tiles).to_have_count(1)
    expect(manager.tile("0004.png")).to_be_visible()


def test_typing_changes_the_address_and_back_brings_the_search_before(gallery: Site, visit: Visit) -> None:
    manager = visit(gallery, items=271)
    manager.search.fill("name:000*")
    manager.ready(9)
    expect(manager.page).to_have_url(re.compile(r"\?q=name%3A000\*$"))
    manager.press("Enter")
    manager.chip("Captions", 271, "out of sync").click()
    manager.ready(271)
    expect(manager.page).to_have_url(re.compile(r"\?q=caption%3Ared$"))
    expect(manager.chip("Captions", 271, "out of sync")).to_have_attribute("aria-pressed", "true")
    manager.page.go_back()
    expect(manager.search).to_have_value("name:000*")
    manager.ready(9)
    manager.page.go_back()
    expect(manager.search).to_have_value("")
    manager.ready(271)
    manager.page.go_forward()
    manager.ready(9)
    manager.page.reload()
    expect(manager.search).to_have_value("name:000*")
    manager.ready(9)


def test_an_invalid_search_is_explained_at_the_box_and_keeps_what_was_found(gallery: Site, visit: Visit) -> None:
    manager = visit(gallery, items=271)
    manager.search.fill("sync:blue")
    error = manager.page.get_by_role("alert")
    expect(error).to_contain_text("blue")
    expect(manager.search).to_have_attribute("aria-invalid", "true")
    expect(manager.search).to_have_accessible_description(re.compile("blue"))
    expect(manager.tile("0001.jpg")).to_be_visible()
    manager.search.fill("sync:red")
    expect(error).to_be_hidden()
    expect(manager.search).to_have_attribute("aria-invalid", "false")
    manager.ready(271)


def test_a_search_without_results_says_so(gallery: Site, visit: Visit) -> None:
    manager = visit(gallery, "?q=name:zebra*")
    expect(manager.page.get_by_text("Nothing matches this search.")).to_be_visible()
    manager.selected(0, of=0)
    expect(manager.button("Upload to S3")).to_be_disabled()


def test_uploading_a_searchs_selection_leaves_the_rest(make_site: SiteMaker, visit: Visit) -> None:
    def prepare(site: Site) -> None:
        for n in range(1, 7):
            site.write(f"{n:04d}.txt", f"edited {n}, {'night' if n % 2 else 'day'}\n")

    site = make_site(6, prepare=prepare)
    before = site.objects()
    manager = visit(site, items=6)
    manager.search.fill("text:night")
    manager.ready(3)
    manager.press("Enter", "Control+a")
    manager.selected(3, of=3)
    manager.upload()
    manager.confirm()
    manager.expect_done()
    manager.search.fill("")
    expect(manager.chip("Captions", 3, "synced")).to_be_visible()
    manager.chip("Captions", 3, "out of sync").click()
    manager.ready(3)
    expect(manager.tile("0002.png")).to_be_visible()
    after = site.objects()
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"0001.txt", "0003.txt", "0005.txt"}
    assert all(after[name] == site.read(name) for name in changed)

"""On a phone everything fits and can be reached."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from support.browser.manager import Visit
from support.browser.site import Site, SiteMaker

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def expect_no_sideways_scroll(page: Page) -> None:
    wide = page.evaluate(
        """() => [document.scrollingElement, ...document.querySelectorAll('main, dialog[open], #detail-body, .detail')]
            .filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => `${e.tagName} ${e.id} ${e.scrollWidth}`)"""
    )
    assert wide == []


def expect_within(locator: Locator, width: int = 390) -> None:
    expect(locator).to_be_visible()
    box = locator.bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width, box
    assert box["height"] >= 24, "large enough for a finger"


def test_nothing_scrolls_sideways_and_every_action_is_in_reach(gallery: Site, visit: Visit) -> None:
    manager = visit(gallery, items=271, **PHONE)
    expect_no_sideways_scroll(manager.page)
    manager.button("All").click()
    for name in ("All", "Invert", "Open", "Upload to S3", "Download", "Verify", "Delete"):
        expect_within(manager.button(name))
        expect(manager.button(name)).to_be_enabled()
    for name in ("Check", "Help: keys, signs and search", "Grid", "List"):
        expect_within(manager.page.get_by_role("button", name=name))
    expect_within(manager.search)
    expect_within(manager.page.get_by_role("combobox", name="Sort"))
    manager.chip("Captions", 271, "out of sync").scroll_into_view_if_needed()
    expect_within(manager.chip("Captions", 271, "out of sync"))

    manager.page.get_by_role("button", name="List").click()
    expect_no_sideways_scroll(manager.page)
    manager.page.get_by_role("button", name="Grid").click()
    manager.button("Upload to S3").click()
    expect_within(manager.plan.get_by_role("button", name="Upload to S3", exact=True))
    expect_no_sideways_scroll(manager.page)
    manager.press("Escape")
    manager.page.get_by_role("button", name="Help: keys, signs and search").click()
    expect_no_sideways_scroll(manager.page)
    manager.press("Escape")

    manager.button("Open").click()
    expect(manager.caption).not_to_have_value("")
    expect_no_sideways_scroll(manager.page)
    for name in ("Previous", "Next", "Close", "Save"):
        button = manager.detail.get_by_role("button", name=name, exact=True)
        button.scroll_into_view_if_needed()
        expect_within(button)
    manager.detail.get_by_role("button", name="Close").click()

    manager.page.get_by_role("link", name="All datasets").click()
    expect(manager.page.get_by_role("button", name="Check all")).to_be_visible()
    expect_no_sideways_scroll(manager.page)
    expect_within(manager.page.get_by_role("button", name="Check all"))
    expect_within(manager.page.get_by_role("searchbox", name="Search datasets"))


def test_a_tap_selects_and_an_item_can_be_opened_and_uploaded_without_keys(make_site: SiteMaker, visit: Visit) -> None:
    site = make_site(4, prepare=lambda site: site.write("0002.txt", "by thumb\n"))
    manager = visit(site, items=4, **PHONE)
    manager.tile("0002.png").tap()
    manager.selected(1, of=4)
    manager.page.get_by_role("button", name="Open", exact=True).tap()
    expect(manager.detail.get_by_role("heading", name="0002.png")).to_be_visible()
    manager.detail.get_by_role("button", name="Close").tap()
    manager.button("Upload to S3").tap()
    manager.plan.get_by_role("button", name="Upload to S3", exact=True).tap()
    manager.expect_done()
    expect_within(manager.job())
    expect_no_sideways_scroll(manager.page)
    assert site.objects() == site.on_disk()


def test_a_long_name_does_not_widen_anything(make_site: SiteMaker, visit: Visit) -> None:
    name = "a" * 120 + "-" + "b" * 100

    def prepare(site: Site) -> None:
        site.write(f"{name}.png", site.read("0001.png") + b"\0")
        site.write(f"{name}.txt", f"{'c' * 400}\n")

    manager = visit(make_site(1, prepare=prepare), items=2, **PHONE)
    expect_no_sideways_scroll(manager.page)
    manager.press("End", "Enter")
    expect(manager.detail.get_by_role("heading", name=f"{name}.png")).to_be_visible()
    expect_no_sideways_scroll(manager.page)
    manager.press("Escape", "Control+a", "u")
    expect(manager.plan.get_by_role("button", name="Upload to S3", exact=True)).to_be_visible()
    expect_no_sideways_scroll(manager.page)

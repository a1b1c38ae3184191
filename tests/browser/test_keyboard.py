"""Everything goes without a mouse, and the focus is always to be seen and where it was left."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import BrowserContext, Locator, Page, expect

from support.browser.manager import Manager, Visit
from support.browser.site import Site, SiteMaker
from support.datasets import STYLE


def expect_outlined(locator: Locator) -> None:
    expect(locator).to_have_css("outline-style", "solid")
    expect(locator).to_have_css("outline-width", "2px")


def active(page: Page) -> Locator:
    return page.locator("*:focus")


def test_the_whole_story_goes_by_keys_alone(story: Site, new_context: Callable[..., BrowserContext]) -> None:
    page = new_context().new_page()
    story.log_in(page)
    press = page.keyboard.press
    press("/")
    page.keyboard.type("stellar")
    expect(page.get_by_role("searchbox", name="Search datasets")).to_be_focused()
    press("ArrowDown")
    card = page.get_by_role("link", name=STYLE)
    expect(card).to_be_focused()
    expect_outlined(card)
    press("Enter")

    manager = Manager(page, story).ready(271)
    press("n")
    cursor = page.locator("#items .tile.cursor")
    expect(manager.grid).to_be_focused()
    expect(cursor.locator(".name")).to_have_text("0002.png")
    expect_outlined(cursor)
    second = story.read("0002.txt")
    press("e")
    expect(manager.caption).to_be_focused()
    expect(manager.caption).not_to_have_value("")
    press("Control+End")
    page.keyboard.type(" typed")
    press("Control+Enter")
    expect(manager.detail.get_by_role("heading").first).to_have_text("0003.png")
    assert story.read("0002.txt") == second + b" typed"
    expect(manager.caption).to_be_focused()
    press("Escape")
    expect(manager.detail.get_by_role("button", name="Next")).to_be_focused()
    press("Escape")
    expect(manager.detail).to_be_hidden()
    expect(manager.grid).to_be_focused()
    expect(cursor.locator(".name")).to_have_text("0003.png")

    press("/")
    page.keyboard.type("caption:red")
    press("Enter")
    expect(manager.grid).to_be_focused()
    manager.ready(271)
    press("Control+a")
    manager.selected(271, of=271)
    press("u")
    submit = manager.plan.get_by_role("button", name="Upload to S3", exact=True)
    expect(submit).to_be_focused()
    expect_outlined(submit)
    press("Enter")
    expect(manager.plan).to_be_hidden()
    expect(manager.grid).to_be_focused()
    manager.expect_done()
    expect(page.get_by_text("Nothing matches this search.")).to_be_visible()
    press("/")
    press("Delete")
    press("Enter")
    expect(manager.chip("Captions", 271, "synced")).to_be_visible()
    press("n")
    expect(page.get_by_text("Nothing here is out of sync.")).to_be_visible()
    assert story.objects() == story.on_disk()


def test_arrows_move_space_selects_and_shift_extends(make_site: SiteMaker, visit: Visit) -> None:
    manager = visit(make_site(20, push=False), items=20)
    cursor = manager.page.locator("#items .tile.cursor .name")
    columns = manager.grid.evaluate("e => Number(getComputedStyle(e).getPropertyValue('--columns'))")
    assert columns > 2
    expect(cursor).to_have_text("0001.png")
    manager.press("ArrowRight", "ArrowDown")
    expect(cursor).to_have_text(f"{columns + 2:04d}.png")
    manager.press("ArrowLeft", "ArrowUp")
    expect(cursor).to_have_text("0001.png")
    manager.press("Space")
    manager.selected(1, of=20)
    manager.press("Space")
    manager.selected(0, of=20)
    manager.press("Shift+ArrowRight", "Shift+ArrowRight")
    manager.selected(3, of=20)
    manager.press("Shift+ArrowLeft")
    manager.selected(2, of=20)
    manager.press("Control+i")
    manager.selected(18, of=20)
    manager.press("Escape")
    manager.selected(0, of=20)
    manager.press("End")
    expect(cursor).to_have_text("0020.png")
    manager.press("Shift+Home")
    manager.selected(20, of=20)
    expect(manager.grid).to_have_attribute(
        "aria-activedescendant", manager.tile("0001.png").get_attribute("id") or "none"
    )


def test_enter_opens_arrows_go_on_and_closing_gives_the_focus_back(make_site: SiteMaker, visit: Visit) -> None:
    manager = visit(make_site(3), items=3)
    manager.press("ArrowRight", "Enter")
    heading = manager.detail.get_by_role("heading").first
    expect(heading).to_have_text("0002.png")
    manager.press("ArrowRight")
    expect(heading).to_have_text("0003.png")
    manager.press("ArrowRight")
    expect(heading).to_have_text("0003.png")
    manager.press("ArrowLeft", "ArrowLeft")
    expect(heading).to_have_text("0001.png")
    manager.press("Escape")
    expect(manager.detail).to_be_hidden()
    expect(manager.grid).to_be_focused()
    expect(manager.page.locator("#items .tile.cursor .name")).to_have_text("0001.png")


def test_the_sheet_of_keys_and_the_list_open_by_their_keys(make_site: SiteMaker, visit: Visit) -> None:
    manager = visit(make_site(3), items=3)
    sheet = manager.page.get_by_role("dialog", name="Keys, signs and search")
    manager.press("ArrowRight", "?")
    expect(sheet).to_be_visible()
    manager.press("u", "Delete")
    expect(manager.plan).to_be_hidden()
    manager.press("Escape")
    expect(sheet).to_be_hidden()
    expect(manager.grid).to_be_focused()
    manager.press("g")
    expect(manager.grid).to_have_class("items as-list")
    expect(manager.page).to_have_url(f"http://127.0.0.1:{manager.site.port}/d/82?view=list")
    manager.press("ArrowDown")
    expect(manager.page.locator("#items .tile.cursor .name")).to_have_text("0003.png")
    manager.press("g")
    expect(manager.grid).to_have_class("items")


def test_every_control_is_reached_with_tab_and_shows_the_focus(make_site: SiteMaker, visit: Visit) -> None:
    manager = visit(make_site(3), items=3)
    manager.button("All").click()
    manager.search.focus()
    reached = []
    for _ in range(30):
        manager.press("Tab")
        here = active(manager.page)
        if here.count() == 0:
            break
        name = here.evaluate("e => e.getAttribute('aria-label') || e.textContent.trim() || e.id")
        if name in reached:
            break
        reached.append(name)
        if name != "Items":  # it shows the cursor's tile
            expect_outlined(here)
    for wanted in ("sort", "List", "Items", "All", "Invert", "Upload to S3", "Download", "Verify", "Delete"):
        assert any(wanted in name or wanted == "sort" for name in reached), (wanted, reached)


def test_escape_closes_a_plan_and_nothing_was_done(make_site: SiteMaker, visit: Visit) -> None:
    site = make_site(2, push=False)
    manager = visit(site, items=2)
    manager.press("Control+a", "u")
    expect(manager.plan.get_by_role("button", name="Upload to S3", exact=True)).to_be_focused()
    manager.press("Escape")
    expect(manager.plan).to_be_hidden()
    expect(manager.grid).to_be_focused()
    assert site.objects() == {}

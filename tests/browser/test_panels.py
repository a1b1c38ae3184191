"""Tags and findings beside the grid: counted, explained, and a search for their files at one click."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from support.browser.manager import Visit
from support.browser.site import Site, SiteMaker

TAGS = ("ohwx, long hair, cat", "ohwx, Long_Hair", "long hair, zebra", "<b>bold</b>, ohwx")


def tagged(site: Site) -> None:
    for n, text in enumerate(TAGS, 1):
        site.write(f"{n:04d}.txt", text)


def test_a_click_on_a_tag_shows_its_pairs_and_a_second_one_all_again(make_site: SiteMaker, visit: Visit) -> None:
    manager = visit(make_site(4, prepare=tagged), items=4)
    manager.press("t")
    panel = manager.page.get_by_role("complementary", name="Tags")
    expect(panel.locator("#tags-said")).to_have_text("5 tags in 4 captions, 3 used only once.")
    expect(panel.locator(".tag-name")).to_have_text(["long hair", "ohwx", "<b>bold</b>", "cat", "zebra"])
    panel.get_by_role("textbox", name="Trigger").fill("ohwx")
    expect(panel.locator("#tags-said")).to_contain_text("The trigger is in 3.")
    hair = panel.get_by_role("button", name="long hair")
    expect(hair).to_have_text(re.compile("2 with.*3"))
    hair.click()
    manager.selected(0, of=3)
    expect(manager.search).to_have_value('tag:"long hair"')
    expect(hair).to_have_attribute("aria-pressed", "true")
    hair.click()
    manager.selected(0, of=4)
    panel.get_by_label("Which").select_option("singletons")
    expect(panel.locator(".tag-name")).to_have_text(["<b>bold</b>", "cat", "zebra"])
    panel.get_by_role("searchbox").fill("zeb")
    expect(panel.locator(".tag-name")).to_have_text(["zebra"])
    manager.press("Escape")
    expect(panel).to_be_hidden()
    expect(manager.grid).to_be_focused()


def test_bad_captions_are_marked_and_a_chip_shows_them(make_site: SiteMaker, visit: Visit) -> None:
    def spoil(site: Site) -> None:
        site.write("0001.txt", b"")
        site.write("0002.txt", "one\ntwo\n")
        (site.folder / "0003.txt").unlink()

    manager = visit(make_site(4, prepare=spoil), items=4)
    for name, said in (("0001.png", "zero-byte"), ("0002.png", "multi-line"), ("0003.png", "without caption")):
        expect(manager.tile(name).locator(".health")).to_have_text(said)
    expect(manager.tile("0004.png").locator(".health")).to_be_hidden()
    manager.page.get_by_role("button", name="1 multi-line").click()
    expect(manager.tile("0002.png")).to_be_visible()
    manager.selected(0, of=1)
    manager.site.write("0002.txt", "one line")
    expect(manager.tile("0002.png").locator(".health")).to_be_hidden()
    expect(manager.page.get_by_role("button", name="1 multi-line")).to_have_count(0)


def test_findings_say_what_why_and_what_to_do_and_show_their_files(make_site: SiteMaker, visit: Visit) -> None:
    manager = visit(make_site(4, prepare=lambda site: site.write("0002.txt", "one\ntwo\n")), items=4)
    manager.press("l")
    panel = manager.page.get_by_role("complementary", name="Trainer check")
    finding = panel.get_by_role("listitem").filter(has_text="several-lines")
    finding.locator("summary").click()
    expect(finding).to_contain_text("0002.txt")
    expect(finding).to_contain_text("kohya: has several lines: only the first is read")
    expect(finding).to_contain_text("Join the lines")
    expect(finding.locator(".source").first).to_contain_text("sd-scripts")
    panel.get_by_label("Trainer").select_option("kohya")
    expect(finding).not_to_contain_text("onetrainer")
    finding.get_by_role("button").click()
    expect(manager.search).to_have_value("lint:kohya/several-lines")
    manager.selected(0, of=1)
    manager.site.write("0002.txt", "one line")
    panel.get_by_role("button", name="Re-check").click()
    expect(finding).to_have_count(0)
    manager.selected(0, of=0)

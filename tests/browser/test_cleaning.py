"""Captions cleaned on the page: previewed, applied, red, and undone to green without an upload."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from support.browser.manager import Visit
from support.browser.site import Site, SiteMaker


def test_271_captions_are_cleaned_turn_red_and_one_click_makes_them_green_again(dirty: Site, visit: Visit) -> None:
    before, objects = dirty.on_disk(), dirty.objects()
    manager = visit(dirty, items=271)
    dialog = manager.clean()
    manager.expect_changes(271, "271 captions of this dataset")
    expect(dialog.get_by_role("button", name="Changes 271")).to_have_attribute("aria-pressed", "true")
    rule = dialog.locator("[data-rule=smart-punctuation]")
    expect(rule.locator("output")).to_have_text(re.compile(r"^[1-9]\d* changed$"))
    expect(dialog.locator("#clean-list li")).to_have_count(50)
    expect(dialog.locator("#clean-list li").first.locator("del").first).to_be_visible()
    dialog.get_by_role("button", name="Next page").click()
    expect(dialog.locator(".pager")).to_contain_text("51–100 of 271")
    assert dirty.on_disk() == before, "a preview changes nothing"

    manager.apply()
    expect(manager.chip("Captions", 271, "out of sync")).to_be_visible()
    manager.expect_badges("0001.jpg", "green", "red")
    changed = {name for name, data in dirty.on_disk().items() if data != before[name]}
    assert changed == {name for name in before if name.endswith(".txt")}

    manager.page.get_by_role("status").get_by_role("button", name="Undo", exact=True).click()
    expect(manager.chip("Captions", 271, "synced")).to_be_visible()
    expect(manager.page.locator(".chip.red")).to_have_count(0)
    manager.expect_badges("0001.jpg", "green", "green")
    assert dirty.on_disk() == before
    assert dirty.objects() == objects
    expect(manager.jobs.get_by_role("article")).to_have_count(2)
    expect(manager.job().get_by_role("button", name="Redo")).to_be_visible()


def test_a_switch_a_profile_and_a_parameter_are_previewed_as_they_are_set(make_site: SiteMaker, visit: Visit) -> None:
    site = make_site(4, prepare=lambda site: site.write("0002.txt", "A Dog,  a dog , cat\n"))
    manager = visit(site, items=4)
    dialog = manager.clean()
    manager.expect_changes(1, "4 captions of this dataset")
    dialog.get_by_role("switch", name=re.compile("^spaces ")).uncheck()
    expect(dialog.locator("#clean-said")).to_have_text("Nothing would change.")
    expect(dialog.get_by_role("button", name="Apply", exact=True)).to_be_disabled()
    dialog.get_by_role("button", name="Tags", exact=True).click()
    manager.expect_changes(1, "4 captions of this dataset")
    expect(dialog.locator("#clean-list")).to_contain_text("separators, duplicates")
    dialog.get_by_role("switch", name=re.compile("^trigger ")).check()
    expect(dialog.locator("[data-rule=trigger] output")).to_have_text("needs a value")
    dialog.get_by_label("Trigger", exact=True).fill("ohwx, style")
    expect(dialog.locator("#clean-said")).to_contain_text("'trigger' must be one tag or word")
    dialog.get_by_label("Trigger", exact=True).fill("ohwx")
    manager.expect_changes(4, "4 captions of this dataset")
    expect(dialog.locator("[data-rule=trigger] output")).to_have_text("4 changed")


def test_find_and_replace_changes_the_selected_captions_alone(make_site: SiteMaker, visit: Visit) -> None:
    site = make_site(6)
    manager = visit(site, items=6)
    manager.tile("0002.png").click()
    manager.tile("0005.png").click()
    dialog = manager.clean("f")
    expect(dialog.locator("#clean-said")).to_have_text("Enter the text to find.")
    manager.page.keyboard.type("SKETCH")
    expect(dialog.locator("#clean-said")).to_have_text("Nothing would change.")
    dialog.get_by_role("checkbox", name="ignore case").check()
    dialog.get_by_role("textbox", name="Replace with").fill("<b>drawing</b>")
    manager.expect_changes(2, "2 captions of the 2 selected")
    expect(dialog.locator("#clean-list ins")).to_have_text(["<b>drawing</b>"] * 2)
    manager.press("Enter")
    expect(dialog).to_be_visible()
    manager.apply()
    manager.expect_badges("0002.png", "green", "red")
    manager.expect_badges("0001.png", "green", "green")
    texts = {name: data for name, data in site.on_disk().items() if b"<b>drawing</b>" in data}
    assert set(texts) == {"0002.txt", "0005.txt"}


def test_a_trigger_is_put_first_and_a_tag_removed_in_the_captions_of_a_filter(
    make_site: SiteMaker, visit: Visit
) -> None:
    def captions(site: Site) -> None:
        for n in range(1, 5):
            site.write(f"{n:04d}.txt", f"cat, number {n}, watermark")

    site = make_site(4, prepare=captions)
    manager = visit(site, "?q=text:/number [12]/", items=2)
    dialog = manager.clean("a")
    dialog.get_by_label("Put first (trigger)").fill("ohwx")
    dialog.get_by_label("Remove (one per line)").fill("watermark")
    manager.expect_changes(2, "2 captions of this filter")
    manager.apply()
    manager.expect_done()
    assert [site.read(f"{n:04d}.txt").decode() for n in (1, 2, 3)] == [
        "ohwx, cat, number 1",
        "ohwx, cat, number 2",
        "cat, number 3, watermark",
    ]


def test_a_caption_edited_between_preview_and_apply_is_left_alone_and_named(make_site: SiteMaker, visit: Visit) -> None:
    site = make_site(3)
    manager = visit(site, items=3)
    dialog = manager.clean("f")
    dialog.get_by_role("textbox", name="Find").fill("sketch")
    manager.expect_changes(3, "3 captions of this dataset")
    site.write("0002.txt", "my own words about a sketch")
    manager.apply()
    expect(manager.job()).to_contain_text("1 failed")
    expect(manager.job()).to_contain_text("0002.txt")
    assert site.read("0002.txt") == b"my own words about a sketch"
    assert site.read("0001.txt") == b"a stellar , number 1\n"

    site.write("0003.txt", "a stellar , and an edit of mine")
    manager.job().get_by_role("button", name="Undo").click()
    expect(manager.job()).to_contain_text("edited since, left alone")
    expect(manager.job().get_by_role("listitem").filter(has_text="0003.txt").locator("ins").first).to_be_visible()
    assert site.read("0003.txt") == b"a stellar , and an edit of mine"
    assert site.read("0001.txt") == b"a stellar sketch, number 1\n"

"""The story that hashmark was made for: 271 cleaned captions which other tools call synced."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import BrowserContext, expect

from support.browser.manager import Manager
from support.browser.site import Site
from support.datasets import STYLE


def test_the_printed_link_leads_through_271_red_captions_to_a_proven_upload(
    story: Site, new_context: Callable[..., BrowserContext]
) -> None:
    before = story.objects()
    page = new_context().new_page()
    story.log_in(page)
    page.get_by_role("link", name=STYLE).click()

    manager = Manager(page, story).ready(271)
    expect(manager.chip("Images", 271, "synced")).to_be_visible()
    expect(manager.chip("Captions", 271, "out of sync")).to_be_visible()
    manager.expect_badges("0001.jpg", "green", "red")
    expect(manager.tile("0001.jpg").locator(".badge").nth(1)).to_have_attribute(
        "title", re.compile("^Caption: Edited on disk since last in sync")
    )

    manager.button("All").click()
    manager.selected(271, of=271)
    plan = manager.upload()
    expect(plan).to_contain_text("271 files")
    expect(plan).to_contain_text("replaces 271")
    assert story.objects() == before, "a plan changes nothing"
    manager.confirm()
    expect(manager.job().get_by_role("progressbar", name="Upload")).to_be_visible()
    manager.expect_done()
    expect(manager.job()).to_contain_text("271 of 271 files")
    expect(manager.chip("Captions", 271, "synced")).to_be_visible()
    expect(page.locator(".chip.red")).to_have_count(0)
    manager.expect_badges("0001.jpg", "green", "green")

    assert story.objects() == story.on_disk()
    assert {name for name, data in before.items() if data != story.read(name)} == {
        name for name in before if name.endswith(".txt")
    }

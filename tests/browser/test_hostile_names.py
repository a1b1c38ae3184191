"""Whatever a file is called and a caption says, it is shown as text."""

from __future__ import annotations

import re

from playwright.sync_api import Dialog, expect

from support.browser.manager import Visit, run
from support.browser.site import Site, SiteMaker, picture

NAME = "<img src=x onerror=alert(1)>.png"
CAPTION = "<script>window.hacked=1</script><b onmouseover=alert(2)>bold</b> {{7*7}} &lt;i&gt; \"'`\n"
ODD = ("#1 100%25 ?q=a&b=c+d.png", "نجمة \u2067نص\u2069 🌟.png", "' onload='alert(3).png")


def prepare(site: Site) -> None:
    for n, name in enumerate((NAME, *ODD)):
        site.write(name, picture(100 + n))
        site.write(f"{name[:-4]}.txt", CAPTION)


def test_row_40_names_and_captions_with_markup_are_text_everywhere_and_run_nothing(
    make_site: SiteMaker, visit: Visit
) -> None:
    """Guard: only text nodes carry names and captions, so there is no single guard to remove."""
    site = make_site(1, prepare=prepare)
    manager = visit(site, items=5)
    opened: list[str] = []

    def heard(dialog: Dialog) -> None:
        opened.append(dialog.message)
        dialog.dismiss()

    manager.page.on("dialog", heard)
    for name in (NAME, *ODD):
        expect(manager.tile(name)).to_be_visible()
        expect(manager.tile(name).locator(".text")).to_have_text(CAPTION.strip())
        expect(manager.tile(name).locator("img.here")).to_be_visible()  # its picture was found under its odd name
    manager.tile(NAME).hover()

    manager.tile(NAME).dblclick()
    expect(manager.detail.get_by_role("heading", name=NAME)).to_be_visible()
    expect(manager.caption).to_have_value(CAPTION)
    site.put("<img src=x onerror=alert(1)>.txt", CAPTION.replace("bold", "<u>bolder</u>"))
    manager.press("Escape", "r")
    manager.expect_badges(NAME, "red", "red")
    manager.tile(NAME).dblclick()
    expect(manager.detail.locator("#caption-diff del")).to_contain_text("<u>bolder</u>")
    manager.press("Escape")

    manager.button("All").click()
    plan = manager.upload()
    plan.locator("summary", has_text=re.compile(r"\d+ files")).click()
    expect(plan.get_by_role("listitem").filter(has_text=NAME).first).to_be_visible()
    offered = plan.locator(".offer")  # nothing shows which side of it is newer
    expect(offered.get_by_role("listitem")).to_contain_text("<img src=x onerror=alert(1)>.txt")
    offered.get_by_role("checkbox").first.check()
    manager.confirm()
    manager.expect_done()
    assert site.objects() == site.on_disk()

    assert opened == []
    assert run(manager.page, "window.hacked") is None
    markup = "#items img:not(.thumb), .tile b, .tile script, dialog script, u, img[src=x]"
    expect(manager.page.locator(markup)).to_have_count(0)


def test_a_search_with_markup_is_text_in_its_error(make_site: SiteMaker, visit: Visit) -> None:
    site = make_site(1)
    manager = visit(site, "?q=" + "nosuch%3A%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E")
    expect(manager.page.get_by_role("alert")).to_contain_text("nosuch")
    expect(manager.page.locator("img[src=x]")).to_have_count(0)

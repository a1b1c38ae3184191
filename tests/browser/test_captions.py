"""Captions are edited where they are seen, and no edit of others is lost."""

from __future__ import annotations

from playwright.sync_api import Dialog, expect

from support.browser.manager import Visit
from support.browser.site import SiteMaker


def test_ctrl_enter_saves_a_caption_and_goes_on_to_the_next(make_site: SiteMaker, visit: Visit) -> None:
    site = make_site(3)
    manager = visit(site, items=3)
    manager.press("e")
    expect(manager.caption).to_be_focused()
    expect(manager.caption).to_have_value("a stellar sketch, number 1\n")
    manager.caption.fill("ein Stern, gezeichnet – ¹\n")
    expect(manager.detail.get_by_role("status")).to_have_text("Unsaved changes")
    assert site.read("0001.txt") == b"a stellar sketch, number 1\n"
    manager.press("Control+Enter")
    expect(manager.detail.get_by_role("heading", name="0002.png")).to_be_visible()
    expect(manager.caption).to_be_focused()
    expect(manager.caption).to_have_value("a stellar sketch, number 2\n")
    assert site.read("0001.txt") == "ein Stern, gezeichnet – ¹\n".encode()
    assert site.object("0001.txt") == b"a stellar sketch, number 1\n"
    manager.press("Escape", "Escape")
    expect(manager.detail).to_be_hidden()
    manager.expect_badges("0001.png", "green", "red")
    expect(manager.tile("0001.png")).to_contain_text("ein Stern")


def test_saving_over_a_caption_that_changed_on_disk_is_refused_and_both_texts_can_be_had(
    make_site: SiteMaker, visit: Visit
) -> None:
    site = make_site(2)
    manager = visit(site, items=2)
    manager.press("e")
    expect(manager.caption).to_have_value("a stellar sketch, number 1\n")
    manager.caption.fill("what I wrote here\n")
    site.write("0001.txt", "what another tool wrote\n")
    expect(manager.detail.get_by_text("Changed on disk or in the bucket meanwhile")).to_be_visible()
    expect(manager.caption).to_have_value("what I wrote here\n")

    manager.detail.get_by_role("button", name="Save", exact=True).click()
    clash = manager.detail.locator("#caption-clash")
    expect(clash).to_contain_text("The file changed on disk since you opened it")
    expect(clash.locator("del").first).to_contain_text("another")
    expect(clash.locator("ins").first).to_contain_text("I")
    expect(manager.caption).to_have_value("what I wrote here\n")
    assert site.read("0001.txt") == b"what another tool wrote\n"

    clash.get_by_role("button", name="Discard mine, reload").click()
    expect(manager.caption).to_have_value("what another tool wrote\n")
    expect(clash).to_be_hidden()

    manager.caption.fill("what I wrote here\n")
    site.write("0001.txt", "another tool again\n")
    manager.detail.get_by_role("button", name="Save", exact=True).click()
    clash.get_by_role("button", name="Overwrite with mine").click()
    expect(manager.detail.get_by_role("status")).to_have_text("Saved")
    assert site.read("0001.txt") == b"what I wrote here\n"
    trashed = [path.read_bytes() for path in (site.root / ".hashmark" / "trash").rglob("0001.txt")]
    assert b"another tool again\n" in trashed, "what was saved over can be had back"


def test_leaving_an_unsaved_caption_asks_first(make_site: SiteMaker, visit: Visit) -> None:
    site = make_site(2)
    manager = visit(site, items=2)
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    manager.page.on("dialog", stay)
    manager.press("e")
    manager.caption.fill("not saved\n")
    manager.detail.get_by_role("button", name="Close").click()
    expect(manager.caption).to_have_value("not saved\n")
    assert asked == ["Discard unsaved changes?"]
    manager.detail.get_by_role("button", name="Next").click()
    expect(manager.detail.get_by_role("heading", name="0001.png")).to_be_visible()
    assert site.read("0001.txt") == b"a stellar sketch, number 1\n"


def test_an_image_without_a_caption_is_given_one(make_site: SiteMaker, visit: Visit) -> None:
    site = make_site(2, prepare=lambda site: (site.folder / "0002.txt").unlink(), push=False)
    manager = visit(site, "?q=caption:none", items=1)
    manager.press("e")
    expect(manager.detail.get_by_text("There is no caption on disk yet.")).to_be_visible()
    expect(manager.caption).to_be_editable()
    manager.caption.fill("a first caption\n")
    manager.detail.get_by_role("button", name="Save", exact=True).click()
    expect(manager.detail.get_by_role("status")).to_have_text("Saved")
    assert site.read("0002.txt") == b"a first caption\n"

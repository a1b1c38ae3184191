"""A delete is typed out, touches what was named, and can be taken back."""

from __future__ import annotations

from playwright.sync_api import expect

from support.browser.manager import Visit
from support.browser.site import SiteMaker


def test_a_delete_needs_its_number_typed_and_comes_back_from_the_trash(make_site: SiteMaker, visit: Visit) -> None:
    site = make_site(4)
    before = site.on_disk()
    manager = visit(site, items=4)
    manager.tile("0002.png").click()
    manager.button("Delete").click()
    expect(manager.plan).to_contain_text("Deletes 4 files: 2 on disk, 2 in the bucket")
    submit = manager.plan.get_by_role("button", name="Delete", exact=True)
    field = manager.plan.get_by_role("textbox", name="Type 4 to confirm")
    expect(field).to_be_focused()
    for typed in ("", "3", "44"):
        field.fill(typed)
        expect(submit).to_be_disabled()
        manager.press("Enter")
    expect(manager.plan).to_be_visible()
    assert site.objects() == site.on_disk() == before

    field.fill("4")
    expect(submit).to_be_enabled()
    manager.press("Enter")
    expect(manager.plan).to_be_hidden()
    manager.expect_done()
    expect(manager.tile("0002.png")).to_have_count(0)
    expect(manager.page.locator("#filter-count")).to_have_text("3")
    rest = {name: data for name, data in before.items() if not name.startswith("0002")}
    assert site.objects() == site.on_disk() == rest

    command = manager.job().locator("code").inner_text()
    assert command.startswith("hashmark trash restore ")
    site(*command.split()[1:])
    assert site.on_disk() == before


def test_a_delete_can_be_of_one_side_alone(make_site: SiteMaker, visit: Visit) -> None:
    site = make_site(3)
    before = site.on_disk()
    manager = visit(site, items=3)
    manager.tile("0003.png").click()
    manager.press("Delete")
    manager.plan.get_by_label("Delete from").select_option("bucket only")
    expect(manager.plan).to_contain_text("Deletes 2 files: 0 on disk, 2 in the bucket")
    manager.plan.get_by_role("textbox").fill("2")
    manager.press("Enter")
    manager.expect_done()
    manager.expect_badges("0003.png", "red", "red")
    assert site.on_disk() == before
    assert sorted(site.objects()) == ["0001.png", "0001.txt", "0002.png", "0002.txt"]

"""The page follows the disk and the bucket by itself."""

from __future__ import annotations

from playwright.sync_api import expect

from support.browser.manager import Visit
from support.browser.site import SiteMaker, picture


def test_an_edit_of_the_same_size_and_time_turns_just_its_badge_red_without_a_reload(
    make_site: SiteMaker, visit: Visit
) -> None:
    site = make_site(12)
    manager = visit(site, items=12)
    expect(manager.chip("Captions", 12, "synced")).to_be_visible()
    loaded = manager.page.evaluate("() => performance.timeOrigin")

    site.write("0007.txt", site.read("0007.txt").replace(b"stellar", b"STELLAR"), same_facts=True)
    manager.expect_badges("0007.png", "green", "red")
    expect(manager.chip("Captions", 1, "out of sync")).to_be_visible()
    expect(manager.chip("Captions", 11, "synced")).to_be_visible()
    expect(manager.page.locator("#items .badge.red:visible")).to_have_count(1)
    expect(manager.tile("0007.png").locator(".text")).to_have_text("a STELLAR sketch, number 7")
    assert b"stellar" in site.object("0007.txt")
    assert manager.page.evaluate("() => performance.timeOrigin") == loaded

    site.write("0007.txt", site.object("0007.txt"))
    manager.expect_badges("0007.png", "green", "green")
    expect(manager.chip("Captions", 12, "synced")).to_be_visible()


def test_files_that_come_and_go_on_disk_come_and_go_on_the_page(make_site: SiteMaker, visit: Visit) -> None:
    site = make_site(3)
    manager = visit(site, items=3)
    site.write("0009.png", picture(9))
    expect(manager.tile("0009.png")).to_be_visible()
    manager.expect_badges("0009.png", "red", "none")
    expect(manager.tile("0009.png")).to_contain_text("without caption")
    (site.folder / "0009.png").unlink()
    (site.folder / "0001.png").unlink()
    (site.folder / "0001.txt").unlink()
    expect(manager.tile("0009.png")).to_have_count(0)
    expect(manager.chip("Images", 1, "only in the bucket")).to_be_visible()
    manager.expect_badges("0001.png", "cloud", "cloud")


def test_two_browsers_see_the_same(make_site: SiteMaker, visit: Visit) -> None:
    site = make_site(4)
    first, second = visit(site, items=4), visit(site, items=4)
    site.write("0002.txt", "another caption, by hand\n")
    for manager in (first, second):
        manager.expect_badges("0002.png", "green", "red")
    first.button("All").click()
    first.upload()
    first.confirm()
    for manager in (first, second):
        manager.expect_done()
        expect(manager.job()).to_contain_text("1 of 1 file")
        manager.expect_badges("0002.png", "green", "green")
    second.selected(0, of=4)
    assert site.object("0002.txt") == b"another caption, by hand\n"
    first.job().get_by_role("button", name="Dismiss").click()
    expect(second.jobs.get_by_role("article")).to_have_count(0)


def test_a_check_finds_what_another_machine_did_to_the_bucket(make_site: SiteMaker, visit: Visit) -> None:
    site = make_site(3)
    manager = visit(site, items=3)
    site.put("0002.txt", "captioned elsewhere\n")
    manager.press("r")
    manager.expect_badges("0002.png", "green", "red")
    expect(manager.tile("0002.png").get_by_title("Verdict remote-changed")).to_be_visible()

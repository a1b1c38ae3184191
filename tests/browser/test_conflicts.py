"""Both sides changed: it is shown, nothing decides by itself, and either side can win."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from support.browser.manager import Visit
from support.browser.site import Site, SiteMaker


def conflict(site: Site, *numbers: int) -> None:
    for n in numbers:
        site.write(f"{n:04d}.txt", f"mine, number {n}\n")
        site.put(f"{n:04d}.txt", f"theirs, number {n}\n")


def test_a_conflict_is_resolved_each_way_on_different_files(make_site: SiteMaker, visit: Visit) -> None:
    site = make_site(6, prepare=lambda site: conflict(site, 2, 3))
    manager = visit(site, items=6)
    expect(manager.chip("Captions", 2, "conflict")).to_be_visible()
    manager.expect_badges("0002.png", "green", "conflict")

    manager.tile("0002.png").dblclick()
    expect(manager.detail.get_by_text("Caption: conflict")).to_be_visible()
    expect(manager.detail.locator("#caption-diff")).to_contain_text("mine")
    expect(manager.detail.locator("#caption-diff del")).to_have_text("theirs")
    manager.detail.get_by_role("button", name="Upload mine").click()
    expect(manager.plan).to_contain_text("changed in the bucket")
    manager.confirm()
    manager.expect_done()
    expect(manager.detail.get_by_text("Caption: synced")).to_be_visible()
    manager.press("Escape")
    manager.expect_badges("0002.png", "green", "green")
    assert site.object("0002.txt") == site.read("0002.txt") == b"mine, number 2\n"
    assert site.object("0003.txt") == b"theirs, number 3\n"

    manager.tile("0003.png").dblclick()
    manager.detail.get_by_role("button", name="Take the bucket's version").click()
    expect(manager.plan).to_contain_text("edited on this disk")
    manager.confirm("Download")
    expect(manager.detail.get_by_text("Caption: synced")).to_be_visible()
    expect(manager.caption).to_have_value("theirs, number 3\n")
    manager.press("Escape")
    expect(manager.chip("Captions", 6, "synced")).to_be_visible()
    assert site.object("0003.txt") == site.read("0003.txt") == b"theirs, number 3\n"


def test_an_upload_of_everything_leaves_conflicts_alone_until_they_are_included(
    make_site: SiteMaker, visit: Visit
) -> None:
    def prepare(site: Site) -> None:
        conflict(site, 2)
        site.write("0001.txt", "an edit that clashes with none\n")

    site = make_site(3, prepare=prepare)
    manager = visit(site, items=3)
    manager.button("All").click()
    plan = manager.upload()
    expect(plan.locator(".lead")).to_contain_text("1 file")
    expect(plan.get_by_role("group").get_by_role("listitem")).to_contain_text("0002.txt")
    expect(plan.get_by_role("checkbox", checked=True)).to_have_count(0)
    plan.get_by_role("checkbox", name="Keep mine").check()
    expect(plan.get_by_role("status")).to_have_text("2 files to upload")
    manager.confirm()
    manager.expect_done()
    assert site.objects() == site.on_disk()
    assert site.object("0002.txt") == b"mine, number 2\n"


def test_what_differs_without_a_common_past_is_a_group_of_its_own_and_only_what_is_ticked_is_replaced(
    make_site: SiteMaker, visit: Visit
) -> None:
    """Each file is shown with both times; nothing is ticked, and without a tick there is nothing to run."""

    def prepare(site: Site) -> None:
        for n in (7, 8, 9):
            site.write(f"{n:04d}.txt", f"mine, number {n}\n")
            site.put(f"{n:04d}.txt", f"theirs, number {n}\n")

    site = make_site(2, prepare=prepare)
    manager = visit(site, items=5)
    manager.button("All").click()
    plan = manager.upload()
    group = plan.get_by_role("group", name=re.compile("3 files differ on both sides"))
    expect(group.get_by_role("listitem")).to_have_count(3)
    expect(group.get_by_role("listitem").first).to_contain_text(
        re.compile(r":\d\d.* on this disk, .*:\d\d.* in the bucket", re.DOTALL)
    )
    expect(group.get_by_role("checkbox", checked=True)).to_have_count(0)
    upload = plan.get_by_role("button", name="Upload to S3", exact=True)
    expect(upload).to_be_disabled()
    group.get_by_role("checkbox", name="Keep mine").check()
    expect(group.get_by_role("checkbox", checked=True)).to_have_count(4)
    expect(plan.get_by_role("status")).to_have_text("3 files to upload")
    group.get_by_role("checkbox", name="0008.txt").uncheck()
    expect(group.get_by_role("checkbox", name="Keep mine")).not_to_be_checked()
    expect(plan.get_by_role("status")).to_have_text("2 files to upload")
    expect(upload).to_be_enabled()
    manager.confirm()
    manager.expect_done()
    assert [site.object(f"{n:04d}.txt").split(b",")[0] for n in (7, 8, 9)] == [b"mine", b"theirs", b"mine"]

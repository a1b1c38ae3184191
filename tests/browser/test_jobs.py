"""Uploads under way: shown, cancelled, retried, and not lost with the page or the connection."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from hashmark.transfer.run import MAX_OPEN_FILES
from support.browser.gate import Gate, Line, gated
from support.browser.manager import PageErrors, Visit
from support.browser.site import Site, SiteMaker
from support.stores import Store

COUNT = 30
MANY = 2 * MAX_OPEN_FILES
"""So many that not all are under way at once."""

RECONNECTING = 70_000
"""Milliseconds: the page waits longer with each try that fails, up to 64 seconds where the machine is slow."""


@pytest.fixture
def gate(seaweedfs: Store) -> Iterator[Gate]:
    with gated(seaweedfs) as found:
        yield found


def edit_all(site: Site) -> None:
    for path in site.folder.glob("*.txt"):
        site.write(path.name, f"edited, number {path.stem}\n")


def uploaded(site: Site) -> int:
    return sum(data.startswith(b"edited") for data in site.objects().values())


def test_a_job_shows_how_far_it_is_and_a_reload_in_its_midst_loses_nothing(
    make_site: SiteMaker, visit: Visit, gate: Gate
) -> None:
    site = make_site(COUNT, prepare=edit_all, endpoint_url=gate.url)
    manager = visit(site, items=COUNT)
    manager.button("All").click()
    manager.upload()
    gate.shut(let=7)
    manager.confirm()
    expect(manager.job()).to_contain_text(f"7 of {COUNT} files")
    expect(manager.chip("Captions", 7, "synced")).to_be_visible()
    assert uploaded(site) == 7

    manager.page.reload()
    expect(manager.job()).to_contain_text(f"7 of {COUNT} files")
    expect(manager.job().get_by_role("button", name="Cancel")).to_be_visible()
    gate.open()
    manager.expect_done()
    expect(manager.chip("Captions", COUNT, "synced")).to_be_visible()
    assert site.objects() == site.on_disk()


def test_a_second_upload_while_one_runs_is_refused_in_words(make_site: SiteMaker, visit: Visit, gate: Gate) -> None:
    site = make_site(COUNT, prepare=edit_all, endpoint_url=gate.url)
    first, second = visit(site, items=COUNT), visit(site, items=COUNT)
    for manager in (first, second):
        manager.button("All").click()
        manager.upload()
    gate.shut(let=1)
    first.confirm()
    second.plan.get_by_role("button", name="Upload to S3", exact=True).click()
    expect(second.page.get_by_text("A push of 82_stellar_sketch is already running.")).to_be_visible()
    expect(second.page.get_by_text("Wait for it to end, or cancel it.")).to_be_visible()
    expect(second.jobs.get_by_role("article")).to_have_count(1)
    gate.open()
    for manager in (first, second):
        manager.expect_done()
    assert site.objects() == site.on_disk()


def test_a_cancelled_upload_says_what_it_left_and_can_go_on(make_site: SiteMaker, visit: Visit, gate: Gate) -> None:
    site = make_site(MANY, prepare=edit_all, endpoint_url=gate.url)
    manager = visit(site, items=MANY)
    manager.button("All").click()
    manager.upload()
    gate.shut(let=5)
    manager.confirm()
    expect(manager.job()).to_contain_text(f"5 of {MANY} files")
    manager.job().get_by_role("button", name="Cancel").click()
    expect(manager.job().get_by_role("button", name="Cancelling")).to_be_disabled()
    gate.open()
    expect(manager.job()).to_contain_text(re.compile(r"Cancelled\. \d+ files not started"))
    expect(manager.job()).to_have_attribute("data-good", "no")
    done = uploaded(site)
    assert 5 <= done < MANY
    expect(manager.chip("Captions", done, "synced")).to_be_visible()
    expect(manager.chip("Captions", MANY - done, "out of sync")).to_be_visible()

    manager.job().get_by_role("button", name="Retry").click()
    manager.expect_done()
    expect(manager.job()).to_contain_text(f"{MANY - done} of {MANY - done} files")
    assert site.objects() == site.on_disk()


def test_files_that_fail_are_named_and_tried_again(make_site: SiteMaker, visit: Visit) -> None:
    site = make_site(COUNT, prepare=edit_all)
    manager = visit(site, items=COUNT)
    manager.button("All").click()
    manager.upload()
    (site.folder / "0003.txt").rename(site.root / "aside")
    site.write("0005.txt", "edited again after the plan was made\n")
    manager.confirm()
    job = manager.job()
    expect(job.get_by_text("2 failed")).to_be_visible()
    expect(job.get_by_role("listitem").filter(has_text="0003.txt")).to_be_visible()
    expect(job.get_by_role("listitem").filter(has_text="0005.txt")).to_be_visible()
    expect(job).to_have_attribute("data-good", "no")
    assert site.object("0003.txt") == b"a stellar sketch, number 3\n"
    assert site.object("0005.txt") == b"a stellar sketch, number 5\n"

    (site.root / "aside").rename(site.folder / "0003.txt")
    manager.expect_badges("0003.png", "green", "red")
    job.get_by_role("button", name="Retry").click()
    manager.expect_done()
    expect(manager.job()).to_contain_text("2 of 2 files")
    assert site.objects() == site.on_disk()


def test_a_store_that_refuses_is_told_and_the_upload_works_once_it_does_not(
    make_site: SiteMaker, visit: Visit, gate: Gate
) -> None:
    site = make_site(COUNT, prepare=edit_all, endpoint_url=gate.url)
    manager = visit(site, items=COUNT)
    manager.button("All").click()
    manager.upload()
    gate.break_down()
    manager.confirm()
    expect(manager.job().get_by_text(f"{COUNT} failed")).to_be_visible()
    expect(manager.job().get_by_text("AccessDenied").first).to_be_visible()
    expect(manager.chip("Captions", COUNT, "out of sync")).to_be_visible()
    assert uploaded(site) == 0
    gate.open()
    manager.job().get_by_role("button", name="Retry").click()
    manager.expect_done()
    assert site.objects() == site.on_disk()


def test_a_dropped_connection_is_shown_and_what_was_missed_is_caught_up(
    make_site: SiteMaker, visit: Visit, faults: PageErrors
) -> None:
    faults.allowed = "htmx:sse:error"
    with Line() as line:
        site = make_site(6, via=line)
        manager = visit(site, items=6)
        lost = manager.page.get_by_text("Not connected")
        expect(lost).to_have_count(0)
        manager.expect_badges("0002.png", "green", "green")
        line.cut()
        expect(lost).to_be_visible()
        site.write("0002.txt", "edited while nobody could hear of it\n")
        manager.page.wait_for_timeout(1500)  # longer than the server takes to notice and tell an edit
        manager.expect_badges("0002.png", "green", "green")
        line.restore()
        expect(lost).to_have_count(0, timeout=RECONNECTING)
        manager.expect_badges("0002.png", "green", "red")


def test_a_server_that_was_started_anew_asks_for_its_new_link_and_goes_on(
    make_site: SiteMaker, visit: Visit, faults: PageErrors
) -> None:
    faults.allowed = "htmx:sse:error"
    site = make_site(6)
    manager = visit(site, items=6)
    site.stop(signal.SIGTERM)
    expect(manager.page.get_by_text("Not connected")).to_be_visible()
    site.write("0002.txt", "edited while no server ran\n")
    site.start()
    anew = manager.page.get_by_text(
        "You are logged out, or the server restarted. Open the newest link that hashmark printed."
    )
    expect(anew).to_be_visible(timeout=RECONNECTING)
    other = manager.page.context.new_page()
    site.log_in(other)
    # By itself: the new session is this browser's.
    expect(manager.page.get_by_text("Not connected")).to_have_count(0, timeout=RECONNECTING)
    manager.expect_badges("0002.png", "green", "red")

"""The S3 Manager as a user operates it: its controls, by role and text where possible."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import ConsoleMessage, Locator, Page, expect

from support.browser.site import Site
from support.datasets import STYLE


class Manager:
    """An open dataset page."""

    def __init__(self, page: Page, site: Site) -> None:
        self.page = page
        self.site = site
        self.grid = page.get_by_role("listbox", name="Items")
        self.tiles = page.locator("#items .tile:visible")
        self.search = page.get_by_role("searchbox", name="Search", exact=True)
        self.plan = page.get_by_role("dialog", name="Plan")
        self.detail = page.get_by_role("dialog", name="Item")
        self.cleaning = page.get_by_role("dialog", name="Clean captions")
        self.jobs = page.get_by_role("complementary", name="Jobs")
        self.caption = page.get_by_role("textbox", name="Caption")

    def open(self, query: str = "") -> Manager:
        self.page.goto(f"http://127.0.0.1:{self.site.shown_port}/d/82{query}")
        expect(self.page.get_by_role("heading", name=STYLE, exact=True)).to_be_visible()
        return self

    def ready(self, items: int) -> Manager:
        """Wait until the dataset is compared and shows `items` items."""
        expect(self.page.locator("#filter-count")).to_have_text(f"{items:,}")
        expect(self.page.locator("#summary .state")).to_contain_text("compared")
        expect(self.page.locator("#summary .busy")).to_have_count(0)
        return self

    def chip(self, role: str, count: int, words: str) -> Locator:
        return self.page.get_by_role("button", name=f"{role}: {count} {words}", exact=True)

    def tile(self, name: str) -> Locator:
        return self.page.locator("#items .tile:visible").filter(
            has=self.page.locator(".name", has_text=re.compile(f"^{re.escape(name)}$"))
        )

    def expect_badges(self, name: str, image: str, caption: str | None = None) -> None:
        """Expect these colours of a tile's badges."""
        badges = self.tile(name).locator(".badge")
        expect(badges.nth(0)).to_have_class(f"badge {image}")
        if caption is not None:
            expect(badges.nth(1)).to_have_class(f"badge {caption}")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("contentinfo", name="Actions").get_by_role("button", name=name, exact=True)

    def selected(self, count: int, of: int) -> None:
        expect(self.page.locator("#selected")).to_have_text(f"{count:,} of {of:,} selected")

    def upload(self, *, by_key: bool = False) -> Locator:
        """Open the plan for an upload of the selection."""
        if by_key:
            self.press("u")
        else:
            self.button("Upload to S3").click()
        expect(self.plan.get_by_role("heading")).to_contain_text("Upload")
        return self.plan

    def confirm(self, name: str = "Upload to S3") -> None:
        self.plan.get_by_role("button", name=name, exact=True).click()
        expect(self.plan).to_be_hidden()

    def clean(self, key: str = "c") -> Locator:
        """Open the cleaning of the selection or the filter."""
        self.press(key)
        expect(self.cleaning.get_by_role("heading")).to_contain_text("Clean captions")
        return self.cleaning

    def expect_changes(self, count: int, scope: str) -> None:
        """Expect these numbers in the preview once it has loaded."""
        expect(self.cleaning.locator("#clean-scope")).to_have_text(scope)
        captions = f"{count:,} caption" + ("" if count == 1 else "s")
        expect(self.cleaning.locator("#clean-said")).to_have_text(f"{captions} would change.")

    def apply(self) -> None:
        """Apply the preview."""
        self.cleaning.get_by_role("button", name=re.compile("^Apply to ")).click()
        expect(self.cleaning).to_be_hidden()

    def job(self) -> Locator:
        """Return the newest job."""
        return self.jobs.get_by_role("article").first

    def expect_done(self) -> None:
        expect(self.job()).to_have_attribute("data-good", "yes", timeout=30_000)


def run(page: Page, expression: str) -> Any:
    """Evaluate JavaScript as the page's console does; its content security policy blocks Playwright's own way."""
    session = page.context.new_cdp_session(page)
    try:
        found = session.send(
            "Runtime.evaluate", {"expression": expression, "awaitPromise": True, "returnByValue": True}
        )
    finally:
        session.detach()
    assert "exceptionDetails" not in found, found["exceptionDetails"]
    return found["result"].get("value")


@contextmanager
def longest_task(manager: Manager) -> Iterator[list[float]]:
    """Measure the CPU milliseconds of the page's longest task, whatever else the machine does."""
    found: list[float] = []
    browser = manager.page.context.browser
    assert browser
    browser.start_tracing(page=manager.page, categories=["devtools.timeline", "disabled-by-default-devtools.timeline"])
    try:
        yield found
    finally:
        events = json.loads(browser.stop_tracing())["traceEvents"]
    names = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"}
    tasks = [e for e in events if e["name"] == "RunTask" and names.get((e["pid"], e["tid"])) == "CrRendererMain"]
    assert len(tasks) > 20, "the trace has too few tasks"
    found.append(max(e.get("tdur", 0) for e in tasks) / 1000)


Visit = Callable[..., Manager]


@dataclass
class PageErrors:
    """Errors of a page: uncaught exceptions and violations of its content security policy."""

    errors: list[str] = field(default_factory=list)
    allowed: str | None = None
    """Text of an error that the test causes itself."""

    def watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._heard)

    def _heard(self, message: ConsoleMessage) -> None:
        expected = "Failed to load resource" in message.text or (self.allowed and self.allowed in message.text)
        if message.type == "error" and not expected:
            self.errors.append(message.text)

"""What axe-core checks: names, roles, contrast. In every place, wide and narrow, light and dark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Page, expect

from support.browser.manager import Manager, Visit, run
from support.browser.site import Site

AXE = Path(__file__).parents[2] / "src" / "hashmark" / "web" / "frontend" / "node_modules" / "axe-core" / "axe.min.js"


def violations(page: Page) -> list[str]:
    run(page, AXE.read_text("utf-8") + "; undefined")
    found: dict[str, Any] = run(page, "axe.run(document, {resultTypes: ['violations']})")
    assert len(found["passes"]) > 5, "it looked at something"
    return [
        f"{rule['id']}, {len(rule['nodes'])} times, such as {rule['nodes'][0]['html'][:200]}"
        f" {' '.join(rule['nodes'][0].get('failureSummary', '').split())[:300]}"
        for rule in found["violations"]
    ]


def library(manager: Manager) -> None:
    manager.page.get_by_role("link", name="All datasets").click()
    expect(manager.page.get_by_role("button", name="Check all")).to_be_visible()


def grid(manager: Manager) -> None:
    manager.expect_badges("0001.jpg", "green", "red")


def selected(manager: Manager) -> None:
    manager.press("Control+a")
    manager.selected(271, of=271)


def as_list(manager: Manager) -> None:
    manager.press("g")
    manager.expect_badges("0001.jpg", "green", "red")


def detail(manager: Manager) -> None:
    manager.press("Enter")
    expect(manager.caption).not_to_have_value("")
    expect(manager.detail.locator("#caption-diff")).to_be_visible()


def sheet(manager: Manager) -> None:
    manager.press("?")


def plan(manager: Manager) -> None:
    manager.press("Control+a", "u")
    expect(manager.plan.get_by_role("button", name="Upload to S3", exact=True)).to_be_visible()
    manager.plan.locator("summary", has_text="271 files").click()


def delete(manager: Manager) -> None:
    manager.press("Space", "Delete")
    expect(manager.plan.get_by_role("textbox")).to_be_visible()


def cleaning(manager: Manager) -> None:
    manager.clean()
    expect(manager.cleaning.locator("#clean-said")).not_to_have_class("busy")
    manager.cleaning.locator("details").evaluate("details => { details.open = true }")


def replacing(manager: Manager) -> None:
    dialog = manager.clean("f")
    dialog.get_by_role("textbox", name="Find").fill("sketch")
    expect(dialog.locator("#clean-list del").first).to_be_visible()


def tagging(manager: Manager) -> None:
    dialog = manager.clean("a")
    dialog.get_by_label("Put last").fill("(")
    expect(dialog.locator("#clean-list ins").first).to_be_visible()


def tags(manager: Manager) -> None:
    manager.press("t")
    expect(manager.page.locator("#tags .tag").first).to_be_visible()


def findings(manager: Manager) -> None:
    manager.press("l")
    expect(manager.page.locator("#lint .tag").first).to_be_visible(timeout=60_000)
    manager.page.locator("#lint summary").first.click()


def error(manager: Manager) -> None:
    manager.search.fill("sync:blue")
    expect(manager.page.get_by_role("alert")).to_be_visible()


def nothing(manager: Manager) -> None:
    manager.search.fill("name:zebra")
    expect(manager.page.get_by_text("Nothing matches this search.")).to_be_visible()


PLACES: tuple[Callable[[Manager], None], ...] = (
    grid, selected, as_list, detail, sheet, plan, delete, cleaning, replacing, tagging, tags, findings, error, nothing,
    library,
)  # fmt: skip


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (1280, "light"),
        pytest.param(1280, "dark", marks=pytest.mark.slow),
        pytest.param(390, "light", marks=pytest.mark.slow),
        pytest.param(390, "dark", marks=pytest.mark.slow),
    ],
)
def test_axe_finds_nothing_anywhere(gallery: Site, visit: Visit, scheme: Literal["light", "dark"], width: int) -> None:
    manager = visit(
        gallery, items=271, color_scheme=scheme, viewport={"width": width, "height": 844}, reduced_motion="reduce"
    )
    found: list[str] = []
    for go in PLACES:
        manager.open("?view=grid").ready(271)
        run(manager.page, "localStorage.clear()")
        manager.grid.focus()
        go(manager)
        found += [f"{go.__name__}: {text}" for text in violations(manager.page)]
    assert not found, "\n".join(found)


def test_axe_does_find_what_is_wrong(gallery: Site, visit: Visit) -> None:
    manager = visit(gallery, items=271)
    run(manager.page, "document.querySelector('[data-act=check]').replaceChildren(); undefined")
    run(manager.page, "document.querySelector('[data-act=check]').removeAttribute('title'); undefined")
    assert any("button-name" in text for text in violations(manager.page))

"""`make bench-page`: measure how long a user waits for the page, with 271, 10,000 and 100,000 pairs, in real Chromium.

The server has already compared the dataset, as for a returning user. Times run from the click to the visible result.
Main-thread blocks are tasks of Chromium's own trace, in CPU time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, expect

from hashmark.embedded.embedded_bucket import EmbeddedBucket
from support.browser.manager import Manager, longest_task, run
from support.browser.site import Site, picture
from support.datasets import STYLE
from support.stores import BUCKET, Store, isolate_from_user
from tools.browser import launch

OUT = Path(__file__).resolve().parent.parent / "docs" / "benchmarks-page.json"
SHOWN = """new Promise(done => {
  const count = document.getElementById("filter-count");
  const poll = () => count.textContent === "%s" ? done(1) : requestAnimationFrame(poll);
  poll();
})"""
"""Waits inside the page: polling from outside would measure the poll interval."""

PICTURES = 271
"""Number of different pictures. Further pairs are hard links to them, to save disk space."""


@dataclass
class Figures:
    """The measurements for one number of pairs: a list of values for each name."""

    pairs: int
    figures: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, value: float) -> None:
        self.figures.setdefault(name, []).append(value)

    def medians(self) -> dict[str, float]:
        return {name: round(statistics.median(values), 1) for name, values in self.figures.items()}


def build(site: Site, pairs: int) -> None:
    """Write `pairs` pairs into the site's dataset."""
    site.folder.mkdir(parents=True)
    for n in range(pairs):
        path = site.folder / f"{n + 1:06d}.png"
        if n < PICTURES:
            path.write_bytes(picture(n, side=128))
        else:
            os.link(site.folder / f"{n % PICTURES + 1:06d}.png", path)
        path.with_suffix(".txt").write_text(
            f"a stellar sketch, number {n + 1}, {'ink' if n % 7 else 'chalk'} on paper\n"
        )


def timed(*acts: Callable[[], object]) -> float:
    """Run the functions one after the other; return the milliseconds they took."""
    started = time.perf_counter()
    for act in acts:
        act()
    return 1000 * (time.perf_counter() - started)


def visit(browser: Browser, site: Site, state: Any, seen: Figures) -> None:
    """Measure one visit: open the dataset, scroll, search, select."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, storage_state=state)
    page = context.new_page()
    manager = Manager(page, site)
    page.goto(f"http://127.0.0.1:{site.port}/")
    link = page.get_by_role("link", name=STYLE)
    expect(link).to_be_visible()
    first = page.locator("#items .tile:visible .badge.green").first

    seen.add("first rows with badges", timed(link.click, first.wait_for))
    drawn = page.locator("#items .tile:visible img.here").first
    seen.add("first picture, after that", timed(drawn.wait_for))
    expect(page.locator("#filter-count")).to_have_text(f"{seen.pairs:,}")
    page.mouse.move(640, 400)
    with longest_task(manager) as scrolling:
        for _ in range(60):
            page.mouse.wheel(0, 3000)
            page.wait_for_timeout(16)
        run(page, "document.getElementById('scroller').scrollTop = 1e9")
        expect(manager.tile(f"{seen.pairs:06d}.png")).to_contain_text(f"number {seen.pairs:d}")
    seen.add("longest block, scrolling", scrolling[0])
    some = sum(1 for n in range(seen.pairs) if n % 7 == 0)
    with longest_task(manager) as searching:
        typed = partial(manager.search.fill, "text:chalk")
        seen.add("search by text", timed(typed, partial(run, page, SHOWN % f"{some:,}")))
    seen.add("longest block, searching", searching[0])
    with longest_task(manager) as selecting:
        manager.search.fill("")
        expect(page.locator("#filter-count")).to_have_text(f"{seen.pairs:,}")
        manager.press("Escape")
        page.locator("#items").focus()
        everything = partial(manager.selected, seen.pairs, of=seen.pairs)
        seen.add("select all", timed(partial(manager.press, "Control+a"), everything))
    seen.add("longest block, selecting", selecting[0])
    session = context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    metrics = {row["name"]: row["value"] for row in session.send("Performance.getMetrics")["metrics"]}
    seen.add("JavaScript heap, MB", metrics["JSHeapUsedSize"] / 1e6)
    seen.add("DOM nodes", metrics["Nodes"])
    context.close()


def server_figures(site: Site, page: Any, seen: Figures) -> None:
    """Measure how long the server takes to answer searches, and its memory."""
    for query in ("text:chalk", "sync:red", "name:*77*"):
        took = run(
            page,
            f"(async () => {{ const t = performance.now(); const r = await fetch('/api/datasets/82/search?q={query}');"
            " await r.json(); return performance.now() - t; })()",
        )
        seen.add("server answers a search", took)
    seen.add("server memory, MB", site.memory() / 1e6)


def measure(browser: Browser, folder: Path, store: Store, pairs: int, rounds: int) -> Figures:
    """Measure everything for one number of pairs."""
    site = Site(folder / f"library-{pairs}", store, f"page-{pairs}")
    build(site, pairs)
    time.sleep(3)
    site.push()
    site.start()
    seen = Figures(pairs)
    try:
        context = browser.new_context()
        page = context.new_page()
        site.log_in(page)
        state = context.storage_state()
        Manager(page, site).open()
        expect(page.locator("#summary .state")).to_contain_text("compared", timeout=600_000)
        expect(page.locator("#summary .busy")).to_have_count(0, timeout=600_000)
        expect(page.locator("#items .tile:visible").first).to_contain_text("number 1", timeout=600_000)
        for _ in range(rounds):
            visit(browser, site, state, seen)
            server_figures(site, page, seen)
        context.close()
    finally:
        site.stop()
    return seen


def main() -> None:
    """Measure, print a table, and write the figures to docs/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, nargs="+", default=[271, 10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    isolate_from_user()
    expect.set_options(timeout=60_000)
    with (
        tempfile.TemporaryDirectory(prefix="hashmark-bench-") as place,
        launch() as browser,
    ):
        folder = Path(place)
        box = EmbeddedBucket(folder / "bucket", BUCKET)
        store = Store("seaweedfs", box.address.endpoint_url, box.credentials_file)
        machine = f"{platform.machine()}, {os.cpu_count()} cores, Chromium {browser.version}"
        try:
            seen = [measure(browser, folder, store, pairs, options.rounds) for pairs in options.pairs]
        finally:
            box.stop()
    report(seen, machine, options.out)


def report(seen: list[Figures], machine: str, out: Path) -> None:
    """Print the table and write it as JSON."""
    names = list(seen[0].figures)
    say(f"{machine}; medians, in ms unless stated otherwise; {datetime.now(UTC):%Y-%m-%d}\n")
    say("| | " + " | ".join(f"{one.pairs:,} pairs" for one in seen) + " |\n|---|" + "---|" * len(seen))
    for name in names:
        say(f"| {name} | " + " | ".join(f"{one.medians()[name]:,.0f}" for one in seen) + " |")
    rows = [{"pairs": one.pairs, "medians": one.medians(), "all": one.figures} for one in seen]
    out.write_text(
        json.dumps({"machine": machine, "date": f"{datetime.now(UTC):%Y-%m-%d}", "rows": rows}, indent=1) + "\n"
    )


def say(line: str) -> None:
    """Print a line of the report."""
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()

"""Take the screenshots in docs/screenshots: the page in a real browser, with the sample library, in its main states.

Like the page's tests, it uses a library with its bucket, and a gate that holds an upload midway.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from PIL import Image
from playwright.sync_api import Browser, Page, expect

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hashmark.demo import sample_library
from hashmark.embedded.embedded_bucket import EmbeddedBucket
from hashmark.library.library import Library
from support.browser.gate import Gate, gated
from support.browser.manager import Manager
from support.browser.site import Site
from support.stores import BUCKET, Store, isolate_from_user
from tools.browser import launch

Scheme = Literal["light", "dark"]
OUT = Path(__file__).resolve().parent.parent / "docs" / "screenshots"
LINKED_PAIRS = 10_000
WIDE: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
NARROW: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2}


@contextmanager
def sample(folder: Path) -> Iterator[tuple[Site, Gate]]:
    """Push the sample library, with an empty dataset and one of 10,000 pairs, and give it with its gate."""
    with (
        EmbeddedBucket(folder / "bucket", BUCKET) as box,
        gated(store := Store("seaweedfs", box.address.endpoint_url, box.credentials_file)) as gate,
    ):
        site = Site(folder / "styles", store, "styles", endpoint_url=gate.url)
        for left in sample_library.draw(site.root, sample_library.SAMPLES, threading.Event()):
            if left % 100 == 0:
                print(f"{left} sketches to draw", flush=True)
        link_pairs(site.root / "3_ten_thousand", site.folder)
        for dataset in ("82", "10", "5", "3"):
            site.push(dataset)
        (site.root / "1_new_style").mkdir()
        yield site, gate
        site.stop()


def link_pairs(folder: Path, source: Path) -> None:
    """Create `LINKED_PAIRS` pairs as hard links to another dataset's files, to save disk space."""
    folder.mkdir()
    images = sorted(path for path in source.iterdir() if path.suffix != ".txt")
    for n in range(LINKED_PAIRS):
        image = images[n * 7 % len(images)]
        os.link(image, folder / f"{n + 1:05d}{image.suffix}")
        os.link(image.with_suffix(".txt"), folder / f"{n + 1:05d}.txt")


class Camera:
    """A browser that is signed in once. `manager` opens a dataset in a new window; `take` writes a screenshot."""

    def __init__(self, browser: Browser, site: Site) -> None:
        self._browser = browser
        self._site = site
        self._state: Any = None

    def page(self, screen: dict[str, Any], scheme: Scheme) -> Page:
        context = self._browser.new_context(
            **screen, color_scheme=scheme, reduced_motion="reduce", storage_state=self._state, locale="en-GB"
        )
        page = context.new_page()
        if self._state is None:
            self._site.log_in(page)
            self._state = context.storage_state()
        return page

    def library(self, screen: dict[str, Any], scheme: Scheme) -> Page:
        page = self.page(screen, scheme)
        page.goto(f"http://127.0.0.1:{self._site.port}/")
        expect(page.locator(".datasets li")).to_have_count(5)
        expect(page.locator(".datasets .busy")).to_have_count(0, timeout=60_000)
        return page

    def manager(self, dataset: str, screen: dict[str, Any], scheme: Scheme, query: str = "") -> Manager:
        page = self.page(screen, scheme)
        page.goto(f"http://127.0.0.1:{self._site.port}/d/{dataset}{query}")
        expect(page.locator("#summary .state")).to_contain_text("compared")
        return Manager(page, self._site)

    def take(self, page: Page, name: str) -> None:
        """Write a screenshot after all visible thumbnails have loaded."""
        expect(page.locator("#items .tile:visible .picture:not(.none) .thumb:not(.here)")).to_have_count(
            0, timeout=30_000
        )
        page.wait_for_timeout(300)
        data = page.screenshot()
        image = Image.open(io.BytesIO(data)).convert("RGB")
        out = io.BytesIO()
        image.save(out, "WEBP", quality=88, method=6)
        OUT.mkdir(parents=True, exist_ok=True)
        (OUT / f"{name}.webp").write_bytes(out.getvalue())
        print(f"{name}.webp {out.tell() // 1000} kB", flush=True)


def pictures(camera: Camera, site: Site, gate: Gate) -> None:
    """Take the screenshots of datasets, items and uploads; later ones need the changes of earlier ones."""
    schemes: tuple[Scheme, ...] = ("light", "dark")
    for scheme in schemes:
        camera.take(camera.library(WIDE, scheme), f"library-{scheme}")
        manager = camera.manager("82", WIDE, scheme).ready(271)
        camera.take(manager.page, f"grid-{scheme}")
    camera.take(camera.library(NARROW, "light"), "library-narrow")
    camera.take(camera.manager("82", NARROW, "light").ready(271).page, "grid-narrow")
    camera.take(camera.manager("82", NARROW, "dark", "?view=list").ready(271).page, "list-narrow")
    camera.take(camera.manager("82", WIDE, "light", "?view=list").ready(271).page, "list")
    camera.take(camera.manager("1", WIDE, "light").page, "empty")

    manager = camera.manager("3", WIDE, "dark").ready(LINKED_PAIRS)
    manager.press("Control+a", "End", "PageUp", "PageUp")
    manager.selected(LINKED_PAIRS, of=LINKED_PAIRS)
    manager.page.wait_for_timeout(1500)
    camera.take(manager.page, "ten-thousand")

    manager = camera.manager("82", WIDE, "light").ready(271)
    manager.tile("0007.jpg").dblclick()
    opened(manager)
    camera.take(manager.page, "detail")
    manager = camera.manager("82", NARROW, "light").ready(271)
    manager.tile("0002.png").dblclick()
    opened(manager)
    camera.take(manager.page, "detail-narrow")

    site.write("0002.txt", "a stellar sketch of a lighthouse, ink on grey paper, high contrast")
    site.put("0002.txt", "a stellar sketch of a lighthouse at night, ink on paper, high contrast")
    manager = camera.manager("82", WIDE, "dark").ready(271)
    manager.press("r")
    manager.expect_badges("0002.png", "green", "conflict")
    manager.tile("0002.png").dblclick()
    opened(manager)
    expect(manager.detail.get_by_text("Caption: conflict")).to_be_visible()
    camera.take(manager.page, "conflict")

    manager = camera.manager("82", WIDE, "light").ready(271)
    manager.press("Control+a", "u")
    expect(manager.plan.get_by_role("button", name="Upload to S3", exact=True)).to_be_visible()
    camera.take(manager.page, "plan")
    manager = camera.manager("82", WIDE, "light").ready(271)
    manager.press("Control+a")
    manager.upload()
    gate.shut(let=140)
    manager.confirm()
    expect(manager.job()).to_contain_text("140 of 270 files")
    manager.page.wait_for_timeout(1000)
    camera.take(manager.page, "uploading")
    gate.open()


def caption_pictures(camera: Camera, site: Site) -> None:
    """Take the screenshots of captions being cleaned, counted and checked."""
    cases: tuple[tuple[dict[str, Any], Scheme, str], ...] = (
        (WIDE, "light", "clean"),
        (NARROW, "dark", "clean-narrow"),
    )
    for screen, scheme, name in cases:
        manager = camera.manager("82", screen, scheme).ready(271)
        manager.clean()
        expect(manager.cleaning.locator("#clean-list li")).to_have_count(50)
        camera.take(manager.page, name)
    manager = camera.manager("82", WIDE, "dark").ready(271)
    manager.clean("f")
    manager.page.keyboard.type("stellar sketch")
    manager.cleaning.get_by_role("textbox", name="Replace with").fill("ohwx sketch")
    expect(manager.cleaning.locator("#clean-list ins").first).to_be_visible()
    camera.take(manager.page, "replace")

    manager = camera.manager("82", WIDE, "light").ready(271)
    manager.press("t")
    manager.page.get_by_role("textbox", name="Trigger").fill("stellar sketch")
    expect(manager.page.locator("#tags-said")).to_contain_text("The trigger")
    camera.take(manager.page, "tags")
    bad = {"0002.txt": b"", "0003.txt": b"a line\nand another", "0004.txt": "caf\u00e9".encode("cp1252")}
    good = {name: site.read(name) for name in bad}
    for name, data in bad.items():
        site.write(name, data)
    manager = camera.manager("82", WIDE, "dark").ready(271)
    manager.press("l")
    expect(manager.page.locator(".findings li").first).to_be_visible(timeout=120_000)
    expect(manager.page.locator(".busy-said")).to_be_hidden(timeout=120_000)
    manager.page.locator(".findings summary").nth(1).click()
    camera.take(manager.page, "trainers")
    for name, data in good.items():
        site.write(name, data)


def opened(manager: Manager) -> None:
    """Wait for the picture and the caption of an open item."""
    expect(manager.caption).not_to_have_value("")
    expect(manager.detail.locator("#caption-diff")).to_be_visible()
    manager.detail.locator("figure.disk img").evaluate("image => image.decode()")


def main() -> None:
    """Take all screenshots."""
    isolate_from_user()
    with tempfile.TemporaryDirectory() as folder, sample(Path(folder)) as (site, gate), launch() as browser:
        site.start()
        camera = Camera(browser, site)
        caption_pictures(camera, site)
        with Library.open(site.root) as library:
            sample_library.clean_captions(library.dataset("82"))
        pictures(camera, site, gate)


if __name__ == "__main__":
    main()

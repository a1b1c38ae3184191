"""A real Chromium before a real server and a real store. Without a browser these tests fail and say how to get one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from hashmark.demo import sample_library
from hashmark.library.library import Library
from hashmark.library.settings import SETTINGS
from support.browser.gate import Line
from support.browser.manager import Manager, PageErrors, Visit
from support.browser.site import Site, SiteMaker, copy_style, pairs
from support.datasets import STYLE
from support.stores import Store
from tools.browser import NoBrowser, launch

expect.set_options(timeout=20_000)  # a busy machine; what holds is seen at once


# Of the package, not the session: Playwright's loop must not run under the tests of other folders.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    try:
        with launch() as chromium:
            yield chromium
    except NoBrowser as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture
def faults() -> Iterator[PageErrors]:
    """The faults of this test's pages: there are none."""
    found = PageErrors()
    yield found
    assert found.errors == []


@pytest.fixture
def new_context(browser: Browser, faults: PageErrors) -> Iterator[Callable[..., BrowserContext]]:
    opened: list[BrowserContext] = []

    def make(**options: Any) -> BrowserContext:
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 800}} | options))
        context.on("page", faults.watch)
        opened.append(context)
        return context

    yield make
    for context in opened:
        context.close()


@pytest.fixture
def visit(new_context: Callable[..., BrowserContext]) -> Visit:
    """Opens a site's dataset in a browser of its own: `visit(site, items=12)` waits for so many items."""

    def open_page(site: Site, query: str = "", *, items: int | None = None, **options: Any) -> Manager:
        page = new_context(**options).new_page()
        site.log_in(page)
        manager = Manager(page, site).open(query)
        return manager if items is None else manager.ready(items)

    return open_page


@pytest.fixture
def make_site(tmp_path: Path, seaweedfs: Store, prefix: str) -> Iterator[SiteMaker]:
    """Makes a library of `count` pairs, pushed unless told otherwise, and starts its server."""
    made: list[Site] = []

    def make(
        count: int,
        *,
        push: bool = True,
        prepare: Callable[[Site], None] = lambda _site: None,
        endpoint_url: str | None = None,
        via: Line | None = None,
    ) -> Site:
        site = Site(tmp_path / f"library-{len(made)}", seaweedfs, f"{prefix}-{len(made)}", endpoint_url=endpoint_url)
        made.append(site)
        pairs(site, count)
        if push:
            site.push()
        prepare(site)
        if via is None:
            return site.start()
        via.to, site.shown_port = site.port, via.port
        return site.start("--name", f"127.0.0.1:{via.port}")

    yield make
    for site in made:
        site.stop()


@pytest.fixture(scope="package")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample library's 271 pairs as they are drawn, only smaller, with the captions as they came."""
    folder = tmp_path_factory.mktemp("drawn")
    for _ in sample_library.draw(folder, (sample_library.Sample(STYLE, 271, 0, 128),), threading.Event()):
        pass
    return folder


def clean(site: Site) -> None:
    """Clean the 271 captions on disk, as the demo does."""
    with Library.open(site.root) as library:
        assert sample_library.clean_captions(library.dataset("82")) == 271


@pytest.fixture
def story(tmp_path: Path, seaweedfs: Store, prefix: str, drawn: Path) -> Iterator[Site]:
    """271 pairs that were pushed, and whose captions were all edited since."""
    site = Site(tmp_path / "story", seaweedfs, prefix)
    copy_style(drawn, site)
    site.push()
    clean(site)
    yield site.start()
    site.stop()


@pytest.fixture
def dirty(tmp_path: Path, seaweedfs: Store, prefix: str, drawn: Path) -> Iterator[Site]:
    """271 pairs that were pushed as they came; the library says how their captions are to be cleaned."""
    site = Site(tmp_path / "dirty", seaweedfs, prefix)
    with (site.root / SETTINGS).open("a") as file:
        file.write(f'\n[datasets."{STYLE}".clean]\n')
        file.writelines(f'{name} = "{value}"\n' for name, value in sample_library.CLEANING.items())
    copy_style(drawn, site)
    site.push()
    yield site.start()
    site.stop()


@pytest.fixture(scope="package")
def gallery(tmp_path_factory: pytest.TempPathFactory, seaweedfs: Store, drawn: Path) -> Iterator[Site]:
    """The same, for tests that change nothing: shared by all of them."""
    site = Site(tmp_path_factory.mktemp("gallery") / "library", seaweedfs, "gallery")
    copy_style(drawn, site)
    site.push()
    clean(site)
    (site.root / "5_paper_landscapes").mkdir()
    yield site.start()
    site.stop()

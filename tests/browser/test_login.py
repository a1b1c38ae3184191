"""The printed link in a real browser, with scripts and without."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import BrowserContext, expect

from hashmark.web.server.browser_file import BrowserFile
from support.browser.manager import PageErrors, Visit
from support.browser.site import SiteMaker


def test_without_scripts_a_button_logs_in(make_site: SiteMaker, new_context: Callable[..., BrowserContext]) -> None:
    site = make_site(1)
    page = new_context(java_script_enabled=False).new_page()
    page.goto(site.link())
    page.get_by_role("button", name="Open hashmark").click()
    expect(page).to_have_url(f"http://127.0.0.1:{site.port}/")
    expect(page.get_by_role("heading", name="hashmark")).to_be_visible()


def test_going_back_after_a_login_does_not_send_the_token_again(
    make_site: SiteMaker, new_context: Callable[..., BrowserContext]
) -> None:
    site = make_site(1)
    page = new_context().new_page()
    page.goto("about:blank")
    site.log_in(page)
    page.go_back()
    assert page.url == "about:blank"


def test_log_out_ends_the_session_of_every_tab(make_site: SiteMaker, visit: Visit, faults: PageErrors) -> None:
    faults.allowed = "htmx:sse:error"
    site = make_site(1)
    manager = visit(site, items=1)
    other = manager.page.context.new_page()
    other.goto(f"http://127.0.0.1:{site.port}/")
    manager.page.get_by_role("button", name="Log out").click()
    expect(manager.page.get_by_text("Open the link that hashmark printed")).to_be_visible()
    expect(other.get_by_text("You are logged out, or the server restarted.")).to_be_visible()
    assert manager.page.context.cookies() == []
    site.log_in(other)
    expect(other.get_by_role("button", name="Log out")).to_be_visible()


def test_the_private_file_leads_to_the_page(make_site: SiteMaker, new_context: Callable[..., BrowserContext]) -> None:
    """From a file, the browser says that the request comes from another site."""
    site = make_site(1)
    page = new_context().new_page()
    file = BrowserFile(site.link())
    page.goto(file.url)
    page.wait_for_url(f"http://127.0.0.1:{site.port}/")
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    file.remove()

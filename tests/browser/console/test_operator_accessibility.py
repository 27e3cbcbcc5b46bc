"""Pages for operators and their forms meet WCAG 2.1 AA, as far as axe can tell, and fit a phone."""

from typing import Literal
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.browser.console.operator_site import Site, open_console
from tests.browser.console.test_accessibility import expect_no_faults
from tests.browser.watch import Watch

PAGES = {
    "/objects": "Objects",
    "/storage": "Storage",
    "/usage": "Usage",
    "/profiles": "Profiles",
    "/webhooks": "Webhooks",
    "/jobs": "Jobs",
    "/deletions": "Deletions",
    "/compliance": "Compliance",
    "/audit": "Audit",
}
FORMS = {"/webhooks": "Edit", "/profiles": "New profile", "/jobs": "Show the job copy"}
_OVERFLOW = "() => { const main = document.querySelector('#main'); return main.scrollWidth - main.clientWidth }"


@pytest.fixture
def site(operators: Site) -> Site:
    return operators


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 390)])
def test_pages_for_operators_have_no_faults_and_fit(
    page: Page, watch: Watch, site: Site, theme: Literal["dark", "light"], width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    open_console(page, watch, site.running, "/audit")
    for path, title in {**PAGES, f"/objects/{quote(site.object_id, safe='')}": site.object_id}.items():
        go_to(page, path, title)
        expect_no_faults(page)
        assert page.evaluate(_OVERFLOW) <= 0, f"{path} is wider than {width} pixels"


def test_forms_have_no_faults(page: Page, watch: Watch, site: Site) -> None:
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    open_console(page, watch, site.running, "/audit")
    for path, button in FORMS.items():
        go_to(page, path, PAGES[path])
        page.get_by_role("button", name=button).first.click()
        expect(page.get_by_role("dialog")).to_be_visible()
        expect_no_faults(page)
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)


def go_to(page: Page, path: str, title: str) -> None:
    page.evaluate("path => { location.hash = path }", path)
    expect(page.locator("main h1")).to_have_text(title)
    page.wait_for_load_state("networkidle")

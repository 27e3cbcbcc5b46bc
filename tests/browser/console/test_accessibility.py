"""Pages of the console meet WCAG 2.1 AA, as far as axe can tell, in both themes."""

from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.console.catalogue_site import Catalogue
from tests.browser.console.operator_site import open_console
from tests.browser.watch import Watch

AXE = Path(__file__).parents[3] / "tams_server/console/web/node_modules/axe-core/axe.min.js"
_RUN = """async () => {
  const found = await axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]})
  return found.violations.map(({id, nodes}) =>
    `${id}: ${nodes.slice(0, 5).map(node => node.target + " " + node.failureSummary).join("; ")}`)
}"""


@pytest.fixture
def site(catalogue: Catalogue) -> Catalogue:
    if not AXE.is_file():
        pytest.skip("the console's npm packages are missing; `make console` fetches them")
    return catalogue


def expect_no_faults(page: Page) -> None:
    """Raise AssertionError with what axe finds on the page."""
    page.evaluate(AXE.read_text())
    faults = page.evaluate(_RUN)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("path", ["/", "/flows", "/sources", "programme"])
def test_pages_have_no_faults(
    page: Page, watch: Watch, site: Catalogue, path: str, theme: Literal["dark", "light"]
) -> None:
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    open_console(page, watch, site.running, f"/sources/{site.programme}" if path == "programme" else path)
    page.wait_for_load_state("networkidle")
    expect_no_faults(page)
    if path == "/":
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_be_visible()
        expect_no_faults(page)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_sign_in_has_no_faults(page: Page, watch: Watch, site: Catalogue, theme: Literal["dark", "light"]) -> None:
    watch.expect("401")
    watch.allow(site.running.url)
    page.emulate_media(color_scheme=theme)
    page.goto(f"{site.running.url}/console")
    page.get_by_label("Token", exact=True).last.fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    expect_no_faults(page)

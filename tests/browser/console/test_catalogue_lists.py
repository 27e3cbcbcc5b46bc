"""Lists and tables of the console: while they are read, with labels of any kind, and behind a proxy."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.console.catalogue_site import FLOWS, Catalogue
from tests.browser.console.operator_site import REFRESH_MS, open_console
from tests.browser.watch import Watch
from tests.conformance.kit.documents import flow

ALL = FLOWS + 3
ROWS = ".table-body [role=row]"


@pytest.fixture
def site(catalogue: Catalogue) -> Catalogue:
    return catalogue


def test_a_list_that_is_being_read_says_so(page: Page, watch: Watch, site: Catalogue) -> None:
    held: list[Route] = []
    page.route("**/sources?*", lambda route: held.append(route))
    open_console(page, watch, site.running, "/sources")
    note = page.locator(".table-loading")
    expect(note).to_contain_text("Loading")
    expect(note).to_be_in_viewport()
    for route in held:
        route.continue_()
    page.unroute("**/sources?*")
    expect(page.locator(ROWS).first).to_be_visible()
    expect(note).not_to_be_in_viewport()  # the rest is read as it comes near


def test_a_label_of_any_kind_stays_in_its_place(page: Page, watch: Watch, site: Catalogue) -> None:
    document = flow(label="\u202eno" + "space" * 60)
    site.running.client.put(f"/flows/{document['id']}", json=document).raise_for_status()
    page.set_viewport_size({"width": 390, "height": 844})
    open_console(page, watch, site.running, "/")
    row = page.get_by_role("region", name="Newest flows").get_by_role("listitem").first
    expect(row).to_contain_text("space")
    assert page.evaluate("document.querySelector('main').scrollWidth") <= 390
    assert row.evaluate("element => element.scrollWidth <= element.clientWidth")
    expect(row.locator("time")).to_be_in_viewport(ratio=1)
    assert row.locator("bdi").count() == 1
    site.running.client.delete(f"/flows/{document['id']}").raise_for_status()


def test_further_pages_are_read_where_the_console_reaches_the_server(page: Page, watch: Watch, site: Catalogue) -> None:
    """A proxy serves the API below a path with the names of resources, of which the server does not know."""

    def elsewhere(route: Route) -> None:
        response = route.fetch()
        link = response.headers.get("link", "").replace(site.running.url, "https://inside.example/a/flows/tams")
        route.fulfill(response=response, headers={**response.headers, "link": link})

    page.route("**/flows?*", elsewhere)
    open_console(page, watch, site.running, "/flows")
    table = page.get_by_role("table", name="Flows")
    expect(page.locator(ROWS).first).to_be_visible()
    table.evaluate("element => { element.scrollTop = 1e9 }")
    expect(table).to_have_attribute("aria-rowcount", str(ALL + 1))


def test_an_id_is_copied_where_the_browser_has_no_clipboard(page: Page, watch: Watch, site: Catalogue) -> None:
    """Over plain HTTP, that is, except on localhost."""
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    open_console(page, watch, site.running, f"/sources/{site.programme}")
    page.get_by_role("button", name="Copy the id").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    page.get_by_placeholder("Id or label").press("ControlOrMeta+v")
    expect(page.get_by_placeholder("Id or label")).to_have_value(site.programme)


def test_a_list_that_does_not_change_is_read_less_often_until_it_is_used(
    page: Page, watch: Watch, site: Catalogue
) -> None:
    page.clock.install()
    open_console(page, watch, site.running, "/sources")
    expect(page.locator(ROWS).first).to_be_visible()
    page.clock.pause_at(page.evaluate("Date.now() + 1000"))
    listing = re.compile("/sources[?]")
    for _ in range(10):
        with page.expect_response(listing):
            page.clock.run_for(REFRESH_MS * 2)
        page.wait_for_timeout(50)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(REFRESH_MS * 3 // 2)
    page.wait_for_timeout(50)
    assert asked == []
    page.keyboard.press("Shift")
    with page.expect_request(listing):
        page.clock.run_for(10)

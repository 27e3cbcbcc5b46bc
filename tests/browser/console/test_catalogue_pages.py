"""F20: the console's overview, lists of sources and flows, and the page of a source, step by step."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.console.catalogue_site import FLOWS, Catalogue
from tests.browser.console.operator_site import open_console, refresh
from tests.browser.watch import Watch
from tests.conformance.kit.documents import flow

ALL = FLOWS + 3
ROWS = ".table-body [role=row]"

_ROLES_ABOVE_LINES = """[...document.querySelectorAll(".graph-role")].map((role) => {
  const lines = [...document.querySelectorAll(".graph-line")];
  const last = lines.every((line) => line.compareDocumentPosition(role) & Node.DOCUMENT_POSITION_FOLLOWING);
  return last && getComputedStyle(role).stroke !== "none" && getComputedStyle(role).paintOrder === "stroke";
})"""


@pytest.fixture
def site(catalogue: Catalogue) -> Catalogue:
    return catalogue


def test_01_the_overview_shows_health_counts_and_newest_flows(page: Page, watch: Watch, site: Catalogue) -> None:
    open_console(page, watch, site.running, "/")
    expect(page.get_by_role("region", name="Health")).to_contain_text("ready")
    expect(page.get_by_role("region", name="Service")).to_contain_text("8.2")
    expect(page.get_by_role("region", name="Storage backends")).to_contain_text("embedded file store")
    expect(page.get_by_role("region", name="Newest flows").get_by_role("link", name="Programme")).to_be_visible()
    expect(page.locator("a.count", has_text=re.compile("flows$")).first).to_contain_text(str(ALL), timeout=30_000)


def test_02_the_navigation_leads_to_the_lists(page: Page, watch: Watch, site: Catalogue) -> None:
    open_console(page, watch, site.running, "/")
    navigation = page.get_by_role("navigation", name="Console")
    navigation.get_by_role("link", name="Flows", exact=True).click()
    expect(page.locator("h1")).to_have_text("Flows")
    expect(navigation.get_by_role("link", name="Flows", exact=True)).to_have_attribute("aria-current", "page")
    navigation.get_by_role("link", name="Sources", exact=True).click()
    expect(page.locator("h1")).to_have_text("Sources")
    expect(page).to_have_title("Sources – TAMS console")


@pytest.mark.parametrize(
    ("field", "text", "found", "part_of_url"),
    [
        ("Tag", "rare=yes", ["Flow 0003"], "tag=rare%3Dyes"),
        ("Label", "Camera 1", ["Camera 1"], "label=Camera"),
    ],
)
def test_03_flows_are_filtered(
    page: Page, watch: Watch, site: Catalogue, field: str, text: str, found: list[str], part_of_url: str
) -> None:
    open_console(page, watch, site.running, "/flows")
    page.get_by_label(field, exact=True).fill(text)
    expect(page.locator(ROWS)).to_have_count(len(found))
    assert [row.get_by_role("link").first.inner_text() for row in page.locator(ROWS).all()] == found
    expect(page).to_have_url(re.compile(re.escape(part_of_url)))
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_role("link", name="Programme")).to_be_visible()


def test_04_sources_are_filtered_by_format(page: Page, watch: Watch, site: Catalogue) -> None:
    open_console(page, watch, site.running, "/sources")
    page.get_by_label("Format").select_option("audio")
    expect(page.locator(ROWS)).to_have_count(1)
    expect(page.locator(ROWS)).to_contain_text("Sound of camera 1")


def test_05_a_view_can_be_bookmarked(page: Page, watch: Watch, site: Catalogue) -> None:
    open_console(page, watch, site.running, "/flows?tag=shelf%3D7&sort_by=label&reverse_order=true")
    expect(page.get_by_label("Tag", exact=True)).to_have_value("shelf=7")
    expect(page.locator(ROWS).first).to_contain_text("Flow 0327")


def test_06_labels_that_contain_a_text_are_found(page: Page, watch: Watch, site: Catalogue) -> None:
    open_console(page, watch, site.running, "/flows")
    page.get_by_label("Label", exact=True).fill("OF CAMERA")
    similar = page.get_by_role("region", name="Similar labels")
    expect(similar.get_by_role("link", name="Sound of camera 1")).to_be_visible(timeout=30_000)
    expect(similar.get_by_role("link")).to_have_count(1)


def test_07_tables_are_used_by_keyboard(page: Page, watch: Watch, site: Catalogue) -> None:
    open_console(page, watch, site.running, "/sources")
    expect(page.locator(ROWS).first).to_be_visible()
    page.get_by_role("table").focus()
    for key in ("j", "ArrowDown", "j", "k"):
        page.keyboard.press(key)
    expect(page.locator(f"{ROWS}:focus")).to_have_attribute("aria-rowindex", "3")
    page.keyboard.press("End")
    expect(page.locator(f"{ROWS}:focus")).to_be_in_viewport()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Programme")


def test_08_shortcuts_are_listed_and_work(page: Page, watch: Watch, site: Catalogue) -> None:
    open_console(page, watch, site.running, "/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_contain_text("Next row")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("g")
    page.keyboard.press("s")
    expect(page.locator("h1")).to_have_text("Sources")
    page.keyboard.press("/")
    expect(page.get_by_placeholder("Id or label")).to_be_focused()


def test_09_the_first_tab_stop_skips_to_the_content(page: Page, watch: Watch, site: Catalogue) -> None:
    open_console(page, watch, site.running, "/sources")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    expect(page.locator("h1")).to_have_text("Sources")


@pytest.mark.parametrize(("kind", "place"), [("programme", "sources"), ("camera", "flows")])
def test_10_an_id_leads_to_its_page(page: Page, watch: Watch, site: Catalogue, kind: str, place: str) -> None:
    id_ = getattr(site, kind)
    if kind == "programme":
        watch.expect(f"404 .*flows/{id_}")  # it is looked for among flows first
    open_console(page, watch, site.running, "/")
    page.get_by_placeholder("Id or label").fill(id_.upper())
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"#/{place}/{id_}"))


def test_11_a_source_shows_its_collections_as_a_graph(page: Page, watch: Watch, site: Catalogue) -> None:
    open_console(page, watch, site.running, f"/sources/{site.programme}")
    graph = page.get_by_role("group", name="Collections and flows")
    expect(graph.get_by_role("link", name=re.compile("source"))).to_have_count(3)
    expect(graph.get_by_role("link", name=re.compile("flow"))).to_have_count(3)
    expect(graph.locator("text.graph-role")).to_have_text(["picture", "sound"])
    expect(graph.locator("a[aria-current]")).to_have_count(1)
    assert page.evaluate(_ROLES_ABOVE_LINES) == [True, True]
    graph.get_by_role("link", name=re.compile("video · source")).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("table", name="Flows of the source").get_by_role("link", name="Camera 1")).to_be_visible()
    expect(page.get_by_role("group", name="Collections and flows").locator("a")).to_have_count(6)


def test_12_what_others_change_appears_by_itself(page: Page, watch: Watch, site: Catalogue) -> None:
    page.clock.install()
    open_console(page, watch, site.running, "/flows?tag=live")
    expect(page.get_by_text("No flows match")).to_be_visible()
    document = flow(label="Just now", tags={"live": "yes"})
    site.running.client.put(f"/flows/{document['id']}", json=document).raise_for_status()
    refresh(page)
    expect(page.locator(ROWS)).to_contain_text("Just now")
    site.running.client.put(f"/flows/{document['id']}/label", json="Renamed").raise_for_status()
    refresh(page)
    expect(page.locator(ROWS)).to_contain_text("Renamed")
    site.running.client.delete(f"/flows/{document['id']}").raise_for_status()
    refresh(page)
    expect(page.get_by_text("No flows match")).to_be_visible()


def test_13_a_list_scrolled_down_stays_where_it_is_as_flows_arrive(page: Page, watch: Watch, site: Catalogue) -> None:
    page.clock.install()
    open_console(page, watch, site.running, "/flows")
    table = page.get_by_role("table", name="Flows")
    label = site.running.client.get("/flows?limit=40").json()[30]["label"]
    row = page.locator(ROWS, has_text=label)
    expect(page.locator(ROWS).first).to_be_visible()
    table.evaluate("element => { element.scrollTop = 25 * 34 }")
    expect(row).to_be_in_viewport()
    before = row.bounding_box()
    document = flow(label="At the top", tags={"live": "yes"})
    site.running.client.put(f"/flows/{document['id']}", json=document).raise_for_status()
    index = int(row.get_attribute("aria-rowindex") or 0)
    refresh(page)
    expect(row).to_have_attribute("aria-rowindex", str(index + 1))
    assert row.bounding_box() == before
    site.running.client.delete(f"/flows/{document['id']}").raise_for_status()
    refresh(page)
    expect(row).to_have_attribute("aria-rowindex", str(index))
    assert row.bounding_box() == before


def test_14_a_view_that_cannot_be_seen_asks_for_nothing(page: Page, watch: Watch, site: Catalogue) -> None:
    open_console(page, watch, site.running, "/sources")
    expect(page.locator(ROWS).first).to_be_visible()
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {get: () => window.isHidden});"
        "window.isHidden = true; document.dispatchEvent(new Event('visibilitychange'))"
    )
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.install()
    page.wait_for_timeout(100)
    assert asked == []
    with page.expect_request(re.compile("/sources")):
        page.evaluate("window.isHidden = false; document.dispatchEvent(new Event('visibilitychange'))")


def test_15_an_error_shows_what_the_server_says_and_can_be_tried_again(
    page: Page, watch: Watch, site: Catalogue
) -> None:
    watch.expect("400")
    open_console(page, watch, site.running, "/flows?format=nonsense")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("format")
    expect(alert.locator("code").first).to_be_visible()
    expect(alert.get_by_role("button", name="Try again")).to_be_visible()


def test_16_a_server_that_is_away_is_named_and_what_was_read_stays(page: Page, watch: Watch, site: Catalogue) -> None:
    watch.expect("ERR_FAILED|net::")
    page.clock.install()
    open_console(page, watch, site.running, f"/sources/{site.programme}")
    expect(page.get_by_role("table")).to_be_visible()
    page.route("**/sources/**", lambda route: route.abort())
    refresh(page)
    expect(page.get_by_text("The server cannot be reached")).to_be_visible()
    expect(page.get_by_role("table")).to_be_visible()
    page.unroute("**/sources/**")
    refresh(page)
    expect(page.get_by_text("The server cannot be reached")).to_be_hidden()


def test_17_the_theme_is_that_of_the_system_unless_chosen(page: Page, watch: Watch, site: Catalogue) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="light")
    open_console(page, watch, site.running, "/")
    light = page.evaluate(background)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(background)
    assert light != dark
    page.get_by_role("button", name="Theme: as the system").click()
    page.get_by_role("button", name="Theme: dark").click()
    assert page.evaluate(background) == light
    page.reload()
    expect(page.get_by_role("button", name="Theme: light")).to_be_visible()
    assert page.evaluate(background) == light


@pytest.mark.parametrize("path", ["/", "/flows", "/sources", "programme"])
def test_18_pages_fit_a_phone(page: Page, watch: Watch, site: Catalogue, path: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    open_console(page, watch, site.running, f"/sources/{site.programme}" if path == "programme" else path)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate("document.querySelector('main').scrollWidth") <= 390
    navigation = page.get_by_role("navigation", name="Console")
    expect(navigation).to_be_hidden()
    page.get_by_role("button", name="Open the menu").click()
    navigation.get_by_role("link", name="Sources", exact=True).click()
    expect(page.locator("h1")).to_have_text("Sources")
    expect(navigation).to_be_hidden()


def test_19_unknown_pages_and_resources_are_named(page: Page, watch: Watch, site: Catalogue) -> None:
    watch.expect("404")
    open_console(page, watch, site.running, "/")
    page.goto(f"{site.running.url}/console#/nothing")
    expect(page.get_by_text("There is no such page")).to_be_visible()
    page.goto(f"{site.running.url}/console#/sources/{site.camera}")
    expect(page.get_by_role("alert")).to_contain_text(site.camera)

"""F20: the lists of the console where there are many flows: the first rows, further pages, search, filters and sorting.

CATALOGUE_FLOWS=100000 makes the catalogue as large, and checks the times too, on a machine that does nothing else
(docs/testing.md).
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.api.in_process import Running, serving
from tests.benchmarks import listing_seeding
from tests.benchmarks.seeding import seeding
from tests.browser.console.measured import Limits, Steps, all_requests, first_rows_ms, record
from tests.browser.console.operator_site import open_console
from tests.browser.watch import Watch

TIMED = "CATALOGUE_FLOWS" in os.environ
FLOWS = int(os.environ.get("CATALOGUE_FLOWS", "3000"))
ROWS = ".table-body [role=row]"
ROW_PX = 34
FAR = 2000
"""A row that is many pages away."""
FIRST_VIEW_MS = 1000
FIRST_VIEW_BYTES = 300_000
FIRST_VIEW_REQUESTS = 30
LIMITS = Limits() if TIMED else None
pytestmark = [pytest.mark.timeout(600)] if TIMED else []  # so many flows take a minute to make
MANY = -1
SEARCHES = [
    ("Tag", "marked", 3),
    ("Codec", "video/rare", 3),
    ("Format", "image", 3),
    ("Format", "data", 0),
]
"""A field, what it is filled with, and how many flows are found."""
if TIMED:  # nothing else about them depends on how many flows there are
    SEARCHES += [
        ("Label", f"copy {FLOWS // 2}", 1),
        ("Tag", "kind=trailer", 3),
        ("Tag", "kind=none", 0),
        ("Tag", "site=London", MANY),
    ]
PATHS = ["/flows", "/sources"] if TIMED else ["/flows"]


class Api:
    """Sends the requests that make what is copied."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def send(self, method: str, path: str, body: Any = None) -> None:
        self._client.request(method, path, json=body).raise_for_status()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp("scale")
    with serving(folder) as running:
        listing_seeding.create(Api(running.client))
        with seeding(f"sqlite:///{folder / 'catalog.db'}") as seeder:
            listing_seeding.fill(seeder, FLOWS)
        yield running


@pytest.mark.parametrize("path", PATHS)
def test_the_first_rows_take_few_requests_and_bytes(page: Page, watch: Watch, running: Running, path: str) -> None:
    record(page)
    open_console(page, watch, running, path)
    expect(page.locator(ROWS).first).to_be_visible()
    requests = all_requests(page)
    ours = [each for each in requests if "/console/" in each.url]
    print(
        f"first rows of {path}: {first_rows_ms(page):.0f} ms, {len(requests)} requests, {sum(r.size for r in ours)} B"
    )
    assert len(requests) <= FIRST_VIEW_REQUESTS
    assert 0 < sum(each.size for each in ours) < FIRST_VIEW_BYTES
    if TIMED:
        assert first_rows_ms(page) < FIRST_VIEW_MS


def test_a_row_that_is_far_away_is_reached_by_scrolling(page: Page, watch: Watch, running: Running) -> None:
    record(page)
    open_console(page, watch, running, "/flows")
    table = page.get_by_role("table", name="Flows")
    row = page.locator(f'{ROWS}[data-index="{FAR}"]')
    steps = Steps(page, LIMITS)
    with steps.step(f"row {FAR}"):
        for _ in range(FAR):
            if row.count():
                break
            table.evaluate("(element, far) => { element.scrollTop = far }", FAR * ROW_PX)
            page.wait_for_timeout(10)
        expect(row).to_be_visible()
    assert page.locator(ROWS).count() < 100
    with steps.step("back to the first row"):
        table.press("Home")
        expect(page.locator(f'{ROWS}[data-index="0"]')).to_be_visible()
    steps.check()


def test_what_is_searched_for_is_found(page: Page, watch: Watch, running: Running) -> None:
    record(page)
    open_console(page, watch, running, "/flows")
    expect(page.locator(ROWS).first).to_be_visible()
    steps = Steps(page, LIMITS)
    for name, value, rows in SEARCHES:
        field = page.get_by_label(name, exact=name != "Format")
        with steps.step(f"{name} {value}"):
            if name == "Format":
                field.select_option(value)
            else:
                field.fill(value)
            if rows == MANY:
                page.wait_for_url("**/console*#/flows?*")
                expect(page.locator(ROWS).first).to_be_visible()
            else:
                expect(page.get_by_text("No flows match")).to_have_count(int(rows == 0))
                expect(page.locator(ROWS)).to_have_count(rows)
        with steps.step("all flows again"):
            page.get_by_role("button", name="Clear").click()
            expect(page.locator(ROWS).nth(10)).to_be_visible()
    steps.check()


@pytest.mark.parametrize(
    ("path", "heading", "orders"),
    [("/flows", "Label", ["ascending", "descending"]), ("/sources", "Updated", ["descending", "ascending"])],
)
def test_columns_are_sorted(
    page: Page, watch: Watch, running: Running, path: str, heading: str, orders: list[str]
) -> None:
    record(page)
    open_console(page, watch, running, path)
    column = page.get_by_role("columnheader", name=heading)
    steps = Steps(page, LIMITS)
    for order, reverse in zip(orders, ("false", "true"), strict=True):
        query = {"sort_by": heading.lower(), "reverse_order": reverse, "limit": "1"}
        [first] = running.client.get(path, params=query).raise_for_status().json()
        with steps.step(f"{path} by {heading}, {order}"):
            column.get_by_role("button").click()
            expect(column).to_have_attribute("aria-sort", order)
            link = page.locator(ROWS).first.get_by_role("link").first
            expect(link).to_have_attribute("href", f"#{path}/{first['id']}")
    steps.check()

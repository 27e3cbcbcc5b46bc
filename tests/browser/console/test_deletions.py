"""The console's page of deletions: their progress, and what has been deleted and can be restored."""

import pytest
from playwright.sync_api import Page, expect

from storage.catalog.jobs import JobSelection
from storage.tables.conditions import equals
from tests.browser.console.operator_site import SEGMENTS, Site, new_flow, open_console
from tests.browser.watch import Watch
from tests.conformance.kit.ids import fresh


@pytest.fixture
def site(operators: Site) -> Site:
    return operators


def test_the_progress_of_a_deletion_is_shown_until_it_is_done(page: Page, watch: Watch, site: Site) -> None:
    flow_id = new_flow(site.running, segments=SEGMENTS)
    location = site.running.client.delete(f"/flows/{flow_id}/segments").headers["Location"]
    open_console(page, watch, site.running, "/deletions")
    row = page.get_by_role("row").filter(has_text=flow_id[:8])
    expect(row).to_contain_text("waiting")
    key = location.rsplit("/", 1)[1]
    [claim] = site.running.catalog.jobs.claim("a worker", [JobSelection(equals(kind="flow-deletion", key=key), 1)])
    while site.running.catalog.flow_delete_requests.delete_batch(claim):
        pass
    expect(row).to_contain_text("nothing remains")
    expect(row.get_by_role("progressbar")).to_have_js_property("value", 1)


def test_a_deleted_flow_is_restored(page: Page, watch: Watch, site: Site) -> None:
    open_console(page, watch, site.running, "/deletions")
    page.get_by_role("button", name="Deleted flows").click()
    page.get_by_role("button", name="Restore Deleted by mistake").click()
    expect(page.locator("main")).to_contain_text("No flow can be restored")
    assert site.running.client.get(f"/flows/{site.deleted_flow}").status_code == 200
    site.running.client.delete(f"/flows/{site.deleted_flow}").raise_for_status()


def test_a_deleted_source_is_restored_with_its_flows(page: Page, watch: Watch, site: Site) -> None:
    flows = [new_flow(site.running, segments=1, label="Takes", source_id=source) for source in [fresh()] * 2]
    source = site.running.client.get(f"/flows/{flows[0]}").json()["source_id"]
    for flow_id in flows:
        site.running.client.delete(f"/flows/{flow_id}").raise_for_status()
    assert site.running.client.get(f"/sources/{source}").status_code == 404
    open_console(page, watch, site.running, "/deletions?tab=sources")
    row = page.get_by_role("table", name="Deleted sources").get_by_role("row").filter(has_text=source[:8])
    row.get_by_role("button", name="Restore").click()
    expect(row).to_have_count(0)
    assert site.running.client.get(f"/sources/{source}").status_code == 200
    for flow_id in flows:
        assert len(site.running.client.get(f"/flows/{flow_id}/segments").raise_for_status().json()) == 1
        site.running.client.delete(f"/flows/{flow_id}").raise_for_status()
        site.running.client.delete(f"/flows/{flow_id}?deleted=true").raise_for_status()


def test_a_deleted_flow_is_deleted_for_good(page: Page, watch: Watch, site: Site) -> None:
    flow_id = new_flow(site.running, label="Of no use")
    site.running.client.delete(f"/flows/{flow_id}").raise_for_status()
    open_console(page, watch, site.running, "/deletions?tab=flows")
    page.get_by_role("button", name="Delete for good: Of no use").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete for good").click()
    expect(page.get_by_role("row").filter(has_text="Of no use")).to_have_count(0)
    assert site.running.client.get(f"/flows/{flow_id}?deleted=true").status_code == 404

"""Edits and deletes on the page of a flow in the console."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.api.in_process import Running, serving
from tests.browser.console.operator_site import new_flow, open_console
from tests.browser.watch import Watch
from tests.conformance.kit.documents import MULTI


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("edits"), async_deletion_threshold=2) as running:
        yield running


def test_a_flow_is_made_read_only_and_writable_again(page: Page, watch: Watch, running: Running) -> None:
    flow_id = new_flow(running, label="Camera 1")
    open_console(page, watch, running, f"/flows/{flow_id}")
    panel = page.get_by_role("region", name="Description and tags")
    panel.get_by_role("button", name="Make read-only").click()
    expect(panel).to_contain_text("Nobody can change or delete")
    expect(panel.get_by_role("button", name="Edit the label")).to_have_count(0)
    expect(page.get_by_role("button", name="Delete…")).to_be_disabled()
    assert running.client.get(f"/flows/{flow_id}/read_only").json() is True
    panel.get_by_role("button", name="Allow changes").click()
    expect(panel.get_by_role("button", name="Edit the label")).to_be_visible()
    assert running.client.get(f"/flows/{flow_id}/read_only").json() is False


def test_a_flow_is_deleted_after_what_depends_on_it_is_shown(page: Page, watch: Watch, running: Running) -> None:
    watch.expect("40[49]")  # the page may still read the flow once it is gone
    flow_id = new_flow(running, label="Camera 1", segments=2)
    collection = new_flow(running, MULTI, flow_collection=[{"id": flow_id, "role": "video"}])
    open_console(page, watch, running, f"/flows/{flow_id}")
    page.get_by_role("button", name="Delete…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Delete if nothing depends on it").click()
    dialog.get_by_text("2 segments").click()
    expect(dialog).to_contain_text("[1:0_2:0)")
    dialog.get_by_text("1 collection that has it").click()
    expect(dialog.get_by_role("link", name=collection)).to_be_visible()
    assert running.client.get(f"/flows/{flow_id}").status_code == 200
    dialog.get_by_role("button", name="Delete all of this").click()
    expect(page.locator("h1")).to_have_text("Flows")
    assert running.client.get(f"/flows/{flow_id}").status_code == 404

"""Edits and deletes on the page of a flow in the console."""

import pytest
from playwright.sync_api import Page, expect

from tests.api.in_process import Running
from tests.browser.console.operator_site import new_flow, open_console
from tests.browser.console.test_edits import finish_deletions
from tests.browser.watch import Watch
from tests.conformance.kit.documents import DATA, MULTI, Json
from tests.conformance.kit.ids import fresh


@pytest.fixture
def running(editable: Running) -> Running:
    return editable


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


def test_segments_between_two_points_are_deleted(page: Page, watch: Watch, running: Running) -> None:
    flow_id = new_flow(running, DATA, label="Subtitles")
    add_segments(running, flow_id, 4)
    open_console(page, watch, running, f"/flows/{flow_id}")
    set_points(page, "1:0")
    page.get_by_role("button", name="Delete segments…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("[1:0_4:0)")
    expect(dialog.get_by_text("3", exact=True)).to_be_visible()
    assert len(segments(running, flow_id)) == 4
    dialog.get_by_role("button", name="Cancel").click()
    set_points(page, "3:0")
    page.get_by_role("button", name="Delete segments…").click()
    dialog.get_by_role("button", name="Delete if no other flow uses them").click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("table", name="Segments of the flow")).to_have_attribute("aria-rowcount", "4")
    expect(page.get_by_role("table", name="Segments of the flow")).not_to_contain_text("[3:0_4:0)")
    assert [each["timerange"] for each in segments(running, flow_id)] == ["[0:0_1:0)", "[1:0_2:0)", "[2:0_3:0)"]


def test_segments_are_deleted_after_other_uses_of_their_objects_are_shown(
    page: Page, watch: Watch, running: Running
) -> None:
    watch.expect("409")
    flow_id, edit = new_flow(running, DATA, label="Subtitles"), new_flow(running, DATA, label="An edit")
    [object_id] = add_segments(running, flow_id, 1)
    reused = {"object_id": object_id, "timerange": "[7:0_8:0)", "ts_offset": "7:0"}
    running.client.post(f"/flows/{edit}/segments", json=reused).raise_for_status()
    open_console(page, watch, running, f"/flows/{flow_id}")
    page.get_by_role("button", name="Delete segments…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Delete if no other flow uses them").click()
    expect(dialog).to_contain_text("Nothing has been deleted")
    dialog.get_by_text("1 use of the same objects by another flow").click()
    expect(dialog.get_by_role("link", name=edit)).to_be_visible()
    expect(dialog.get_by_role("link", name=object_id)).to_be_visible()
    assert len(segments(running, flow_id)) == 1
    dialog.get_by_role("button", name="Delete all the same").click()
    expect(page.get_by_text("This flow has no segments yet")).to_be_visible()
    assert (segments(running, flow_id), len(segments(running, edit))) == ([], 1)


def test_many_segments_are_deleted_in_the_background_after_the_name_is_typed(
    page: Page, watch: Watch, running: Running
) -> None:
    watch.expect("400")
    flow_id = new_flow(running, DATA, label="Subtitles")
    add_segments(running, flow_id, 12)
    open_console(page, watch, running, f"/flows/{flow_id}")
    page.get_by_role("button", name="Delete segments…").click()
    dialog = page.get_by_role("dialog")
    first = dialog.get_by_role("button", name="Delete if no other flow uses them")
    expect(dialog.get_by_label("Type Subtitles to confirm")).to_be_focused()
    expect(first).to_be_disabled()
    dialog.get_by_label("Type Subtitles to confirm").fill("Subtitles")
    first.click()
    expect(dialog).to_contain_text("more segments than the server can check at once")
    assert len(segments(running, flow_id)) == 12
    dialog.get_by_role("button", name="Delete without the check").click()
    expect(dialog).to_contain_text("waiting")
    finish_deletions(running)
    expect(page.get_by_text("This flow has no segments yet")).to_be_visible()
    assert segments(running, flow_id) == []


def test_callers_who_may_not_delete_are_not_offered_it(page: Page, watch: Watch, running: Running) -> None:
    flow_id = new_flow(running, DATA)
    add_segments(running, flow_id, 1)
    token = running.catalog.credentials.add_token("an editor", ["read", "write"])
    open_console(page, watch, running, f"/flows/{flow_id}", token)
    expect(page.get_by_role("button", name="Cut by reference…")).to_be_visible()
    expect(page.get_by_role("button", name="Delete segments…")).to_have_count(0)


def add_segments(running: Running, flow_id: str, count: int) -> list[str]:
    """Add segments of a second each, one after another from 0, and return the ids of their objects."""
    ids = [fresh() for _ in range(count)]
    running.client.post(f"/flows/{flow_id}/storage", json={"object_ids": ids}).raise_for_status()
    items = [{"object_id": id_, "timerange": f"[{n}:0_{n + 1}:0)"} for n, id_ in enumerate(ids)]
    running.client.post(f"/flows/{flow_id}/segments", json=items).raise_for_status()
    return ids


def segments(running: Running, flow_id: str) -> list[Json]:
    found: list[Json] = running.client.get(f"/flows/{flow_id}/segments").raise_for_status().json()
    return found


def set_points(page: Page, start: str) -> None:
    """Set the in point to where the segment begins that is first in the table from `start` on."""
    page.get_by_label("From").fill(start)
    row = page.get_by_role("table", name="Segments of the flow").get_by_role("row").nth(1)
    expect(row).to_contain_text(f"[{start}_")
    row.get_by_role("button").click()
    page.get_by_role("button", name="Set in").click()
    expect(page.locator("[data-point=in]")).not_to_have_text("–")

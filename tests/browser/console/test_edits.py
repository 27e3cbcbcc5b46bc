"""Edits and deletes of sources in the console, of which none overwrites what somebody else has changed."""

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from storage.catalog.jobs import JobSelection
from storage.tables.conditions import equals
from tests.api.in_process import Running
from tests.browser.console.operator_site import new_flow, open_console
from tests.browser.watch import Watch
from tests.conformance.kit.documents import VIDEO, Json


@pytest.fixture
def running(editable: Running) -> Running:
    return editable


@pytest.fixture
def source(running: Running) -> str:
    """A source without flows, with a label, a description and tags."""
    tags = {"studio": "A", "people": ["ann", "bob"]}
    document = {"format": VIDEO, "label": "Camera 1", "description": "By the door", "tags": tags}
    return str(running.client.post("/sources", json=document).raise_for_status().json()["id"])


def read(running: Running, source: str) -> Json:
    found: Json = running.client.get(f"/sources/{source}").json()
    return found


def open_source(page: Page, watch: Watch, running: Running, source: str, token: str | None = None) -> Locator:
    """Open the page of a source, and return what people can edit there."""
    path = f"/sources/{source}"
    open_console(page, watch, running, path, *([token] if token else []))
    return page.get_by_role("region", name="Description and tags")


def test_a_label_is_changed_by_keyboard(page: Page, watch: Watch, running: Running, source: str) -> None:
    panel = open_source(page, watch, running, source)
    panel.get_by_role("button", name="Edit the label").press("Enter")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("Camera 2")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Camera 2")
    expect(panel.get_by_role("button", name="Edit the label")).to_be_focused()
    assert read(running, source)["label"] == "Camera 2"


def test_a_description_without_a_text_is_deleted(page: Page, watch: Watch, running: Running, source: str) -> None:
    panel = open_source(page, watch, running, source)
    panel.get_by_role("button", name="Edit the description").click()
    panel.get_by_label("Description", exact=True).fill("")
    panel.get_by_role("button", name="Save").click()
    expect(panel.get_by_role("button", name="Edit the description")).to_be_visible()
    expect(panel).not_to_contain_text("By the door")
    assert "description" not in read(running, source)


def test_escape_leaves_a_label_as_it_was(page: Page, watch: Watch, running: Running, source: str) -> None:
    panel = open_source(page, watch, running, source)
    panel.get_by_role("button", name="Edit the label").click()
    panel.get_by_label("Label").fill("A mistake")
    page.keyboard.press("Escape")
    expect(panel).to_contain_text("Camera 1")
    assert read(running, source)["label"] == "Camera 1"


def test_tags_with_one_value_or_several_are_added_changed_and_deleted(
    page: Page, watch: Watch, running: Running, source: str
) -> None:
    panel = open_source(page, watch, running, source)
    panel.get_by_role("button", name="Add a tag").click()
    panel.get_by_label("Name of the tag").fill("a/b")
    panel.get_by_label("Value 1", exact=True).fill("one")
    panel.get_by_role("button", name="Another value").click()
    panel.get_by_label("Value 2", exact=True).fill("two")
    panel.get_by_role("button", name="Save").click()
    panel.get_by_role("button", name="Edit the tag people").click()
    panel.get_by_role("button", name="Remove value 1").click()
    panel.get_by_role("button", name="Save").click()
    panel.get_by_role("button", name="Edit the tag studio").click()
    panel.get_by_role("button", name="Delete the tag").click()
    expect(panel.get_by_role("button", name="Add a tag")).to_be_visible()
    expect(panel.get_by_role("button", name="Edit the tag studio")).to_have_count(0)
    assert read(running, source)["tags"] == {"a/b": ["one", "two"], "people": ["bob"]}


def test_a_tag_that_exists_is_not_added_again(page: Page, watch: Watch, running: Running, source: str) -> None:
    panel = open_source(page, watch, running, source)
    panel.get_by_role("button", name="Add a tag").click()
    panel.get_by_label("Name of the tag").fill("studio")
    expect(panel).to_contain_text("There is such a tag")
    expect(panel.get_by_role("button", name="Save")).to_be_disabled()


@pytest.mark.parametrize(("choice", "label"), [("Keep theirs", "Theirs"), ("Replace it with mine", "Mine")])
def test_what_somebody_else_has_changed_is_shown_and_not_overwritten(
    page: Page, watch: Watch, running: Running, source: str, choice: str, label: str
) -> None:
    panel = open_source(page, watch, running, source)
    panel.get_by_role("button", name="Edit the label").click()
    running.client.put(f"/sources/{source}/label", json="Theirs").raise_for_status()
    panel.get_by_label("Label").fill("Mine")
    panel.get_by_role("button", name="Save").click()
    expect(panel.get_by_role("alert")).to_contain_text("Theirs")
    assert read(running, source)["label"] == "Theirs"
    panel.get_by_role("button", name=choice).click()
    expect(page.locator("h1")).to_have_text(label)
    assert read(running, source)["label"] == label


def test_a_change_between_reading_and_writing_is_detected(
    page: Page, watch: Watch, running: Running, source: str
) -> None:
    watch.expect("412")
    panel = open_source(page, watch, running, source)
    panel.get_by_role("button", name="Edit the label").click()

    def be_faster(route: Route) -> None:
        if route.request.method == "PUT":
            running.client.put(f"/sources/{source}/label", json="Theirs").raise_for_status()
        route.continue_()

    panel.get_by_label("Label").fill("Mine")
    page.route("**/label", be_faster)
    panel.get_by_role("button", name="Save").click()
    expect(panel.get_by_role("alert")).to_contain_text("Theirs")
    assert read(running, source)["label"] == "Theirs"


def test_a_tag_that_somebody_else_has_added_is_not_overwritten(
    page: Page, watch: Watch, running: Running, source: str
) -> None:
    watch.expect("412")
    panel = open_source(page, watch, running, source)
    panel.get_by_role("button", name="Add a tag").click()
    panel.get_by_label("Name of the tag").fill("new")
    page.route("**/sources/*", lambda route: route.abort() if route.request.method == "GET" else route.continue_())
    running.client.put(f"/sources/{source}/tags/new", json="theirs").raise_for_status()
    panel.get_by_label("Value 1", exact=True).fill("mine")
    panel.get_by_role("button", name="Save").click()
    expect(panel.get_by_role("alert")).to_contain_text("theirs")
    assert read(running, source)["tags"]["new"] == "theirs"


def test_callers_who_may_only_read_are_offered_no_change(
    page: Page, watch: Watch, running: Running, source: str
) -> None:
    token = running.catalog.credentials.add_token("a reader", ["read"])
    panel = open_source(page, watch, running, source, token)
    expect(panel).to_contain_text("By the door")
    expect(panel.get_by_role("button")).to_have_count(0)
    expect(page.get_by_role("region", name="Delete the source")).to_have_count(0)


def test_a_source_that_nothing_depends_on_is_deleted(page: Page, watch: Watch, running: Running, source: str) -> None:
    open_source(page, watch, running, source)
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete if nothing depends on it").click()
    expect(page.locator("h1")).to_have_text("Sources")
    assert running.client.get(f"/sources/{source}").status_code == 404
    watch.problems = [each for each in watch.problems if "404" not in each]  # the page may still have read the source


def test_a_source_is_deleted_with_its_flows_after_its_name_is_typed(
    page: Page, watch: Watch, running: Running, source: str
) -> None:
    watch.expect("40[49]")  # the page may still read the source once it is gone
    flows = [new_flow(running, source_id=source, segments=3) for _ in range(2)]
    open_source(page, watch, running, source)
    page.get_by_role("button", name="Delete…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Delete if nothing depends on it").click()
    expect(dialog).to_contain_text("Nothing has been deleted")
    dialog.get_by_text("2 flows").click()
    for flow_id in flows:
        expect(dialog.get_by_role("link", name=flow_id)).to_be_visible()
    confirm = dialog.get_by_role("button", name="Delete all of this")
    expect(confirm).to_be_disabled()
    dialog.get_by_label("Type Camera 1 to confirm").fill("Camera 1")
    confirm.click()
    expect(dialog).to_contain_text("0 of 2 flows deleted")
    finish_deletions(running)
    expect(page.locator("h1")).to_have_text("Sources")
    assert running.client.get(f"/sources/{source}").status_code == 404


def finish_deletions(running: Running) -> None:
    """Do what a worker would do."""
    for claim in running.catalog.jobs.claim("a worker", [JobSelection(equals(kind="flow-deletion"), 10)]):
        while running.catalog.flow_delete_requests.delete_batch(claim):
            pass

"""What the console shows to operators, from objects to the audit log."""

import re
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from storage.catalog import job_queue
from storage.catalog.job_kinds import COPY, copy_key
from storage.tables.conditions import equals
from tests.api.in_process import serving
from tests.browser.console.operator_site import (
    FAILURE,
    REJECTED,
    Site,
    open_console,
)
from tests.browser.watch import Watch
from tests.conformance.kit.documents import Json
from tests.conformance.kit.ids import fresh


@pytest.fixture
def site(operators: Site) -> Site:
    return operators


def test_an_object_is_found_by_its_id_and_shows_who_uses_it(page: Page, watch: Watch, site: Site) -> None:
    open_console(page, watch, site.running, "/objects")
    page.keyboard.type(site.object_id)  # the field has the focus
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(site.object_id)
    expect(page.get_by_label("Instances")).to_contain_text("embedded file store")
    expect(page.get_by_label("Instances")).to_contain_text("24 kB, video/mp2t")
    uses = page.get_by_label("Used by")
    expect(uses).to_contain_text("Camera 1")
    expect(uses).to_contain_text("[0:0_1:0)")
    expect(uses).to_contain_text("An edit of camera 1")
    expect(uses).to_contain_text("[10:0_11:0)")


def test_the_uses_of_an_object_are_read_without_urls(page: Page, watch: Watch, site: Site) -> None:
    with page.expect_response(re.compile("/segments")) as response:
        open_console(page, watch, site.running, f"/objects/{site.object_id}")
    segments = response.value.json()
    assert segments
    assert [segment.get("get_urls", []) for segment in segments] == [[]] * len(segments)


def test_an_unknown_object_is_an_error_and_no_empty_page(page: Page, watch: Watch, site: Site) -> None:
    watch.expect("404")
    watch.allow(site.running.url)
    open_console(page, watch, site.running, "/objects")
    page.get_by_label("Object id").fill("of/nobody")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("of/nobody")


def test_an_instance_is_added_and_removed(page: Page, watch: Watch, site: Site) -> None:
    watch.allow("https://partner.example")
    open_console(page, watch, site.running, f"/objects/{quote(site.object_id, safe='')}")
    instances = page.get_by_role("region", name="Instances")
    expect(instances).to_contain_text("embedded file store")
    expect(instances.get_by_role("button", name="Remove the instance")).to_have_count(0)  # the last one stays
    instances.get_by_role("button", name="Add an instance…").click()
    dialog = page.get_by_role("dialog")
    add = dialog.get_by_role("button", name="Add", exact=True)
    expect(add).to_be_disabled()
    dialog.get_by_label("URL").fill("https://partner.example/take.ts")
    dialog.get_by_label("Label").fill("partner")
    add.click()
    expect(dialog).to_have_count(0)
    expect(instances).to_contain_text("partner.example")
    assert "partner" in [each.get("label") for each in instances_of(site)]
    instances.get_by_role("button", name="Remove the instance partner").click()
    expect(dialog).to_contain_text("The bytes there are left alone")
    dialog.get_by_role("button", name="Remove", exact=True).click()
    expect(instances).not_to_contain_text("partner.example")
    assert "partner" not in [each.get("label") for each in instances_of(site)]


def instances_of(site: Site) -> list[Json]:
    path = f"/objects/{quote(site.object_id, safe='')}"
    found: list[Json] = site.running.client.get(path).raise_for_status().json()["get_urls"]
    return found


def test_objects_used_more_than_once_are_listed_when_asked_for(page: Page, watch: Watch, site: Site) -> None:
    open_console(page, watch, site.running, "/objects")
    page.get_by_label("Which objects").select_option("shared-objects")
    page.get_by_role("link", name=site.object_id).click()
    expect(page).to_have_url(re.compile(quote(site.object_id)))


def test_storage_backends_are_shown_with_what_they_hold(page: Page, watch: Watch, site: Site) -> None:
    open_console(page, watch, site.running, "/storage")
    backend = page.get_by_role("region", name="default", exact=True)
    expect(backend).to_contain_text("embedded file store")
    expect(backend).to_contain_text("192 kB")
    expect(page.get_by_role("list", name="Bytes in each storage backend")).to_contain_text("192 kB")


def test_usage_is_charted_by_source_flow_and_backend_and_in_tables(page: Page, watch: Watch, site: Site) -> None:
    open_console(page, watch, site.running, "/usage")
    stored = page.get_by_role("region", name="What is stored")
    expect(stored).to_contain_text("96 kB")
    source = stored.get_by_role("link", name="Camera 1", exact=True)
    expect(source).to_have_attribute("href", re.compile("^#/sources/"))
    stored.get_by_label("Group").select_option("flow")
    expect(stored.get_by_role("link", name="Camera 1", exact=True)).to_have_attribute("href", f"#/flows/{site.camera}")
    stored.get_by_label("Measure").select_option("hours")
    expect(stored.get_by_role("list")).to_contain_text("0.001")
    stored.get_by_label("Group").select_option("backend")
    expect(stored.get_by_role("list")).to_contain_text("default")
    stored.get_by_role("button", name="Table").click()
    expect(stored.get_by_role("table")).to_contain_text("192 kB")


def test_what_arrives_is_charted_by_hour(page: Page, watch: Watch, site: Site) -> None:
    open_console(page, watch, site.running, "/usage")
    arrived = page.get_by_role("region", name="What arrives")
    expect(arrived.locator("svg rect.column")).not_to_have_count(0)
    arrived.get_by_label("Measure of what arrives").select_option("segments")
    expect(arrived.get_by_role("img")).to_have_attribute("aria-label", re.compile("^Segments registered in each hour"))
    arrived.get_by_role("button", name="Table").click()
    expect(arrived.get_by_role("table")).to_contain_text("192 kB")


def test_a_server_without_analytics_says_so(page: Page, watch: Watch, tmp_path: Path) -> None:
    watch.expect("501")
    with serving(tmp_path, analytics=False) as running:
        open_console(page, watch, running, "/usage")
        expect(page.locator("main")).to_contain_text("tams-server[analytics]")
        page.close()


def test_a_profile_is_made_from_a_flow_and_shown(page: Page, watch: Watch, site: Site) -> None:
    open_console(page, watch, site.running, "/profiles")
    expect(page.get_by_role("table", name="Profiles")).to_contain_text("Newsroom HD")
    page.get_by_role("button", name="New profile").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Label").fill("As the camera")
    dialog.get_by_label("Take the metadata of a flow").fill(site.camera)
    dialog.get_by_role("button", name="Take").click()
    expect(dialog.get_by_label("Technical metadata")).to_have_value(re.compile('"frame_width": 1280'))
    dialog.get_by_role("button", name="Create").click()
    expect(page.locator("h1")).to_have_text("As the camera")
    expect(page.get_by_label("Technical metadata").last).to_contain_text('"frame_height": 720')


def test_a_webhook_is_registered_disabled_enabled_changed_and_deleted(page: Page, watch: Watch, site: Site) -> None:
    open_console(page, watch, site.running, "/webhooks")
    page.get_by_role("button", name="New webhook").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("URL", exact=True).fill("https://127.0.0.1:9/other")
    dialog.get_by_label("flows/created").check()
    dialog.get_by_role("button", name="Register").click()
    card = page.get_by_role("listitem").filter(has_text="/other")
    expect(card).to_contain_text("nothing sent yet")
    card.get_by_role("button", name="Disable").click()
    expect(card).to_contain_text("disabled")
    card.get_by_role("button", name="Enable").click()
    expect(card).to_contain_text("nothing sent yet")
    card.get_by_role("button", name="Edit").click()
    dialog.get_by_label("sources/deleted").check()
    dialog.get_by_text("Filters and content").click()
    dialog.get_by_label("Only these flows").fill(f"{site.camera}, {site.sound}")
    dialog.get_by_role("button", name="Save").click()
    expect(card).to_contain_text("flows/created, sources/deleted")
    [stored] = [each for each in _webhooks(site) if each["url"].endswith("/other")]
    assert stored["flow_ids"] == [site.camera, site.sound]
    card.get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(card).to_have_count(0)
    assert [each["id"] for each in _webhooks(site)] == [site.webhook]


def test_the_last_error_of_a_webhook_is_shown(page: Page, watch: Watch, site: Site) -> None:
    open_console(page, watch, site.running, "/webhooks")
    card = page.get_by_role("listitem").filter(has_text="127.0.0.1:9/hook")
    expect(card).to_contain_text("stopped after errors")
    expect(card).to_contain_text(REJECTED)


def test_jobs_are_listed_filtered_and_shown_with_their_commands(page: Page, watch: Watch, site: Site) -> None:
    open_console(page, watch, site.running, "/jobs")
    table = page.get_by_role("table", name="Jobs")
    expect(table).to_contain_text(FAILURE)
    expect(table).to_contain_text("flow-deletion")
    page.get_by_label("Kind").select_option("copy")
    expect(table).not_to_contain_text("flow-deletion")
    expect(page).to_have_url(re.compile("kind=copy"))
    table.get_by_role("button", name="Show the job copy").click()
    expect(page.get_by_role("dialog")).to_contain_text("tams-server jobs discard copy '")
    page.keyboard.press("Escape")
    page.get_by_label("State").select_option("failed")
    expect(page.locator("main")).to_contain_text("No such jobs")


def test_a_job_that_has_failed_is_retried(page: Page, watch: Watch, site: Site) -> None:
    key = copy_key(fresh(), fresh())
    with site.running.catalog._engine.write() as tx:
        job_queue.enqueue(tx, site.running.catalog.clock(), COPY, [key])
        tx.update("jobs", equals(kind=COPY, key=key), {"due": None, "attempts": 50, "error": "no route to it"})
    open_console(page, watch, site.running, "/jobs?state=failed")
    table = page.get_by_role("table", name="Jobs")
    expect(table).to_contain_text("no route to it")
    table.get_by_role("button", name=f"Show the job copy {key}").click()
    page.get_by_role("dialog").get_by_role("button", name="Retry now").click()
    expect(page.locator("main")).to_contain_text("No such jobs")
    [job] = [each for each in site.running.client.get("/jobs?kind=copy").json() if each["key"] == key]
    assert (job["state"], job["attempts"]) == ("waiting", 0)
    site.running.catalog.jobs.discard(COPY, key)


def test_violations_are_grouped_and_filtered(page: Page, watch: Watch, site: Site) -> None:
    open_console(page, watch, site.running, "/compliance")
    requests = page.get_by_role("region", name="Requests")
    expect(requests.get_by_role("list")).to_contain_text("PUT_flows-flowId")
    requests.get_by_label("Group").select_option("client")
    expect(requests.get_by_role("listitem").filter(has_text="planning")).to_contain_text("33")
    requests.get_by_role("button", name="planning").click()
    counts = page.get_by_role("table", name="Counts of violations")
    expect(counts).not_to_contain_text("ingest")
    expect(counts).to_contain_text("flow-common/properties/codec/type")
    requests.get_by_label("Group").select_option("day")
    expect(requests.get_by_role("listitem")).to_have_count(3)


def test_the_page_on_audit_makes_the_command_that_finds_entries(page: Page, watch: Watch, site: Site) -> None:
    open_console(page, watch, site.running, "/audit")
    page.get_by_label("By", exact=True).fill("o'neill")
    page.get_by_label("Resource").fill("/flows/")
    expect(page.locator(".command")).to_contain_text(
        """jq -c 'select(.event == "request" and .principal == "o'\\''neill" and"""
        """ ((.resource // "") | startswith("/flows/")))' /var/log/tams/audit.jsonl"""
    )


def test_callers_see_only_what_their_scopes_allow(page: Page, watch: Watch, site: Site) -> None:
    token = site.running.catalog.credentials.add_token("a reader", ["read"])
    open_console(page, watch, site.running, "/webhooks", token)
    expect(page.locator("h1")).to_have_text("Webhooks")
    navigation = page.get_by_role("navigation", name="Console")
    expect(navigation).to_contain_text("Usage")
    for name in ("Jobs", "Deletions", "Compliance", "Audit"):
        expect(navigation.get_by_role("link", name=name)).to_have_count(0)
    expect(page.get_by_role("button", name="New webhook")).to_have_count(0)
    expect(page.get_by_role("button", name="Delete")).to_have_count(0)


@pytest.mark.parametrize(("path", "scope"), [("/jobs", "admin"), ("/compliance", "admin"), ("/deletions", "delete")])
def test_a_page_that_needs_another_scope_names_it(page: Page, watch: Watch, site: Site, path: str, scope: str) -> None:
    name = f"a reader of {path[1:]}"
    token = site.running.catalog.credentials.add_token(name, ["read"])
    open_console(page, watch, site.running, path, token)
    expect(page.locator("main")).to_contain_text(f"This page needs the scope {scope}")
    expect(page.locator("main")).to_contain_text("Your scopes: read.")
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator("main select, main input")).to_have_count(0)


def _webhooks(site: Site) -> list[Json]:
    found: list[Json] = site.running.client.get("/service/webhooks").json()
    return found

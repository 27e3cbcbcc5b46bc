"""Parts of a flow in the console: cuts by reference, and exports."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.console.flow_site import FEW, FlowSite, flow_site
from tests.browser.console.flow_steps import open_flow, points, wait_for_frame
from tests.browser.watch import Watch
from tests.conformance.kit.ids import fresh


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlowSite]:
    folder = tmp_path_factory.mktemp("flows")
    with flow_site(folder / "server", folder / "clip.mp4", long=FEW) as site:
        yield site


@pytest.mark.parametrize("from_zero", [False, True])
def test_a_cut_references_the_objects_between_in_and_out(
    page: Page, watch: Watch, site: FlowSite, from_zero: bool
) -> None:
    watch.expect("415")  # HLS cannot play parts of these objects: the page of the cut says so
    open_flow(page, watch, site, site.clip)
    wait_for_frame(page, 0)
    page.keyboard.press("Shift+ArrowRight")
    wait_for_frame(page, 25)
    page.keyboard.press("i")
    for second in (2, 3):
        page.keyboard.press("Shift+ArrowRight")
        wait_for_frame(page, 25 * second)
    page.keyboard.press("o")
    assert points(page) == ("00:00:01:00", "00:00:03:01")
    page.get_by_role("button", name="Cut by reference…").click()
    page.get_by_label("Label of the new flow").fill("The cut")
    if from_zero:
        page.get_by_label("Begin at 0:0").check()
    page.get_by_role("button", name="Cut", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("2 segments registered")
    page.get_by_role("button", name="Open the cut").click()
    expect(page.locator("h1")).to_have_text("The cut")
    cut_id = page.url.rpartition("/")[2]
    cut = site.running.client.get(f"/flows/{cut_id}/segments").raise_for_status().json()
    whole = site.running.client.get(f"/flows/{site.clip}/segments").raise_for_status().json()
    shift = 1 if from_zero else 0
    assert [each["object_id"] for each in cut] == site.objects[:2]
    times = [f"[{1 - shift}:0_{2 - shift}:0)", f"[{2 - shift}:0_{3 - shift}:40000000)"]
    assert [each["timerange"] for each in cut] == times
    for new, old in zip(cut, whole, strict=False):
        assert ns(new.get("ts_offset", "0:0")) == ns(old.get("ts_offset", "0:0")) - shift * 10**9
    assert site.running.client.get(f"/flows/{cut_id}").json()["codec"] == "video/h264"
    expect(page.locator(".player").get_by_role("alert")).to_be_visible()


def ns(text: str) -> int:
    seconds, _, rest = text.partition(":")
    return int(seconds) * 10**9 + int(rest) * (-1 if seconds.startswith("-") else 1)


def test_a_cut_of_a_multi_flow_collects_cuts(page: Page, watch: Watch, site: FlowSite) -> None:
    watch.expect("415|404")  # HLS cannot play parts of these objects
    label = f"Cut {fresh()}"
    open_cut_dialog(page, watch, site, site.programme, label)
    page.get_by_role("button", name="Cut", exact=True).click()
    page.get_by_role("button", name="Open the cut").click()
    expect(page.locator("h1")).to_have_text(label)
    client = site.running.client
    cut = client.get(f"/flows/{page.url.rpartition('/')[2]}").json()
    assert [member["role"] for member in cut["flow_collection"]] == ["video", "audio"]
    for member in cut["flow_collection"]:
        found = client.get(f"/flows/{member['id']}?include_timerange=true").json()
        assert found["timerange"] == "[0:0_1:40000000)"
        assert found["id"] != site.clip
    expect(page.locator(".player").get_by_role("alert")).to_be_visible()


def open_cut_dialog(page: Page, watch: Watch, site: FlowSite, flow_id: str, label: str) -> None:
    """Ask for a cut from the start of a flow to the end of frame 25."""
    open_flow(page, watch, site, flow_id)
    wait_for_frame(page, 0)
    page.keyboard.press("Shift+ArrowRight")
    wait_for_frame(page, 25)
    page.keyboard.press("o")
    page.get_by_role("button", name="Cut by reference…").click()
    page.get_by_label("Label of the new flow").fill(label)


def test_a_cut_that_fails_is_continued_or_deleted(page: Page, watch: Watch, site: FlowSite) -> None:
    watch.expect("503")
    page.add_init_script("delete Crypto.prototype.randomUUID")  # as over plain HTTP
    label = f"Cut {fresh()}"
    open_cut_dialog(page, watch, site, site.clip, label)

    def refuse(route: Route) -> None:
        if route.request.method == "POST":
            route.fulfill(status=503, json={"title": "Busy"})
        else:
            route.fallback()

    def cuts() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = site.running.client.get("/flows", params={"label": label}).json()
        return found

    page.route("**/segments", refuse)
    cut = page.get_by_role("button", name="Cut", exact=True)
    cut.click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("Busy")
    assert len(cuts()) == 1
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert cuts() == []
    page.get_by_role("button", name="Cut by reference…").click()
    page.get_by_label("Label of the new flow").fill(label)
    cut.click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("Busy")
    page.unroute("**/segments")
    cut.click()
    expect(page.get_by_role("dialog")).to_contain_text("1 segment registered")
    assert len(cuts()) == 1


def test_export_says_how_to_get_the_part(page: Page, watch: Watch, site: FlowSite) -> None:
    open_flow(page, watch, site, site.clip)
    wait_for_frame(page, 0)
    page.keyboard.press("o")
    page.get_by_role("button", name="Export…").click()
    dialog = page.get_by_role("dialog")
    command = f"tams export {site.clip} evening-news-camera-1.mp4 --timerange '[0:0_0:40000000)'"
    expect(dialog.get_by_text(command)).to_be_visible()
    expect(dialog.get_by_text("\"Authorization: Bearer $TOKEN\"$'\\r\\n' -i")).to_be_visible()
    expect(dialog.get_by_text(f"{site.running.url}/flows/{site.clip}/output.m3u8?timerange=").last).to_be_visible()

"""The console's page of a flow: its timeline at any length, and its table of segments.

TIMELINE_SEGMENTS=1000000 makes the long flow fifty times as long, and checks how long zooming takes (docs/testing.md).
"""

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.console.flow_site import LONG, START, FlowSite, flow_site
from tests.browser.console.flow_steps import FRAME_NS, open_flow, picture, position, wait_for_frame
from tests.browser.console.measured import Limits, Steps, record
from tests.browser.console.operator_site import refresh
from tests.browser.waiting import wait_until
from tests.browser.watch import Watch
from tests.conformance.kit.ids import fresh

MISSING = "404"
"""Of media of flows whose objects were never uploaded."""
TIMED = "TIMELINE_SEGMENTS" in os.environ
LIMITS = Limits(step=2000, server=1000) if TIMED else None
pytestmark = [pytest.mark.timeout(1800)] if TIMED else []  # a million segments take minutes to make


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlowSite]:
    folder = tmp_path_factory.mktemp("flows")
    with flow_site(folder / "server", folder / "clip.mp4") as site:
        yield site


def test_the_timeline_follows_the_player_and_the_player_the_timeline(page: Page, watch: Watch, site: FlowSite) -> None:
    timeline = open_flow(page, watch, site, site.clip)
    wait_for_frame(page, 0)
    page.keyboard.press("l")
    wait_until(lambda: position(page) > 10 * FRAME_NS, page, 20)
    page.keyboard.press("k")
    box = timeline.locator("canvas").first.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 60)
    wait_until(lambda: picture(page) is not None and 70 <= picture(page) <= 80, page, 15)  # type: ignore[operator]
    card = page.get_by_label("Selected segment")
    expect(card).to_contain_text("[")
    assert any(object_id in card.inner_text() for object_id in site.objects)


def test_a_long_flow_is_shown_as_a_whole_and_down_to_a_segment(page: Page, watch: Watch, site: FlowSite) -> None:
    watch.expect(MISSING)
    record(page)
    timeline = open_flow(page, watch, site, site.long.id)
    expect(timeline).to_have_attribute("data-counted", str(LONG), timeout=60_000)
    expect(timeline).to_have_attribute("data-detail", "buckets")
    canvas = timeline.locator("canvas").first
    canvas.focus()
    steps = Steps(page, LIMITS)
    for _ in range(40):
        if timeline.get_attribute("data-detail") == "segments":
            break
        with steps.step(f"zoom in from {float(timeline.get_attribute('data-scale') or 0):.3g} ns a pixel"):
            page.keyboard.press("+")
            expect(timeline).to_have_attribute("data-state", "ready", timeout=30_000)
    expect(timeline).to_have_attribute("data-detail", "segments")
    box = canvas.bounding_box()
    assert box is not None
    # The position, at the start of the flow, stays where it is; segments follow it.
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 60)
    tooltip = page.get_by_role("tooltip")
    expect(tooltip).to_contain_text(re.compile("[0-9a-f]{8}-0009-4000-8000-[0-9a-f]{12}"))
    expect(tooltip).to_contain_text("2 s")
    with steps.step("the whole flow again"):
        page.keyboard.press("f")
        expect(timeline).to_have_attribute("data-detail", "buckets")
    steps.check()


def test_wheel_and_drag_change_what_is_shown(page: Page, watch: Watch, site: FlowSite) -> None:
    watch.expect(MISSING)
    timeline = open_flow(page, watch, site, site.long.id)
    box = timeline.locator("canvas").first.bounding_box()
    assert box is not None
    before = float(timeline.get_attribute("data-scale") or 0)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 60)
    for _ in range(4):
        page.mouse.wheel(0, -200)
    wait_until(lambda: float(timeline.get_attribute("data-scale") or 0) < before / 3, page, 10)
    start = int(timeline.get_attribute("data-start") or 0)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 - 200, box["y"] + 60, steps=5)
    page.mouse.up()
    wait_until(lambda: int(timeline.get_attribute("data-start") or 0) > start, page, 10)


def test_gaps_and_reuse_are_told(page: Page, watch: Watch, site: FlowSite) -> None:
    watch.expect(MISSING)
    timeline = open_flow(page, watch, site, site.gaps)
    box = timeline.locator("canvas").first.bounding_box()
    assert box is not None

    def hover(seconds: float) -> None:
        start, scale = int(timeline.get_attribute("data-start") or 0), float(timeline.get_attribute("data-scale") or 1)
        page.mouse.move(box["x"] + ((START * 10**9 - start) + seconds * 1e9) / scale, box["y"] + 60)

    hover(25)
    expect(page.get_by_role("tooltip")).to_contain_text("Gap")
    hover(17)
    expect(page.get_by_role("tooltip")).to_contain_text("key frames: 2")


def test_the_timeline_grows_with_the_flow(page: Page, watch: Watch, site: FlowSite) -> None:
    watch.expect(MISSING)
    page.clock.install()
    timeline = open_flow(page, watch, site, site.gaps)
    end = int(timeline.get_attribute("data-end") or 0)
    client, id_ = site.running.client, fresh()
    client.post(f"/flows/{site.gaps}/storage", json={"object_ids": [id_]}).raise_for_status()
    latest: list[dict[str, Any]] = client.get(f"/flows/{site.gaps}/segments?reverse_order=true&limit=1").json()
    last = int(latest[0]["timerange"].partition("_")[2].partition(":")[0])
    item = {"object_id": id_, "timerange": f"[{last}:0_{last + 20}:0)"}
    client.post(f"/flows/{site.gaps}/segments", json=item).raise_for_status()
    refresh(page)
    wait_until(lambda: int(timeline.get_attribute("data-end") or 0) > end + 15 * 10**9, page, 30)


def test_the_table_has_what_the_timeline_has(page: Page, watch: Watch, site: FlowSite) -> None:
    watch.expect(MISSING)
    open_flow(page, watch, site, site.long.id)
    table = page.get_by_role("table", name="Segments of the flow")
    expect(table).to_contain_text("[0:0_2:0)")
    page.get_by_label("From").fill("1000:0")
    expect(table).to_contain_text("[1000:0_1002:0)")
    expect(table).not_to_contain_text("[0:0_2:0)")
    table.get_by_role("button").first.click()
    wait_until(lambda: position(page) == 1000 * 10**9, page, 10)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_page_fits_a_phone(page: Page, watch: Watch, site: FlowSite, theme: str) -> None:
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": 390, "height": 844})
    open_flow(page, watch, site, site.clip)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    slider = page.get_by_role("slider", name="Position on the timeline")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("00:00:00:0."))

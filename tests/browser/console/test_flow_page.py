"""The console's page of a flow: its timeline at any length, its player to the frame, and cuts by reference.

TIMELINE_SEGMENTS=1000000 makes the long flow ten times as long (docs/testing.md).
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.console.flow_site import LONG, START, FlowSite, flow_site
from tests.browser.console.operator_site import open_console
from tests.browser.player import PATTERN
from tests.browser.waiting import wait_until
from tests.browser.watch import Watch
from tests.conformance.kit.ids import fresh

FRAME_NS = 40_000_000
MISSING = "404"
"""Of media of flows whose objects were never uploaded."""

# The number that the picture shows as two rows of squares: its bits, and their complement.
_LOOK = """([left, top, width, height]) => {
  const video = document.querySelector("video");
  const canvas = document.createElement("canvas");
  canvas.width = 64; canvas.height = 8;
  const context = canvas.getContext("2d");
  context.drawImage(video, left, top, 16 * width, 2 * height, 0, 0, 64, 8);
  const pixels = context.getImageData(0, 0, 64, 8).data;
  const bright = (bit, row) => pixels[4 * ((row * 4 + 2) * 64 + bit * 4 + 2)] > 128;
  let number = 0;
  for (let bit = 0; bit < 16; bit += 1) {
    if (bright(bit, 0) === bright(bit, 1)) return null;
    number = 2 * number + Number(bright(bit, 0));
  }
  return video.seeking ? null : number;
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlowSite]:
    folder = tmp_path_factory.mktemp("flows")
    with flow_site(folder / "server", folder / "clip.mp4") as site:
        yield site


def open_flow(page: Page, watch: Watch, site: FlowSite, flow_id: str) -> Locator:
    """Open the page of a flow, and return its timeline once that shows everything."""
    open_console(page, watch, site.running, f"/flows/{flow_id}")
    timeline = page.locator(".timeline")
    expect(timeline).to_have_attribute("data-state", "ready", timeout=30_000)
    return timeline


def position(page: Page) -> int:
    return int(page.locator(".workspace").get_attribute("data-position") or "")


def picture(page: Page) -> int | None:
    """The number of the frame that is shown."""
    found: int | None = page.evaluate(_LOOK, [PATTERN.left, PATTERN.top, PATTERN.width, PATTERN.height])
    return found


def wait_for_frame(page: Page, number: int) -> None:
    """Wait until a frame is shown, in the picture and as the position."""
    wait_until(lambda: (picture(page), position(page)) == (number, number * FRAME_NS), page, 15)


def points(page: Page) -> tuple[str, str]:
    return tuple(page.locator(f"[data-point={name}]").inner_text() for name in ("in", "out"))  # type: ignore[return-value]


def test_the_player_steps_by_exactly_one_frame(page: Page, watch: Watch, site: FlowSite) -> None:
    open_flow(page, watch, site, site.clip)
    wait_for_frame(page, 0)
    for number in (1, 2, 3):
        page.keyboard.press(".")
        wait_for_frame(page, number)
    page.keyboard.press(",")
    wait_for_frame(page, 2)
    for second in (1, 2, 3):
        page.keyboard.press("Shift+ArrowRight")
        wait_for_frame(page, 2 + 25 * second)
    expect(page.get_by_label("Position", exact=True)).to_have_text("00:00:03:02")


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


def ns(text: str) -> int:
    seconds, _, rest = text.partition(":")
    return int(seconds) * 10**9 + int(rest) * (-1 if seconds.startswith("-") else 1)


def test_export_says_how_to_get_the_part(page: Page, watch: Watch, site: FlowSite) -> None:
    open_flow(page, watch, site, site.clip)
    wait_for_frame(page, 0)
    page.keyboard.press("o")
    page.get_by_role("button", name="Export…").click()
    dialog = page.get_by_role("dialog")
    command = f"tams export {site.clip} evening-news-camera-1.mp4 --timerange '[0:0_0:40000000)'"
    expect(dialog.get_by_text(command)).to_be_visible()
    expect(dialog.get_by_text(f"{site.running.url}/flows/{site.clip}/output.m3u8?timerange=").last).to_be_visible()


def test_a_long_flow_is_shown_as_a_whole_and_down_to_a_segment(page: Page, watch: Watch, site: FlowSite) -> None:
    watch.expect(MISSING)
    timeline = open_flow(page, watch, site, site.long.id)
    expect(timeline).to_have_attribute("data-counted", str(LONG), timeout=60_000)
    expect(timeline).to_have_attribute("data-detail", "buckets")
    canvas = timeline.locator("canvas").first
    canvas.focus()
    for _ in range(40):
        if timeline.get_attribute("data-detail") == "segments":
            break
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
    page.keyboard.press("f")
    expect(timeline).to_have_attribute("data-detail", "buckets")


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
    timeline = open_flow(page, watch, site, site.gaps)
    end = int(timeline.get_attribute("data-end") or 0)
    client, id_ = site.running.client, fresh()
    client.post(f"/flows/{site.gaps}/storage", json={"object_ids": [id_]}).raise_for_status()
    latest: list[dict[str, Any]] = client.get(f"/flows/{site.gaps}/segments?reverse_order=true&limit=1").json()
    last = int(latest[0]["timerange"].partition("_")[2].partition(":")[0])
    item = {"object_id": id_, "timerange": f"[{last}:0_{last + 20}:0)"}
    client.post(f"/flows/{site.gaps}/segments", json=item).raise_for_status()
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

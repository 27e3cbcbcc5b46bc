"""The timeline and the table of segments of a flow's page: what they show of errors, their ruler, and their keys."""

import re

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.api.in_process import Running
from tests.browser.console.operator_site import open_console
from tests.browser.watch import Watch
from tests.conformance.kit.documents import DATA, flow
from tests.conformance.kit.ids import fresh

SECOND_NS = 1_000_000_000
LENGTH = 40
"""Of the flow in seconds; the segments from 10 to 15 are missing."""
SUMMARIES = "**/flows/*/timeline*"
SEGMENTS = "**/flows/*/segments*"
_RECORD_LABELS = """
  window.labels = [];
  const fill = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y, ...rest) {
    if (/^[0-9:.]+$/.test(text)) {
      window.labels.push([text, x + this.measureText(text).width, this.canvas.clientWidth]);
    }
    return fill.call(this, text, x, y, ...rest);
  };
"""


@pytest.fixture(scope="module")
def running(editable: Running) -> Running:
    return editable


@pytest.fixture(scope="module")
def gaps(running: Running) -> str:
    """A flow of subtitles, which the page shows without a player."""
    document = flow(DATA, label="Subtitles with a gap")
    running.client.put(f"/flows/{document['id']}", json=document).raise_for_status()
    numbers = [n for n in range(LENGTH) if not 10 <= n < 15]
    ids = [fresh() for _ in numbers]
    running.client.post(f"/flows/{document['id']}/storage", json={"object_ids": ids}).raise_for_status()
    items = [{"object_id": id_, "timerange": f"[{n}:0_{n + 1}:0)"} for id_, n in zip(ids, numbers, strict=True)]
    running.client.post(f"/flows/{document['id']}/segments", json=items).raise_for_status()
    return str(document["id"])


def open_flow(page: Page, watch: Watch, running: Running, flow_id: str, state: str = "ready") -> Locator:
    """Open the page of a flow, and return its timeline once it is in a state."""
    open_console(page, watch, running, f"/flows/{flow_id}")
    timeline = page.locator(".timeline")
    expect(timeline).to_have_attribute("data-state", state)
    return timeline


def point_at(page: Page, timeline: Locator, second: float) -> None:
    """Move the pointer to a moment of the flow."""
    box = timeline.locator(".timeline-canvas").bounding_box()
    assert box is not None
    start, scale = (float(timeline.get_attribute(f"data-{name}") or "") for name in ("start", "scale"))
    page.mouse.move(box["x"] + (second * SECOND_NS - start) / scale, box["y"] + 60)


def fail(route: Route) -> None:
    route.fulfill(status=503, json={"status": 503, "title": "Away for a moment"})


def test_what_was_not_read_is_no_gap_and_is_read_again(page: Page, watch: Watch, running: Running, gaps: str) -> None:
    watch.expect("503")
    page.route(SUMMARIES, fail)
    timeline = open_flow(page, watch, running, gaps, "error")
    expect(timeline.get_by_role("alert")).to_contain_text("Away for a moment")
    point_at(page, timeline, 12)
    expect(page.locator(".timeline-hover")).to_contain_text("Not read yet")
    page.unroute(SUMMARIES)
    expect(timeline).to_have_attribute("data-state", "ready")
    expect(timeline.get_by_role("alert")).to_have_count(0)
    expect(page.locator(".timeline-hover")).to_contain_text("Gap")


def test_segments_that_could_not_be_read_are_read_again(page: Page, watch: Watch, running: Running, gaps: str) -> None:
    watch.expect("503")
    page.route(SEGMENTS, fail)
    open_flow(page, watch, running, gaps, "error")
    segments = page.get_by_role("region", name="Segments")
    expect(segments.get_by_role("alert")).to_contain_text("Away for a moment")
    page.unroute(SEGMENTS)
    expect(segments.get_by_role("alert")).to_have_count(0)
    expect(segments.get_by_role("table")).to_have_attribute("aria-rowcount", str(LENGTH - 5 + 1))
    expect(page.locator(".timeline")).to_have_attribute("data-detail", "segments")


@pytest.mark.parametrize("width", [900, 1000, 1100, 1280])
def test_no_label_of_the_ruler_is_cut_off(page: Page, watch: Watch, running: Running, gaps: str, width: int) -> None:
    page.add_init_script(_RECORD_LABELS)
    page.set_viewport_size({"width": width, "height": 800})
    open_flow(page, watch, running, gaps)
    labels = page.evaluate("window.labels")
    assert len(labels) > 3
    assert [(text, right, wide) for text, right, wide in labels if right > wide] == []


def test_page_up_and_down_move_the_position(page: Page, watch: Watch, running: Running, gaps: str) -> None:
    timeline = open_flow(page, watch, running, gaps)
    slider = timeline.get_by_role("slider")
    start, end = (int(timeline.get_attribute(f"data-{name}") or "") for name in ("start", "end"))
    tenth_ms = (end - start) / 10 / 1e6
    slider.focus()
    for key, tenths in (("PageUp", 1), ("PageUp", 2), ("PageDown", 1)):
        page.keyboard.press(key)
        expect(slider).to_have_attribute("aria-valuenow", re.compile(f"^({_around(tenths * tenth_ms)})$"))
    assert timeline.get_attribute("data-start") == str(start)


def _around(number: float) -> str:
    return "|".join(str(round(number) + away) for away in (-1, 0, 1))

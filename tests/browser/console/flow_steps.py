"""What the tests of a flow's page do on it, and what they see of it."""

from playwright.sync_api import Locator, Page, expect

from tests.browser.console.flow_site import FlowSite
from tests.browser.console.operator_site import open_console
from tests.browser.player import PATTERN
from tests.browser.waiting import wait_until
from tests.browser.watch import Watch

FRAME_NS = 40_000_000


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

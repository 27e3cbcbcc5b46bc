"""The player of the console's page of a flow: exact to the frame, with sound, and after errors."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.console.flow_site import FEW, SECONDS, FlowSite, flow_site
from tests.browser.console.flow_steps import FRAME_NS, open_flow, picture, points, position, wait_for_frame
from tests.browser.waiting import wait_until
from tests.browser.watch import Watch


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlowSite]:
    folder = tmp_path_factory.mktemp("flows")
    with flow_site(folder / "server", folder / "clip.mp4", long=FEW) as site:
        yield site


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


def test_a_click_shows_a_whole_frame(page: Page, watch: Watch, site: FlowSite) -> None:
    timeline = open_flow(page, watch, site, site.clip)
    wait_for_frame(page, 0)
    box = timeline.locator("canvas").first.bounding_box()
    assert box is not None
    for pixel in (301, 402, 503, 604):
        page.mouse.click(box["x"] + pixel, box["y"] + 60)
        wait_until(lambda: is_one_frame(page), page, 10)
        page.keyboard.press("i")
        seconds, frames = divmod(picture(page) or 0, 25)
        assert points(page)[0] == f"00:00:{seconds:02}:{frames:02}"


def is_one_frame(page: Page) -> bool:
    """Whether the position is the start of the frame that the picture shows."""
    number = picture(page)
    return number is not None and number > 0 and position(page) == number * FRAME_NS


def test_the_end_is_the_last_frame(page: Page, watch: Watch, site: FlowSite) -> None:
    open_flow(page, watch, site, site.clip)
    wait_for_frame(page, 0)
    page.keyboard.press("End")
    wait_for_frame(page, 25 * SECONDS - 1)
    expect(page.get_by_label("Position", exact=True)).to_have_text(f"00:00:{SECONDS - 1:02}:24")
    page.keyboard.press(",")
    wait_for_frame(page, 25 * SECONDS - 2)
    page.keyboard.press("o")
    assert points(page)[1] == f"00:00:{SECONDS - 1:02}:24"


def test_a_multi_flow_plays_what_it_collects(page: Page, watch: Watch, site: FlowSite) -> None:
    open_flow(page, watch, site, site.programme)
    wait_for_frame(page, 0)
    page.keyboard.press("Shift+ArrowRight")
    wait_for_frame(page, 25)
    page.keyboard.press(".")
    wait_for_frame(page, 26)
    assert page.evaluate("document.querySelector('video').webkitAudioDecodedByteCount > 0 || 'silent'") is True
    expect(page.get_by_role("table", name="Segments of the flow")).to_contain_text(site.objects[0])
    source = site.running.client.get(f"/flows/{site.programme}").json()["source_id"]
    page.goto(f"{site.running.url}/console#/sources/{source}")
    expect(page.get_by_label("Picture of the flow")).to_be_visible()
    wait_for_frame(page, 0)
    page.keyboard.press(".")
    wait_for_frame(page, 1)


def test_a_muxed_flow_has_the_rate_of_its_pictures(page: Page, watch: Watch, site: FlowSite) -> None:
    open_flow(page, watch, site, site.muxed)
    wait_for_frame(page, 0)
    page.get_by_role("button", name="One frame forward (.)").click()
    wait_for_frame(page, 1)
    expect(page.get_by_label("Position", exact=True)).to_have_text("00:00:00:01")


def test_a_seek_before_the_first_media_is_kept(page: Page, watch: Watch, site: FlowSite) -> None:
    held: list[Route] = []
    released = False

    def hold(route: Route) -> None:
        if released:
            route.continue_()
        else:
            held.append(route)

    page.route("**/media/**", hold)
    open_flow(page, watch, site, site.clip)
    wait_until(lambda: len(held) > 0, page, 15)
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press(".")
    released = True
    for route in held:
        route.continue_()
    wait_for_frame(page, 26)


def test_the_player_retries_after_an_error(page: Page, watch: Watch, site: FlowSite) -> None:
    watch.expect("503")
    page.route("**/output.m3u8*", lambda route: route.fulfill(status=503, json={"title": "Busy"}), times=1)
    open_flow(page, watch, site, site.clip)
    page.locator(".player").get_by_role("button", name="Try again").click()
    wait_for_frame(page, 0)


def test_broken_media_are_an_error_that_can_be_retried(page: Page, watch: Watch, site: FlowSite) -> None:
    garbage = bytes(100_000)
    page.route("**/media/**", lambda route: route.fulfill(body=garbage, content_type="video/mp2t"))
    open_flow(page, watch, site, site.clip)
    expect(page.locator(".player").get_by_role("alert")).to_contain_text("cannot be played")
    page.unroute_all()
    page.locator(".player").get_by_role("button", name="Try again").click()
    wait_for_frame(page, 0)


def test_a_credential_is_put_in_no_url(page: Page, watch: Watch, site: FlowSite) -> None:
    page.add_init_script("delete self.MediaSource; delete self.ManagedMediaSource; delete self.WebKitMediaSource")
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    open_flow(page, watch, site, site.clip)
    expect(page.locator(".player").get_by_role("alert")).to_contain_text("Media Source Extensions")
    assert any("/output.m3u8" in url for url in urls)
    assert not any("access_token" in url for url in urls)

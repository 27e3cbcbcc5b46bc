"""Fixtures: one Chromium for each process of the tests, and for each test a context of its own that is watched."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.conformance.kit.server import own_server
from tests.interop.demo import clip as clips
from tests.interop.demo.client import Tams
from tests.servers import chromium
from tests.servers.stores import MEDIA, Stores, running

from .player import Player, served_player
from .players import SCRIPTS, missing
from .watch import Watch

_CLIP_S = 6

_LOOPBACK_ALONE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
_ARGUMENTS = (_LOOPBACK_ALONE, "--autoplay-policy=no-user-gesture-required")
_TIMEOUT_MS = 15_000


# Of the package, not the session: Playwright's event loop must have ended when other tests of this process use theirs.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A Chromium that finds no other machine than this one."""
    executable = chromium.find()
    if executable is None:
        pytest.skip(str(chromium.missing()))
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=executable, env=dict(chromium.environment(executable)), args=_ARGUMENTS
        )
        yield running
        running.close()


@pytest.fixture
def watch() -> Watch:
    """What pages may do: `watch.allow(url)` permits an origin, `watch.expect(pattern)` states an expected error."""
    return Watch()


@pytest.fixture
def context(browser: Browser, watch: Watch) -> Iterator[BrowserContext]:
    """A context without history, cookies or cache. Errors and requests that `watch` does not permit fail the test."""
    fresh = browser.new_context()
    fresh.set_default_timeout(_TIMEOUT_MS)
    watch.attach(fresh)
    yield fresh
    fresh.close()
    watch.check()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A page of `context`."""
    return context.new_page()


@pytest.fixture(scope="package", params=MEDIA)
def stores(request: pytest.FixtureRequest) -> Iterator[Stores]:
    """Where `service` keeps its media: in a folder, then on S3."""
    with running("sqlite", request.param) as found:
        yield found


@pytest.fixture(scope="package")
def service(stores: Stores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tams]:
    """A client of this project's server, running."""
    folder = tmp_path_factory.mktemp("service")
    with own_server(folder, stores.settings(folder)) as subject, Tams(subject.url, subject.token) as client:
        yield client


@pytest.fixture(scope="package")
def clip(tmp_path_factory: pytest.TempPathFactory) -> clips.Clip:
    """The beginning of the demo's clip."""
    return clips.make(tmp_path_factory.mktemp("clip") / "clip.mp4", _CLIP_S)


@pytest.fixture(scope="package")
def player_site() -> Iterator[str]:
    """The URL of the page of the player."""
    if missing():
        pytest.skip("players have not been fetched; `make chromium` fetches them")
    with served_player(SCRIPTS) as url:
        yield url


@pytest.fixture
def player(page: Page, watch: Watch, service: Tams, stores: Stores, player_site: str) -> Player:
    """A player in a page that may read playlists and media of `service`."""
    watch.allow(player_site, service.base_url, *filter(None, [stores.endpoint]))
    return Player(page, player_site)

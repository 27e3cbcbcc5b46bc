"""Fixtures: one Chromium for each process of the tests, and for each test a context of its own that is watched."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.servers import chromium

from .watch import Watch

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

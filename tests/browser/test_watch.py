"""The fixtures themselves: a page that misbehaves fails its test."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from playwright.sync_api import BrowserContext, Page

from .waiting import wait_until
from .watch import Watch


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/" else 404)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><link rel=icon href=data:,><h1>Here</h1>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_page_of_the_server_has_no_problems(page: Page, watch: Watch, site: str) -> None:
    watch.allow(site)
    page.goto(site)
    assert page.inner_text("h1") == "Here"
    assert watch.problems == []


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("setTimeout(() => { throw new Error('broken') })", "broken"),
        ("Promise.reject(new Error('forgotten'))", "forgotten"),
        ("console.error('spoken')", "spoken"),
        ("fetch('/missing')", "404"),
        ("fetch('http://example.com/').catch(() => 0)", "outside of the server: GET http://example.com/"),
    ],
)
def test_errors_and_foreign_requests_are_problems(
    page: Page, context: BrowserContext, watch: Watch, site: str, script: str, problem: str
) -> None:
    strict = Watch()
    strict.allow(site)
    strict.attach(context)
    watch.expect(".")
    page.goto(site)
    page.evaluate(f"() => {{ {script} }}")
    wait_until(lambda: any(problem in each for each in strict.problems), page)
    with pytest.raises(AssertionError, match="the pages had problems"):
        strict.check()


def test_an_expected_problem_must_occur(watch: Watch) -> None:
    watch.expect("404")
    with pytest.raises(AssertionError, match="did not occur"):
        watch.check()


def test_contexts_share_nothing(page: Page, context: BrowserContext, watch: Watch, site: str) -> None:
    watch.allow(site)
    page.goto(site)
    page.evaluate("() => localStorage.setItem('seen', 'yes')")
    assert context.browser is not None
    other = context.browser.new_context()
    elsewhere = other.new_page()
    elsewhere.goto(site)
    assert elsewhere.evaluate("() => localStorage.getItem('seen')") is None
    other.close()

"""The headers by which responses keep browsers from misusing them."""

from collections.abc import Iterator

import httpx
import pytest

from tests.api.in_process import Running, serving

UNKNOWN = "2f6d2f1e-6c3a-4b52-9a58-0c7c1c7f5b11"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("headers")) as running:
        yield running


def directives(response: httpx.Response) -> dict[str, str]:
    parts = (part.split(None, 1) for part in response.headers["Content-Security-Policy"].split(";"))
    return {name: value[0] for name, *value in parts}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("HEAD", "/flows", 200),
        ("POST", "/service", 400),
        ("PATCH", "/service", 405),
        ("GET", f"/flows/{UNKNOWN}", 404),
        ("GET", "/nothing", 404),
        ("OPTIONS", "/service", 204),
        ("GET", f"/media/{UNKNOWN}/{UNKNOWN}", 404),
        ("GET", "/docs/nothing", 404),
        ("POST", "/docs", 405),
        ("GET", "/docs", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("GET", "/metrics", 200),
    ],
)
def test_no_response_is_taken_for_another_type(running: Running, method: str, path: str, status: int) -> None:
    response = running.client.request(method, path)
    assert response.status_code == status
    assert response.headers.get_list("X-Content-Type-Options") == ["nosniff"]


def test_an_error_without_a_credential_is_not_taken_for_another_type(running: Running) -> None:
    response = running.stranger().get("/flows")
    assert response.status_code == 401
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/docs", "/docs/start.js", "/openapi.json", "/healthz", "/readyz", "/metrics"])
def test_pages_cannot_be_framed_and_pass_nothing_on(running: Running, path: str) -> None:
    response = running.stranger().get(path)
    assert response.status_code == 200
    assert {"default-src", "frame-ancestors", "base-uri", "form-action"} <= directives(response).keys()
    assert {directives(response)[name] for name in ("default-src", "frame-ancestors", "base-uri", "form-action")} == {
        "'none'"
    }
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert "camera=()" in response.headers["Permissions-Policy"]
    assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_the_docs_page_talks_to_this_server_only(running: Running) -> None:
    assert directives(running.stranger().get("/docs"))["connect-src"] == "'self'"


def test_a_page_that_is_not_modified_says_the_same(running: Running) -> None:
    etag = running.stranger().get("/docs").headers["ETag"]
    response = running.stranger().get("/docs", headers={"If-None-Match": etag})
    assert response.status_code == 304
    assert "frame-ancestors" in response.headers["Content-Security-Policy"]

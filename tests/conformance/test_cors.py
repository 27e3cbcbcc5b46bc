"""CORS: preflights, and what scripts of other origins can read of responses. Skipped if a server has no CORS."""

import httpx
import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.ids import fresh
from tests.conformance.kit.operations import Operation, operations
from tests.conformance.kit.server import Subject
from tests.conformance.kit.skips import not_implemented

ORIGIN = "https://player.example.com"
NAMES = ("flowId", "sourceId", "objectId", "profileId", "webhookId", "request-id", "name")
EXPOSED = (
    "Link",
    "Location",
    "X-Paging-Limit",
    "X-Paging-NextKey",
    "X-Paging-Count",
    "X-Paging-Reverse-Order",
    "X-Paging-Timerange",
)


@pytest.fixture(autouse=True)
def _cors(http: httpx.Client) -> None:
    if "Access-Control-Allow-Origin" not in http.get("/service", headers={"Origin": ORIGIN}).headers:
        not_implemented("CORS")


@pytest.fixture
def browser(subject: Subject) -> httpx.Client:
    """A client without credentials, as a browser sends preflights."""
    return httpx.Client(base_url=subject.url, headers={"Origin": ORIGIN}, timeout=30)


def named(response: httpx.Response, header: str) -> set[str]:
    return {name.strip().lower() for name in response.headers.get(header, "").split(",")}


def preflight(browser: httpx.Client, method: str, url: str, requested: str) -> httpx.Response:
    headers = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": requested}
    response = browser.options(url, headers=headers)
    assert response.is_success
    assert response.headers["Access-Control-Allow-Origin"] in ("*", ORIGIN)
    return response


@pytest.mark.parametrize("operation", operations(), ids=str)
def test_a_preflight_needs_no_credential_and_allows_the_method(browser: httpx.Client, operation: Operation) -> None:
    response = preflight(browser, operation.method, operation.url({name: fresh() for name in NAMES}), "authorization")
    allowed = {method.upper() for method in named(response, "Access-Control-Allow-Methods")}
    # GET, HEAD and POST are always allowed.
    assert operation.method in allowed | {"GET", "HEAD", "POST"}


@pytest.mark.parametrize("header", ["authorization", "content-type"])
@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_preflight_allows_the_headers_that_clients_send(browser: httpx.Client, method: str, header: str) -> None:
    path = f"/flows/{fresh()}" if method == "PUT" else "/service"
    allowed = named(preflight(browser, method, path, header), "Access-Control-Allow-Headers")
    # A wildcard does not cover Authorization.
    assert header in allowed or ("*" in allowed and header != "authorization")


@pytest.mark.parametrize("header", EXPOSED)
@pytest.mark.parametrize("path", ["/flows?limit=1", "/service/storage-backends"])
def test_scripts_can_read_the_paging_headers(http: httpx.Client, path: str, header: str) -> None:
    exposed = named(http.get(path, headers={"Origin": ORIGIN}), "Access-Control-Expose-Headers")
    assert {header.lower(), "*"} & exposed


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/service", 200),
        ("HEAD", "/service", 200),
        ("GET", "/flows?limit=many", 400),
        ("GET", "/sources/00000000-0000-4000-8000-000000000000", 404),
        ("GET", "/nothing", 404),
        ("DELETE", "/service", 405),
    ],
)
def test_scripts_can_read_errors(http: httpx.Client, method: str, path: str, status: int) -> None:
    response = http.request(method, path, headers={"Origin": ORIGIN})
    assert response.status_code == status
    assert response.headers["Access-Control-Allow-Origin"] in ("*", ORIGIN)


def test_scripts_can_read_the_status_401(browser: httpx.Client, subject: Subject) -> None:
    if not subject.credential:
        pytest.skip("no token was given for this server, which may require none")
    response = browser.get("/service")
    assert response.status_code == 401
    assert response.headers["Access-Control-Allow-Origin"] in ("*", ORIGIN)


def test_a_browser_may_upload_media(tams: TamsClient, browser: httpx.Client) -> None:
    [media_object] = tams.allocate(tams.make_flow()["id"])
    put_url = media_object["put_url"]
    response = preflight(browser, "PUT", put_url["url"], "content-type")
    assert "PUT" in {method.upper() for method in named(response, "Access-Control-Allow-Methods")}
    assert {"content-type", "*"} & named(response, "Access-Control-Allow-Headers")
    headers = {"Content-Type": put_url["content-type"], **put_url.get("headers", {})}
    stored = browser.put(put_url["url"], content=b"some media", headers=headers)
    assert stored.status_code == 200
    assert stored.headers["Access-Control-Allow-Origin"] in ("*", ORIGIN)

"""F11: every response has a request id, also logged: that of the client if it sent a valid one."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.api.in_process import Running, serving
from tests.conformance.kit.server import own_server

UNKNOWN = "2f6d2f1e-6c3a-4b52-9a58-0c7c1c7f5b11"
OWN = r"[0-9a-f]{16}"
EVERYWHERE = pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/service", 200),
        ("HEAD", "/service", 200),
        ("OPTIONS", "/service", 204),
        ("POST", "/service", 400),
        ("PATCH", "/service", 405),
        ("GET", f"/flows/{UNKNOWN}", 404),
        ("GET", "/nothing", 404),
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("GET", "/docs", 200),
        ("GET", "/openapi.json", 200),
        ("GET", f"/media/{UNKNOWN}/{UNKNOWN}", 404),
    ],
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("ids")) as running:
        yield running


def id_of(response: httpx.Response) -> str:
    [given] = response.headers.get_list("X-Request-Id")
    return given


@EVERYWHERE
def test_every_response_has_its_own_request_id(running: Running, method: str, path: str, status: int) -> None:
    responses = [running.client.request(method, path) for _ in range(2)]
    assert [response.status_code for response in responses] == [status] * 2
    ids = {id_of(response) for response in responses}
    assert len(ids) == 2
    assert all(re.fullmatch(OWN, each) for each in ids)


@EVERYWHERE
def test_the_id_of_the_client_is_kept(running: Running, method: str, path: str, status: int) -> None:
    response = running.client.request(method, path, headers={"X-Request-Id": "trace-1/2:3"})
    assert id_of(response) == "trace-1/2:3"
    if response.headers.get("Content-Type") == "application/problem+json":
        assert response.json()["request_id"] == "trace-1/2:3"


def test_an_unauthorized_response_has_a_request_id(running: Running) -> None:
    response = running.stranger().get("/service", headers={"X-Request-Id": "mine"})
    assert (response.status_code, id_of(response), response.json()["request_id"]) == (401, "mine", "mine")


@pytest.mark.parametrize("given", ["", "x" * 129, "two words", "semi;colon", "caf\xe9", "<script>", "a\tb", '"'])
def test_an_invalid_request_id_is_replaced(running: Running, given: str) -> None:
    response = running.client.get("/service", headers={b"X-Request-Id": given.encode("latin-1")})
    assert re.fullmatch(OWN, id_of(response))


@pytest.mark.parametrize("as_json", ["false", "true"])
def test_the_access_log_has_the_request_id(tmp_path: Path, as_json: str) -> None:
    with own_server(tmp_path, {"TAMS_LOG_JSON": as_json}) as subject:
        headers = {"Authorization": f"Bearer {subject.token}", "X-Request-Id": "find-me-again"}
        assert httpx.get(f"{subject.url}/flows?limit=7", headers=headers).status_code == 200
    [line] = [line for line in (tmp_path / "server.log").read_text().splitlines() if "find-me-again" in line]
    assert "tams_server.access" in line
    assert "GET /flows?limit=7 200 2 bytes" in line
    assert line.startswith("{") == (as_json == "true")

"""Every answer has an id, which the log has too: that of the client where it sent a sane one."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.api.in_process import Running, serving
from tests.conformance.kit.server import own_server

NOBODY = "2f6d2f1e-6c3a-4b52-9a58-0c7c1c7f5b11"
OWN = r"[0-9a-f]{16}"
EVERYWHERE = pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/service", 200),
        ("HEAD", "/service", 200),
        ("OPTIONS", "/service", 204),
        ("POST", "/service", 400),
        ("PATCH", "/service", 405),
        ("GET", f"/flows/{NOBODY}", 404),
        ("GET", "/nothing", 404),
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("GET", "/docs", 200),
        ("GET", "/openapi.json", 200),
        ("GET", f"/media/{NOBODY}/{NOBODY}", 404),
    ],
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("ids")) as running:
        yield running


def id_of(answer: httpx.Response) -> str:
    [given] = answer.headers.get_list("X-Request-Id")
    return given


@EVERYWHERE
def test_every_answer_has_an_id_of_its_own(running: Running, method: str, path: str, status: int) -> None:
    answers = [running.client.request(method, path) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [status] * 2
    ids = {id_of(answer) for answer in answers}
    assert len(ids) == 2
    assert all(re.fullmatch(OWN, each) for each in ids)


@EVERYWHERE
def test_the_id_of_the_client_is_kept(running: Running, method: str, path: str, status: int) -> None:
    answer = running.client.request(method, path, headers={"X-Request-Id": "trace-1/2:3"})
    assert id_of(answer) == "trace-1/2:3"
    if answer.headers.get("Content-Type") == "application/problem+json":
        assert answer.json()["request_id"] == "trace-1/2:3"


def test_a_refusal_for_want_of_a_credential_has_an_id_too(running: Running) -> None:
    answer = running.stranger().get("/service", headers={"X-Request-Id": "mine"})
    assert (answer.status_code, id_of(answer), answer.json()["request_id"]) == (401, "mine", "mine")


@pytest.mark.parametrize("given", ["", "x" * 129, "two words", "semi;colon", "caf\xe9", "<script>", "a\tb", '"'])
def test_an_id_that_could_do_harm_is_replaced(running: Running, given: str) -> None:
    answer = running.client.get("/service", headers={b"X-Request-Id": given.encode("latin-1")})
    assert re.fullmatch(OWN, id_of(answer))


@pytest.mark.parametrize("as_json", ["false", "true"])
def test_the_log_has_the_id_and_what_was_asked(tmp_path: Path, as_json: str) -> None:
    with own_server(tmp_path, {"TAMS_LOG_JSON": as_json}) as subject:
        headers = {"Authorization": f"Bearer {subject.token}", "X-Request-Id": "find-me-again"}
        assert httpx.get(f"{subject.url}/flows?limit=7", headers=headers).status_code == 200
    [line] = [line for line in (tmp_path / "server.log").read_text().splitlines() if "find-me-again" in line]
    assert "tams_server.access" in line
    assert "GET /flows?limit=7 200 2 bytes" in line
    assert line.startswith("{") == (as_json == "true")

"""F21: `tams doctor` on a server that is well, and on servers with one thing wrong each."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from tams_server.client import Client, Token
from tams_server.client_cli.contexts_file import Server
from tams_server.client_cli.doctor import access, examination, media, pages, reach
from tams_server.client_cli.doctor.finding import NO_RETRY, Finding, Patient
from tests.client.studio import Studio
from tests.client_cli.conftest import Commands

URL = "https://tams.example/api"
Respond = Callable[[httpx.Request], httpx.Response]


def patient(respond: Respond) -> Patient:
    transport = httpx.MockTransport(respond)
    server = Server(URL, token="a-token")
    return Patient(
        server,
        Client(URL, Token("a-token"), retry=NO_RETRY, transport=transport),
        httpx.Client(base_url=URL, transport=transport),
    )


def always(status: int = 200, body: Any = None, **headers: str) -> Respond:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: httpx.Response(status, json=body if body is not None else [], headers=names)


def only(findings: list[Finding]) -> tuple[str, str]:
    [found] = findings
    assert found.state == "ok" or found.remedy or "Date" in found.message, "it says what to do"
    return found.state, found.message


def test_a_server_that_is_well_passes(tams: Commands, studio: Studio) -> None:
    done = tams("doctor", "--write")
    assert done.status == 0, done.out
    assert {line.split()[0] for line in done.lines} == {"ok"}
    checks = [line.split()[1] for line in done.lines]
    assert list(dict.fromkeys(checks)) == [
        "reachable", "credentials", "rights", "time", "clock", "pages", "browsers", "storage", "events", "media",
        "writing",
    ]  # fmt: skip
    assert tams("ls", "flows", "--label", "tams doctor", "-o", "id").lines == []


def test_wrong_credentials_fail_as_json_too(tams: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAMS_TOKEN", "wrong")
    done = tams("doctor", "-o", "json")
    assert done.status == 1
    states = {each["check"]: each["state"] for each in json.loads(done.out)}
    assert states == {"reachable": "ok", "credentials": "fail"}, "the other checks would fail for the same reason"


def test_a_server_that_is_not_there_fails(tams: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAMS_URL", "http://127.0.0.1:9")
    done = tams("doctor")
    assert (done.status, done.lines[0].split()[:2]) == (1, ["fail", "reachable"])


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ({"api_version": "8.0"}, "ok"),
        ({"api_version": "8.9", "name": "a later one"}, "ok"),
        ({"api_version": "7.0"}, "fail"),
        ({"hello": "world"}, "fail"),
    ],
)
def test_only_versions_8_are_accepted(body: dict[str, str], state: str) -> None:
    assert only(reach.service(patient(always(body=body))))[0] == state


@pytest.mark.parametrize(("seconds", "state"), [(0, "ok"), (-20, "warn"), (3600, "fail")])
def test_clocks_are_compared(seconds: int, state: str) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
    assert only(reach.clock(patient(always(body={}, Date=date))))[0] == state


def test_links_that_lead_elsewhere_are_found() -> None:
    state, message = only(pages.links(patient(always(Link='<http://internal:8080/flows?page=b>; rel="next"'))))
    assert (state, "http://internal:8080" in message) == ("warn", True)
    assert only(pages.links(patient(always())))[0] == "ok"


def test_browsers_need_cors() -> None:
    assert only(pages.cross_origin(patient(always())))[0] == "warn"
    allowing = always(
        Access_Control_Allow_Origin="*",
        Access_Control_Allow_Headers="Authorization, Content-Type",
        Access_Control_Expose_Headers="Link, X-Paging-NextKey",
    )
    assert only(pages.cross_origin(patient(allowing)))[0] == "ok"
    hiding = always(Access_Control_Allow_Origin="*", Access_Control_Allow_Headers="authorization")
    assert "hide link, x-paging-nextkey" in only(pages.cross_origin(patient(hiding)))[1]


@pytest.mark.parametrize(
    ("refused", "state", "says"),
    [
        ((), "ok", "read, write, delete"),
        (("DELETE",), "warn", "permit to read"),
        (("GET", "DELETE"), "fail", "not permit"),
    ],
)
def test_rights_are_found_without_changing_anything(refused: tuple[str, ...], state: str, says: str) -> None:
    requests: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        status = 403 if request.method in refused else 200 if request.method == "GET" else 404
        return httpx.Response(status, json=[])

    found = only(access.rights(patient(respond)))
    assert (found[0], says in found[1]) == (state, True), found
    assert all(str(request.url).count("-") >= 4 for request in requests if request.method != "GET"), "of no flow"


def test_a_server_without_credentials_is_noticed() -> None:
    assert only(access.credentials(patient(always())))[0] == "warn"


@pytest.mark.parametrize(
    ("status", "headers", "state"),
    [
        (206, {"Access-Control-Allow-Origin": "*"}, "ok"),
        (206, {}, "warn"),
        (200, {"Access-Control-Allow-Origin": "*"}, "warn"),
        (403, {}, "fail"),
    ],
)
def test_media_are_read_from_where_their_urls_lead(status: int, headers: dict[str, str], state: str) -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.host == "media.example":
            assert "authorization" not in request.headers
            return httpx.Response(status, content=b"media", headers=headers)
        if request.url.path.endswith("/segments"):
            return httpx.Response(200, json=[{"object_id": "o", "timerange": "_", "get_urls": [{"url": MEDIA}]}])
        return httpx.Response(200, json=[{"id": "f"}])

    assert only(media.segment_urls(patient(respond)))[0] == state


MEDIA = "https://media.example/o?signature=secret"


def test_a_response_of_another_kind_is_a_failure_and_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = patient(always(body={"api_version": "8.2", "message": "odd"}))
    monkeypatch.setattr(Patient, "of", lambda _server: odd)
    found = list(examination.examine(odd.server, write=False))
    assert {"fail"} <= {each.state for each in found}

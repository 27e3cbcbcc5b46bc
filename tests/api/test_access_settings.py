"""Settings that open or close ways in: TAMS_AUTH, TAMS_URL_TOKENS, and the audit log of requests."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.in_process import TOKEN, Running, serving
from tests.conformance.kit.documents import flow
from tests.conformance.kit.polling import wait_until


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audit") / "audit.jsonl"


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory, log: Path) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("closed")
    with serving(folder, url_tokens=False, audit_log=str(log), audit_reads=True) as running:
        yield running


@pytest.fixture(scope="module")
def open_(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("open"), auth="off") as running:
        yield running


def test_tokens_in_urls_can_be_switched_off(closed: Running) -> None:
    with closed.stranger() as stranger:
        response = stranger.get(f"/service?access_token={TOKEN}")
        assert (response.status_code, "TAMS_URL_TOKENS" in response.json()["detail"]) == (401, True)
        missing = stranger.get("/service")
        assert (missing.status_code, "access_token" in missing.json()["detail"]) == (401, False)
        assert closed.client.get(f"/service?access_token={TOKEN}").status_code == 200
        document = stranger.get("/openapi.json").json()
    assert [
        scheme for scheme in document["components"]["securitySchemes"].values() if scheme.get("in") == "query"
    ] == []
    named = {name for each in document["security"] for name in each}
    assert named and named <= set(document["components"]["securitySchemes"])


def test_a_token_in_a_url_that_is_not_accepted_is_in_no_record(closed: Running, log: Path) -> None:
    with closed.stranger() as stranger:
        stranger.get("/flows?access_token=planted-in-a-url")

    def records() -> list[dict[str, Any]]:
        return [json.loads(line) for line in log.read_text().splitlines()]

    found = wait_until(lambda: [each for each in records() if each["resource"] == "/flows"], "the record")
    assert [(each["event"], each["reason"]) for each in found] == [("login_failed", "token in the URL")]
    assert "planted" not in log.read_text()


def test_reads_are_recorded_if_the_settings_say_so(closed: Running, log: Path) -> None:
    closed.client.get("/sources?label=planted-in-a-query", headers={"X-Request-Id": "read-1"})
    lines = wait_until(lambda: [line for line in log.read_text().splitlines() if "read-1" in line], "the record")
    [record] = map(json.loads, lines)
    assert (record["operation"], record["principal"], record["status"]) == ("GET_sources", "bootstrap", 200)
    assert "planted" not in lines[0]


def test_without_authentication_requests_are_anonymous_unless_they_have_a_credential(open_: Running) -> None:
    with open_.stranger() as stranger:
        for client, name in ((stranger, "anonymous"), (open_.client, "bootstrap")):
            document = flow()
            path = f"/flows/{document['id']}"
            assert client.put(path, json=document).status_code == 201
            assert client.get(path).json()["created_by"] == name
        assert stranger.get("/flow-delete-requests").status_code == 200
        assert stranger.get("/service", headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert stranger.get("/service", headers={"Origin": "https://evil.example"}).status_code == 401
        assert stranger.get("/service", headers={"Origin": "http://localhost:5173"}).status_code == 200


def test_changes_are_refused_while_they_cannot_be_audited(tmp_path: Path) -> None:
    log = tmp_path / "log" / "audit.jsonl"
    with serving(tmp_path / "data", audit_log=str(log), audit_failure="refuse") as running:
        document = flow()
        path = f"/flows/{document['id']}"
        refused = running.client.put(path, json=document)
        assert (refused.status_code, "audit log" in refused.json()["detail"]) == (503, True)
        assert refused.headers["Retry-After"]
        assert running.client.get(path).status_code == 404
        assert "tams_audit_failures_total 0.0" not in running.client.get("/metrics").text
        log.parent.mkdir()
        assert running.client.put(path, json=document).status_code == 201
        wait_until(lambda: log.read_text().count("\n") == 2, "both records")
    first, second = map(json.loads, log.read_text().splitlines())
    assert (first["event"], second["event"], second["status"]) == ("begin", "request", 201)
    assert first["request_id"] == second["request_id"]


def test_webhooks_need_read_and_write_and_belong_to_their_owner(open_: Running) -> None:
    hook = {"url": "https://example.com/events", "events": ["flows/created"]}
    with open_.with_scopes("write") as writer, open_.with_scopes("read") as reader:
        for client in (writer, reader):
            assert client.post("/service/webhooks", json=hook).status_code == 403
    first = open_.bearer(open_.catalog.credentials.add_token("first", ["read", "write"]))
    second = open_.bearer(open_.catalog.credentials.add_token("second", ["read", "write"]))
    made = first.post("/service/webhooks", json=hook).json()
    path = f"/service/webhooks/{made['id']}"
    changed = {**made, "status": "disabled"}
    assert second.get(path).status_code == 200
    assert second.put(path, json=changed).status_code == 403
    assert second.delete(path).status_code == 403
    assert first.put(path, json=changed).status_code == 201
    assert open_.client.put(path, json=changed).status_code == 201
    assert first.put(path, json=changed).status_code == 403, "the caller that last changed it is its owner"
    assert open_.client.delete(path).status_code == 204

"""Background jobs at /jobs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.catalog import job_queue
from storage.catalog.job_kinds import COPY, FLOW_DELETION, copy_key
from storage.nul import escape_nul
from storage.tables.conditions import equals
from tests.api.in_process import Running, serving

STORE = "11111111-1111-4111-8111-111111111111"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("jobs")) as running:
        with running.catalog._engine.write() as tx:
            job_queue.enqueue(tx, running.catalog.clock(), COPY, [copy_key(STORE, f"o{number}") for number in range(5)])
            job_queue.enqueue(tx, running.catalog.clock(), FLOW_DELETION, ["a-request"])
        yield running


def test_jobs_are_listed_by_pages(running: Running) -> None:
    seen, url = [], "/jobs?limit=2"
    while url:
        response = running.client.get(url)
        assert response.status_code == 200
        seen += response.json()
        url = response.links.get("next", {}).get("url", "")
    assert [each["key"] for each in seen] == [*(f"{STORE} o{number}" for number in range(5)), "a-request"]
    assert seen == running.client.get("/jobs").json()
    assert seen[0]["object_id"] == "o0"


def test_jobs_are_filtered(running: Running) -> None:
    assert len(running.client.get("/jobs?kind=copy").json()) == 5
    assert len(running.client.get("/jobs?kind=flow-deletion&state=waiting").json()) == 1
    assert running.client.get("/jobs?state=failed").json() == []


@pytest.mark.parametrize("query", ["kind=dance", "state=lost", "page=x", "limit=many"])
def test_invalid_filters_are_named(running: Running, query: str) -> None:
    response = running.client.get(f"/jobs?{query}")
    assert (response.status_code, response.json()["field"]) == (400, query.partition("=")[0])


def test_a_job_that_has_failed_is_retried(running: Running) -> None:
    key = copy_key(STORE, "o3\0é")
    with running.catalog._engine.write() as tx:
        job_queue.enqueue(tx, running.catalog.clock(), COPY, [escape_nul(key)])
        tx.update(
            "jobs", equals(kind=COPY, key=escape_nul(key)), {"due": None, "attempts": 50, "error": "no space left"}
        )
    [failed] = running.client.get("/jobs?state=failed").json()
    assert failed["key"] == key
    response = running.client.post("/jobs/retry", json={"kind": COPY, "key": failed["key"]})
    assert (response.status_code, response.content) == (204, b"")
    assert running.client.get("/jobs?state=failed").json() == []
    [waiting] = [each for each in running.client.get("/jobs?kind=copy").json() if each["key"] == key]
    assert (waiting["state"], waiting["attempts"], "error" in waiting) == ("waiting", 0, False)
    running.catalog.jobs.discard(COPY, escape_nul(key))


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"kind": COPY, "key": "nothing"}, 404, None),
        ({"kind": "dance", "key": "x"}, 400, "kind"),
        ({"kind": COPY}, 400, "key"),
        ({"kind": COPY, "key": 1}, 400, "key"),
        ([], 400, None),
    ],
)
def test_what_cannot_be_retried_is_named(running: Running, body: Any, status: int, field: str | None) -> None:
    response = running.client.post("/jobs/retry", json=body)
    assert (response.status_code, response.json().get("field")) == (status, field)


def test_the_audit_log_names_the_job_that_was_retried(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    with serving(tmp_path, audit_log=str(log)) as running:
        with running.catalog._engine.write() as tx:
            job_queue.enqueue(tx, running.catalog.clock(), FLOW_DELETION, ["a-request"])
        running.client.post("/jobs/retry", json={"kind": FLOW_DELETION, "key": "a-request"}).raise_for_status()
    records = [json.loads(line) for line in log.read_text().splitlines()]
    [record] = [each for each in records if each.get("operation") == "POST_jobs-retry"]
    assert (record["status"], record["changes"]) == (204, {"job": "flow-deletion a-request"})


def test_only_administrators_see_and_retry_jobs(running: Running) -> None:
    with running.with_scopes("read", "write", "delete") as client:
        assert client.get("/jobs").json()["code"] == "auth.scope"
        retried = client.post("/jobs/retry", json={"kind": FLOW_DELETION, "key": "a-request"})
        assert retried.json()["code"] == "auth.scope"
    with running.stranger() as client:
        assert client.get("/jobs").status_code == 401

"""Background jobs at /jobs."""

from collections.abc import Iterator

import pytest

from storage.catalog import jobs
from storage.catalog.job_kinds import COPY, FLOW_DELETION, copy_key
from tests.api.in_process import Running, serving

STORE = "11111111-1111-4111-8111-111111111111"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("jobs")) as running:
        with running.catalog._engine.write() as tx:
            jobs.enqueue(tx, running.catalog.clock(), COPY, [copy_key(STORE, f"o{number}") for number in range(5)])
            jobs.enqueue(tx, running.catalog.clock(), FLOW_DELETION, ["a-request"])
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


def test_only_administrators_see_jobs(running: Running) -> None:
    with running.with_scopes("read", "write", "delete") as client:
        assert client.get("/jobs").json()["code"] == "auth.scope"
    with running.stranger() as client:
        assert client.get("/jobs").status_code == 401

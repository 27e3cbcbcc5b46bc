"""F4: the tests of deletion against a server that runs every deletion in the background."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import httpx
import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.deletions import await_deletion, delete_flow, delete_segments
from tests.conformance.kit.server import Subject, own_server
from tests.conformance.test_delete_requests import *  # noqa: F403
from tests.conformance.test_object_lifetime import *  # noqa: F403
from tests.conformance.test_segment_deletion import *  # noqa: F403

RETENTION_S = 3600


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    settings = {"TAMS_ASYNC_DELETION_THRESHOLD": "0", "TAMS_DELETE_REQUEST_RETENTION": str(RETENTION_S)}
    with own_server(tmp_path_factory.mktemp("async"), settings) as subject:
        yield subject


@pytest.fixture(scope="module")
def http(subject: Subject) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {subject.token}"}
    with httpx.Client(base_url=subject.url, headers=headers, timeout=30) as client:
        yield client


@pytest.mark.behaviour("SEG-DEL-13", "FLOW-DEL-02")
@pytest.mark.parametrize("delete", [delete_segments, delete_flow], ids=["segments", "flow"])
def test_deleting_a_single_segment_creates_a_request(tams: TamsClient, delete: object) -> None:
    flow = tams.make_flow()
    tams.make_segments(flow["id"], ["[0:0_1:0)"])
    assert delete(tams, flow["id"]) is not None  # type: ignore[operator]


@pytest.mark.behaviour("DREQ-09")
def test_a_request_expires_when_the_setting_says(tams: TamsClient) -> None:
    flow = tams.make_flow()
    tams.make_segments(flow["id"], ["[0:0_1:0)"])
    request = tams.delete(f"/flows/{flow['id']}/segments").json()
    kept = datetime.fromisoformat(request["expiry"]) - datetime.fromisoformat(request["created"])
    assert kept == timedelta(seconds=RETENTION_S)


@pytest.mark.behaviour("SORT-03", "SVC-SORT-01", "A09")
@pytest.mark.parametrize("query", ["sort_by=updated", "limit=abc"])
def test_the_listing_of_requests_rejects_invalid_queries(tams: TamsClient, query: str) -> None:
    assert tams.request("GET", f"/flow-delete-requests?{query}").status_code == 400


@pytest.mark.behaviour("DREQ-03", "SORT-04", "SORT-06", "PAGE-03", "A57")
@pytest.mark.parametrize("sort_by", ["created", "expiry"])
@pytest.mark.parametrize("reverse", [False, True], ids=["newest first", "oldest first"])
def test_all_requests_are_listed_in_order(tams: TamsClient, sort_by: str, reverse: bool) -> None:
    made = []
    for _ in range(3):
        flow = tams.make_flow()
        tams.make_segments(flow["id"], ["[0:0_1:0)"])
        response = tams.delete(f"/flows/{flow['id']}/segments")
        await_deletion(tams, response)
        made.append(response.json()["id"])
    pages = tams.pages("/flow-delete-requests", sort_by=sort_by, reverse_order=reverse, limit=2)
    found = [item["id"] for page in pages for item in page.json() if item["id"] in made]
    assert found == (made if reverse else made[::-1])


@pytest.mark.behaviour("A59")
def test_a_flow_cannot_be_created_again_while_it_is_being_deleted(tams: TamsClient) -> None:
    flow = tams.make_flow()
    tams.make_segments(flow["id"], [f"[{n}:0_{n + 1}:0)" for n in range(20)])
    response = tams.delete(f"/flows/{flow['id']}")
    again = tams.put(f"/flows/{flow['id']}", flow)
    await_deletion(tams, response)
    assert again.status_code in (201, 404)
    if again.status_code == 404:
        assert tams.put(f"/flows/{flow['id']}", flow).status_code == 201
    assert tams.segments(flow["id"]) == []

"""Flow delete requests, by which slow deletions are followed. Skipped if a server deletes immediately."""

from collections.abc import Callable
from datetime import datetime

import httpx
import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.deletions import await_deletion
from tests.conformance.kit.documents import Json
from tests.conformance.kit.ids import fresh
from tests.conformance.kit.polling import wait_until
from tests.conformance.kit.segments import normalised, timeranges
from tests.conformance.kit.skips import not_implemented

LISTING = "/flow-delete-requests"
ORDER = ["created", "started", "done", "error"]

Started = Callable[..., tuple[Json, httpx.Response]]


@pytest.fixture
def started(tams: TamsClient) -> Started:
    """A function that starts a deletion of a flow or some of its segments, and returns the flow and the response.

    Skips if the response is not a delete request.
    """

    def start(what: str = "segments", **params: str) -> tuple[Json, httpx.Response]:
        flow = tams.make_flow()
        for start in range(0, 60, 20):
            tams.make_segments(flow["id"], [f"[{n}:0_{n + 1}:0)" for n in range(start, start + 20)])
        path = f"/flows/{flow['id']}" + ("/segments" if what == "segments" else "")
        response = tams.delete(path, **params)
        if response.status_code == 204:
            not_implemented(f"delete requests: a {what} deletion of 60 segments is immediate")
        assert response.status_code == 202, response.text
        return flow, response

    return start


@pytest.mark.behaviour("DREQ-01", "DREQ-03", "PAGE-08", "PAGE-10", "PAGE-11", "PAGE-15")
def test_delete_requests_are_listed_in_pages(tams: TamsClient) -> None:
    get, head = tams.get(LISTING), tams.head(LISTING)
    assert get.status_code == head.status_code == 200
    assert head.content == b""
    for response in (get, head):
        assert response.headers["X-Paging-Limit"]
        assert response.headers["X-Paging-Reverse-Order"] == "false"
    assert get.headers["X-Paging-Count"] == str(len(get.json()))


@pytest.mark.behaviour("DREQ-04")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("request_id", [None, "not-a-uuid", "a%2Fb"], ids=["unknown", "malformed", "slash"])
def test_an_unknown_delete_request_is_not_found(tams: TamsClient, method: str, request_id: str | None) -> None:
    assert tams.request(method, f"{LISTING}/{request_id or fresh()}").status_code == 404


@pytest.mark.behaviour("SVC-SORT-01", "SORT-03", "A09", "AMB-30")
@pytest.mark.parametrize("query", ["sort_by=updated", "sort_by=label", "limit=abc", "page=never-issued"])
def test_an_invalid_query_is_rejected(tams: TamsClient, query: str) -> None:
    """No 400 is documented, so a server may also ignore such a query."""
    assert tams.request("GET", f"{LISTING}?{query}").status_code in (400, 200)


@pytest.mark.behaviour("DREQ-05", "DREQ-12", "SEG-DEL-13", "DEL-01", "DEL-02", "AMB-28", "DREQ-11")
@pytest.mark.parametrize("what", ["segments", "flow"])
def test_the_response_links_to_the_delete_request(tams: TamsClient, started: Started, what: str) -> None:
    params = {"timerange": "[10:0_50:0)"} if what == "segments" else {}
    flow, response = started(what, **params)
    request = response.json()
    assert request["flow_id"] == flow["id"]
    assert request["delete_flow"] is (what == "flow")
    assert normalised(request["timerange_to_delete"]) == normalised(params.get("timerange", "_"))
    location = response.headers["Location"]
    assert f"/flow-delete-requests/{request['id']}" in location
    found = tams.request("GET", str(response.request.url.join(location)))
    assert found.status_code == 200
    assert {name: found.json()[name] for name in ("id", "flow_id", "delete_flow", "created")} == {
        name: request[name] for name in ("id", "flow_id", "delete_flow", "created")
    }
    assert tams.head(f"{LISTING}/{request['id']}").status_code == 200


@pytest.mark.behaviour("DREQ-06", "DREQ-07", "DREQ-09", "A58", "DEL-02")
def test_a_delete_request_progresses_and_finishes(tams: TamsClient, started: Started) -> None:
    _, response = started()
    seen = [response.json()]

    def done() -> bool:
        seen.append(tams.get(f"{LISTING}/{response.json()['id']}").json())
        return bool(seen[-1]["status"] == "done")

    wait_until(done, "the deletion to finish")
    steps = [ORDER.index(each["status"]) for each in seen]
    assert steps == sorted(steps)
    assert normalised(seen[-1].get("timerange_remaining", "()")).is_empty
    assert len({each.get("created") for each in seen}) == 1
    moments = [datetime.fromisoformat(each["updated"]) for each in seen if "updated" in each]
    assert moments == sorted(moments)
    if "expiry" in seen[-1]:
        assert datetime.fromisoformat(seen[-1]["expiry"]) > datetime.fromisoformat(seen[-1]["created"])


@pytest.mark.behaviour("DREQ-11", "SEG-DEL-13")
def test_segments_are_gone_when_done_and_the_flow_remains(tams: TamsClient, started: Started) -> None:
    flow, response = started(timerange="[1:0_59:0)")
    await_deletion(tams, response)
    assert timeranges(tams, flow["id"]) == ["[0:0_1:0)", "[59:0_60:0)"]
    assert tams.get(f"/flows/{flow['id']}").status_code == 200


@pytest.mark.behaviour("DREQ-11", "FLOW-DEL-02", "DEL-05")
def test_a_flow_is_gone_when_done_and_its_id_is_free(tams: TamsClient, started: Started) -> None:
    flow, response = started("flow")
    await_deletion(tams, response)
    assert tams.get(f"/flows/{flow['id']}").status_code == 404
    assert tams.put(f"/flows/{flow['id']}", flow).status_code == 201
    assert timeranges(tams, flow["id"]) == []


@pytest.mark.behaviour("DREQ-02", "DREQ-01", "DEL-03")
def test_at_least_one_delete_request_is_listed_if_any_exist(tams: TamsClient, started: Started) -> None:
    started()
    assert tams.get(LISTING, limit=1).json()


@pytest.mark.behaviour("DREQ-10")
def test_a_delete_request_names_its_creator(tams: TamsClient, started: Started) -> None:
    flow, response = started()
    author = tams.get(f"/flows/{flow['id']}").json().get("created_by")
    assert response.json().get("created_by") == author


@pytest.mark.behaviour("A59")
def test_segments_registered_after_the_request_remain(tams: TamsClient, started: Started) -> None:
    flow, response = started()
    later = tams.make_segments(flow["id"], ["[1000:0_1001:0)"])
    await_deletion(tams, response)
    assert timeranges(tams, flow["id"]) == [later[0]["timerange"]]

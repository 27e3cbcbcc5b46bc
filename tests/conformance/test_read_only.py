"""Read-only flows: the operations that are rejected, and those that remain possible (RO-*)."""

from typing import Any

import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import MULTI, Json, flow
from tests.conformance.kit.flow_states import put_flow, read_flow
from tests.conformance.kit.ids import fresh_name

GOOD_SEGMENT = {"object_id": "an-object", "timerange": "[5:0_6:0)"}


def rejected(behaviour: str, method: str, path: str, *bodies: Any) -> list[Any]:
    """A case for each of these bodies. None means no body."""
    return [
        pytest.param(
            method, path, body, marks=pytest.mark.behaviour(behaviour), id=f"{behaviour}-{method}{path}-{number}"
        )
        for number, body in enumerate(bodies)
    ]


REJECTED = [
    *rejected("RO-02", "DELETE", "", None),
    *rejected("RO-03", "PUT", "/tags/genre", "weather", ["a"]),
    *rejected("RO-03", "PUT", "/tags/new", "weather"),
    *rejected("RO-03", "DELETE", "/tags/genre", None),
    *rejected("RO-04", "PUT", "/description", "text"),
    *rejected("RO-04", "DELETE", "/description", None),
    *rejected("RO-05", "PUT", "/label", "text"),
    *rejected("RO-05", "DELETE", "/label", None),
    *rejected("RO-06", "PUT", "/flow_collection", []),
    *rejected("RO-06", "DELETE", "/flow_collection", None),
    *rejected("RO-07", "PUT", "/max_bit_rate", 1),
    *rejected("RO-07", "DELETE", "/max_bit_rate", None),
    *rejected("RO-07", "PUT", "/avg_bit_rate", 1),
    *rejected("RO-07", "DELETE", "/avg_bit_rate", None),
    *rejected("RO-08", "POST", "/segments", GOOD_SEGMENT, [GOOD_SEGMENT]),
    *rejected("RO-09", "DELETE", "/segments", None),
    *rejected("RO-09", "DELETE", "/segments?timerange=[0:0_1:0)", None),
    *rejected("RO-10", "POST", "/storage", {"limit": 1}, {}),
]

READ = [
    "",
    "/tags",
    "/tags/genre",
    "/description",
    "/label",
    "/read_only",
    "/flow_collection",
    "/max_bit_rate",
    "/avg_bit_rate",
    "/segments",
]


@pytest.fixture
def locked(tams: TamsClient) -> Json:
    """The document of a read-only flow with a segment, a collected flow, and all members set."""
    member = tams.make_flow()
    document = tams.make_flow(
        flow(
            MULTI,
            container="video/mp2t",
            flow_collection=[{"id": member["id"]}],
            label="A",
            description="B",
            tags={"genre": "news"},
            max_bit_rate=2000,
            avg_bit_rate=1000,
        )
    )
    tams.make_segments(document["id"], ["[0:0_1:0)"])
    assert tams.put(f"/flows/{document['id']}/read_only", True).status_code == 204
    return {**document, "read_only": True}


@pytest.mark.parametrize(("method", "path", "body"), REJECTED)
def test_a_read_only_flow_is_not_changed(tams: TamsClient, locked: Json, method: str, path: str, body: Any) -> None:
    before = (read_flow(tams, locked["id"], include_timerange=True), tams.segments(locked["id"], accept_get_urls=""))
    options = {} if body is None else {"json": body}
    assert tams.request(method, f"/flows/{locked['id']}{path}", **options).status_code == 403
    after = (read_flow(tams, locked["id"], include_timerange=True), tams.segments(locked["id"], accept_get_urls=""))
    assert after == before


@pytest.mark.behaviour("RO-01", "FLOW-PUT-07", "A65")
@pytest.mark.parametrize("read_only", [True, False])
def test_a_read_only_flow_is_not_replaced(tams: TamsClient, locked: Json, read_only: bool) -> None:
    before = read_flow(tams, locked["id"])
    assert put_flow(tams, {**locked, "label": "changed", "read_only": read_only}).status_code == 403
    assert read_flow(tams, locked["id"]) == before


@pytest.mark.behaviour("RO-11", "FLOW-RO-04")
def test_a_flow_can_be_changed_again_after_unlocking(tams: TamsClient, locked: Json) -> None:
    assert tams.put(f"/flows/{locked['id']}/read_only", False).status_code == 204
    assert tams.put(f"/flows/{locked['id']}/label", "changed").status_code == 204
    assert read_flow(tams, locked["id"])["label"] == "changed"


@pytest.mark.behaviour("RO-12")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", READ)
def test_a_read_only_flow_can_be_read(tams: TamsClient, locked: Json, method: str, path: str) -> None:
    assert tams.request(method, f"/flows/{locked['id']}{path}").status_code == 200


@pytest.mark.behaviour("RO-13")
@pytest.mark.parametrize("path", ["label", "description", "tags/genre"])
def test_the_source_of_a_read_only_flow_can_be_changed(tams: TamsClient, locked: Json, path: str) -> None:
    url = f"/sources/{locked['source_id']}/{path}"
    assert tams.put(url, "text").status_code == 204
    assert tams.get(url).json() == "text"
    assert tams.delete(url).status_code == 204


@pytest.mark.behaviour("RO-14", "FLOW-COLL-06")
def test_a_read_only_flow_can_be_collected(tams: TamsClient, locked: Json) -> None:
    collector = tams.make_flow(flow(MULTI, flow_collection=[{"id": locked["id"]}]))
    assert read_flow(tams, locked["id"])["collected_by"] == [collector["id"]]
    assert tams.put(f"/flows/{collector['id']}/flow_collection", []).status_code == 204
    assert not read_flow(tams, locked["id"]).get("collected_by")


@pytest.mark.behaviour("RO-15")
def test_the_objects_of_a_read_only_flow_can_be_reused(tams: TamsClient, locked: Json) -> None:
    object_id = tams.segments(locked["id"])[0]["object_id"]
    other = tams.make_flow()
    segment = {"object_id": object_id, "timerange": "[0:0_1:0)"}
    assert tams.post(f"/flows/{other['id']}/segments", segment).status_code == 201
    flows = tams.get(f"/objects/{object_id}").json()["referenced_by_flows"]
    assert set(flows) == {locked["id"], other["id"]}


@pytest.mark.behaviour("RO-16", "A32")
def test_adding_an_instance_to_a_read_only_flows_object_succeeds_or_changes_nothing(
    tams: TamsClient, locked: Json
) -> None:
    object_id = tams.segments(locked["id"])[0]["object_id"]
    place = {"url": "https://media.example.com/a-copy", "label": fresh_name("copy")}
    before = read_flow(tams, locked["id"])
    response = tams.post(f"/objects/{object_id}/instances", place)
    assert response.status_code in (201, 400, 403)
    labels = [url.get("label") for url in tams.get(f"/objects/{object_id}").json()["get_urls"]]
    assert (place["label"] in labels) == (response.status_code == 201)
    assert read_flow(tams, locked["id"]) == before

"""PUT of a flow: creation, and replacement of all members that a client sets (FLOW-PUT-*)."""

from typing import Any

import httpx
import pytest

from tests.conformance.kit.changes import OMITTED, changed
from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import AUDIO, DATA, IMAGE, MULTI, VIDEO, flow
from tests.conformance.kit.flow_states import flow_exists, put_flow, read_flow
from tests.conformance.kit.ids import fresh, fresh_name

OPTIONAL: list[tuple[str, Any]] = [
    ("label", "Evening news"),
    ("description", "The bulletin of the evening, as it was broadcast"),
    ("status", "ingesting"),
    ("generation", 2),
    ("max_bit_rate", 8000),
    ("avg_bit_rate", 0),
    ("segment_duration", {"numerator": 48, "denominator": 25}),
    ("container_mapping", {"track_index": 2, "mp2ts_container": {"pid": 257}}),
    ("tags", {"genre": "news", "presenters": ["Ada", "Grace"]}),
]
"""Optional members of a flow, each with a value."""


@pytest.mark.behaviour("FLOW-PUT-01", "FLOW-PUT-03", "FLOW-GET-01")
@pytest.mark.parametrize("format_", [VIDEO, AUDIO, IMAGE, DATA, MULTI])
def test_a_flow_of_each_format_is_created_and_read_back(tams: TamsClient, format_: str) -> None:
    document = flow(format_)
    response = put_flow(tams, document)
    assert response.status_code == 201
    assert document.items() <= response.json().items()
    assert document.items() <= read_flow(tams, document["id"]).items()


@pytest.mark.behaviour("FLOW-PUT-01", "FLOW-GET-01")
def test_the_response_to_creation_is_the_document_that_reads_back(tams: TamsClient) -> None:
    document = flow(label="A", tags={"a": ["b"]})
    assert put_flow(tams, document).json() == read_flow(tams, document["id"])


@pytest.mark.behaviour("FLOW-PUT-02", "GEN-06")
def test_replacing_a_flow_returns_no_body(tams: TamsClient) -> None:
    document = tams.make_flow()
    response = put_flow(tams, {**document, "label": "B"})
    assert (response.status_code, response.content) == (204, b"")
    assert read_flow(tams, document["id"])["label"] == "B"


@pytest.mark.behaviour("FLOW-PUT-04", "FLOW-SRC-06")
def test_another_id_in_the_body_is_rejected(tams: TamsClient) -> None:
    document, path_id = flow(), fresh()
    tams.delete_later(path_id)
    assert tams.put(f"/flows/{path_id}", document).status_code == 400
    assert not flow_exists(tams, path_id)
    assert not flow_exists(tams, document["id"])


@pytest.mark.behaviour("FLOW-PUT-04", "FLOW-SRC-06")
def test_the_id_of_a_flow_cannot_be_changed(tams: TamsClient) -> None:
    document, other = tams.make_flow(), fresh()
    tams.delete_later(other)
    assert tams.put(f"/flows/{document['id']}", {**document, "id": other}).status_code == 400
    assert read_flow(tams, document["id"])["id"] == document["id"]
    assert not flow_exists(tams, other)


@pytest.mark.behaviour("FLOW-PUT-05")
@pytest.mark.parametrize("name", ["id", "source_id"])
@pytest.mark.parametrize("value", [OMITTED, None, "nonsense", 5], ids=["missing", "null", "malformed", "number"])
def test_a_flow_needs_its_id_and_its_source(tams: TamsClient, name: str, value: Any) -> None:
    document = flow()
    tams.delete_later(document["id"])
    response = tams.put(f"/flows/{document['id']}", changed(document, name, value))
    assert response.status_code == 400
    assert not flow_exists(tams, document["id"])


@pytest.mark.behaviour("FLOW-PUT-06", "GEN-01", "A02")
@pytest.mark.parametrize("flow_id", ["nonsense", "8f14e45f-ceea-767f-a8d4-dd1c3b1e0f00"])
def test_a_malformed_path_id_is_rejected(tams: TamsClient, flow_id: str) -> None:
    assert put_flow(tams, flow() | {"id": flow_id}).status_code in (404, 400)
    assert tams.get(f"/flows/{flow_id}").status_code in (404, 400)


@pytest.mark.behaviour("FLOW-PUT-08", "FLOW-PUT-10", "FLOW-SRC-09")
@pytest.mark.parametrize(("name", "value"), OPTIONAL, ids=[name for name, _ in OPTIONAL])
def test_an_optional_member_is_kept_and_then_removed_when_omitted(tams: TamsClient, name: str, value: Any) -> None:
    bare = flow(avg_bit_rate=None, segment_duration=None)
    tams.make_flow({**bare, name: value})
    assert read_flow(tams, bare["id"])[name] == value
    assert put_flow(tams, bare).status_code == 204
    assert not read_flow(tams, bare["id"]).get(name)


@pytest.mark.behaviour("FLOW-PUT-08", "A15")
def test_a_collection_is_removed_when_omitted(tams: TamsClient) -> None:
    member = tams.make_flow()
    bare = flow(MULTI)
    tams.make_flow({**bare, "flow_collection": [{"id": member["id"]}]})
    assert put_flow(tams, bare).status_code == 204
    assert not read_flow(tams, bare["id"]).get("flow_collection")


@pytest.mark.behaviour("FLOW-PUT-08", "A30")
def test_read_only_false_is_removed_when_omitted(tams: TamsClient) -> None:
    document = tams.make_flow(flow(read_only=False))
    assert put_flow(tams, changed(document, "read_only", OMITTED)).status_code == 204
    assert not read_flow(tams, document["id"]).get("read_only")


@pytest.mark.behaviour("FLOW-PUT-09", "TAG-08")
def test_tags_are_replaced_and_not_merged(tams: TamsClient) -> None:
    document = tams.make_flow(flow(tags={"old": "1", "both": "1"}))
    assert put_flow(tams, {**document, "tags": {"both": "2", "new": ["3"]}}).status_code == 204
    assert read_flow(tams, document["id"])["tags"] == {"both": "2", "new": ["3"]}


@pytest.mark.behaviour("FLOW-PUT-09", "FLOW-PUT-10", "TAG-08")
@pytest.mark.parametrize("tags", [OMITTED, {}], ids=["left-out", "empty"])
def test_tags_removed_by_a_put_are_no_longer_found(tams: TamsClient, tags: Any) -> None:
    name = fresh_name()
    document = tams.make_flow(flow(tags={name: "1"}))
    assert [item["id"] for item in tams.get("/flows", **{f"tag.{name}": "1"}).json()] == [document["id"]]
    assert put_flow(tams, changed(document, "tags", tags)).status_code == 204
    assert tams.get("/flows", **{f"tag.{name}": "1"}).json() == []
    assert tams.get(f"/flows/{document['id']}/tags").json() == {}


@pytest.mark.behaviour("FLOW-PUT-11")
@pytest.mark.parametrize("format_", [VIDEO, AUDIO, IMAGE, DATA, MULTI])
def test_a_flow_can_be_put_back_as_it_reads(tams: TamsClient, format_: str) -> None:
    collected = tams.make_flow(flow(format_, label="C", tags={"t": "1"}, generation=1, status="closed_complete"))
    tams.make_flow(flow(MULTI, flow_collection=[{"id": collected["id"]}]))
    before = read_flow(tams, collected["id"], include_timerange=True)
    assert put_flow(tams, before).status_code == 204
    after = read_flow(tams, collected["id"], include_timerange=True)
    moving = {"metadata_updated", "metadata_version", "updated_by"}
    assert {name: after.get(name) for name in before.keys() - moving} == {
        name: before[name] for name in before.keys() - moving
    }


@pytest.mark.behaviour("FLOW-PUT-12", "A21")
def test_an_unknown_member_is_accepted(tams: TamsClient) -> None:
    document = flow(label="D")
    response = put_flow(tams, {**document, "x-" + fresh_name(): {"a": 1}})
    assert response.status_code in (201, 400)
    assert flow_exists(tams, document["id"]) == (response.status_code == 201)


@pytest.mark.behaviour("FLOW-PUT-13")
@pytest.mark.parametrize("status", ["awaiting_content", "ingesting", "replication_in_progress", "closed_complete"])
def test_each_status_is_kept(tams: TamsClient, status: str) -> None:
    document = tams.make_flow()
    assert put_flow(tams, {**document, "status": status}).status_code == 204
    assert read_flow(tams, document["id"])["status"] == status


@pytest.mark.behaviour("FLOW-PUT-13")
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_the_status_has_no_path_of_its_own(http: httpx.Client, tams: TamsClient, method: str) -> None:
    document = tams.make_flow(flow(status="ingesting"))
    body = "closed_complete" if method == "PUT" else None
    assert http.request(method, f"/flows/{document['id']}/status", json=body).status_code in (404, 405)
    assert read_flow(tams, document["id"])["status"] == "ingesting"


@pytest.mark.behaviour("FLOW-PUT-14")
@pytest.mark.parametrize("generation", [0, 1, 12])
def test_a_generation_is_kept(tams: TamsClient, generation: int) -> None:
    document = tams.make_flow(flow(generation=generation))
    assert read_flow(tams, document["id"])["generation"] == generation


@pytest.mark.behaviour("FLOW-PUT-15", "FLOW-PUT-07")
def test_a_flow_may_be_read_only_from_its_creation(tams: TamsClient) -> None:
    document = tams.make_flow(flow(read_only=True, label="E"))
    assert read_flow(tams, document["id"])["read_only"] is True
    assert put_flow(tams, {**document, "label": "F"}).status_code == 403
    assert read_flow(tams, document["id"])["label"] == "E"


@pytest.mark.behaviour("FLOW-META-17")
@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("format", OMITTED),
        ("codec", "h264"),
        ("essence_parameters.frame_width", 0),
        ("tags", {"a": 1}),
        ("status", "x"),
    ],
)
def test_a_rejected_replacement_leaves_the_flow_as_it_was(tams: TamsClient, path: str, value: Any) -> None:
    document = tams.make_flow(flow(label="G", tags={"kept": "1"}))
    before = read_flow(tams, document["id"])
    assert put_flow(tams, changed({**document, "label": "H"}, path, value)).status_code == 400
    assert read_flow(tams, document["id"]) == before

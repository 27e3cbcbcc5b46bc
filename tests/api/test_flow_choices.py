"""Flows: the choices of this server where the standard leaves them open."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.in_process import TOKEN, Running, serving
from tests.conformance.kit.changes import OMITTED, changed
from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import AUDIO, MULTI, VIDEO, Json, flow
from tests.conformance.kit.flow_states import put_flow, read_flow
from tests.conformance.kit.ids import fresh

MALFORMED = ["nonsense", "8f14e45f-ceea-767f-a8d4-dd1c3b1e0f00", "8F14E45F-CEEA-467F-A8D4-DD1C3B1E0F00"]


@pytest.mark.behaviour("FLOW-GET-02", "FLOW-PUT-06", "A02", "A33")
@pytest.mark.parametrize("flow_id", MALFORMED)
def test_a_malformed_id_in_the_path_is_not_found(tams: TamsClient, flow_id: str) -> None:
    assert tams.get(f"/flows/{flow_id}").status_code == 404
    assert tams.get(f"/flows/{flow_id}", timerange="junk").status_code == 404
    assert tams.put(f"/flows/{flow_id}", flow() | {"id": flow_id}).status_code == 404
    assert tams.delete(f"/flows/{flow_id}").status_code == 404


@pytest.mark.behaviour("FLOW-PUT-04", "A61")
def test_an_error_names_the_member_and_the_rule(tams: TamsClient) -> None:
    document, path_id = flow(), fresh()
    response = tams.put(f"/flows/{path_id}", document)
    assert response.status_code == 400
    assert response.headers["content-type"].startswith("application/problem+json")
    problem = response.json()
    assert (problem["field"], problem["behaviour"]) == ("id", "FLOW-PUT-04")
    assert document["id"] in problem["detail"] and path_id in problem["detail"]


@pytest.mark.behaviour("FLOW-VAL-04")
@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("essence_parameters.frame_width", 0),
        ("essence_parameters.frame_rate.numerator", 0),
        ("essence_parameters.no_such_key", 1),
        ("codec", "h264"),
        ("tags.a", 5),
    ],
)
def test_an_invalid_flow_is_validated_by_its_format(tams: TamsClient, path: str, value: Any) -> None:
    document = changed(flow(tags={}), path, value)
    response = put_flow(tams, document)
    assert response.status_code == 400
    assert path.rpartition(".")[2] in response.json()["detail"]


@pytest.mark.behaviour("FLOW-DESC-04", "A15")
@pytest.mark.parametrize("name", ["description", "label", "max_bit_rate", "avg_bit_rate", "flow_collection"])
def test_a_member_that_is_not_set_is_not_found_but_can_be_deleted(tams: TamsClient, name: str) -> None:
    path = f"/flows/{tams.make_flow(flow(avg_bit_rate=None))['id']}/{name}"
    assert (tams.get(path).status_code, tams.head(path).status_code) == (404, 404)
    assert tams.delete(path).status_code == 204


@pytest.mark.behaviour("FLOW-TAG-07", "A29")
def test_a_tag_that_is_not_set_cannot_be_deleted(tams: TamsClient) -> None:
    assert tams.delete(f"/flows/{tams.make_flow()['id']}/tags/missing").status_code == 404


@pytest.mark.behaviour("FLOW-GET-07", "A20")
@pytest.mark.parametrize(
    ("within", "shown"),
    [
        ("[5:0_15:0)", "[5:0_15:0)"),
        ("(5:0_15:0]", "[5:1_15:0]"),
        ("[20:0_30:0)", "()"),
        ("[15:0_25:0)", "[15:0_20:0)"),
        ("[25:0_35:0)", "[30:0_35:0)"),
        ("[12:0]", "[12:0]"),
        ("[35:0_99999999999999:0)", "[35:0_40:0)"),
    ],
)
def test_the_timerange_is_limited_to_the_requested_one(tams: TamsClient, within: str, shown: str) -> None:
    flow_id = tams.make_flow()["id"]
    tams.make_segments(flow_id, ["[0:0_10:0)", "[10:0_20:0)", "[30:0_40:0)"])
    assert read_flow(tams, flow_id, include_timerange=True, timerange=within)["timerange"] == shown


@pytest.mark.behaviour("FLOW-META-05", "A66")
def test_a_collecting_flow_has_the_timerange_of_its_own_segments(tams: TamsClient) -> None:
    member = tams.make_flow()
    tams.make_segments(member["id"], ["[0:0_10:0)"])
    collector = tams.make_flow(flow(MULTI, flow_collection=[{"id": member["id"]}]))
    assert read_flow(tams, collector["id"], include_timerange=True)["timerange"] == "()"


@pytest.mark.behaviour("FLOW-PUT-12", "A21")
def test_unknown_members_are_dropped(tams: TamsClient) -> None:
    document = flow()
    assert put_flow(tams, {**document, "colour": "blue"}).status_code == 201
    assert "colour" not in read_flow(tams, document["id"])


@pytest.mark.behaviour("FLOW-META-04", "A67")
def test_a_flow_without_segments_has_no_segments_updated(tams: TamsClient) -> None:
    document = tams.make_flow(flow(segments_updated="2001-02-03T04:05:06Z"))
    assert "segments_updated" not in read_flow(tams, document["id"])


@pytest.mark.behaviour("FLOW-VAL-20", "A23")
def test_an_uncompressed_flow_needs_only_what_the_schema_requires(tams: TamsClient) -> None:
    assert put_flow(tams, flow(VIDEO, codec="video/raw")).status_code == 201


@pytest.mark.behaviour("FLOW-SRC-02", "FLOW-SRC-07", "A14", "A26")
def test_format_and_source_of_a_flow_never_change(tams: TamsClient) -> None:
    document = tams.make_flow()
    assert put_flow(tams, flow(AUDIO) | {name: document[name] for name in ("id", "source_id")}).status_code == 400
    assert put_flow(tams, {**document, "source_id": fresh()}).status_code == 400


@pytest.mark.behaviour("FLOW-SRC-07", "FLOW-SRC-08")
@pytest.mark.parametrize(
    ("path", "value"),
    [("codec", "video/hevc"), ("container", OMITTED), ("generation", 4), ("essence_parameters.frame_width", 1920)],
)
def test_other_technical_members_may_change(tams: TamsClient, path: str, value: Any) -> None:
    document = changed(tams.make_flow(), path, value)
    assert put_flow(tams, document).status_code == 204
    read = read_flow(tams, document["id"])
    assert document.items() <= read.items()
    assert value is not OMITTED or path not in read


@pytest.mark.behaviour("FLOW-COLL-08", "A27")
def test_a_flow_may_collect_itself_and_one_flow_twice(tams: TamsClient) -> None:
    document, member = flow(MULTI), tams.make_flow()
    items = [{"id": document["id"]}, {"id": member["id"], "role": "a"}, {"id": member["id"], "role": "b"}]
    assert put_flow(tams, {**document, "flow_collection": items}).status_code == 201
    assert read_flow(tams, document["id"])["flow_collection"] == items
    assert read_flow(tams, document["id"])["collected_by"] == [document["id"]]
    assert read_flow(tams, member["id"])["collected_by"] == [document["id"]]


@pytest.mark.behaviour("FLOW-DEL-11", "A28", "FLOW-META-13")
def test_deleting_a_flow_removes_it_from_collections(tams: TamsClient) -> None:
    doomed, kept = tams.make_flow(), tams.make_flow(flow(AUDIO))
    items = [{"id": doomed["id"]}, {"id": kept["id"]}]
    parent = tams.make_flow(flow(MULTI, flow_collection=items))["id"]
    before = read_flow(tams, parent)
    assert tams.delete(f"/flows/{doomed['id']}").status_code == 204
    after = read_flow(tams, parent)
    assert after["flow_collection"] == items[1:]
    assert after["metadata_version"] != before["metadata_version"]
    source = tams.get(f"/sources/{after['source_id']}").json()
    assert [item["id"] for item in source["source_collection"]] == [kept["source_id"]]


@pytest.mark.behaviour("FLOW-META-02", "FLOW-META-11", "A60")
def test_being_collected_does_not_change_the_metadata(tams: TamsClient) -> None:
    member = tams.make_flow()["id"]
    before = read_flow(tams, member)
    collector = tams.make_flow(flow(MULTI, flow_collection=[{"id": member}]))["id"]
    assert read_flow(tams, member) == {**before, "collected_by": [collector]}


@pytest.mark.behaviour("FLOW-META-12")
def test_metadata_version_from_the_client_is_accepted(tams: TamsClient) -> None:
    document = tams.make_flow(flow(metadata_version="v1"))
    assert put_flow(tams, {**document, "metadata_version": "v2"}).status_code == 204
    assert read_flow(tams, document["id"])["metadata_version"] == "v2"


@pytest.mark.behaviour("A33")
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/label", 5),
        ("PUT", "/tags/a", 5),
        ("PUT", "/flow_collection", "none"),
        ("POST", "/segments", {"object_id": 5}),
        ("POST", "/storage", {"limit": "many"}),
        ("DELETE", "/segments?timerange=junk", None),
    ],
)
def test_not_found_precedes_forbidden_precedes_invalid(tams: TamsClient, method: str, path: str, body: Any) -> None:
    locked, free = tams.make_flow(flow(read_only=True)), tams.make_flow()
    options = {} if body is None else {"json": body}
    for flow_id, status in ((fresh(), 404), (locked["id"], 403), (free["id"], 400)):
        assert tams.request(method, f"/flows/{flow_id}{path}", **options).status_code == status


@pytest.mark.behaviour("A33", "RO-01", "A65")
def test_an_invalid_replacement_of_a_read_only_flow_is_forbidden(tams: TamsClient) -> None:
    locked = tams.make_flow(flow(read_only=True))
    assert put_flow(tams, {**locked, "codec": 5}).status_code == 403


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that deletes more than three segments in the background."""
    with serving(tmp_path_factory.mktemp("flows"), async_deletion_threshold=3) as running:
        yield running


def stored(running: Running, document: Json) -> Json:
    """PUT a flow and return it as it is read afterwards."""
    assert running.client.put(f"/flows/{document['id']}", json=document).status_code in (201, 204)
    read: Json = running.client.get(f"/flows/{document['id']}").json()
    return read


@pytest.mark.behaviour("FLOW-META-07", "FLOW-META-08")
def test_created_by_and_updated_by_are_the_principals(running: Running) -> None:
    document = flow()
    creator = stored(running, document)["created_by"]
    with running.with_scopes("write", "read") as other:
        assert other.put(f"/flows/{document['id']}/label", json="A").status_code == 204
        read = other.get(f"/flows/{document['id']}").json()
    assert (read["created_by"], read["updated_by"]) == (creator, "only write read")


@pytest.mark.behaviour("FLOW-META-07", "FLOW-META-08")
def test_created_by_from_the_client_is_kept_but_updated_by_is_not(running: Running) -> None:
    read = stored(running, flow(created_by="ingest robot", updated_by="somebody else"))
    assert read["created_by"] == "ingest robot"
    assert read["updated_by"] == stored(running, flow())["created_by"]


@pytest.mark.behaviour("FLOW-DEL-02", "FLOW-DEL-03", "FLOW-DEL-06", "A59", "AMB-28")
def test_a_slow_deletion_responds_immediately_with_a_request(running: Running) -> None:
    document = flow(id=fresh())
    stored(running, document)
    path = f"/flows/{document['id']}"
    items = running.client.post(f"{path}/storage", json={"limit": 4}).json()["media_objects"]
    segments = [{"object_id": item["object_id"], "timerange": f"[{n}:0_{n + 1}:0)"} for n, item in enumerate(items)]
    assert running.client.post(f"{path}/segments", json=segments).status_code == 201
    response = running.client.delete(path)
    assert response.status_code == 202
    assert response.headers["Location"].endswith(f"/flow-delete-requests/{response.json()['id']}")
    assert (response.json()["delete_flow"], response.json()["timerange_to_delete"]) == (True, "_")
    assert running.client.get(response.headers["Location"]).json()["id"] == response.json()["id"]
    assert running.client.get(path).status_code == 404
    assert running.client.put(path, json=document).status_code == 404
    assert TOKEN not in response.headers["Location"]


@pytest.mark.behaviour("RO-16", "A32")
def test_objects_of_a_read_only_flow_accept_another_instance(tams: TamsClient) -> None:
    locked = tams.make_flow()
    object_id = tams.make_segments(locked["id"], ["[0:0_1:0)"])[0]["object_id"]
    assert tams.put(f"/flows/{locked['id']}/read_only", True).status_code == 204
    place = {"url": "https://media.example.com/a-copy", "label": "copy"}
    assert tams.post(f"/objects/{object_id}/instances", place).status_code == 201

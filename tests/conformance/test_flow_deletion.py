"""Deletion of a flow and of everything that depends on it alone (FLOW-DEL-*)."""

import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.deletions import await_deletion, delete_flow
from tests.conformance.kit.documents import AUDIO, MULTI, flow, init_flow
from tests.conformance.kit.flow_states import flow_exists, put_flow, read_flow
from tests.conformance.kit.ids import fresh, fresh_name
from tests.conformance.kit.polling import wait_until
from tests.conformance.kit.skips import not_implemented

MANY = 1100
"""The number of segments of a flow that is slow to delete."""


def object_is_there(tams: TamsClient, object_id: str) -> bool:
    status = tams.get(f"/objects/{object_id}").status_code
    assert status in (200, 404)
    return status == 200


@pytest.mark.behaviour("FLOW-DEL-01", "GEN-06")
def test_a_deleted_flow_is_gone(tams: TamsClient) -> None:
    flow_id = tams.make_flow()["id"]
    response = tams.delete(f"/flows/{flow_id}")
    assert response.status_code in (202, 204)
    assert response.status_code == 202 or response.content == b""
    wait_until(lambda: tams.get(f"/flows/{flow_id}").status_code == 404, "the flow to be deleted")
    assert tams.head(f"/flows/{flow_id}").status_code == 404
    assert tams.get(f"/flows/{flow_id}/label").status_code == 404


@pytest.mark.behaviour("FLOW-DEL-01")
def test_a_deleted_flow_is_no_longer_listed(tams: TamsClient) -> None:
    tag = fresh_name()
    kept, deleted = (tams.make_flow(flow(tags={tag: "1"}))["id"] for _ in range(2))
    delete_flow(tams, deleted)
    assert [item["id"] for item in tams.get("/flows", **{f"tag.{tag}": "1"}).json()] == [kept]


@pytest.mark.behaviour("FLOW-DEL-02", "FLOW-DEL-03", "FLOW-DEL-06", "AMB-28")
def test_a_flow_with_many_segments_is_deleted_immediately_or_by_a_request(tams: TamsClient) -> None:
    flow_id = tams.make_flow()["id"]
    object_id = tams.make_objects(flow_id, 1)[0]
    segments = [
        {"object_id": object_id, "timerange": f"[{at}:0_{at + 1}:0)", "ts_offset": f"{at}:0"} for at in range(MANY)
    ]
    for start in range(0, MANY, 100):
        assert tams.post(f"/flows/{flow_id}/segments", segments[start : start + 100]).status_code == 201
    response = tams.delete(f"/flows/{flow_id}")
    request = await_deletion(tams, response)
    if request is not None:
        assert (response.json()["flow_id"], response.json()["delete_flow"]) == (flow_id, True)
        assert (request["id"], request["flow_id"]) == (response.json()["id"], flow_id)
    assert not flow_exists(tams, flow_id)
    wait_until(lambda: not object_is_there(tams, object_id), "the object to be deleted")


@pytest.mark.behaviour("FLOW-DEL-04")
@pytest.mark.parametrize("flow_id", [None, "nonsense", "8f14e45f-ceea-767f-a8d4-dd1c3b1e0f00"])
def test_an_unknown_flow_cannot_be_deleted(tams: TamsClient, flow_id: str | None) -> None:
    assert tams.delete(f"/flows/{flow_id or fresh()}").status_code == 404


@pytest.mark.behaviour("FLOW-DEL-04")
def test_a_flow_is_deleted_only_once(tams: TamsClient) -> None:
    flow_id = tams.make_flow()["id"]
    delete_flow(tams, flow_id)
    assert tams.delete(f"/flows/{flow_id}").status_code == 404


@pytest.mark.behaviour("FLOW-DEL-05", "RO-02")
def test_a_read_only_flow_is_not_deleted(tams: TamsClient) -> None:
    flow_id = tams.make_flow()["id"]
    tams.make_segments(flow_id, ["[0:0_1:0)"])
    assert tams.put(f"/flows/{flow_id}/read_only", True).status_code == 204
    before = read_flow(tams, flow_id)
    assert tams.delete(f"/flows/{flow_id}").status_code == 403
    assert read_flow(tams, flow_id) == before
    assert len(tams.segments(flow_id)) == 1
    assert tams.put(f"/flows/{flow_id}/read_only", False).status_code == 204
    delete_flow(tams, flow_id)


@pytest.mark.behaviour("FLOW-DEL-06", "A34")
def test_the_segments_go_with_their_flow(tams: TamsClient) -> None:
    flow_id = tams.make_flow()["id"]
    tams.make_segments(flow_id, ["[0:0_1:0)", "[1:0_2:0)"])
    delete_flow(tams, flow_id)
    wait_until(
        lambda: (response := tams.get(f"/flows/{flow_id}/segments")).status_code == 404 or response.json() == [],
        "the segments to be unlisted",
    )


@pytest.mark.behaviour("FLOW-DEL-07", "RO-15")
def test_objects_that_another_flow_uses_remain(tams: TamsClient) -> None:
    first, second = (tams.make_flow()["id"] for _ in range(2))
    segment = tams.make_segments(first, ["[0:0_1:0)"])[0]
    assert tams.post(f"/flows/{second}/segments", segment).status_code == 201
    path = f"/objects/{segment['object_id']}"
    assert set(tams.get(path).json()["referenced_by_flows"]) == {first, second}
    delete_flow(tams, first)
    wait_until(lambda: tams.get(path).json()["referenced_by_flows"] == [second], "only the other flow to be listed")
    assert [item["object_id"] for item in tams.segments(second)] == [segment["object_id"]]


@pytest.mark.behaviour("FLOW-DEL-08", "A13")
def test_objects_that_no_flow_uses_are_removed(tams: TamsClient) -> None:
    flow_id = tams.make_flow()["id"]
    ids = [segment["object_id"] for segment in tams.make_segments(flow_id, ["[0:0_1:0)", "[1:0_2:0)"])]
    assert all(object_is_there(tams, id_) for id_ in ids)
    delete_flow(tams, flow_id)
    wait_until(lambda: not any(object_is_there(tams, id_) for id_ in ids), "the objects to be deleted")


@pytest.mark.behaviour("FLOW-DEL-09")
def test_an_init_object_remains_while_a_media_object_references_it(tams: TamsClient) -> None:
    first, second = (tams.make_flow(init_flow())["id"] for _ in range(2))
    init_id, one, two = tams.make_objects(first, 3)
    media = {one: "[0:0_1:0)", two: "[1:0_2:0)"}
    for object_id, timerange in media.items():
        segment = {"object_id": object_id, "init_object_id": init_id, "timerange": timerange}
        assert tams.post(f"/flows/{first}/segments", segment).status_code == 201
    reused = {"object_id": two, "timerange": media[two]}
    assert tams.post(f"/flows/{second}/segments", reused).status_code == 201
    delete_flow(tams, first)
    wait_until(lambda: not object_is_there(tams, one), "the first media object to be deleted")
    assert object_is_there(tams, init_id)
    assert tams.segments(second)[0]["init_object"]["object_id"] == init_id
    delete_flow(tams, second)
    wait_until(lambda: not object_is_there(tams, init_id), "the init object to be deleted")


@pytest.mark.behaviour("FLOW-DEL-10", "SRC-LIFE-06")
def test_a_source_is_deleted_with_its_last_flow(tams: TamsClient) -> None:
    first = tams.make_flow()
    second = tams.make_flow(flow(source_id=first["source_id"]))
    delete_flow(tams, first["id"])
    assert tams.get(f"/sources/{first['source_id']}").status_code == 200
    delete_flow(tams, second["id"])
    wait_until(lambda: tams.get(f"/sources/{first['source_id']}").status_code == 404, "the source to be deleted")


@pytest.mark.behaviour("FLOW-DEL-11", "A28")
def test_a_collected_flow_is_deleted_and_unlisted_or_kept_and_listed(tams: TamsClient) -> None:
    kept, collected = tams.make_flow(), tams.make_flow(flow(AUDIO))
    items = [{"id": collected["id"], "role": "audio"}, {"id": kept["id"], "role": "video"}]
    parent = tams.make_flow(flow(MULTI, flow_collection=items))["id"]
    response = tams.delete(f"/flows/{collected['id']}")
    assert response.status_code in (202, 204, 400, 403, 409)
    if response.status_code < 300:
        wait_until(lambda: read_flow(tams, parent)["flow_collection"] == items[1:], "the member to be unlisted")
        assert not flow_exists(tams, collected["id"])
    else:
        assert read_flow(tams, parent)["flow_collection"] == items
        assert read_flow(tams, collected["id"])["collected_by"] == [parent]


@pytest.mark.behaviour("FLOW-DEL-12")
def test_the_id_of_a_deleted_flow_can_be_used_again(tams: TamsClient) -> None:
    document = tams.make_flow(flow(label="first", tags={"a": "b"}))
    tams.make_segments(document["id"], ["[0:0_1:0)"])
    delete_flow(tams, document["id"])
    recreated = flow(AUDIO) | {"id": document["id"]}
    assert put_flow(tams, recreated).status_code == 201
    read = read_flow(tams, document["id"], include_timerange=True)
    assert recreated.items() <= read.items()
    assert not {name for name in ("label", "tags", "segments_updated") if read.get(name)}
    assert read["timerange"] == "()"


@pytest.mark.behaviour("FLOW-DEL-11", "FLOW-DEL-12", "FLOW-COLL-06", "A28")
def test_a_recreated_flow_is_in_no_former_collection(tams: TamsClient) -> None:
    member = tams.make_flow()
    parent = tams.make_flow(flow(MULTI, flow_collection=[{"id": member["id"]}]))["id"]
    response = tams.delete(f"/flows/{member['id']}")
    if response.status_code >= 400:
        not_implemented("deletion of a collected flow")
    await_deletion(tams, response)
    assert put_flow(tams, member).status_code == 201
    assert not read_flow(tams, parent).get("flow_collection")
    assert not read_flow(tams, member["id"]).get("collected_by")

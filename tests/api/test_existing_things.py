"""Errors about what exists already say so: clients that copy between stores look for the words "already exist"."""

import httpx
import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import init_flow
from tests.conformance.kit.ids import fresh_name
from tests.conformance.kit.instances import add_uncontrolled_url, default_backend
from tests.conformance.kit.profiles import make_profile
from tests.conformance.kit.segments import post_segment, register_segment


def assert_exists(response: httpx.Response) -> None:
    assert response.status_code == 400, response.text
    problem = response.json()
    for member in ("detail", "message", "summary"):
        assert "already exist" in problem[member]


@pytest.mark.behaviour("SEG-POST-22", "A77")
@pytest.mark.parametrize("timerange", ["[0:0_10:0)", "[5:0_15:0)"])
def test_a_segment_that_exists(tams: TamsClient, timerange: str) -> None:
    flow_id = tams.make_flow()["id"]
    object_id = register_segment(tams, flow_id, "[0:0_10:0)")
    assert_exists(post_segment(tams, flow_id, object_id, "[0:0_10:0)"))
    assert_exists(post_segment(tams, flow_id, tams.make_objects(flow_id, 1)[0], timerange))


@pytest.mark.behaviour("SEG-POST-22", "SEG-POST-58", "A77")
def test_a_segment_that_exists_in_a_bulk_request(tams: TamsClient) -> None:
    flow_id = tams.make_flow()["id"]
    object_id = register_segment(tams, flow_id, "[0:0_10:0)")
    items = [{"object_id": object_id, "timerange": each} for each in ("[0:0_10:0)", "[20:0_30:0)", "[20:0_30:0)")]
    for item in items[1:]:
        item["ts_offset"] = "20:0"
    response = tams.post(f"/flows/{flow_id}/segments", items)
    assert response.status_code == 200, response.text
    errors = [failed["error"] for failed in response.json()["failed_segments"]]
    assert [("already exist" in error["summary"]) for error in errors] == [True, True]


@pytest.mark.behaviour("SEG-POST-30", "SEG-POST-06", "A77")
def test_an_object_that_exists_with_other_properties(tams: TamsClient) -> None:
    flow_id, other = tams.make_flow()["id"], tams.make_flow()["id"]
    object_id = register_segment(tams, flow_id, "[0:0_10:0)")
    assert_exists(post_segment(tams, flow_id, object_id, "[20:0_30:0)", ts_offset="20:0", key_frame_count=7))
    (allocated,) = tams.make_objects(flow_id, 1)
    assert_exists(post_segment(tams, other, allocated, "[0:0_10:0)"))


@pytest.mark.behaviour("SEG-POST-47", "SEG-POST-48", "A77")
def test_an_object_that_exists_as_another_kind(tams: TamsClient) -> None:
    flow_id = tams.make_flow(init_flow())["id"]
    media, init, more = tams.make_objects(flow_id, 3)
    assert post_segment(tams, flow_id, media, "[0:0_10:0)", init_object_id=init).status_code == 201
    assert_exists(post_segment(tams, flow_id, init, "[10:0_20:0)", init_object_id=more))
    assert_exists(post_segment(tams, flow_id, more, "[10:0_20:0)", init_object_id=media))


@pytest.mark.behaviour("STO-05", "A77")
def test_an_object_id_that_exists(tams: TamsClient) -> None:
    flow_id, object_id = tams.make_flow()["id"], fresh_name("object")
    tams.allocate(flow_id, object_ids=[object_id])
    assert_exists(tams.post(f"/flows/{flow_id}/storage", {"object_ids": [object_id]}))


@pytest.mark.behaviour("PROF-POST-02", "AMB-05", "A77")
def test_a_profile_that_exists(tams: TamsClient) -> None:
    made = make_profile(tams)
    assert_exists(tams.post(f"/service/profiles/{made['id']}", made))


@pytest.mark.behaviour("OBJ-INST-POST-06", "OBJ-INST-POST-10", "SB-USE-04", "A51", "A52", "A77")
def test_an_instance_that_exists(tams: TamsClient) -> None:
    backend = default_backend(tams)
    object_id = register_segment(tams, tams.make_flow()["id"])
    assert_exists(tams.post(f"/objects/{object_id}/instances", {"storage_id": backend["id"]}))
    added = add_uncontrolled_url(tams, object_id)
    for label in (added["label"], backend["label"]):
        assert_exists(tams.post(f"/objects/{object_id}/instances", {**added, "label": label}))

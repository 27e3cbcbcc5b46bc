"""The lifetime of objects: they remain while a segment references them, and are removed with the last one."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.deletions import delete_flow, delete_segments
from tests.conformance.kit.ids import fresh_name
from tests.conformance.kit.instances import get_urls
from tests.conformance.kit.media import download
from tests.conformance.kit.segments import (
    object_status,
    post_segment,
    read_object,
    register_external,
    register_segment,
    timeranges,
)


@pytest.mark.behaviour("OBJ-LIFE-01", "OBJ-LIFE-02", "SEG-DEL-15", "TMO-05", "DEL-04", "DEL-05")
@pytest.mark.parametrize("what", ["segments", "one segment", "flow"])
def test_an_object_is_removed_with_its_last_segment(tams: TamsClient, what: str) -> None:
    flow = tams.make_flow()
    object_id = register_segment(tams, flow["id"])
    assert object_status(tams, object_id) == 200
    if what == "flow":
        delete_flow(tams, flow["id"])
    else:
        delete_segments(tams, flow["id"], object_id=object_id if what == "one segment" else None)
    assert object_status(tams, object_id) == 404
    assert tams.head(f"/objects/{object_id}").status_code == 404
    assert tams.post(f"/objects/{object_id}/instances", {"url": "https://a.example/a", "label": "a"}).status_code == 404


@pytest.mark.behaviour("OBJ-LIFE-04", "SEG-DEL-14", "DEL-04")
@pytest.mark.parametrize("what", ["segments", "flow"])
def test_an_object_remains_while_another_flow_uses_it(tams: TamsClient, what: str) -> None:
    flow, other = tams.make_flow(), tams.make_flow()
    object_id = register_segment(tams, flow["id"], object_id=tams.make_objects(flow["id"], 1, b"kept")[0])
    register_segment(tams, other["id"], object_id=object_id)
    (delete_flow if what == "flow" else delete_segments)(tams, flow["id"])
    assert read_object(tams, object_id)["referenced_by_flows"] == [other["id"]]
    assert download(tams, get_urls(tams, "segment", other["id"], object_id)[0]).content == b"kept"
    delete_segments(tams, other["id"])
    assert object_status(tams, object_id) == 404


@pytest.mark.behaviour("OBJ-LIFE-04", "SEG-DEL-14")
def test_an_object_remains_while_the_flow_uses_it_at_another_time(tams: TamsClient) -> None:
    flow = tams.make_flow()
    object_id = register_segment(tams, flow["id"])
    register_segment(tams, flow["id"], "[10:0_20:0)", object_id=object_id, ts_offset="10:0")
    delete_segments(tams, flow["id"], timerange="[0:0_10:0)")
    assert object_status(tams, object_id) == 200
    delete_segments(tams, flow["id"], timerange="[10:0_20:0)")
    assert object_status(tams, object_id) == 404


@pytest.mark.behaviour("OBJ-LIFE-01", "OBJ-LIFE-06")
def test_an_external_object_is_removed_with_its_last_segment(tams: TamsClient) -> None:
    flow = tams.make_flow()
    segment = register_external(tams, flow["id"])
    assert object_status(tams, segment["object_id"]) == 200
    delete_segments(tams, flow["id"])
    assert object_status(tams, segment["object_id"]) == 404


@pytest.mark.behaviour("SEG-POST-25", "A41")
def test_a_removed_object_can_be_registered_again_intact_or_not_at_all(tams: TamsClient) -> None:
    """A server may keep the bytes for a while after the last segment is deleted, but need not."""
    flow = tams.make_flow()
    object_id = register_segment(tams, flow["id"], object_id=tams.make_objects(flow["id"], 1, b"kept")[0])
    delete_segments(tams, flow["id"])
    response = post_segment(tams, flow["id"], object_id, "[5:0_6:0)", ts_offset="1:0")
    assert response.status_code in (201, 400)
    if response.status_code == 201:
        assert read_object(tams, object_id)["referenced_by_flows"] == [flow["id"]]
        assert download(tams, get_urls(tams, "segment", flow["id"], object_id)[0]).content == b"kept"
    else:
        assert object_status(tams, object_id) == 404


@pytest.mark.behaviour("OBJ-LIFE-07")
@pytest.mark.parametrize("attempt", range(5))
def test_concurrent_reuse_and_last_deletion_end_consistently(tams: TamsClient, attempt: int) -> None:
    flow, other = tams.make_flow(), tams.make_flow()
    object_id = register_segment(tams, flow["id"])
    with ThreadPoolExecutor(2) as pool:
        calls = [
            lambda: delete_segments(tams, flow["id"]),
            lambda: post_segment(tams, other["id"], object_id, "[0:0_10:0)").status_code,
        ]
        futures = [pool.submit(call) for call in (calls if attempt % 2 else calls[::-1])]
        results = [future.result() for future in futures]
    used = (results if attempt % 2 else results[::-1])[1]
    assert used in (201, 400)
    assert timeranges(tams, other["id"]) == (["[0:0_10:0)"] if used == 201 else [])
    assert object_status(tams, object_id) == (200 if used == 201 else 404)


@pytest.mark.behaviour("DEL-05", "STO-05", "A49")
def test_a_formerly_used_id_is_free_or_rejected(tams: TamsClient) -> None:
    """The id of a removed object may be allocated again once its bytes are gone."""
    flow = tams.make_flow()
    object_id = fresh_name("again")
    tams.make_objects(flow["id"], 1, object_ids=[object_id])
    register_segment(tams, flow["id"], object_id=object_id)
    delete_segments(tams, flow["id"])
    response = tams.post(f"/flows/{flow['id']}/storage", {"object_ids": [object_id]})
    assert response.status_code in (201, 400)
    assert object_status(tams, object_id) == 404

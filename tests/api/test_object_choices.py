"""Storage, objects and instances: the choices of this server where the standard leaves them open."""

from pathlib import Path

import httpx
import pytest

from tests.api.in_process import serving
from tests.conformance.kit.checker import Checker
from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import Json, init_flow
from tests.conformance.kit.ids import fresh, fresh_name
from tests.conformance.kit.instances import add_uncontrolled_url, default_backend, get_urls
from tests.conformance.kit.media import download, send_without_credentials
from tests.conformance.kit.segments import read_object, register_segment


def assert_error(response: httpx.Response, status: int, field: str) -> None:
    assert response.status_code == status, response.text
    assert response.json()["field"] == field


@pytest.mark.behaviour("STO-37")
def test_an_upload_request_names_its_method(tams: TamsClient) -> None:
    (item,) = tams.allocate(tams.make_flow()["id"], 1)
    assert item["put_url"]["method"] == "PUT"


@pytest.mark.behaviour("STO-08", "STO-09", "A06", "STO-21", "A50")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": -1}, "limit"),
        ({"object_ids": ["twice", "once", "twice"]}, "object_ids.2"),
        ({"object_ids": [""]}, "object_ids.0"),
        ({"object_ids": ["x" * 1025]}, "object_ids.0"),
        ({"limit": 1, "content_type": "video/mp4"}, "content_type"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_invalid_storage_requests_are_rejected(tams: TamsClient, body: Json, field: str) -> None:
    flow = tams.make_flow()
    assert_error(tams.post(f"/flows/{flow['id']}/storage", body), 400, field)


@pytest.mark.behaviour("STO-21", "A50")
def test_content_type_may_be_that_of_the_container(tams: TamsClient) -> None:
    flow = tams.make_flow()
    (item,) = tams.allocate(flow["id"], content_type=flow["container"])
    assert item["put_url"]["content-type"] == flow["container"]


@pytest.mark.behaviour("STO-10", "STO-02", "A48")
def test_storage_is_allocated_by_ten_and_at_most_by_a_thousand(tams: TamsClient) -> None:
    flow = tams.make_flow()
    assert len(tams.post(f"/flows/{flow['id']}/storage", {}).json()["media_objects"]) == 10
    assert len(tams.allocate(flow["id"], 5000)) == 1000
    too_many = [fresh_name() for _ in range(1001)]
    assert_error(tams.post(f"/flows/{flow['id']}/storage", {"object_ids": too_many}), 400, "object_ids")


@pytest.mark.behaviour("STO-24", "STO-05")
def test_uploads_are_presigned_by_default(tams: TamsClient) -> None:
    flow = tams.make_flow()
    (item,) = tams.allocate(flow["id"])
    assert item["presigned"] is True
    wrong_type = send_without_credentials("PUT", item["put_url"]["url"], b"bytes", "text/html")
    assert 400 <= wrong_type.status_code < 500
    assert send_without_credentials("GET", item["put_url"]["url"]).status_code in (401, 403, 404)


@pytest.mark.behaviour("OBJ-07", "OBJ-19")
def test_the_first_flow_is_named_while_it_references_the_object(tams: TamsClient) -> None:
    flow, other = tams.make_flow(), tams.make_flow()
    object_id = register_segment(tams, flow["id"])
    register_segment(tams, other["id"], object_id=object_id)
    assert read_object(tams, object_id)["first_referenced_by_flow"] == flow["id"]
    assert tams.delete(f"/flows/{flow['id']}/segments").status_code == 204
    assert "first_referenced_by_flow" not in read_object(tams, object_id)


@pytest.mark.behaviour("OBJ-20", "A01")
@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
def test_an_unsupported_method_lists_the_allowed_ones(tams: TamsClient, method: str) -> None:
    object_id = register_segment(tams, tams.make_flow()["id"])
    response = tams.request(method, f"/objects/{object_id}", json={})
    assert response.status_code == 405
    assert {"GET", "HEAD"} <= {each.strip() for each in response.headers["Allow"].split(",")}


@pytest.mark.behaviour("OBJ-INST-POST-06", "OBJ-INST-POST-10", "OBJ-INST-POST-11", "A51", "A52", "A53")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"storage_id": "home"}, "storage_id"),
        ({"storage_id": "home", "url": "https://a.example/a"}, "storage_id"),
        ({"storage_id": "home", "label": "new"}, "storage_id"),
        ({"url": "https://a.example/other", "label": "taken"}, "label"),
        ({"url": "ftp://a.example/a", "label": "new"}, "instance.url"),
    ],
    ids=str,
)
def test_an_instance_must_be_of_one_kind_and_new(tams: TamsClient, body: dict[str, str], field: str) -> None:
    object_id = register_segment(tams, tams.make_flow()["id"])
    names = {"home": default_backend(tams)["id"], "taken": add_uncontrolled_url(tams, object_id)["label"]}
    sent = {name: names.get(value, value) for name, value in body.items()}
    assert_error(tams.post(f"/objects/{object_id}/instances", sent), 400, field)


@pytest.mark.behaviour("OBJ-INST-DEL-04", "OBJ-INST-DEL-05", "OBJ-INST-DEL-06", "A54", "A55", "A56")
@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"label": "nobody's"}, 404),
        ({"storage_id": "unknown"}, 404),
        ({"storage_id": "home", "label": "taken"}, 400),
        ({"storage_id": "unknown", "label": "taken"}, 404),
    ],
    ids=str,
)
def test_the_instance_to_delete_must_be_identified(tams: TamsClient, params: dict[str, str], status: int) -> None:
    object_id = register_segment(tams, tams.make_flow()["id"])
    names = {
        "home": default_backend(tams)["id"],
        "taken": add_uncontrolled_url(tams, object_id)["label"],
        "unknown": fresh(),
    }
    sent = {name: names.get(value, value) for name, value in params.items()}
    assert tams.delete(f"/objects/{object_id}/instances", **sent).status_code == status


@pytest.mark.behaviour("OBJ-INST-DEL-07", "OBJ-INST-DEL-06", "A56")
def test_the_last_url_of_an_object_cannot_be_deleted(tams: TamsClient) -> None:
    flow = tams.make_flow()
    object_id = register_segment(tams, flow["id"])
    label = add_uncontrolled_url(tams, object_id)["label"]
    path = f"/objects/{object_id}/instances"
    assert tams.delete(path, storage_id=default_backend(tams)["id"]).status_code == 204
    assert_error(tams.delete(path, label=label), 400, "storage_id")
    assert [each["label"] for each in get_urls(tams, "object", flow["id"], object_id)] == [label]


@pytest.mark.behaviour("A32", "DEL-07")
def test_instances_of_objects_in_read_only_flows_may_change(tams: TamsClient) -> None:
    flow = tams.make_flow()
    object_id = register_segment(tams, flow["id"])
    tams.put(f"/flows/{flow['id']}/read_only", True)
    label = add_uncontrolled_url(tams, object_id)["label"]
    assert tams.delete(f"/objects/{object_id}/instances", label=label).status_code == 204


@pytest.mark.behaviour("STO-18", "SEG-POST-45", "INIT-03")
def test_one_request_allocates_init_and_media_objects(tams: TamsClient) -> None:
    flow = tams.make_flow(init_flow())
    init_id, media_id = tams.make_objects(flow["id"], 2, b"bytes")
    register_segment(tams, flow["id"], object_id=media_id, init_object_id=init_id)
    for object_id in (init_id, media_id):
        assert download(tams, get_urls(tams, "object", flow["id"], object_id)[0]).content == b"bytes"


@pytest.mark.behaviour("OBJ-INST-POST-15", "OBJ-INST-DEL-10", "DEL-07")
def test_changing_instances_requires_the_write_scope(tmp_path: Path) -> None:
    with serving(tmp_path) as running, running.with_scopes("read") as reader:
        tams = TamsClient(running.client, Checker())
        object_id = register_segment(tams, tams.make_flow()["id"])
        label = add_uncontrolled_url(tams, object_id)["label"]
        path = f"/objects/{object_id}/instances"
        assert reader.post(path, json={"url": "https://a.example/a", "label": "new"}).status_code == 403
        assert reader.delete(path, params={"label": label}).status_code == 403
        assert reader.get(f"/objects/{object_id}").json()["get_urls"][-1]["label"] == label

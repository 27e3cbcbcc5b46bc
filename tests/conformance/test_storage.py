"""Allocation of storage: the ids and number of objects, their backend, and their content type."""

import pytest

from tests.conformance.kit.client import TamsClient, path_segment
from tests.conformance.kit.documents import DATA, IMAGE, MULTI, Json, init_flow
from tests.conformance.kit.ids import fresh, fresh_name
from tests.conformance.kit.instances import backends, default_backend, get_urls
from tests.conformance.kit.segments import register_segment
from tests.conformance.kit.skips import not_implemented


@pytest.mark.behaviour("STO-01", "STO-03", "STO-33", "A48", "INT-04")
@pytest.mark.parametrize("limit", [1, 2, 7])
def test_the_requested_number_of_objects_is_allocated(tams: TamsClient, limit: int) -> None:
    flow = tams.make_flow()
    response = tams.post(f"/flows/{flow['id']}/storage", {"limit": limit})
    assert response.status_code == 201
    assert set(response.json()) == {"media_objects"}
    items = response.json()["media_objects"]
    assert len(items) == limit
    assert len({each["object_id"] for each in items}) == limit
    assert len({each["put_url"]["url"] for each in items}) == limit


@pytest.mark.behaviour("STO-37")
def test_the_method_of_an_upload_is_put(tams: TamsClient) -> None:
    for item in tams.allocate(tams.make_flow()["id"], 3):
        assert item["put_url"].get("method", "PUT") == "PUT"


@pytest.mark.behaviour("STO-03")
def test_every_request_returns_different_ids(tams: TamsClient) -> None:
    flow = tams.make_flow()
    first, second = ({each["object_id"] for each in tams.allocate(flow["id"], 5)} for _ in range(2))
    assert first.isdisjoint(second)


@pytest.mark.behaviour("STO-02", "GEN-04")
@pytest.mark.parametrize("options", [{}, {"json": {}}], ids=["no body", "empty object"])
def test_without_a_limit_the_service_chooses_the_number(tams: TamsClient, options: Json) -> None:
    flow = tams.make_flow()
    response = tams.request("POST", f"/flows/{flow['id']}/storage", **options)
    assert response.status_code == 201
    assert response.json()["media_objects"]


@pytest.mark.behaviour("STO-10", "A48")
def test_a_limit_beyond_the_maximum_is_lowered(tams: TamsClient) -> None:
    flow = tams.make_flow()
    assert 1 <= len(tams.allocate(flow["id"], 1_000_000)) <= 1_000_000


@pytest.mark.behaviour("STO-04")
def test_the_client_can_choose_the_ids(tams: TamsClient) -> None:
    flow = tams.make_flow()
    requested = [fresh_name("b"), fresh_name("a/with/slashes"), fresh_name("ü & ☃")]
    assert [each["object_id"] for each in tams.allocate(flow["id"], object_ids=requested)] == requested


@pytest.mark.behaviour("STO-05", "STO-06")
@pytest.mark.parametrize("registered", [False, True], ids=["set aside", "registered"])
def test_an_id_in_use_fails_the_whole_request(tams: TamsClient, registered: bool) -> None:
    flow, other = tams.make_flow(), tams.make_flow()
    (taken,) = tams.make_objects(flow["id"], 1)
    if registered:
        register_segment(tams, flow["id"], object_id=taken)
    free = fresh_name()
    response = tams.post(f"/flows/{other['id']}/storage", {"object_ids": [free, taken]})
    assert response.status_code == 400
    tams.allocate(other["id"], object_ids=[free])


@pytest.mark.behaviour("STO-07", "STO-09", "STO-12", "STO-19", "GEN-03", "GEN-12", "A06")
@pytest.mark.parametrize(
    "body",
    [
        {"limit": 1, "object_ids": ["one"]},
        {"limit": "2"},
        {"limit": 1.5},
        {"object_ids": "one"},
        {"object_ids": [1]},
        {"storage_id": "not-a-uuid"},
        {"storage_id": 7},
        {"content_type": "text"},
        {"content_type": "video/mp4; codecs=avc1"},
        {"content_type": "nonsense/mp4"},
        {"presigned": "yes"},
        [],
        "text",
    ],
    ids=str,
)
def test_an_invalid_request_is_rejected(tams: TamsClient, body: object) -> None:
    flow = tams.make_flow(init_flow())
    assert tams.post(f"/flows/{flow['id']}/storage", body).status_code == 400


@pytest.mark.behaviour("STO-12", "SB-USE-01")
def test_an_unknown_backend_is_rejected(tams: TamsClient) -> None:
    flow = tams.make_flow()
    assert tams.post(f"/flows/{flow['id']}/storage", {"limit": 1, "storage_id": fresh()}).status_code == 400


@pytest.mark.behaviour("STO-11", "SB-USE-03")
def test_each_backend_takes_objects(tams: TamsClient) -> None:
    flow = tams.make_flow()
    for n, backend in enumerate(backends(tams)):
        (object_id,) = tams.make_objects(flow["id"], 1, storage_id=backend["id"])
        register_segment(tams, flow["id"], f"[{n}:0_{n + 1}:0)", object_id=object_id)
        urls = get_urls(tams, "object", flow["id"], object_id, verbose_storage=True)
        assert {each["storage_id"] for each in urls} == {backend["id"]}


@pytest.mark.behaviour("STO-13", "STO-14", "SB-USE-01", "SB-USE-02")
def test_without_a_backend_the_default_one_is_used(tams: TamsClient) -> None:
    flow = tams.make_flow()
    if not any(each.get("default_storage") for each in backends(tams)):
        assert tams.post(f"/flows/{flow['id']}/storage", {"limit": 1}).status_code == 400
        return
    object_id = register_segment(tams, flow["id"])
    urls = get_urls(tams, "object", flow["id"], object_id, verbose_storage=True)
    assert {each["storage_id"] for each in urls} == {default_backend(tams)["id"]}


@pytest.mark.behaviour("STO-15")
def test_storage_for_a_flow_without_container_is_rejected(tams: TamsClient) -> None:
    flow = tams.make_flow(format_=MULTI)
    assert tams.post(f"/flows/{flow['id']}/storage", {"limit": 1}).status_code == 400


@pytest.mark.behaviour("STO-16", "GEN-01")
@pytest.mark.parametrize("flow_id", [None, "not-a-uuid"], ids=["unknown", "malformed"])
def test_storage_for_an_unknown_flow_is_not_found(tams: TamsClient, flow_id: str | None) -> None:
    assert tams.post(f"/flows/{flow_id or fresh()}/storage", {"limit": 1}).status_code == 404


@pytest.mark.behaviour("STO-16", "RO-10", "DEL-07")
def test_storage_for_a_read_only_flow_is_forbidden(tams: TamsClient) -> None:
    flow = tams.make_flow()
    tams.put(f"/flows/{flow['id']}/read_only", True)
    assert tams.post(f"/flows/{flow['id']}/storage", {"limit": 1}).status_code == 403


@pytest.mark.behaviour("STO-17", "INT-05", "INT-04")
@pytest.mark.parametrize("format_", [DATA, IMAGE])
def test_objects_have_the_content_type_of_the_container(tams: TamsClient, format_: str) -> None:
    flow = tams.make_flow(format_=format_)
    assert [each["put_url"]["content-type"] for each in tams.allocate(flow["id"], 2)] == [flow["container"]] * 2


@pytest.mark.behaviour("STO-18", "STO-20", "INT-05", "AMB-36", "STO-34")
def test_init_objects_may_have_another_content_type(tams: TamsClient) -> None:
    flow = tams.make_flow(init_flow())
    (item,) = tams.allocate(flow["id"], 1, content_type="video/mp4")
    assert item["put_url"]["content-type"] == "video/mp4"
    (item,) = tams.allocate(flow["id"], 1)
    assert item["put_url"]["content-type"] == flow["container"]


@pytest.mark.behaviour("STO-22", "STO-23", "STO-24", "STO-25")
@pytest.mark.parametrize("requested", [True, False, None])
def test_upload_urls_are_presigned_as_requested(tams: TamsClient, requested: bool | None) -> None:
    flow = tams.make_flow()
    body = {"limit": 2} if requested is None else {"limit": 2, "presigned": requested}
    response = tams.post(f"/flows/{flow['id']}/storage", body)
    if response.status_code == 400 and requested is not None:
        not_implemented(f"upload URLs with presigned={requested}")
    items = response.json()["media_objects"]
    assert all("presigned" not in each["put_url"] for each in items)
    if requested is not None:
        assert [each.get("presigned", False) for each in items] == [requested] * 2


@pytest.mark.behaviour("STO-30", "OBJ-03", "TMO-03", "OBJ-INST-POST-12", "OBJ-INST-DEL-08", "OBJ-LIFE-01")
@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("GET", "", {}),
        ("HEAD", "", {}),
        ("POST", "/instances", {"json": {"url": "https://media.example.com/a", "label": "a"}}),
        ("DELETE", "/instances", {"params": {"label": "a"}}),
    ],
    ids=["get", "head", "add instance", "delete instance"],
)
def test_an_object_is_not_found_before_it_is_registered(
    tams: TamsClient, method: str, path: str, options: Json
) -> None:
    flow = tams.make_flow()
    (object_id,) = tams.make_objects(flow["id"], 1, b"uploaded")
    assert tams.request(method, f"/objects/{path_segment(object_id)}{path}", **options).status_code == 404


@pytest.mark.behaviour("STO-35")
def test_unknown_members_are_ignored(tams: TamsClient) -> None:
    flow = tams.make_flow()
    (item,) = tams.allocate(flow["id"], 1, **{"content-type": "video/mp4", "colour": "blue"})
    assert item["object_id"]


@pytest.mark.behaviour("STO-32", "FLOW-DEL-01")
def test_unused_storage_does_not_affect_other_requests(tams: TamsClient) -> None:
    flow = tams.make_flow()
    tams.allocate(flow["id"], 5)
    assert tams.get(f"/flows/{flow['id']}").json().get("segments_updated") is None
    assert tams.delete(f"/flows/{flow['id']}").status_code in (202, 204)


@pytest.mark.behaviour("STO-36", "PROF-FLOW-01")
def test_a_linked_flow_uses_the_container_of_its_profile(tams: TamsClient) -> None:
    profile_id = fresh()
    technical = {"format": DATA, "codec": "text/plain", "container": "text/vtt", "essence_parameters": {}}
    made = tams.post(f"/service/profiles/{profile_id}", {"id": profile_id, "flow_metadata": technical})
    assert made.status_code == 201, made.text
    flow = tams.make_flow({"id": fresh(), "source_id": fresh(), "profile_id": profile_id})
    assert tams.allocate(flow["id"])[0]["put_url"]["content-type"] == "text/vtt"

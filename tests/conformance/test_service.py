"""The root and the service document, and their agreement with what the server does."""

import re
from typing import Any

import pytest

from storage.timerange import NS, parse_timestamp
from tests.conformance.kit.client import TamsClient, path_segment
from tests.conformance.kit.documents import Json
from tests.conformance.kit.ids import fresh, fresh_name
from tests.conformance.kit.service import exclusive_service_access, offers_webhooks, read_service
from tests.conformance.kit.skips import not_implemented

RESERVED = {"webhooks"}
LEAST_OBJECT_TIMEOUT = 300 * NS
LEAST_PRESIGNED_URL_TIMEOUT = 30 * NS
HOOK = {"url": "https://receiver.example.com/", "events": ["flows/created"]}


@pytest.fixture
def service(tams: TamsClient) -> Json:
    return read_service(tams)


@pytest.mark.behaviour("ROOT-01")
def test_the_root_lists_the_top_level_paths(tams: TamsClient) -> None:
    names = tams.get("/").json()
    assert all(isinstance(name, str) for name in names)
    listed = [name.strip("/") for name in names]
    assert {"service", "flows", "sources", "flow-delete-requests"} <= set(listed)
    assert len(listed) == len(set(listed))


@pytest.mark.behaviour("ROOT-01")
def test_every_path_that_the_root_lists_exists(tams: TamsClient) -> None:
    # 403: the list of delete requests may be restricted to administrators (SCOPE-07).
    statuses = {name: tams.get(f"/{path_segment(name.strip('/'))}").status_code for name in tams.get("/").json()}
    assert set(statuses.values()) <= {200, 403}, statuses


@pytest.mark.behaviour("ROOT-02")
def test_head_of_the_root_has_no_body(tams: TamsClient) -> None:
    response = tams.head("/")
    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.behaviour("SVC-GET-01")
@pytest.mark.parametrize("member", ["type", "api_version", "min_object_timeout"])
def test_the_service_has_its_required_members(service: Json, member: str) -> None:
    assert isinstance(service[member], str)


@pytest.mark.behaviour("SVC-HEAD-01")
def test_head_of_the_service_has_no_body(tams: TamsClient) -> None:
    response = tams.head("/service")
    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.behaviour("SVC-GET-02")
def test_the_type_is_a_tams_service(service: Json) -> None:
    assert service["type"].startswith("urn:x-tams:service")


@pytest.mark.behaviour("SVC-GET-03", "VER-01", "VER-02", "AMB-04")
def test_the_api_version_is_one_that_an_8_2_client_can_use(service: Json) -> None:
    assert re.fullmatch(r"(0|[1-9]\d*)\.(0|[1-9]\d*)", service["api_version"])
    major, minor = map(int, service["api_version"].split("."))
    assert major == 8
    assert minor >= 2


@pytest.mark.behaviour("SVC-GET-04", "VER-01")
def test_the_software_version_is_a_string_or_absent(service: Json) -> None:
    assert isinstance(service.get("service_version", ""), str)


@pytest.mark.behaviour("SVC-GET-05", "TMO-06")
def test_min_object_timeout_is_at_least_five_minutes(service: Json) -> None:
    assert parse_timestamp(service["min_object_timeout"]) >= LEAST_OBJECT_TIMEOUT


@pytest.mark.behaviour("SVC-GET-06", "TMO-06", "AMB-02")
def test_min_presigned_url_timeout_fits_uploads_and_object_timeout(tams: TamsClient, service: Json) -> None:
    [media_object] = tams.allocate(tams.make_flow()["id"])
    if "min_presigned_url_timeout" not in service:
        assert not media_object["put_url"].get("presigned")
        not_implemented("presigned URLs")
    promised = parse_timestamp(service["min_presigned_url_timeout"])
    assert LEAST_PRESIGNED_URL_TIMEOUT <= promised <= parse_timestamp(service["min_object_timeout"])


@pytest.mark.behaviour("SVC-GET-07")
def test_event_mechanisms_have_unique_names(service: Json) -> None:
    names = [mechanism["name"] for mechanism in service.get("event_stream_mechanisms", [])]
    assert all(names)
    assert len(names) == len(set(names))


@pytest.mark.behaviour("SVC-GET-10")
def test_the_media_store_member_of_older_versions_is_absent(service: Json) -> None:
    assert "media_store" not in service


@pytest.mark.behaviour("SVC-GET-08", "SVC-GET-09", "HOOK-LIST-07", "HOOK-LIST-01")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_webhooks_are_listed_if_the_service_offers_them(tams: TamsClient, method: str) -> None:
    expected = 200 if offers_webhooks(tams) else 404
    assert tams.request(method, "/service/webhooks").status_code == expected


@pytest.mark.behaviour("SVC-GET-08", "HOOK-POST-12")
def test_registering_a_webhook_fails_if_the_service_offers_none(tams: TamsClient) -> None:
    if offers_webhooks(tams):
        pytest.skip("this server offers webhooks")
    assert tams.post("/service/webhooks", HOOK).status_code == 404


@pytest.mark.behaviour("SVC-GET-08", "HOOK-GET-01", "HOOK-PUT-05", "HOOK-DEL-02", "SVC-GEN-03")
@pytest.mark.parametrize("webhook_id", [None, "nonsense"], ids=["unknown", "malformed"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_an_unknown_webhook_is_not_found(tams: TamsClient, method: str, webhook_id: str | None) -> None:
    id_ = webhook_id or fresh()
    body = {**HOOK, "id": id_, "status": "disabled"} if method == "PUT" else None
    assert tams.request(method, f"/service/webhooks/{id_}", json=body).status_code == 404


@pytest.mark.behaviour("SVC-POST-01")
def test_renaming_the_service_changes_nothing_else(tams: TamsClient) -> None:
    new = {"name": fresh_name("name"), "description": fresh_name("description")}
    with exclusive_service_access(tams):
        before = read_service(tams)
        assert tams.post("/service", new).status_code == 200
        assert read_service(tams) == {**before, **new}


@pytest.mark.behaviour("SVC-POST-02", "AMB-01")
@pytest.mark.parametrize("given", [("name",), ("description",), ()], ids=["name", "description", "nothing"])
def test_omitted_members_keep_their_values(tams: TamsClient, given: tuple[str, ...]) -> None:
    with exclusive_service_access(tams):
        tams.post("/service", {"name": "A name", "description": "A description"})
        before = read_service(tams)
        changes = {member: fresh_name(member) for member in given}
        assert tams.post("/service", changes).status_code == 200
        assert read_service(tams) == {**before, **changes}


@pytest.mark.behaviour("SVC-POST-01", "AMB-01")
@pytest.mark.parametrize("member", ["name", "description"])
def test_an_empty_string_clears_a_member(tams: TamsClient, member: str) -> None:
    with exclusive_service_access(tams):
        tams.post("/service", {member: fresh_name()})
        assert tams.post("/service", {member: ""}).status_code == 200
        assert read_service(tams).get(member, "") == ""


@pytest.mark.behaviour("SVC-POST-01")
@pytest.mark.parametrize("text", ["Ünï ☃ \U0001f3ac", 'a "quoted" \\ name', "two\nlines", "x" * 5000])
def test_any_string_may_be_a_name(tams: TamsClient, text: str) -> None:
    with exclusive_service_access(tams):
        assert tams.post("/service", {"name": text}).status_code == 200
        assert read_service(tams)["name"] == text


@pytest.mark.behaviour("SVC-POST-03", "SVC-GEN-04", "AMB-01")
@pytest.mark.parametrize(
    "body",
    [{"name": 5}, {"description": ["text"]}, {"name": None}, {"name": "New", "description": {}}, ["name"], "name", 5],
    ids=str,
)
def test_a_name_that_is_not_a_string_is_rejected_or_ignored(tams: TamsClient, body: Any) -> None:
    with exclusive_service_access(tams):
        before = read_service(tams)
        assert tams.post("/service", body).status_code == 400
        assert read_service(tams) == before


@pytest.mark.behaviour("SVC-POST-05", "SVC-GEN-08")
@pytest.mark.parametrize(
    "fixed",
    [
        {"type": "urn:x-tams:service.other"},
        {"api_version": "1.0"},
        {"service_version": "0.0.0-other"},
        {"min_object_timeout": "99999:0"},
        {"min_presigned_url_timeout": "31:0"},
        {"event_stream_mechanisms": [{"name": "other"}]},
        {"media_store": {"type": "http_object_store"}},
    ],
    ids=lambda fixed: next(iter(fixed)),
)
def test_no_other_member_of_the_service_can_be_set(tams: TamsClient, fixed: Json) -> None:
    with exclusive_service_access(tams):
        before = read_service(tams)
        response = tams.post("/service", {"name": "Renamed", **fixed})
        assert response.status_code in (200, 400)
        assert read_service(tams) == ({**before, "name": "Renamed"} if response.status_code == 200 else before)

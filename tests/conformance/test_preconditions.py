"""Conditional requests to single resources (RFC 9110, section 13). A server without entity tags skips these tests."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.concurrency import run_concurrently
from tests.conformance.kit.documents import flow
from tests.conformance.kit.flow_states import flow_exists, read_flow
from tests.conformance.kit.ids import fresh
from tests.conformance.kit.profiles import make_profile, profile
from tests.conformance.kit.webhooks import make_webhook

PAST, FUTURE = "Sat, 01 Jan 2000 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
CLIENTS = 6


@dataclass(frozen=True)
class Resource:
    """A resource. path: at which it is read and changed. change: sends a different change each time."""

    path: str
    change: Callable[..., httpx.Response]


def make_flow(tams: TamsClient) -> Resource:
    document = tams.make_flow()
    path = f"/flows/{document['id']}"
    return Resource(path, lambda **headers: send(tams, "PUT", path, {**document, "label": fresh()}, **headers))


def make_member(tams: TamsClient, kind: str, member: str) -> Resource:
    document = tams.make_flow()
    path = f"/{kind}/{document['id' if kind == 'flows' else 'source_id']}/{member}"
    resource = Resource(path, lambda **headers: send(tams, "PUT", path, fresh(), **headers))
    assert resource.change().status_code == 204
    return resource


def make_hook(tams: TamsClient) -> Resource:
    document = make_webhook(tams)
    path = f"/service/webhooks/{document['id']}"
    body = {name: value for name, value in document.items() if name != "error"} | {"status": "disabled"}
    return Resource(path, lambda **headers: send(tams, "PUT", path, {**body, "tags": {"t": fresh()}}, **headers))


def make_object(tams: TamsClient) -> Resource:
    flow_id = tams.make_flow()["id"]
    [segment] = tams.make_segments(flow_id, ["[0:0_1:0)"])
    path = f"/objects/{segment['object_id']}"

    def change(**headers: str) -> httpx.Response:
        body = {"url": "https://media.example.com/x", "label": fresh()}
        return send(tams, "POST", f"{path}/instances", body, **headers)

    return Resource(path, change)


CHANGEABLE: dict[str, Callable[[TamsClient], Resource]] = {
    "flow": make_flow,
    "flow-label": partial(make_member, kind="flows", member="label"),
    "flow-tag": partial(make_member, kind="flows", member="tags/t"),
    "source-description": partial(make_member, kind="sources", member="description"),
    "source-tag": partial(make_member, kind="sources", member="tags/t"),
    "webhook": make_hook,
    "object": make_object,
}


def send(tams: TamsClient, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
    """Send a request. headers: with underscores for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return tams.request(method, path, headers=named, **({} if body is None else {"json": body}))


def etag_of(tams: TamsClient, path: str) -> str:
    response = tams.get(path)
    assert response.status_code == 200
    if "ETag" not in response.headers:
        pytest.skip("the server has no entity tags")
    return response.headers["ETag"]


@pytest.fixture(params=CHANGEABLE)
def resource(request: pytest.FixtureRequest, tams: TamsClient) -> Resource:
    kind: str = request.param
    made = CHANGEABLE[kind](tams)
    etag_of(tams, made.path)
    return made


def assert_precondition_failed(response: httpx.Response) -> None:
    assert response.status_code == 412, response.text


@pytest.mark.behaviour("COND-01", "COND-02")
def test_a_change_needs_the_present_entity_tag(tams: TamsClient, resource: Resource) -> None:
    first = etag_of(tams, resource.path)
    assert resource.change(if_match=f'"other", {first}').is_success
    second = etag_of(tams, resource.path)
    assert second != first
    before = tams.get(resource.path).content
    assert_precondition_failed(resource.change(if_match=first))
    assert_precondition_failed(resource.change(if_match=f"W/{second}"))
    assert_precondition_failed(resource.change(if_match='"other"'))
    if "/objects/" not in resource.path:  # the URLs of an object may be signed again
        assert tams.get(resource.path).content == before
    assert resource.change(if_match="*").is_success


@pytest.mark.behaviour("COND-03")
def test_a_change_can_require_that_nothing_exists(tams: TamsClient, resource: Resource) -> None:
    assert_precondition_failed(resource.change(if_none_match="*"))
    assert_precondition_failed(resource.change(if_none_match=f'"other", W/{etag_of(tams, resource.path)}'))
    assert resource.change(if_none_match='"other"').is_success


@pytest.mark.behaviour("COND-04")
def test_an_unchanged_resource_is_not_sent_again(tams: TamsClient, resource: Resource) -> None:
    if "/objects/" in resource.path:
        pytest.skip("the URLs of an object may be signed again")
    etag = etag_of(tams, resource.path)
    for method in ("GET", "HEAD"):
        for field in (etag, f"W/{etag}", f'"other", {etag}', "*"):
            response = send(tams, method, resource.path, if_none_match=field)
            assert (response.status_code, response.content) == (304, b"")
            assert response.headers["ETag"] == etag
        assert send(tams, method, resource.path, if_none_match='"other"').status_code == 200
    assert resource.change().is_success
    changed = send(tams, "GET", resource.path, if_none_match=etag)
    assert changed.status_code == 200
    assert changed.headers["ETag"] != etag


@pytest.mark.behaviour("COND-05")
def test_an_entity_tag_takes_precedence_over_a_date(tams: TamsClient, resource: Resource) -> None:
    etag = etag_of(tams, resource.path)
    assert send(tams, "GET", resource.path, if_none_match='"other"', if_modified_since=FUTURE).status_code == 200
    assert send(tams, "GET", resource.path, if_match='"other"', if_none_match=etag).status_code == 412
    assert resource.change(if_match=etag, if_unmodified_since=PAST).is_success


@pytest.mark.behaviour("COND-06")
@pytest.mark.parametrize("kind", ["flow", "flow-label", "source-tag"])
def test_dates_of_modification_are_compared(tams: TamsClient, kind: str) -> None:
    resource = CHANGEABLE[kind](tams)
    etag_of(tams, resource.path)
    assert_precondition_failed(resource.change(if_unmodified_since=PAST))
    assert resource.change(if_unmodified_since=FUTURE).is_success
    assert resource.change(if_unmodified_since="no date").is_success


@pytest.mark.behaviour("COND-06")
def test_a_flow_unmodified_since_a_date_is_not_sent_again(tams: TamsClient) -> None:
    path = f"/flows/{tams.make_flow()['id']}"
    etag_of(tams, path)
    assert send(tams, "GET", path, if_modified_since=FUTURE).status_code == 304
    assert send(tams, "GET", path, if_modified_since=PAST).status_code == 200
    assert send(tams, "GET", path, if_unmodified_since=PAST).status_code == 412


@pytest.mark.behaviour("COND-02", "COND-03")
def test_a_flow_is_created_only_if_it_does_not_exist(tams: TamsClient) -> None:
    etag_of(tams, f"/flows/{tams.make_flow()['id']}")
    document = flow()
    path = f"/flows/{document['id']}"
    for field in ("*", '"any"'):
        assert_precondition_failed(send(tams, "PUT", path, document, if_match=field))
    assert not flow_exists(tams, document["id"])
    tams.delete_later(document["id"])
    assert send(tams, "PUT", path, document, if_none_match="*").status_code == 201
    assert_precondition_failed(send(tams, "PUT", path, {**document, "label": "L"}, if_none_match="*"))
    assert "label" not in read_flow(tams, document["id"])


@pytest.mark.behaviour("COND-01")
@pytest.mark.parametrize("kind", ["flow", "flow-label", "source-description", "flow-tag", "webhook"])
def test_a_stale_entity_tag_deletes_nothing(tams: TamsClient, kind: str) -> None:
    resource = CHANGEABLE[kind](tams)
    stale = etag_of(tams, resource.path)
    assert resource.change().is_success
    assert_precondition_failed(send(tams, "DELETE", resource.path, if_match=stale))
    etag = etag_of(tams, resource.path)
    assert send(tams, "DELETE", resource.path, if_match=etag).status_code in (202, 204)
    assert tams.get(resource.path).status_code == 404


@pytest.mark.behaviour("COND-07")
def test_the_entity_tag_of_a_flow_protects_its_parts(tams: TamsClient) -> None:
    path = f"/flows/{tams.make_flow()['id']}"
    stale = etag_of(tams, path)
    assert send(tams, "PUT", f"{path}/description", "D", if_match=stale).status_code == 204
    etag = etag_of(tams, path)
    urls = [{"url": "https://media.example.com/1", "label": "L"}]
    segment = {"object_id": fresh(), "timerange": "[0:0_1:0)", "get_urls": urls}
    for field, status in ((stale, 412), (etag, 201)):
        assert send(tams, "POST", f"{path}/segments", segment, if_match=field).status_code == status
    for field, status in ((stale, 412), (etag, 201)):
        assert send(tams, "POST", f"{path}/storage", {"limit": 1}, if_match=field).status_code == status
    assert send(tams, "DELETE", f"{path}/segments", if_match=stale).status_code == 412
    assert len(tams.get(f"{path}/segments").json()) == 1


@pytest.mark.behaviour("COND-08")
def test_new_segments_change_the_representation_but_not_the_version_of_a_flow(tams: TamsClient) -> None:
    document = tams.make_flow()
    path = f"/flows/{document['id']}"
    etag = etag_of(tams, path)
    tams.make_segments(document["id"], ["[0:0_1:0)"])
    again = send(tams, "GET", path, if_none_match=etag)
    assert again.status_code == 200
    assert "segments_updated" in again.json()
    assert send(tams, "PUT", path, {**document, "label": "L"}, if_match=etag).status_code == 204


@pytest.mark.behaviour("COND-01", "COND-03")
def test_profiles_and_the_service_have_preconditions(tams: TamsClient) -> None:
    made = make_profile(tams)
    path = f"/service/profiles/{made['id']}"
    assert send(tams, "GET", path, if_none_match=etag_of(tams, path)).status_code == 304
    document = profile()
    assert_precondition_failed(send(tams, "POST", f"/service/profiles/{document['id']}", document, if_match="*"))
    assert tams.get(f"/service/profiles/{document['id']}").status_code == 404
    assert send(tams, "GET", "/service", if_none_match=etag_of(tams, "/service")).status_code == 304


@pytest.mark.behaviour("COND-09")
@pytest.mark.parametrize("kind", ["flow", "flow-tag", "source-description", "webhook"])
def test_of_concurrent_changes_with_one_entity_tag_exactly_one_succeeds(tams: TamsClient, kind: str) -> None:
    resource = CHANGEABLE[kind](tams)
    for _ in range(3):
        etag = etag_of(tams, resource.path)
        responses = run_concurrently([partial(resource.change, if_match=etag)] * CLIENTS)
        statuses = sorted(response.status_code for response in responses)
        assert statuses[1:] == [412] * (CLIENTS - 1)
        assert statuses[0] in (200, 201, 204)


@pytest.mark.behaviour("COND-09")
def test_of_concurrent_creations_with_a_precondition_exactly_one_succeeds(tams: TamsClient) -> None:
    etag_of(tams, f"/flows/{tams.make_flow()['id']}")
    document = flow()
    tams.delete_later(document["id"])
    create = partial(send, tams, "PUT", f"/flows/{document['id']}", document, if_none_match="*")
    statuses = sorted(response.status_code for response in run_concurrently([create] * CLIENTS))
    assert statuses == [201, *[412] * (CLIENTS - 1)]


@pytest.mark.behaviour("COND-10")
def test_missing_and_read_only_resources_are_reported_first(tams: TamsClient) -> None:
    flow_id = tams.make_flow()["id"]
    etag_of(tams, f"/flows/{flow_id}")
    missing = fresh()
    assert send(tams, "DELETE", f"/flows/{missing}", if_match="*").status_code == 404
    assert send(tams, "PUT", f"/flows/{missing}/label", "L", if_match="*").status_code == 404
    assert send(tams, "GET", f"/flows/{missing}", if_match="*").status_code == 404
    assert tams.put(f"/flows/{flow_id}/read_only", True).status_code == 204
    assert send(tams, "PUT", f"/flows/{flow_id}/label", "L", if_match='"stale"').status_code == 403
    assert tams.put(f"/flows/{flow_id}/read_only", False).status_code == 204

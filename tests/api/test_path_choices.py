"""Ids, methods, media types and missing texts: the choices of this server where the standard leaves them open."""

from collections.abc import Iterator

import httpx
import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.ids import fresh
from tests.conformance.kit.operations import Operation, fill_path, methods, operations, paths
from tests.conformance.kit.sample_resources import SampleResources, make_sample_resources
from tests.conformance.kit.shared_client import shared_client

ALL_METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE", "PATCH")
ADDED = {("POST", "/flows"), ("POST", "/sources"), ("DELETE", "/sources/{sourceId}")}
"""Methods of this server at paths of the specification."""
UNLISTED = [
    (method, path)
    for path in paths()
    for method in ALL_METHODS
    if method not in methods(path) and (method, path) not in ADDED
]
WITH_BODY = [operation for operation in operations() if operation.body and "webhook" not in operation.path]


@pytest.fixture(scope="module")
def each(http: httpx.Client) -> Iterator[SampleResources]:
    with shared_client(http) as tams:
        yield make_sample_resources(tams)


@pytest.mark.behaviour("A02", "GEN-01")
@pytest.mark.parametrize("malformed", ["not-a-uuid", "00000000-0000-0000-0000-000000000000"])
@pytest.mark.parametrize("operation", [o for o in operations() if o.uuids], ids=str)
def test_a_malformed_id_is_not_found(
    tams: TamsClient, each: SampleResources, operation: Operation, malformed: str
) -> None:
    path = operation.url({**each.values, operation.uuids[0]: malformed})
    assert tams.request(operation.method, path, json=each.body(operation)).status_code == 404


@pytest.mark.behaviour("A01", "GEN-09", "SVC-GEN-06")
@pytest.mark.parametrize(("method", "path"), UNLISTED)
def test_an_unsupported_method_lists_the_allowed_ones(
    http: httpx.Client, each: SampleResources, method: str, path: str
) -> None:
    response = http.request(method, fill_path(path, each.values))
    assert response.status_code == 405
    assert {name.strip() for name in response.headers["Allow"].split(",")} >= methods(path)


@pytest.mark.behaviour("A01")
@pytest.mark.parametrize("operation", WITH_BODY, ids=str)
def test_a_body_of_another_media_type_is_rejected(
    tams: TamsClient, each: SampleResources, operation: Operation
) -> None:
    response = tams.request(
        operation.method, each.url(operation), content=b"text", headers={"Content-Type": "text/plain"}
    )
    assert response.status_code == 415


@pytest.mark.behaviour("A15", "SRC-DESC-03", "SRC-DESC-07")
@pytest.mark.parametrize("member", ["label", "description"])
def test_a_text_that_is_not_set_is_not_found_but_can_be_deleted(tams: TamsClient, member: str) -> None:
    path = f"/sources/{tams.make_flow()['source_id']}/{member}"
    assert tams.get(path).status_code == tams.head(path).status_code == 404
    assert tams.delete(path).status_code == 204


@pytest.mark.behaviour("SRC-LIFE-02")
def test_a_new_source_has_nothing_but_what_describes_its_flow(tams: TamsClient) -> None:
    made = tams.make_flow(label="a flow", description="a flow", tags={"genre": "news"})
    source = tams.get(f"/sources/{made['source_id']}").json()
    described = {"label", "description", "tags"}
    assert source.keys() == {"id", "format", "created", "updated", "created_by", "updated_by"} | described


@pytest.mark.behaviour("A14", "SRC-LIFE-08")
def test_a_flow_cannot_change_its_source(tams: TamsClient) -> None:
    made = tams.make_flow()
    response = tams.put(f"/flows/{made['id']}", {**made, "source_id": fresh()})
    assert (response.status_code, response.json()["field"]) == (400, "source_id")


@pytest.mark.behaviour("A33")
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/sources/{id}/label", 5),
        ("PUT", "/sources/{id}/tags/genre", 5),
        ("PUT", "/flows/{id}/label", 5),
        ("GET", "/flows/{id}?timerange=soon", None),
        ("GET", "/flows/{id}?timerange=[5:0", None),
        ("DELETE", "/flows/{id}/segments?timerange=soon", None),
        ("DELETE", "/flows/{id}/segments?timerange=[5:0", None),
        ("GET", "/objects/{id}?limit=0", None),
        ("GET", "/objects/{id}?page=nonsense", None),
    ],
)
def test_not_found_precedes_invalid(tams: TamsClient, method: str, path: str, body: object) -> None:
    content = {} if body is None else {"json": body}
    assert tams.request(method, path.format(id=fresh()), **content).status_code == 404

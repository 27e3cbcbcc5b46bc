"""Unlisted methods change nothing, and booleans and dates have the same form everywhere."""

import re
from collections.abc import Iterator

import httpx
import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import VIDEO, flow
from tests.conformance.kit.operations import Operation, fill_path, methods, operations, paths
from tests.conformance.kit.sample_resources import SampleResources, make_sample_resources
from tests.conformance.kit.shared_client import shared_client

CHANGING = ("PUT", "POST", "DELETE", "PATCH")
UNLISTED = [(method, path) for path in paths() for method in CHANGING if method not in methods(path)]
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
BOOLEANS = [
    (operation, name)
    for operation in operations()
    if operation.method == "GET" and 400 in operation.statuses
    for name, kind in operation.query.items()
    if kind == "boolean"
]
DATES = {
    "/flows/{flowId}": ("created", "metadata_updated", "segments_updated"),
    "/sources/{sourceId}": ("created", "updated"),
    "/service/profiles/{profileId}": ("created",),
}


@pytest.fixture(scope="module")
def samples(http: httpx.Client) -> Iterator[SampleResources]:
    with shared_client(http) as tams:
        yield make_sample_resources(tams)


@pytest.mark.behaviour("GEN-09", "SVC-GEN-06", "SRC-LIFE-14", "A01")
@pytest.mark.parametrize(("method", "path"), UNLISTED)
def test_an_unlisted_method_changes_nothing(
    tams: TamsClient, http: httpx.Client, samples: SampleResources, method: str, path: str
) -> None:
    before = samples.state(tams)
    body = None if method == "DELETE" else {"id": samples.values["sourceId"], "format": VIDEO, "label": "other"}
    status = http.request(method, fill_path(path, samples.values), json=body).status_code
    assert 400 <= status < 500 or status == 501
    assert samples.state(tams) == before


@pytest.mark.behaviour("GEN-09")
def test_a_source_cannot_be_created_directly(tams: TamsClient, http: httpx.Client) -> None:
    source_id = flow()["source_id"]
    assert http.put(f"/sources/{source_id}", json={"id": source_id, "format": VIDEO}).status_code >= 400
    assert tams.get(f"/sources/{source_id}").status_code == 404


@pytest.mark.behaviour("GEN-12", "SVC-GEN-09", "TAGQ-09")
@pytest.mark.parametrize("value", ["maybe", "1", "0", "yes", "TRUE", "False", ""])
@pytest.mark.parametrize(("operation", "name"), BOOLEANS, ids=[f"{operation}-{name}" for operation, name in BOOLEANS])
def test_a_boolean_parameter_accepts_only_true_and_false(
    tams: TamsClient, samples: SampleResources, operation: Operation, name: str, value: str
) -> None:
    path = f"{samples.url(operation)}?{name.replace('{name}', 'kit')}={value}"
    assert tams.request("GET", path).status_code == 400


@pytest.mark.behaviour("GEN-12", "SVC-GEN-09")
@pytest.mark.parametrize("value", ["true", "false"])
@pytest.mark.parametrize(("operation", "name"), BOOLEANS, ids=[f"{operation}-{name}" for operation, name in BOOLEANS])
def test_a_boolean_parameter_accepts_true_and_false(
    tams: TamsClient, samples: SampleResources, operation: Operation, name: str, value: str
) -> None:
    path = f"{samples.url(operation)}?{name.replace('{name}', 'kit')}={value}"
    assert tams.request("GET", path).status_code == 200


@pytest.mark.behaviour("GEN-11", "SVC-GEN-07")
@pytest.mark.parametrize(("path", "member"), [(path, name) for path, names in DATES.items() for name in names])
def test_a_date_has_an_offset(tams: TamsClient, samples: SampleResources, path: str, member: str) -> None:
    assert RFC_3339.fullmatch(tams.get(fill_path(path, samples.values)).json()[member])

"""HEAD returns the same as GET, without the body."""

from collections.abc import Iterator

import httpx
import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.ids import fresh
from tests.conformance.kit.operations import Operation, fill_path, operations, paths
from tests.conformance.kit.sample_resources import SampleResources, make_sample_resources
from tests.conformance.kit.service import offers_webhooks
from tests.conformance.kit.shared_client import shared_client

READABLE = [operation for operation in operations() if operation.method == "GET"]
COMPARED = (
    "Content-Type",
    "X-Paging-Limit",
    "X-Paging-Count",
    "X-Paging-Reverse-Order",
    "X-Paging-Timerange",
    "Location",
)
BAD = {"integer": "many", "boolean": "maybe"}
BAD_BY_NAME = {"timerange": "soon", "sort_by": "colour", "format": "video", "codec": "h264", "source_id": "x"}
BAD_QUERIES = [
    (operation, name, BAD_BY_NAME.get(name) or BAD[kind])
    for operation in READABLE
    if 400 in operation.statuses
    for name, kind in operation.query.items()
    if name in BAD_BY_NAME or kind in BAD
]


@pytest.fixture(scope="module")
def samples(http: httpx.Client) -> Iterator[SampleResources]:
    with shared_client(http) as tams:
        yield make_sample_resources(tams)


def assert_head_matches(tams: TamsClient, path: str) -> httpx.Response:
    """Check that HEAD and GET of the path agree except for the body, and return the response to GET."""
    head, get = tams.request("HEAD", path), tams.request("GET", path)
    assert head.status_code == get.status_code
    assert head.content == b""
    shown = {name: get.headers.get(name) for name in COMPARED}
    assert {name: head.headers.get(name) for name in COMPARED} == shown
    assert ("next" in head.links) == ("next" in get.links)
    assert ("X-Paging-NextKey" in head.headers) == ("X-Paging-NextKey" in get.headers)
    return get


@pytest.mark.behaviour("GEN-07", "SVC-GEN-01", "SRC-GET-03", "SRC-LIST-10", "SRC-TAG-02", "SRC-TAG-04", "PAGE-15")
@pytest.mark.parametrize("operation", READABLE, ids=str)
def test_head_matches_get(tams: TamsClient, samples: SampleResources, operation: Operation) -> None:
    get = assert_head_matches(tams, samples.url(operation))
    there = "request-id" not in operation.path and ("webhook" not in operation.path or offers_webhooks(tams))
    assert get.status_code == (200 if there else 404)


@pytest.mark.behaviour("GEN-07", "SVC-GEN-01", "SRC-GET-03", "SRC-DESC-02", "SRC-TAG-02", "SRC-TAG-04", "A34")
@pytest.mark.parametrize("operation", [each for each in READABLE if "{" in each.path], ids=str)
def test_head_of_a_missing_resource_matches_get(tams: TamsClient, operation: Operation) -> None:
    values = {name: fresh() for name in ("flowId", "sourceId", "objectId", "profileId", "webhookId", "request-id")}
    get = assert_head_matches(tams, operation.url({**values, "name": "kit"}))
    assert get.status_code == 404 or (operation.id == "GET_flows-flowId-segments" and get.json() == [])


@pytest.mark.behaviour("GEN-08", "SRC-LIST-10", "FLOW-LIST-20", "PAGE-09", "SORT-01", "SORT-02")
@pytest.mark.parametrize(
    ("operation", "name", "value"), BAD_QUERIES, ids=[f"{operation}-{name}" for operation, name, _ in BAD_QUERIES]
)
def test_head_rejects_the_queries_that_get_rejects(
    tams: TamsClient, samples: SampleResources, operation: Operation, name: str, value: str
) -> None:
    path = f"{samples.url(operation)}?{name.replace('{name}', 'kit')}={value}"
    assert assert_head_matches(tams, path).status_code == 400


@pytest.mark.behaviour("GEN-07", "GEN-08")
@pytest.mark.parametrize("path", [path for path in paths() if path.endswith(("/storage", "/instances"))])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_paths_without_get_have_no_head(tams: TamsClient, samples: SampleResources, path: str, method: str) -> None:
    assert 400 <= tams.request(method, fill_path(path, samples.values)).status_code < 500

"""Identifiers: the UUIDs that TAMS accepts in paths, bodies and queries."""

from collections.abc import Iterator

import httpx
import pytest

from tests.conformance.kit.client import TamsClient, path_segment
from tests.conformance.kit.documents import MULTI, VIDEO, flow
from tests.conformance.kit.ids import fresh
from tests.conformance.kit.operations import Operation, operations
from tests.conformance.kit.profiles import profile
from tests.conformance.kit.queries import with_query
from tests.conformance.kit.sample_resources import SampleResources, make_sample_resources
from tests.conformance.kit.shared_client import shared_client

MALFORMED = {
    "letters": "not-a-uuid",
    "too-short": "0d3f4c1a-6a0e-4d55-8f3c-2f9b0c5d7e1",
    "too-long": "0d3f4c1a-6a0e-4d55-8f3c-2f9b0c5d7e1aa",
    "not-hexadecimal": "0d3f4c1a-6a0e-4d55-8f3c-2f9b0c5d7e1g",
    "without-hyphens": "0d3f4c1a6a0e4d558f3c2f9b0c5d7e1a",
    "in-braces": "{0d3f4c1a-6a0e-4d55-8f3c-2f9b0c5d7e1a}",
    "as-urn": "urn:uuid:0d3f4c1a-6a0e-4d55-8f3c-2f9b0c5d7e1a",
    "upper-case": "0D3F4C1A-6A0E-4D55-8F3C-2F9B0C5D7E1A",
    "nil": "00000000-0000-0000-0000-000000000000",
    "version-6": "1ec9414c-232a-6b00-b3c8-9e6bdeced846",
    "version-7": "017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
    "version-8": "2489e9ad-2ee2-8e00-8ec9-32d5f69181c0",
    "variant-c": "0d3f4c1a-6a0e-4d55-cf3c-2f9b0c5d7e1a",
    "line-end": "0d3f4c1a-6a0e-4d55-8f3c-2f9b0c5d7e1a\n",
}
ADDRESSED = [operation for operation in operations() if operation.uuids]
SOME = pytest.mark.parametrize("malformed", [MALFORMED[name] for name in ("letters", "too-long", "upper-case", "nil")])
ALL = pytest.mark.parametrize("malformed", MALFORMED.values(), ids=MALFORMED.keys())


@pytest.fixture(scope="module")
def samples(http: httpx.Client) -> Iterator[SampleResources]:
    with shared_client(http) as tams:
        yield make_sample_resources(tams)


@pytest.mark.behaviour("GEN-01", "SVC-GEN-03", "SRC-GET-02", "SRC-DESC-08", "A02")
@SOME
@pytest.mark.parametrize("operation", ADDRESSED, ids=str)
def test_a_malformed_path_id_is_not_found(
    tams: TamsClient, samples: SampleResources, operation: Operation, malformed: str
) -> None:
    path = operation.url({**samples.values, operation.uuids[0]: malformed})
    response = tams.request(operation.method, path, json=samples.body(operation))
    assert response.status_code == 404 or (response.status_code == 400 and 400 in operation.statuses)


@pytest.mark.behaviour("GEN-01", "GEN-02", "A02", "A03")
@ALL
@pytest.mark.parametrize("path", ["/sources/{}", "/flows/{}", "/flows/{}/segments"])
def test_no_malformed_id_can_be_read(tams: TamsClient, path: str, malformed: str) -> None:
    assert tams.get(path.format(path_segment(malformed))).status_code in (400, 404)


@pytest.mark.behaviour("SRC-GET-02", "SRC-TAG-04", "SRC-DESC-02", "SRC-DESC-06", "SRC-DESC-08", "SRC-TAG-10")
@pytest.mark.parametrize("operation", [operation for operation in ADDRESSED if "{sourceId}" in operation.path], ids=str)
def test_every_operation_on_an_unknown_source_returns_404(
    tams: TamsClient, samples: SampleResources, operation: Operation
) -> None:
    unknown = fresh()
    path = operation.url({**samples.values, "sourceId": unknown})
    assert tams.request(operation.method, path, json=samples.body(operation)).status_code == 404
    assert tams.get(f"/sources/{unknown}").status_code == 404


@pytest.mark.behaviour("GEN-02", "SVC-GEN-02", "A03")
@ALL
@pytest.mark.parametrize(
    "member", ["source_id", "profile_id", "flow_collection"], ids=["source", "profile", "collected-flow"]
)
def test_a_malformed_id_in_a_flow_is_rejected(tams: TamsClient, member: str, malformed: str) -> None:
    if member == "profile_id":
        document = {"id": fresh(), "source_id": fresh(), "profile_id": malformed}
    else:
        document = flow(MULTI, **{member: malformed if member == "source_id" else [{"id": malformed}]})
    tams.delete_later(document["id"])
    assert tams.put(f"/flows/{document['id']}", document).status_code == 400
    assert tams.get(f"/flows/{document['id']}").status_code == 404


@pytest.mark.behaviour("GEN-02", "SVC-GEN-02", "A03")
@ALL
def test_a_malformed_id_in_a_profile_is_rejected(tams: TamsClient, malformed: str) -> None:
    id_ = fresh()
    response = tams.post(f"/service/profiles/{id_}", {**profile(), "id": malformed})
    assert response.status_code == 400
    assert tams.get(f"/service/profiles/{id_}").status_code == 404


@pytest.mark.behaviour("GEN-02", "FLOW-LIST-02", "FLOW-LIST-05", "FLOW-LIST-14", "SRC-LIST-08", "A03")
@ALL
@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/flows", "source_id"),
        ("/flows", "profile_id"),
        ("/flows", "collected_by_ids"),
        ("/sources", "collected_by_ids"),
    ],
)
def test_a_malformed_id_in_a_query_is_rejected(tams: TamsClient, path: str, parameter: str, malformed: str) -> None:
    assert tams.request("GET", with_query(path, {parameter: malformed})).status_code == 400


@pytest.mark.behaviour("GEN-02", "SVC-GEN-02")
@pytest.mark.parametrize("version", "1235")
def test_uuids_of_older_versions_are_accepted(tams: TamsClient, version: str) -> None:
    random = fresh()
    source_id = random[:14] + version + random[15:]
    made = tams.make_flow(flow(VIDEO, source_id=source_id))
    assert tams.get(f"/sources/{source_id}").json()["id"] == source_id
    assert tams.get(f"/flows/{made['id']}").json()["source_id"] == source_id

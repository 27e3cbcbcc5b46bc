"""Request and response bodies: malformed or missing ones, bare values, and responses without a body."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.operations import Operation, operations
from tests.conformance.kit.sample_resources import TAG, SampleResources, make_sample_resources
from tests.conformance.kit.shared_client import shared_client
from tests.conformance.kit.webhooks import LISTING, require_webhooks

WITH_BODY = [o for o in operations() if o.body and 400 in o.statuses]
JSON = {"Content-Type": "application/json"}
MALFORMED = {
    "half": b'{"label": ',
    "word": b"text",
    "single-quotes": b"'text'",
    "two-values": b'"a" "b"',
    "trailing-comma": b'["a",]',
    "not-utf-8": b'"\xff\xfe"',
    "not-a-number": b"NaN",
}
UNTYPED: dict[str, list[Any]] = {
    "description": [5, None, {"description": "text"}, ["text"]],
    "label": [5, None, {"label": "text"}, ["text"]],
    "read_only": ["true", 1, None, {"read_only": True}],
    "max_bit_rate": ["5000", 1.5, None, {"max_bit_rate": 5000}],
    "avg_bit_rate": ["5000", 1.5, None, {"avg_bit_rate": 5000}],
}
BARE: dict[str, Any] = {
    "description": "text",
    "label": "text",
    "read_only": True,
    "max_bit_rate": 7000,
    "avg_bit_rate": 6500,
}


@pytest.fixture(scope="module")
def samples(http: httpx.Client) -> Iterator[SampleResources]:
    with shared_client(http) as tams:
        yield make_sample_resources(tams)


def state(tams: TamsClient, samples: SampleResources) -> list[Any]:
    """The current documents of all resources, for comparison with a later state."""
    webhook = tams.get(f"{LISTING}/{samples.values['webhookId']}")
    return [*samples.state(tams), webhook.status_code == 200 and webhook.json()]


def send(
    tams: TamsClient, samples: SampleResources, operation: Operation, content: bytes, headers: dict[str, str]
) -> int:
    """Send a request and return the status. Skips for operations on webhooks if the server has none."""
    if operation.path.startswith(LISTING):
        require_webhooks(tams)
    return tams.request(operation.method, samples.url(operation), content=content, headers=headers).status_code


@pytest.mark.behaviour("GEN-03", "SVC-GEN-04")
@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED.keys())
@pytest.mark.parametrize("operation", WITH_BODY, ids=str)
def test_a_malformed_body_is_rejected_and_changes_nothing(
    tams: TamsClient, samples: SampleResources, operation: Operation, content: bytes
) -> None:
    before = state(tams, samples)
    assert send(tams, samples, operation, content, JSON) == 400
    assert state(tams, samples) == before


@pytest.mark.behaviour("GEN-04")
@pytest.mark.parametrize("headers", [JSON, {}], ids=["typed", "untyped"])
@pytest.mark.parametrize("operation", [o for o in WITH_BODY if o.body == "required"], ids=str)
def test_a_missing_body_is_rejected_and_changes_nothing(
    tams: TamsClient, samples: SampleResources, operation: Operation, headers: dict[str, str]
) -> None:
    before = state(tams, samples)
    assert send(tams, samples, operation, b"", headers) in ((400,) if headers else (400, 415))
    assert state(tams, samples) == before


@pytest.mark.behaviour("GEN-04")
@pytest.mark.parametrize("operation", [o for o in WITH_BODY if o.body == "optional"], ids=str)
def test_an_optional_body_may_be_missing(tams: TamsClient, samples: SampleResources, operation: Operation) -> None:
    assert send(tams, samples, operation, b"", {}) == 201


@pytest.mark.behaviour("A01", "GEN-03")
@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("operation", WITH_BODY, ids=str)
def test_a_body_of_another_type_is_rejected_and_changes_nothing(
    tams: TamsClient, samples: SampleResources, operation: Operation, content_type: str
) -> None:
    before = state(tams, samples)
    assert send(tams, samples, operation, b"<label>text</label>", {"Content-Type": content_type}) in (400, 415)
    assert state(tams, samples) == before


@pytest.mark.behaviour("GEN-05", "GEN-06")
@pytest.mark.parametrize("member", BARE)
def test_a_member_of_a_flow_is_a_bare_value(tams: TamsClient, member: str) -> None:
    path = f"/flows/{tams.make_flow()['id']}/{member}"
    written = tams.put(path, BARE[member])
    assert (written.status_code, written.content) == (204, b"")
    response = tams.get(path)
    assert response.headers["Content-Type"].partition(";")[0] == "application/json"
    assert response.json() == BARE[member]


@pytest.mark.behaviour("GEN-05", "SRC-DESC-01")
@pytest.mark.parametrize("member", ["description", "label"])
def test_a_member_of_a_source_is_a_bare_value(tams: TamsClient, member: str) -> None:
    path = f"/sources/{tams.make_flow()['source_id']}/{member}"
    assert tams.put(path, BARE[member]).status_code == 204
    response = tams.get(path)
    assert response.headers["Content-Type"].partition(";")[0] == "application/json"
    assert response.json() == BARE[member]


@pytest.mark.behaviour("GEN-05", "SVC-GEN-04")
@pytest.mark.parametrize(("member", "value"), [(name, value) for name, values in UNTYPED.items() for value in values])
def test_a_member_of_a_flow_rejects_values_of_another_type(
    tams: TamsClient, samples: SampleResources, member: str, value: Any
) -> None:
    before = state(tams, samples)
    assert tams.put(f"/flows/{samples.values['flowId']}/{member}", value).status_code == 400
    assert state(tams, samples) == before


@pytest.mark.behaviour("GEN-06")
@pytest.mark.parametrize("kind", ["sources", "flows"])
@pytest.mark.parametrize("member", ["description", "label", f"tags/{TAG}"])
def test_a_204_response_has_no_body(tams: TamsClient, kind: str, member: str) -> None:
    made = tams.make_flow()
    path = f"/{kind}/{made['id' if kind == 'flows' else 'source_id']}/{member}"
    for response in (tams.put(path, "text"), tams.delete(path)):
        assert response.status_code == 204
        assert response.content == b""
        assert response.headers.get("Content-Length", "0") == "0"


@pytest.mark.behaviour("GEN-06")
def test_a_completed_deletion_has_no_body(tams: TamsClient) -> None:
    response = tams.delete(f"/flows/{tams.make_flow()['id']}")
    assert response.status_code in (202, 204)
    assert bool(response.content) == (response.status_code == 202)

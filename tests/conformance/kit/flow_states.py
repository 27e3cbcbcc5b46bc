"""What tests of one flow do again and again: put it, read it, see whether it is there."""

import httpx

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import Json


def read_flow(tams: TamsClient, flow_id: str, /, **params: str | bool) -> Json:
    """The flow's document."""
    answer = tams.get(f"/flows/{flow_id}", **params)
    assert answer.status_code == 200, answer.text
    document: Json = answer.json()
    return document


def is_there(tams: TamsClient, flow_id: str) -> bool:
    """Whether the server knows the flow."""
    status = tams.get(f"/flows/{flow_id}").status_code
    assert status in (200, 404)
    return status == 200


def put_flow(tams: TamsClient, document: Json) -> httpx.Response:
    """PUT the document under its own id; if that creates a flow, it is deleted when the test is over."""
    tams.remember(document["id"])
    return tams.put(f"/flows/{document['id']}", document)

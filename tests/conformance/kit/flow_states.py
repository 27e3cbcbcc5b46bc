"""Common steps in tests of one flow: put it, read it, check whether it exists."""

import httpx

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import Json


def read_flow(tams: TamsClient, flow_id: str, /, **params: str | bool) -> Json:
    """The flow's document."""
    response = tams.get(f"/flows/{flow_id}", **params)
    assert response.status_code == 200, response.text
    document: Json = response.json()
    return document


def flow_exists(tams: TamsClient, flow_id: str) -> bool:
    """Whether the flow exists on the server."""
    status = tams.get(f"/flows/{flow_id}").status_code
    assert status in (200, 404)
    return status == 200


def put_flow(tams: TamsClient, document: Json) -> httpx.Response:
    """PUT the document under its own id. A flow created this way is deleted when the test ends."""
    tams.delete_later(document["id"])
    return tams.put(f"/flows/{document['id']}", document)

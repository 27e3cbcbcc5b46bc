"""Looks at one flow that many tests take: its document, whether it is there, and its deletion."""

import httpx

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import Json
from tests.conformance.kit.polling import until


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


def delete_flow(tams: TamsClient, flow_id: str) -> None:
    """Delete the flow, and wait until it is gone: the server may take its time (202)."""
    answer = tams.delete(f"/flows/{flow_id}")
    assert answer.status_code in (202, 204), answer.text
    until(lambda: not is_there(tams, flow_id), f"flow {flow_id} is gone")

"""Deletion of flows and segments, whether immediate (204) or by a delete request (202)."""

from typing import Any

import httpx

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import Json
from tests.conformance.kit.polling import wait_until


def await_deletion(tams: TamsClient, response: httpx.Response) -> Json | None:
    """Wait for a deletion to finish.

    Returns the finished flow delete request after a 202, or None after a 204.
    """
    assert response.status_code in (202, 204), response.text
    if response.status_code == 204:
        return None
    location = str(response.request.url.join(response.headers["Location"]))

    def finished() -> Json | None:
        request: Json = tams.request("GET", location).json()
        return request if request["status"] in ("done", "error") else None

    request = wait_until(finished, f"flow delete request {response.json()['id']} to finish")
    assert request is not None
    assert request["status"] == "done", request
    return request


def delete_segments(tams: TamsClient, flow_id: str, **params: Any) -> Json | None:
    """Delete segments of a flow, and wait until the deletion has finished."""
    return await_deletion(tams, tams.delete(f"/flows/{flow_id}/segments", **params))


def delete_flow(tams: TamsClient, flow_id: str) -> Json | None:
    """Delete a flow, and wait until the deletion has finished."""
    return await_deletion(tams, tams.delete(f"/flows/{flow_id}"))

"""Deleting, whether a server does it at once or says where to watch it."""

from typing import Any

import httpx

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import Json
from tests.conformance.kit.polling import until


def followed(tams: TamsClient, answer: httpx.Response) -> Json | None:
    """Wait for a deletion that was answered with 202, and give its request as it ended; None where it was done."""
    assert answer.status_code in (202, 204), answer.text
    if answer.status_code == 204:
        return None
    location = str(answer.request.url.join(answer.headers["Location"]))

    def finished() -> Json | None:
        request: Json = tams.request("GET", location).json()
        return request if request["status"] in ("done", "error") else None

    request = until(finished, f"the end of flow delete request {answer.json()['id']}")
    assert request["status"] == "done", request
    return request


def delete_segments(tams: TamsClient, flow_id: str, **params: Any) -> Json | None:
    """Delete segments of a flow, and wait until they are gone."""
    return followed(tams, tams.delete(f"/flows/{flow_id}/segments", **params))


def delete_flow(tams: TamsClient, flow_id: str) -> Json | None:
    """Delete a flow, and wait until all of it is gone."""
    return followed(tams, tams.delete(f"/flows/{flow_id}"))

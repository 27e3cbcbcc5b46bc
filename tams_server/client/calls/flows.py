"""Flows, and the storage that is allocated for them."""

from collections.abc import Sequence
from typing import Any, cast

import httpx

from tams_server.client.calls.call import PAGE, Call, Listing, deletion, document, put, quoted, remove
from tams_server.client.documents import Flow, Json, Slot


def flows(**filters: str) -> Listing[Flow]:
    """The flows that pass the filters, such as source_id. For those with a dot: `**{"tag.genre": "news"}`."""
    return Listing("/flows", {"limit": str(PAGE), **filters})


def flow(flow_id: str, *, with_timerange: bool = False) -> Call[Flow]:
    """One flow (flow-get.json). with_timerange: include its `timerange`, which may cost the server more."""
    params = {"include_timerange": "true"} if with_timerange else {}
    return Call("GET", f"/flows/{quoted(flow_id)}", document, params=params)


def put_flow(flow: Flow) -> Call[None]:
    """Create a flow, or replace its metadata."""
    return put(f"/flows/{quoted(flow['id'])}", flow)


def put_flow_member(flow_id: str, name: str, value: Any) -> Call[None]:
    """Set the label, description, flow_collection, max_bit_rate or avg_bit_rate of a flow."""
    return put(f"/flows/{quoted(flow_id)}/{name}", value)


def delete_flow_member(flow_id: str, name: str) -> Call[None]:
    """Remove one of these. A 404 means that there was none."""
    return remove(f"/flows/{quoted(flow_id)}/{name}")


def put_flow_tag(flow_id: str, name: str, value: str | Sequence[str]) -> Call[None]:
    """Set one tag of a flow, to a text or a list of texts."""
    return put(f"/flows/{quoted(flow_id)}/tags/{quoted(name)}", value)


def delete_flow_tag(flow_id: str, name: str) -> Call[None]:
    """Remove one tag of a flow. A 404 means that there was none."""
    return remove(f"/flows/{quoted(flow_id)}/tags/{quoted(name)}")


def put_read_only(flow_id: str, read_only: bool) -> Call[None]:
    """Protect a flow from changes, or no longer."""
    return put(f"/flows/{quoted(flow_id)}/read_only", read_only)


def delete_flow(flow_id: str) -> Call[Json | None]:
    """Delete a flow and its segments. A 404 means that there was none.

    The result is the flow delete request if the server continues in the background, None if the flow is gone.
    """
    return Call("DELETE", f"/flows/{quoted(flow_id)}", deletion, (202, 204, 404))


def allocate(
    flow_id: str, object_ids: Sequence[str], *, content_type: str | None = None, storage_id: str | None = None
) -> Call[list[Slot]]:
    """Allocate objects with these ids. content_type: only for init objects whose type is not the flow's container."""
    body: Json = {"object_ids": list(object_ids)}
    if content_type is not None:
        body["content_type"] = content_type
    if storage_id is not None:
        body["storage_id"] = storage_id
    path = f"/flows/{quoted(flow_id)}/storage"
    return Call("POST", path, _slots, (201,), body=body, has_body=True, repeatable=False)


def _slots(response: httpx.Response) -> list[Slot]:
    return cast(list[Slot], response.json().get("media_objects", []))

"""Every paged listing, each with items made by the test and the parameters that select only these."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.conformance.kit.client import TamsClient, path_segment
from tests.conformance.kit.ids import fresh, fresh_name
from tests.conformance.kit.profiles import make_profile
from tests.conformance.kit.queries import with_query
from tests.conformance.kit.segments import post_segment, register_segment
from tests.conformance.kit.webhooks import LISTING as WEBHOOKS
from tests.conformance.kit.webhooks import make_webhook, require_webhooks

Params = Mapping[str, Any]


def _identity(item: Any) -> str:
    text: str = item["id"]
    return text


@dataclass(frozen=True, slots=True)
class Listing:
    """A paged listing. path, params: the request that lists the test's items and no others.

    add: makes another item and returns its id. remove: removes an item by id; None if items cannot be removed.
    items: the items in the body of a page. identity: the id of an item.
    """

    path: str
    params: Params
    add: Callable[[], str]
    remove: Callable[[str], None] | None = None
    items: Callable[[Any], list[Any]] = field(default=lambda document: document)
    identity: Callable[[Any], str] = _identity

    def url(self, **params: Any) -> str:
        return with_query(self.path, {**self.params, **params})

    def ids(self, response: httpx.Response) -> list[str]:
        """The ids of the items on this page, in order."""
        assert response.status_code == 200, response.text
        return [self.identity(item) for item in self.items(response.json())]

    def read(self, tams: TamsClient, **params: Any) -> list[str]:
        """The ids on all pages, in order."""
        return [id_ for page in self.walk(tams, **params) for id_ in page]

    def walk(self, tams: TamsClient, **params: Any) -> list[list[str]]:
        """The ids on each page."""
        return [self.ids(page) for page in tams.pages(self.url(**params))]


def flows(tams: TamsClient) -> Listing:
    source_id = fresh()
    return Listing(
        "/flows",
        {"source_id": source_id},
        add=lambda: str(tams.make_flow(source_id=source_id)["id"]),
        remove=lambda flow_id: _deleted(tams, f"/flows/{flow_id}"),
    )


def sources(tams: TamsClient) -> Listing:
    label = fresh_name("label")
    flow_ids: dict[str, str] = {}

    def add() -> str:
        made = tams.make_flow()
        source_id: str = made["source_id"]
        flow_ids[source_id] = made["id"]
        assert tams.put(f"/sources/{source_id}/label", label).status_code == 204
        return source_id

    return Listing("/sources", {"label": label}, add, lambda id_: _deleted(tams, f"/flows/{flow_ids[id_]}"))


def segments(tams: TamsClient) -> Listing:
    flow_id = tams.make_flow()["id"]
    path = f"/flows/{flow_id}/segments"
    made: list[str] = []

    def add() -> str:
        # New segments fall before, between and after the existing ones.
        made.append(f"[{7 * len(made) % 11}:0_{7 * len(made) % 11 + 1}:0)")
        register_segment(tams, flow_id, made[-1])
        return made[-1]

    return Listing(
        path,
        {"accept_get_urls": ""},
        add,
        lambda timerange: _deleted(tams, path, timerange=timerange),
        identity=lambda segment: str(segment["timerange"]),
    )


def references(tams: TamsClient) -> Listing:
    """The flows that reference one object. The flow that first used it is not tagged, and so not listed."""
    object_id = register_segment(tams, tams.make_flow()["id"])

    def add() -> str:
        flow_id: str = tams.make_flow()["id"]
        assert post_segment(tams, flow_id, object_id, "[0:0_10:0)").status_code == 201
        assert tams.put(f"/flows/{flow_id}/tags/kit", "used").status_code == 204
        return flow_id

    return Listing(
        f"/objects/{path_segment(object_id)}",
        {"flow_tag.kit": "used", "accept_get_urls": ""},
        add,
        lambda flow_id: _deleted(tams, f"/flows/{flow_id}"),
        items=lambda document: list(document["referenced_by_flows"]),
        identity=str,
    )


def profiles(tams: TamsClient) -> Listing:
    label = fresh_name("label")
    return Listing("/service/profiles", {"label": label}, add=lambda: str(make_profile(tams, label=label)["id"]))


def webhooks(tams: TamsClient) -> Listing:
    """Disabled webhooks. Skips if the server has no webhooks."""
    tags = {"kit": fresh_name("tag")}
    require_webhooks(tams)
    return Listing(
        WEBHOOKS,
        {"tag.kit": tags["kit"]},
        add=lambda: str(make_webhook(tams, tags=tags)["id"]),
        remove=lambda id_: _deleted(tams, f"{WEBHOOKS}/{id_}"),
    )


KINDS: dict[str, Callable[[TamsClient], Listing]] = {
    "sources": sources,
    "flows": flows,
    "segments": segments,
    "references": references,
    "profiles": profiles,
    "webhooks": webhooks,
}
COUNTED = ("sources", "flows", "segments", "webhooks")
"""Listings with headers for the number of items on a page and for reverse order (PAGE-10 to PAGE-12)."""
REJECT_BAD_QUERIES = ("sources", "flows", "segments", "references", "profiles")
"""Listings that document a 400 for bad parameters."""


def _deleted(tams: TamsClient, path: str, **params: str) -> None:
    assert tams.delete(path, **params).status_code in (202, 204)

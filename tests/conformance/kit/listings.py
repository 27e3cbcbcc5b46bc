"""Every listing that comes in pages, each with a few items of a test's own and the parameters that find just these."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.conformance.kit.client import TamsClient, part
from tests.conformance.kit.ids import fresh, fresh_name
from tests.conformance.kit.profiles import make_profile
from tests.conformance.kit.queries import with_query
from tests.conformance.kit.segments import post_segment, register
from tests.conformance.kit.webhooks import LISTING as WEBHOOKS
from tests.conformance.kit.webhooks import make_webhook, need_webhooks

Params = Mapping[str, Any]


def _identity(item: Any) -> str:
    text: str = item["id"]
    return text


@dataclass(frozen=True, slots=True)
class Listing:
    """path and params: where a test's items, and no others, are listed.

    add: makes one more item and gives its id; remove: takes one away by its id, None where nothing can.
    """

    path: str
    params: Params
    add: Callable[[], str]
    remove: Callable[[str], None] | None = None
    items: Callable[[Any], list[Any]] = field(default=lambda document: document)
    identity: Callable[[Any], str] = _identity

    def url(self, **params: Any) -> str:
        return with_query(self.path, {**self.params, **params})

    def ids(self, answer: httpx.Response) -> list[str]:
        """The ids of the items on this page, in its order."""
        assert answer.status_code == 200, answer.text
        return [self.identity(item) for item in self.items(answer.json())]

    def read(self, tams: TamsClient, **params: Any) -> list[str]:
        """The ids on all pages."""
        return [id_ for page in self.walk(tams, **params) for id_ in page]

    def walk(self, tams: TamsClient, **params: Any) -> list[list[str]]:
        """The ids of each page."""
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
        # Each new one comes before, between and after those that are there.
        made.append(f"[{7 * len(made) % 11}:0_{7 * len(made) % 11 + 1}:0)")
        register(tams, flow_id, made[-1])
        return made[-1]

    return Listing(
        path,
        {"accept_get_urls": ""},
        add,
        lambda timerange: _deleted(tams, path, timerange=timerange),
        identity=lambda segment: str(segment["timerange"]),
    )


def references(tams: TamsClient) -> Listing:
    """The flows that use one object; the first of them is there from the start, in no listing of a test's own."""
    object_id = register(tams, tams.make_flow()["id"])

    def add() -> str:
        flow_id: str = tams.make_flow()["id"]
        assert post_segment(tams, flow_id, object_id, "[0:0_10:0)").status_code == 201
        assert tams.put(f"/flows/{flow_id}/tags/kit", "used").status_code == 204
        return flow_id

    return Listing(
        f"/objects/{part(object_id)}",
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
    """Webhooks that send nothing; skips where the server has none."""
    tags = {"kit": fresh_name("tag")}
    need_webhooks(tams)
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
"""Those that say how many items a page has, and whether the order is reversed (PAGE-10 to -12)."""
REFUSING = ("sources", "flows", "segments", "references", "profiles")
"""Those for which a refusal of bad parameters is documented."""


def _deleted(tams: TamsClient, path: str, **params: str) -> None:
    assert tams.delete(path, **params).status_code in (202, 204)

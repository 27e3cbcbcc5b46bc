"""Resources that can be found by tags: sources, flows, webhooks, and the flows that reference an object."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.conformance.kit.client import TamsClient, path_segment
from tests.conformance.kit.ids import fresh, fresh_name
from tests.conformance.kit.queries import Value, with_query
from tests.conformance.kit.segments import post_segment, register_segment
from tests.conformance.kit.webhooks import LISTING, make_webhook, require_webhooks

Tags = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TaggedResources:
    """Resources made with given tags. ids: in the order of these tags. path, params: the request that lists these
    resources and no others. prefix: put before "tag." and "tag_exists." in a filter. items: the ids on a page."""

    ids: Sequence[str]
    path: str
    params: Mapping[str, Value]
    prefix: str = ""
    items: Callable[[Any], list[str]] = field(default=lambda document: [item["id"] for item in document])

    def url(self, query: Mapping[str, Value], limit: int | None = None) -> str:
        """The URL of the filtered listing. query: filters by name, without the prefix."""
        filters = {self.prefix + name: value for name, value in query.items()}
        return with_query(self.path, {**self.params, **filters, "limit": limit})

    def matching(self, tams: TamsClient, query: Mapping[str, Value], limit: int | None = None) -> set[int]:
        """The indexes in `ids` of the resources that match, read in pages of at most `limit`."""
        passed = [id_ for page in tams.pages(self.url(query, limit)) for id_ in self.items(page.json())]
        assert len(passed) == len(set(passed))
        assert set(passed) <= set(self.ids), "the listing contains resources that the filters exclude"
        return {self.ids.index(id_) for id_ in passed}


def tagged_flows(tams: TamsClient, tags: Sequence[Tags]) -> TaggedResources:
    source_id = fresh()
    made = [tams.make_flow(source_id=source_id, tags=each) for each in tags]
    return TaggedResources([each["id"] for each in made], "/flows", {"source_id": source_id})


def tagged_sources(tams: TamsClient, tags: Sequence[Tags]) -> TaggedResources:
    label = fresh_name("label")
    ids = []
    for each in tags:
        ids.append(tams.make_flow()["source_id"])
        assert tams.put(f"/sources/{ids[-1]}/label", label).status_code == 204
        for name, value in each.items():
            assert tams.put(f"/sources/{ids[-1]}/tags/{path_segment(name)}", value).status_code == 204
    return TaggedResources(ids, "/sources", {"label": label})


def tagged_referencing_flows(tams: TamsClient, tags: Sequence[Tags]) -> TaggedResources:
    """Flows that reference one object, as the object lists them."""
    ids = [tams.make_flow(tags=each)["id"] for each in tags]
    object_id = register_segment(tams, ids[0])
    for id_ in ids[1:]:
        assert post_segment(tams, id_, object_id, "[0:0_10:0)").status_code == 201
    return TaggedResources(
        ids,
        f"/objects/{path_segment(object_id)}",
        {"accept_get_urls": ""},
        prefix="flow_",
        items=lambda document: list(document["referenced_by_flows"]),
    )


def tagged_webhooks(tams: TamsClient, tags: Sequence[Tags]) -> TaggedResources:
    """Disabled webhooks. Skips if the server has no webhooks."""
    require_webhooks(tams)
    run = fresh_name("run")
    ids = [make_webhook(tams, tags={**each, "kit": run})["id"] for each in tags]
    return TaggedResources(ids, LISTING, {"tag.kit": run})


KINDS: dict[str, Callable[[TamsClient, Sequence[Tags]], TaggedResources]] = {
    "sources": tagged_sources,
    "flows": tagged_flows,
    "flows-of-an-object": tagged_referencing_flows,
    "webhooks": tagged_webhooks,
}
REJECT_BAD_FILTERS = ("sources", "flows", "flows-of-an-object")
"""Kinds that document a 400 for bad filters."""

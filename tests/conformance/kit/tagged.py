"""Things that carry tags and are found by them: sources, flows, webhooks, and the flows that use one object."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.conformance.kit.client import TamsClient, part
from tests.conformance.kit.ids import fresh, fresh_name
from tests.conformance.kit.queries import Value, with_query
from tests.conformance.kit.segments import post_segment, register
from tests.conformance.kit.webhooks import LISTING, make_webhook, need_webhooks

Tags = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tagged:
    """ids: of the things, in the order of the tags that they were made with. path, params: where these and no others
    are listed. prefix: what comes before "tag." and "tag_exists." in a filter. items: the ids on a page."""

    ids: Sequence[str]
    path: str
    params: Mapping[str, Value]
    prefix: str = ""
    items: Callable[[Any], list[str]] = field(default=lambda document: [item["id"] for item in document])

    def url(self, query: Mapping[str, Value], limit: int | None = None) -> str:
        """The listing with filters, which are named without the prefix."""
        filters = {self.prefix + name: value for name, value in query.items()}
        return with_query(self.path, {**self.params, **filters, "limit": limit})

    def found(self, tams: TamsClient, query: Mapping[str, Value], limit: int | None = None) -> set[int]:
        """Which of them pass, by their number in `ids`; at most `limit` on each page."""
        passed = [id_ for page in tams.pages(self.url(query, limit)) for id_ in self.items(page.json())]
        assert len(passed) == len(set(passed))
        assert set(passed) <= set(self.ids), "the listing holds what the filters leave out"
        return {self.ids.index(id_) for id_ in passed}


def tagged_flows(tams: TamsClient, tags: Sequence[Tags]) -> Tagged:
    source_id = fresh()
    made = [tams.make_flow(source_id=source_id, tags=each) for each in tags]
    return Tagged([each["id"] for each in made], "/flows", {"source_id": source_id})


def tagged_sources(tams: TamsClient, tags: Sequence[Tags]) -> Tagged:
    label = fresh_name("label")
    ids = []
    for each in tags:
        ids.append(tams.make_flow()["source_id"])
        assert tams.put(f"/sources/{ids[-1]}/label", label).status_code == 204
        for name, value in each.items():
            assert tams.put(f"/sources/{ids[-1]}/tags/{part(name)}", value).status_code == 204
    return Tagged(ids, "/sources", {"label": label})


def tagged_users(tams: TamsClient, tags: Sequence[Tags]) -> Tagged:
    """Flows that use one object, which lists them."""
    ids = [tams.make_flow(tags=each)["id"] for each in tags]
    object_id = register(tams, ids[0])
    for id_ in ids[1:]:
        assert post_segment(tams, id_, object_id, "[0:0_10:0)").status_code == 201
    return Tagged(
        ids,
        f"/objects/{part(object_id)}",
        {"accept_get_urls": ""},
        prefix="flow_",
        items=lambda document: list(document["referenced_by_flows"]),
    )


def tagged_webhooks(tams: TamsClient, tags: Sequence[Tags]) -> Tagged:
    """Webhooks that send nothing; skips where the server has none."""
    need_webhooks(tams)
    run = fresh_name("run")
    ids = [make_webhook(tams, tags={**each, "kit": run})["id"] for each in tags]
    return Tagged(ids, LISTING, {"tag.kit": run})


KINDS: dict[str, Callable[[TamsClient, Sequence[Tags]], Tagged]] = {
    "sources": tagged_sources,
    "flows": tagged_flows,
    "users-of-an-object": tagged_users,
    "webhooks": tagged_webhooks,
}
REFUSING = ("sources", "flows", "users-of-an-object")
"""Those for which a refusal of bad filters is documented."""

"""Named flows of every kind with a common label, for tests of the filters of /flows."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import AUDIO, DATA, IMAGE, MULTI, TECHNICAL, VIDEO, flow, init_flow
from tests.conformance.kit.flow_states import put_flow
from tests.conformance.kit.ids import fresh, fresh_name
from tests.conformance.kit.profiles import linked_flow, make_profile
from tests.conformance.kit.queries import Value, with_query

HD = {**TECHNICAL[VIDEO]["essence_parameters"], "frame_width": 1920, "frame_height": 1080}


@dataclass(frozen=True, slots=True)
class FilterableFlows:
    """Flows with a common label. ids: their ids by name. related_ids: ids of other resources to filter by, by name."""

    label: str
    ids: Mapping[str, str]
    related_ids: Mapping[str, str]

    def matching(self, tams: TamsClient, params: Mapping[str, Value | None], limit: int | None = None) -> set[str]:
        """The names of the flows in a filtered listing. Fails if a flow is listed twice, or others are listed."""
        names = {id_: name for name, id_ in self.ids.items()}
        url = with_query("/flows", {"label": self.label, **params, "limit": limit})
        listed = [item["id"] for page in tams.pages(url) for item in page.json()]
        assert len(listed) == len(set(listed))
        assert set(listed) <= set(names), "the listing contains flows that the filters exclude"
        return {names[id_] for id_ in listed}


def make_filterable_flows(tams: TamsClient) -> FilterableFlows:
    """Make flows with and without each property that /flows can filter by."""
    label = fresh_name("label")
    profile = make_profile(tams)["id"]
    other_profile = make_profile(tams, AUDIO)["id"]
    source = fresh()
    plain = {"label": label}
    tagged = {**plain, "tags": {"genre": "news"}}
    documents = {
        "sd": flow(VIDEO, **tagged, source_id=source, status="ingesting"),
        "hd": flow(
            VIDEO, **plain, source_id=source, essence_parameters=HD, codec="video/h265", status="closed_complete"
        ),
        "init": init_flow(**plain),
        "no-init": flow(VIDEO, **plain, essence_parameters={**HD, "init_segments": False}),
        "sound": flow(AUDIO, **tagged, status="awaiting_content"),
        "picture": flow(IMAGE, **plain, status="replication_in_progress"),
        "text": flow(DATA, **plain),
        "linked": {**linked_flow(profile), **plain},
        "linked-sound": {**linked_flow(other_profile), **plain},
        "unlinked": {**linked_flow(profile), **plain},
        "container": flow(MULTI, **plain, container="video/mp2t"),
    }
    collecting = {"both": ("sd", "sound"), "one": ("hd",)}
    for document in documents.values():
        tams.make_flow(document)
    unlinked = {**TECHNICAL[VIDEO], **documents["unlinked"], "profile_id": ""}
    assert put_flow(tams, unlinked).status_code == 204
    for name, members in collecting.items():
        collected = [{"id": documents[member]["id"]} for member in members]
        documents[name] = tams.make_flow(flow(MULTI, **plain, flow_collection=collected))
    ids = {name: document["id"] for name, document in documents.items()}
    return FilterableFlows(label, ids, {"source": source, "profile": profile, "other_profile": other_profile})

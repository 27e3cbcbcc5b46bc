"""Flows of every kind under one label, by name, to be found by one filter or another."""

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
class Shelf:
    """label: what all of them are called. ids: of the flows by name. known: further ids that filters may use."""

    label: str
    ids: Mapping[str, str]
    known: Mapping[str, str]

    def found(self, tams: TamsClient, params: Mapping[str, Value | None], limit: int | None = None) -> set[str]:
        """The names of the flows that a listing gives, each once."""
        names = {id_: name for name, id_ in self.ids.items()}
        url = with_query("/flows", {"label": self.label, **params, "limit": limit})
        listed = [item["id"] for page in tams.pages(url) for item in page.json()]
        assert len(listed) == len(set(listed))
        assert set(listed) <= set(names), "the listing holds what the filters leave out"
        return {names[id_] for id_ in listed}


def make_shelf(tams: TamsClient) -> Shelf:
    """Flows with and without each property that /flows filters by."""
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
        "init-not": flow(VIDEO, **plain, essence_parameters={**HD, "init_segments": False}),
        "sound": flow(AUDIO, **tagged, status="awaiting_content"),
        "picture": flow(IMAGE, **plain, status="replication_in_progress"),
        "text": flow(DATA, **plain),
        "linked": {**linked_flow(profile), **plain},
        "linked-sound": {**linked_flow(other_profile), **plain},
        "parted": {**linked_flow(profile), **plain},
        "container": flow(MULTI, **plain, container="video/mp2t"),
    }
    collecting = {"both": ("sd", "sound"), "one": ("hd",)}
    for document in documents.values():
        tams.make_flow(document)
    parted = {**TECHNICAL[VIDEO], **documents["parted"], "profile_id": ""}
    assert put_flow(tams, parted).status_code == 204
    for name, members in collecting.items():
        collected = [{"id": documents[member]["id"]} for member in members]
        documents[name] = tams.make_flow(flow(MULTI, **plain, flow_collection=collected))
    ids = {name: document["id"] for name, document in documents.items()}
    return Shelf(label, ids, {"source": source, "profile": profile, "other_profile": other_profile})

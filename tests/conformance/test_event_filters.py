"""Which events pass the filters of a webhook (FLT-*): one hook for each combination, on one set of changes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import httpx
import pytest

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.deletions import delete_flow, delete_segments
from tests.conformance.kit.documents import MULTI, flow
from tests.conformance.kit.events import (
    ALL,
    FLOW_CREATED,
    FLOW_DELETED,
    FLOW_UPDATED,
    OF_FLOWS,
    SEGMENTS_ADDED,
    SEGMENTS_DELETED,
    SOURCE_CREATED,
    SOURCE_DELETED,
    SOURCE_UPDATED,
)
from tests.conformance.kit.ids import fresh, fresh_name
from tests.conformance.kit.named_cases import named_cases
from tests.conformance.kit.receiver import Receiver
from tests.conformance.kit.segments import register_segment
from tests.conformance.kit.shared_client import shared_client
from tests.conformance.kit.skips import not_implemented
from tests.conformance.kit.webhooks import Hook, Hooks, wait_for_each

Told = frozenset[tuple[str, str]]
"""Type of event, and the name of what it is about."""

FLOW_CHANGES = (FLOW_UPDATED, SEGMENTS_ADDED, SEGMENTS_DELETED, FLOW_DELETED)
SOURCE_CHANGES = (SOURCE_UPDATED, SOURCE_DELETED)
THINGS = {
    "member": FLOW_CHANGES,
    "single": FLOW_CHANGES,
    "source of member": SOURCE_CHANGES,
    "source of single": SOURCE_CHANGES,
    "new": (FLOW_CREATED,),
    "source of new": (SOURCE_CREATED,),
}
"""Two flows, of which "member" is in a collection, then a new one; their sources; and the events of each."""
SOURCES = ("source of member", "source of single", "source of new")


def all_of(*things: str, types: Sequence[str] = ALL) -> Told:
    """The events of these types that these things have."""
    return frozenset((type_, thing) for thing in things for type_ in THINGS[thing] if type_ in types)


EVERYTHING = all_of(*THINGS)


@dataclass(frozen=True, slots=True)
class Filter:
    """proves: behaviours. options: by the name of each, names of things (or of "collection", its "source of
    collection", or "unknown"). passing: what gets through. types: the events asked for."""

    proves: str
    options: Mapping[str, Sequence[str]]
    passing: Told
    types: Sequence[str] = ALL

    @property
    def by_collection(self) -> bool:
        return any("collected_by" in option for option in self.options)


FILTERS = {
    "source_ids": Filter("FLT-03", {"source_ids": SOURCES}, EVERYTHING),
    "one source id": Filter("FLT-03", {"source_ids": ["source of member"]}, all_of("member", "source of member")),
    "an unknown source id": Filter("FLT-03", {"source_ids": ["unknown"]}, all_of()),
    "flow_ids": Filter("FLT-02", {"flow_ids": ["member"]}, all_of("member"), OF_FLOWS),
    "two flow ids": Filter(
        "FLT-02", {"flow_ids": ["member", "unknown", "single"]}, all_of("member", "single"), OF_FLOWS
    ),
    "flow_ids beside events of sources": Filter(
        "FLT-02 FLT-07", {"flow_ids": ["member"], "source_ids": SOURCES}, all_of("member", *SOURCES)
    ),
    "flow_collected_by_ids": Filter(
        "FLT-04", {"flow_collected_by_ids": ["unknown", "collection"]}, all_of("member"), OF_FLOWS
    ),
    "flow_collected_by_ids beside events of sources": Filter(
        "FLT-04 FLT-07", {"flow_collected_by_ids": ["collection"], "source_ids": SOURCES}, all_of("member", *SOURCES)
    ),
    "source_collected_by_ids": Filter(
        "FLT-05", {"source_collected_by_ids": ["source of collection", "unknown"]}, all_of("member", "source of member")
    ),
    "flows in no collection": Filter(
        "FLT-06", {"flow_collected_by_ids": [], "source_ids": SOURCES}, all_of("single", "new", *SOURCES)
    ),
    "sources in no collection": Filter(
        "FLT-06",
        {"source_collected_by_ids": [], "source_ids": SOURCES},
        all_of("single", "new", "source of single", "source of new"),
    ),
    "a flow of another source": Filter(
        "FLT-07", {"flow_ids": ["member"], "source_ids": ["source of single"]}, all_of("source of single")
    ),
    "a flow that is not collected": Filter(
        "FLT-07", {"flow_ids": ["single"], "flow_collected_by_ids": ["collection"]}, all_of(), OF_FLOWS
    ),
    "a flow that is collected": Filter(
        "FLT-07",
        {"flow_ids": ["member", "single"], "flow_collected_by_ids": ["collection"]},
        all_of("member"),
        OF_FLOWS,
    ),
    "a collected flow of a source in no collection": Filter(
        "FLT-07", {"flow_collected_by_ids": ["collection"], "source_collected_by_ids": []}, all_of(), OF_FLOWS
    ),
    "all four": Filter(
        "FLT-07",
        {
            "flow_ids": ["member", "single"],
            "source_ids": ["source of member"],
            "flow_collected_by_ids": ["collection"],
            "source_collected_by_ids": ["source of collection"],
        },
        all_of("member", "source of member"),
    ),
    "no flow ids": Filter("AMB-10", {"flow_ids": [], "source_ids": SOURCES}, all_of(*SOURCES)),
    "no source ids": Filter("AMB-10", {"source_ids": []}, all_of()),
    "no events": Filter("FLT-01 AMB-09", {"source_ids": SOURCES}, all_of(), ()),
    **{type_: Filter("FLT-01", {"source_ids": SOURCES}, all_of(*THINGS, types=[type_]), [type_]) for type_ in ALL},
}
DELETIONS = (FLOW_DELETED, SOURCE_DELETED)
CONTROL = "source_ids"
"""The webhook that gets all of it, last of all the end of both sources."""


class Scene:
    """The things by name, and the webhooks: None where the server refuses the options."""

    def __init__(self, tams: TamsClient, hooks: Hooks) -> None:
        member, single = tams.make_flow(), tams.make_flow()
        collection = tams.make_flow(flow(MULTI, flow_collection=[{"id": member["id"]}]))
        self._new = flow()
        flows = {"member": member, "single": single, "new": self._new, "collection": collection}
        self.ids = {
            **{name: each["id"] for name, each in flows.items()},
            **{f"source of {name}": each["source_id"] for name, each in flows.items()},
            "unknown": fresh(),
        }
        self._names = {id_: name for name, id_ in self.ids.items()}
        self._hooks = {
            name: hooks.make_if_supported(each.types, **self._options(each)) for name, each in FILTERS.items()
        }

    def _options(self, filter_: Filter) -> dict[str, list[str]]:
        return {option: [self.ids[thing] for thing in things] for option, things in filter_.options.items()}

    def told(self, name: str) -> Told:
        """What this webhook has sent of THINGS. The collection loses its member: whether that is told is open."""
        hook = self._hooks[name]
        if hook is None:
            not_implemented(f"webhooks with {dict(FILTERS[name].options)}")
        pairs = ((type_, self._names.get(about, "")) for type_, about in hook.received())
        return frozenset(pair for pair in pairs if pair in EVERYTHING)

    def change(self, tams: TamsClient) -> None:
        """Make each of the events happen once, or more often."""
        for name in ("member", "single"):
            flow_id, source_id = self.ids[name], self.ids[f"source of {name}"]
            assert tams.put(f"/flows/{flow_id}/label", fresh_name("label")).status_code == 204
            register_segment(tams, flow_id)
            delete_segments(tams, flow_id)
            assert tams.put(f"/sources/{source_id}/label", fresh_name("label")).status_code == 204
        tams.make_flow(self._new)
        for name in ("member", "single"):
            delete_flow(tams, self.ids[name])

    def wait(self) -> None:
        """Until each webhook has sent what it should, the control all of it; or until patience ends."""
        made = ((name, self._hooks[name]) for name in (CONTROL, *FILTERS))
        wait_for_each((hook, partial(self._complete, name)) for name, hook in made if hook is not None)

    def _complete(self, name: str) -> bool:
        return self.told(name) >= FILTERS[name].passing


@pytest.fixture(scope="module")
def scene(http: httpx.Client, receiver: Receiver, event_timeout: float, events_arrive: None) -> Iterator[Scene]:
    with shared_client(http) as tams:
        made = Scene(tams, Hooks(tams, receiver, event_timeout))
        made.change(tams)
        made.wait()
        yield made


@named_cases({name: each.proves for name, each in FILTERS.items()})
def test_a_filter_passes_exactly_the_matching_events(scene: Scene, name: str) -> None:
    """Deletions of what is in a collection stand by themselves below."""
    left_out = DELETIONS if FILTERS[name].by_collection else ()
    expected = {each for each in FILTERS[name].passing if each[0] not in left_out}
    assert {each for each in scene.told(name) if each[0] not in left_out} == expected


@named_cases({name: "FLT-09" for name, each in FILTERS.items() if each.by_collection})
def test_a_deletion_passes_if_the_deleted_resource_matched(scene: Scene, name: str) -> None:
    expected = {each for each in FILTERS[name].passing if each[0] in DELETIONS}
    assert {each for each in scene.told(name) if each[0] in DELETIONS} == expected


@pytest.mark.behaviour("FLT-08", "FLT-04", "FLT-05")
@pytest.mark.parametrize("option", ["flow_collected_by_ids", "source_collected_by_ids"])
def test_members_pass_only_while_they_are_in_the_collection(tams: TamsClient, hooks: Hooks, option: str) -> None:
    member, collection = tams.make_flow(), tams.make_flow(flow(MULTI))
    hook = hooks.make_if_supported([FLOW_UPDATED], **{option: [collection["id" if "flow" in option else "source_id"]]})
    if hook is None:
        not_implemented(f"webhooks with {option}")
    control = hooks.make(FLOW_UPDATED, source_ids=[member["source_id"]])
    path = f"/flows/{collection['id']}/flow_collection"

    def labels(of: Hook) -> list[str]:
        return [event.body["flow"].get("label") for event in of.events(about=member["id"])]

    def relabel(label: str) -> None:
        """And once more, since joining and leaving may be told too, with the label of that moment."""
        for each in (label, "none of these"):
            assert tams.put(f"/flows/{member['id']}/label", each).status_code == 204
        assert control.wait_until(lambda: label in labels(control)), control.summary()

    relabel("before")
    assert tams.put(path, [{"id": member["id"]}]).status_code == 204
    relabel("inside")
    assert tams.delete(path).status_code == 204
    relabel("after")
    assert tams.put(path, [{"id": member["id"]}]).status_code == 204
    relabel("inside again")
    hook.wait_until(lambda: "inside again" in labels(hook))
    assert set(labels(hook)) - {"none of these"} == {"inside", "inside again"}

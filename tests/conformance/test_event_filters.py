"""Event filters of webhooks (FLT-*): one webhook for each combination, on the same set of changes."""

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

Events = frozenset[tuple[str, str]]
"""The type of an event, and the name of its subject."""

FLOW_CHANGES = (FLOW_UPDATED, SEGMENTS_ADDED, SEGMENTS_DELETED, FLOW_DELETED)
SOURCE_CHANGES = (SOURCE_UPDATED, SOURCE_DELETED)
SUBJECTS = {
    "member": FLOW_CHANGES,
    "single": FLOW_CHANGES,
    "source of member": SOURCE_CHANGES,
    "source of single": SOURCE_CHANGES,
    "new": (FLOW_CREATED,),
    "source of new": (SOURCE_CREATED,),
}
"""The events of two flows ("member" is in a collection), of a flow that is created, and of their sources."""
SOURCES = ("source of member", "source of single", "source of new")


def all_of(*things: str, types: Sequence[str] = ALL) -> Events:
    """The events of these types about these subjects."""
    return frozenset((type_, thing) for thing in things for type_ in SUBJECTS[thing] if type_ in types)


EVERYTHING = all_of(*SUBJECTS)


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter of a webhook. proves: ids of behaviours. passing: events that match. types: events subscribed to.

    options: by name, the names of subjects, of "collection", of its "source of collection", or "unknown".
    """

    proves: str
    options: Mapping[str, Sequence[str]]
    passing: Events
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
    **{type_: Filter("FLT-01", {"source_ids": SOURCES}, all_of(*SUBJECTS, types=[type_]), [type_]) for type_ in ALL},
}
DELETIONS = (FLOW_DELETED, SOURCE_DELETED)
CONTROL = "source_ids"
"""The webhook that receives all events; the last are the deletions of both sources."""


class Scene:
    """The subjects by name, and the webhooks: None if the server rejects their options."""

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

    def sent(self, name: str) -> Events:
        """The events about SUBJECTS that this webhook has sent. Events of the collection itself are left out, because
        it is open whether the loss of its member sends any."""
        hook = self._hooks[name]
        if hook is None:
            not_implemented(f"webhooks with {dict(FILTERS[name].options)}")
        pairs = ((type_, self._names.get(about, "")) for type_, about in hook.received())
        return frozenset(pair for pair in pairs if pair in EVERYTHING)

    def change(self, tams: TamsClient) -> None:
        """Cause each of the events at least once."""
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
        """Wait until each webhook has sent its expected events and the control webhook all, or until the timeout."""
        made = ((name, self._hooks[name]) for name in (CONTROL, *FILTERS))
        wait_for_each((hook, partial(self._complete, name)) for name, hook in made if hook is not None)

    def _complete(self, name: str) -> bool:
        return self.sent(name) >= FILTERS[name].passing


@pytest.fixture(scope="module")
def scene(http: httpx.Client, receiver: Receiver, event_timeout: float, events_arrive: None) -> Iterator[Scene]:
    with shared_client(http) as tams:
        made = Scene(tams, Hooks(tams, receiver, event_timeout))
        made.change(tams)
        made.wait()
        yield made


@named_cases({name: each.proves for name, each in FILTERS.items()})
def test_a_filter_passes_exactly_the_matching_events(scene: Scene, name: str) -> None:
    """Deletions of collected resources have a test of their own below."""
    left_out = DELETIONS if FILTERS[name].by_collection else ()
    expected = {each for each in FILTERS[name].passing if each[0] not in left_out}
    assert {each for each in scene.sent(name) if each[0] not in left_out} == expected


@named_cases({name: "FLT-09" for name, each in FILTERS.items() if each.by_collection})
def test_a_deletion_passes_if_the_deleted_resource_matched(scene: Scene, name: str) -> None:
    expected = {each for each in FILTERS[name].passing if each[0] in DELETIONS}
    assert {each for each in scene.sent(name) if each[0] in DELETIONS} == expected


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
        """Change the label twice: joining and leaving may also send events, with the label at that time."""
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

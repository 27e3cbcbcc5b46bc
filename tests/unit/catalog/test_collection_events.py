"""Events when a flow collection changes: updates of the flow, its members, and their sources (AMB-19)."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from storage.catalog import event_journal
from storage.catalog.event_journal import EventJournal
from storage.catalog.flows import flow_rows
from storage.errors import Unavailable
from storage.tables.transaction import Reader
from tests.conformance.kit.documents import MULTI, Json, flow
from tests.unit.catalogs import CALLER, World
from tests.unit.event_recorder import EventRecorder, subject_id

Events = set[tuple[str, str]]
"""Type and flow or source id of each event."""


@dataclass
class Family:
    """A multi flow and three flows that it may collect, each with its own source."""

    world: World
    recorder: EventRecorder
    parent: Json
    members: list[Json]

    def new_events(self) -> Events:
        """The events since the last call. Checks that none is repeated, and that their documents are current."""
        bodies = self.recorder.new_events()
        for body in bodies:
            event = body["event"]
            if "flow" in event:
                assert event["flow"] == self.world.catalog.flows.get(CALLER, event["flow"]["id"])
            if "source" in event:
                assert event["source"] == self.world.catalog.sources.get(CALLER, event["source"]["id"])
        found = [(body["event_type"], subject_id(body)) for body in bodies]
        assert len(found) == len(set(found))
        return set(found)

    def collect(self, *members: Json) -> None:
        self.world.set_collection(self.parent["id"], *(each["id"] for each in members))

    def versions(self) -> list[str]:
        return [self.world.catalog.flows.get(CALLER, each["id"])["metadata_version"] for each in self.members]


@pytest.fixture
def family(world: World, recorder: EventRecorder) -> Family:
    made = Family(world, recorder, flow(MULTI), [flow() for _ in range(3)])
    for document in (made.parent, *made.members):
        world.make_flow(document)
    recorder.new_events()
    return made


def updated(*flows: Json) -> Events:
    """The events of a change of these flows and of their sources."""
    flow_events = {("flows/updated", each["id"]) for each in flows}
    return flow_events | {("sources/updated", each["source_id"]) for each in flows}


@pytest.mark.behaviour("EVT-FU-02", "EVT-SU-02", "AMB-19")
def test_members_that_are_added_or_removed_are_updated(family: Family) -> None:
    first, second, third = family.members
    family.collect(first, second)
    assert family.new_events() == updated(family.parent, first, second)
    family.collect(second, third)
    assert family.new_events() == updated(family.parent, first, third)
    family.world.catalog.flows.set_member(CALLER, family.parent["id"], "flow_collection", None)
    assert family.new_events() == updated(family.parent, second, third)


@pytest.mark.behaviour("AMB-19", "FLOW-META-11")
def test_members_keep_their_metadata_version(family: Family) -> None:
    before = family.versions()
    family.collect(*family.members)
    family.collect()
    assert family.versions() == before


@pytest.mark.behaviour("EVT-SU-02", "AMB-19", "AMB-20")
def test_setting_an_equal_collection_updates_the_collecting_flow_only(family: Family) -> None:
    family.collect(*family.members)
    family.new_events()
    family.collect(*family.members)
    assert family.new_events() == {("flows/updated", family.parent["id"])}


@pytest.mark.behaviour("EVT-SU-02", "AMB-19")
def test_a_new_role_or_order_updates_the_collecting_flow_and_not_its_members(family: Family) -> None:
    family.collect(*family.members)
    family.new_events()
    items = [{"id": each["id"], "role": "another"} for each in family.members]
    for changed in (items, items[::-1]):
        family.world.catalog.flows.set_member(CALLER, family.parent["id"], "flow_collection", changed)
        assert family.new_events() == updated(family.parent)


@pytest.mark.behaviour("EVT-SU-02", "AMB-19")
def test_a_source_whose_collection_stays_the_same_is_not_updated(family: Family) -> None:
    """Two flows of one source collect it, and one of them stops: only flows change."""
    first = family.members[0]
    twin = flow(MULTI, source_id=family.parent["source_id"])
    family.world.make_flow(twin)
    family.new_events()
    family.collect(first)
    assert family.new_events() == updated(family.parent, first)
    family.world.set_collection(twin["id"], first["id"])
    assert family.new_events() == {("flows/updated", twin["id"]), ("flows/updated", first["id"])}
    family.world.set_collection(twin["id"])
    assert family.new_events() == {("flows/updated", twin["id"]), ("flows/updated", first["id"])}


@pytest.mark.behaviour("EVT-FC-01", "EVT-SC-01", "EVT-SU-02", "AMB-19")
def test_creating_a_flow_with_members_updates_the_members(family: Family) -> None:
    first, second, _ = family.members
    document = flow(MULTI, flow_collection=[{"id": first["id"], "role": "a"}, {"id": second["id"], "role": "b"}])
    family.world.make_flow(document)
    created = {("flows/created", document["id"]), ("sources/created", document["source_id"])}
    assert family.new_events() == created | updated(first, second)


@pytest.mark.behaviour("EVT-FU-02", "AMB-19")
def test_the_events_of_a_large_collection_take_little_memory(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few documents are read at once, and few events kept; all are sent, in order."""
    read: list[int] = []
    documents = flow_rows.documents

    def counting(tx: Reader, rows: Sequence[Json]) -> list[Json]:
        read.append(len(rows))
        return documents(tx, rows)

    monkeypatch.setattr(flow_rows, "documents", counting)
    monkeypatch.setattr(event_journal, "_MAX_DOCUMENTS", 2)
    monkeypatch.setattr(event_journal, "_MAX_ROWS", 2)
    kept: list[int] = []
    write = EventJournal.write

    def measured(journal: EventJournal) -> None:
        kept.append(len(journal._rows))
        write(journal)

    monkeypatch.setattr(EventJournal, "write", measured)
    family.collect(*family.members)
    assert max(read) == 2
    assert kept == [2, 2, 2, 2, 0]
    positions = [row["position"] for row in family.world.rows("events")]
    assert len(set(positions)) == len(positions)
    assert family.new_events() == updated(family.parent, *family.members)


@pytest.mark.behaviour("A27", "AMB-19")
def test_a_flow_that_collects_itself_is_updated_once(family: Family) -> None:
    family.collect(family.parent)
    assert family.new_events() == updated(family.parent)
    family.world.catalog.deletions.delete_flow(CALLER, family.parent["id"])
    assert family.new_events() == {
        ("flows/deleted", family.parent["id"]),
        ("sources/deleted", family.parent["source_id"]),
    }


@pytest.mark.behaviour("EVT-FD-01", "EVT-SX-01", "EVT-SU-02", "AMB-19", "A28")
def test_deleting_a_flow_updates_its_collectors(family: Family) -> None:
    first, second, _ = family.members
    family.collect(first, second)
    family.new_events()
    family.world.catalog.deletions.delete_flow(CALLER, first["id"])
    gone = {("flows/deleted", first["id"]), ("sources/deleted", first["source_id"])}
    assert family.new_events() == gone | updated(family.parent)


@pytest.mark.behaviour("EVT-FD-01", "EVT-SX-01", "EVT-SU-02", "AMB-19")
def test_deleting_a_flow_updates_its_members(family: Family) -> None:
    first, second, _ = family.members
    family.collect(first, second)
    family.new_events()
    family.world.catalog.deletions.delete_flow(CALLER, family.parent["id"])
    gone = {("flows/deleted", family.parent["id"]), ("sources/deleted", family.parent["source_id"])}
    assert family.new_events() == gone | updated(first, second)


@pytest.mark.behaviour("DLV-13", "AMB-19")
def test_a_failed_change_of_a_collection_records_no_events(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    write = EventJournal.write

    def failing(journal: EventJournal) -> None:
        write(journal)
        raise Unavailable("the catalogue is unavailable")

    with monkeypatch.context() as broken:
        broken.setattr(EventJournal, "write", failing)
        with pytest.raises(Unavailable):
            family.collect(*family.members)
    assert family.new_events() == set()
    assert "collected_by" not in family.world.catalog.flows.get(CALLER, family.members[0]["id"])
